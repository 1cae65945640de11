//! Enters: options as JavaScript gives them. Leaves: checked options.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::models::HeadKind;
use crate::peft::{LoraConfig, Method, MethodType};
use crate::{Error, Result};

/// Tokens kept of a text where nothing is asked for; enough for most single messages.
pub const DEFAULT_MAX_LENGTH: usize = 128;

/// How much work a run may be; see [`super::recipe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecipeName {
    Fast,
    #[default]
    Balanced,
    Best,
}

/// Where the head starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HeadInit {
    /// Fitted on frozen features (Kumar et al. 2022). What is kept is never worse on the validation rows than that fit.
    Probe,
    /// Random, as in PEFT's examples; the probe is still fitted, as a baseline.
    Random,
}

/// The shape of a stage's learning rate; see [`crate::train::schedule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LrSchedulerType {
    Linear,
    Cosine,
    Constant,
    SlantedTriangular,
}

/// The stage before the head's; see [`super::contrast`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ContrastiveOptions {
    /// Optimiser steps.
    pub steps: usize,
    /// Texts a step.
    pub batch_size: usize,
    /// Peak rate.
    pub learning_rate: f64,
    /// What similarities are divided by.
    pub temperature: f64,
}

impl Default for ContrastiveOptions {
    fn default() -> Self {
        Self {
            steps: 40,
            batch_size: 32,
            learning_rate: 1e-3,
            temperature: 0.1,
        }
    }
}

/// `false`, or the stage's settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected false or an object with steps, batchSize, learningRate, temperature"
)]
pub enum Contrastive {
    Off(False),
    On(ContrastiveOptions),
}

/// The JSON value `false` and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "bool", try_from = "bool")]
pub struct False;

impl From<False> for bool {
    fn from(_: False) -> Self {
        false
    }
}

impl TryFrom<bool> for False {
    type Error = &'static str;

    fn try_from(value: bool) -> std::result::Result<Self, Self::Error> {
        match value {
            false => Ok(Self),
            true => Err("expected false or settings"),
        }
    }
}

impl Contrastive {
    /// The settings, where there is such a stage.
    pub fn settings(&self) -> Option<&ContrastiveOptions> {
        match self {
            Self::Off(_) => None,
            Self::On(settings) => Some(settings),
        }
    }
}

/// Which head; `auto` leaves it to the model's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadChoice {
    Auto,
    Cls,
    Mean,
}

impl HeadChoice {
    /// The head itself, given what the files ask for.
    pub fn resolve(self, default: HeadKind) -> HeadKind {
        match self {
            Self::Auto => default,
            Self::Cls => HeadKind::Cls,
            Self::Mean => HeadKind::Mean,
        }
    }
}

/// Settings of a run, by the names of Hugging Face's `TrainingArguments` where it has one. What a person leaves out is filled by
/// [`super::recipe`], so that the defaults here are only what is left then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TrainOptions {
    /// Fills what is left out.
    pub recipe: RecipeName,
    /// What is trained.
    pub method: Method,
    /// Which head classifies.
    pub head: HeadChoice,
    /// Where it starts.
    pub head_init: HeadInit,
    /// A stage before the head's.
    pub contrastive: Contrastive,
    /// Peak rate of what trains below the head.
    pub learning_rate: f64,
    /// Peak rate of the head.
    pub head_learning_rate: f64,
    /// Shape of the rates.
    pub lr_scheduler_type: LrSchedulerType,
    /// Share of the steps in which the rate rises from 0; 0 without either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_ratio: Option<f64>,
    /// The same as a number of steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<usize>,
    /// Each layer's rate is the one above it times this.
    pub layer_lr_decay: f64,
    /// Steps until one more group of layers trains; 0 for all at once.
    pub unfreeze_every_steps: usize,
    /// The same in epochs.
    pub unfreeze_every_epochs: usize,
    /// Passes over the training rows.
    pub num_train_epochs: usize,
    /// Rows per forward pass.
    pub train_batch_size: usize,
    /// Forward passes per optimiser step.
    pub gradient_accumulation_steps: usize,
    /// AdamW's decoupled decay.
    pub weight_decay: f64,
    /// Whether biases and norms decay too.
    pub decay_bias_and_norm: bool,
    /// Of hidden states, attention weights and the head's input.
    pub dropout: f64,
    /// Probability that a weight is its pretrained value in a step.
    pub mixout: f64,
    /// Strength of the pull towards the start.
    pub l2_sp: f64,
    /// AdamW's decay of the mean gradient.
    pub adam_beta1: f64,
    /// AdamW's decay of the mean squared gradient.
    pub adam_beta2: f64,
    /// AdamW's guard against division by zero.
    pub adam_epsilon: f64,
    /// Largest global norm of the gradients; 0 for no clipping.
    pub max_grad_norm: f64,
    /// Tokens kept of a text, special tokens included; without it [`DEFAULT_MAX_LENGTH`], or the model's positions
    /// where those are fewer.
    pub max_length: Option<usize>,
    /// Share of every label's rows that judges and never trains.
    pub validation_split: f64,
    /// Epochs without improvement before training stops; 0 for never.
    pub early_stopping_patience: usize,
    /// Every random choice follows from it.
    pub seed: u64,
    /// Start of head and adapter; `seed` without it.
    pub head_seed: Option<u64>,
    /// Order of the rows, dropout and mixout; `seed` without it.
    pub data_seed: Option<u64>,
    /// Runs with seeds counted up, of which the best is kept.
    pub seeds: usize,
    /// What zero-shot compares a text with, by label.
    pub label_descriptions: BTreeMap<String, String>,
    /// Compute the frozen lower part once.
    pub frozen_cache: bool,
    /// Compute each layer a second time in the backward pass instead of keeping its inside.
    pub gradient_checkpointing: bool,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            recipe: RecipeName::Balanced,
            method: Method::Lora(LoraConfig::default()),
            head: HeadChoice::Auto,
            head_init: HeadInit::Probe,
            contrastive: Contrastive::Off(False),
            learning_rate: 1e-3,
            head_learning_rate: 1e-2,
            lr_scheduler_type: LrSchedulerType::Linear,
            warmup_ratio: None,
            warmup_steps: None,
            layer_lr_decay: 1.0,
            unfreeze_every_steps: 0,
            unfreeze_every_epochs: 0,
            num_train_epochs: 5,
            train_batch_size: 16,
            gradient_accumulation_steps: 1,
            weight_decay: 0.01,
            decay_bias_and_norm: false,
            dropout: 0.0,
            mixout: 0.0,
            l2_sp: 0.0,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            max_grad_norm: 1.0,
            max_length: None,
            validation_split: 0.15,
            early_stopping_patience: 3,
            seed: 42,
            head_seed: None,
            data_seed: None,
            seeds: 1,
            label_descriptions: BTreeMap::new(),
            frozen_cache: true,
            gradient_checkpointing: false,
        }
    }
}

impl TrainOptions {
    /// # Errors
    /// [`Error::InvalidOption`] naming the setting, its range and what was given, or which two do not go together.
    pub fn check(&self) -> Result<()> {
        self.method.check()?;
        self.check_numbers()?;
        self.check_combinations()
    }

    fn check_numbers(&self) -> Result<()> {
        let contrastive = self.contrastive.settings().copied().unwrap_or_default();
        for (option, value, low, high) in [
            ("learningRate", self.learning_rate, 0.0, f64::MAX),
            ("headLearningRate", self.head_learning_rate, 0.0, f64::MAX),
            ("weightDecay", self.weight_decay, 0.0, f64::MAX),
            ("l2Sp", self.l2_sp, 0.0, f64::MAX),
            ("maxGradNorm", self.max_grad_norm, 0.0, f64::MAX),
            ("warmupRatio", self.warmup_ratio.unwrap_or(0.0), 0.0, 1.0),
            (
                "contrastive.learningRate",
                contrastive.learning_rate,
                0.0,
                f64::MAX,
            ),
        ] {
            // a NaN is in no range
            if !(low..=high).contains(&value) {
                let range = match high == f64::MAX {
                    true => "0 or more".to_string(),
                    false => format!("{low} to {high}"),
                };
                return Err(out_of_range(option, &range, value));
            }
        }
        for (option, value) in [
            // some first gradients are zero (of A where B is): without an epsilon their update would be 0 / 0
            ("adamEpsilon", self.adam_epsilon),
            ("layerLrDecay", self.layer_lr_decay),
            ("contrastive.temperature", contrastive.temperature),
        ] {
            if !(value > 0.0 && value <= 1.0) {
                return Err(out_of_range(option, "above 0 and at most 1", value));
            }
        }
        for (option, value) in [
            ("adamBeta1", self.adam_beta1),
            ("adamBeta2", self.adam_beta2),
            ("dropout", self.dropout),
            ("mixout", self.mixout),
        ] {
            if !(0.0..1.0).contains(&value) {
                return Err(out_of_range(option, "0 or more and below 1", value));
            }
        }
        if !(self.validation_split > 0.0 && self.validation_split <= 0.9) {
            let range = "above 0 and at most 0.9";
            return Err(out_of_range(
                "validationSplit",
                range,
                self.validation_split,
            ));
        }
        let max_length = self.max_length.unwrap_or(DEFAULT_MAX_LENGTH);
        let fewest_epochs = usize::from(self.contrastive.settings().is_none());
        for (option, value, low, high) in [
            ("maxLength", max_length, 3, 1 << 16),
            ("numTrainEpochs", self.num_train_epochs, fewest_epochs, 1000),
            ("trainBatchSize", self.train_batch_size, 1, 1024),
            (
                "gradientAccumulationSteps",
                self.gradient_accumulation_steps,
                1,
                1024,
            ),
            ("seeds", self.seeds, 1, 100),
            ("contrastive.steps", contrastive.steps, 1, 100_000),
            ("contrastive.batchSize", contrastive.batch_size, 4, 1024),
        ] {
            if !(low..=high).contains(&value) {
                return Err(out_of_range(option, &format!("{low} to {high}"), value));
            }
        }
        Ok(())
    }

    fn check_combinations(&self) -> Result<()> {
        let method = self.method.kind();
        let word = method.word();
        let conflict = |option: &str, reason: String| Err(invalid(option, reason));
        if self.mixout > 0.0 && method != MethodType::Full {
            return conflict(
                "mixout",
                format!(
                    "it replaces trained weights by their pretrained values, and method {word} trains no pretrained weight; use method full"
                ),
            );
        }
        if self.contrastive.settings().is_some() && method == MethodType::Probe {
            return conflict(
                "contrastive",
                "it trains the encoder, which method probe leaves as it is".into(),
            );
        }
        if self.unfreeze_every_steps > 0 && self.unfreeze_every_epochs > 0 {
            return conflict(
                "unfreezeEverySteps",
                "give it or unfreezeEveryEpochs, not both".into(),
            );
        }
        if self.unfreeze_every_steps + self.unfreeze_every_epochs > 0 && method == MethodType::Probe
        {
            return conflict(
                match self.unfreeze_every_steps {
                    0 => "unfreezeEveryEpochs",
                    _ => "unfreezeEverySteps",
                },
                "method probe trains the head alone, so that there is nothing to unfreeze".into(),
            );
        }
        if self.layer_lr_decay < 1.0 && method == MethodType::Probe {
            return conflict("layerLrDecay", "method probe trains the head alone".into());
        }
        if self.gradient_checkpointing && method == MethodType::Probe {
            return conflict(
                "gradientCheckpointing",
                "method probe trains the head alone, so that no layer keeps anything".into(),
            );
        }
        if self.head_init == HeadInit::Random && self.contrastive.settings().is_some() {
            return conflict(
                "headInit",
                "after a contrastive stage the head is fitted, never random".into(),
            );
        }
        Ok(())
    }

    /// The seed of what starts at random.
    pub fn head_seed(&self) -> u64 {
        self.head_seed.unwrap_or(self.seed)
    }

    /// The seed of the rows' order and of what is dropped.
    pub fn data_seed(&self) -> u64 {
        self.data_seed.unwrap_or(self.seed)
    }
}

pub(crate) fn out_of_range(option: &str, range: &str, value: impl std::fmt::Display) -> Error {
    invalid(option, format!("expected {range}, got {value}"))
}

pub(crate) fn invalid(option: &str, reason: String) -> Error {
    Error::InvalidOption {
        option: option.into(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_javascript_names_and_refuses_unknown_ones() {
        let options: TrainOptions =
            serde_json::from_str(r#"{"numTrainEpochs": 2, "method": {"type": "lora", "r": 2}}"#)
                .unwrap();
        assert_eq!(options.num_train_epochs, 2);
        assert_eq!(
            options.method,
            Method::Lora(LoraConfig {
                r: 2,
                ..LoraConfig::default()
            })
        );
        for json in [
            r#"{"epochs": 2}"#,
            r#"{"method": {"type": "full", "r": 2}}"#,
            r#"{"method": {"type": "houlsby", "r": 2}}"#,
            r#"{"contrastive": true}"#,
            r#"{"contrastive": {"epochs": 1}}"#,
        ] {
            assert!(
                serde_json::from_str::<TrainOptions>(json).is_err(),
                "{json}"
            );
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let contrastive = Contrastive::On(ContrastiveOptions::default());
        for options in [
            TrainOptions::default(),
            TrainOptions {
                contrastive,
                ..TrainOptions::default()
            },
        ] {
            let json = serde_json::to_string(&options).unwrap();
            assert_eq!(
                serde_json::from_str::<TrainOptions>(&json).unwrap(),
                options,
                "{json}"
            );
        }
    }

    #[test]
    fn names_the_option_that_is_out_of_range_or_impossible_beside_another() {
        for (json, option) in [
            (r#"{"learningRate": -1}"#, "learningRate"),
            (r#"{"warmupRatio": 2}"#, "warmupRatio"),
            (r#"{"validationSplit": 0}"#, "validationSplit"),
            (r#"{"numTrainEpochs": 0}"#, "numTrainEpochs"),
            (r#"{"maxLength": 2}"#, "maxLength"),
            (r#"{"adamEpsilon": 0}"#, "adamEpsilon"),
            (r#"{"adamBeta2": 1}"#, "adamBeta2"),
            (r#"{"layerLrDecay": 1.5}"#, "layerLrDecay"),
            (r#"{"dropout": 1}"#, "dropout"),
            (r#"{"seeds": 0}"#, "seeds"),
            (
                r#"{"contrastive": {"batchSize": 2}}"#,
                "contrastive.batchSize",
            ),
            (r#"{"method": {"type": "lora", "r": 0}}"#, "r"),
            (
                r#"{"method": {"type": "lora", "loraDropout": 1}}"#,
                "loraDropout",
            ),
            (
                r#"{"method": {"type": "lora", "rankPattern": {"query": 0}}}"#,
                "rankPattern.query",
            ),
            (
                r#"{"method": {"type": "lora", "alphaPattern": {"(": 1}}}"#,
                "alphaPattern",
            ),
            (
                r#"{"method": {"type": "houlsby", "reductionFactor": 0}}"#,
                "reductionFactor",
            ),
            (
                r#"{"method": {"type": "prefix", "numVirtualTokens": 0}}"#,
                "numVirtualTokens",
            ),
            (r#"{"mixout": 0.1}"#, "mixout"),
            (
                r#"{"method": {"type": "probe"}, "contrastive": {}}"#,
                "contrastive",
            ),
            (
                r#"{"method": {"type": "probe"}, "unfreezeEveryEpochs": 1}"#,
                "unfreezeEveryEpochs",
            ),
            (
                r#"{"method": {"type": "probe"}, "layerLrDecay": 0.9}"#,
                "layerLrDecay",
            ),
            (
                r#"{"unfreezeEverySteps": 1, "unfreezeEveryEpochs": 1}"#,
                "unfreezeEverySteps",
            ),
            (r#"{"headInit": "random", "contrastive": {}}"#, "headInit"),
        ] {
            let options: TrainOptions = serde_json::from_str(json).unwrap();
            let error = options.check().unwrap_err();
            assert_eq!(error.code(), "invalidOption");
            assert!(error.to_string().starts_with(option), "{json}: {error}");
        }
        let both = r#"{"contrastive": {}, "numTrainEpochs": 0}"#;
        assert_eq!(
            serde_json::from_str::<TrainOptions>(both).unwrap().check(),
            Ok(())
        );
    }
}
