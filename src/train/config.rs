//! Enters: options as JavaScript gives them. Leaves: checked options; every default stands here.

use serde::{Deserialize, Serialize};

use crate::models::HeadKind;
use crate::peft::LoraConfig;
use crate::{Error, Result};

/// Tokens kept of a text where nothing is asked for; enough for most single messages.
pub const DEFAULT_MAX_LENGTH: usize = 128;

/// What is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Method {
    /// Low-rank deltas on linear layers; everything else but the head is frozen.
    Lora(LoraConfig),
}

/// In which stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Recipe {
    /// Fit the head on frozen features, then train deltas and head together from there. What is kept is never worse on
    /// the validation rows than the fitted head alone.
    ProbeThenLora,
    /// Train deltas and a fresh head together from the start, as PEFT's examples do. The probe is fitted all the same,
    /// as the baseline.
    Lora,
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

/// Settings of a run, by the names of Hugging Face's `TrainingArguments` where it has one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TrainOptions {
    /// What is trained.
    pub method: Method,
    /// Which head classifies.
    pub head: HeadChoice,
    /// In which stages.
    pub recipe: Recipe,
    /// Peak rate of the adapter.
    pub learning_rate: f64,
    /// Peak rate of the head.
    pub head_learning_rate: f64,
    /// Passes over the training rows.
    pub num_train_epochs: usize,
    /// Rows per forward pass.
    pub train_batch_size: usize,
    /// Forward passes per optimiser step.
    pub gradient_accumulation_steps: usize,
    /// AdamW's decoupled decay.
    pub weight_decay: f64,
    /// AdamW's decay of the mean gradient.
    pub adam_beta1: f64,
    /// AdamW's decay of the mean squared gradient.
    pub adam_beta2: f64,
    /// AdamW's guard against division by zero.
    pub adam_epsilon: f64,
    /// Largest global norm of the gradients; 0 for no clipping.
    pub max_grad_norm: f64,
    /// Share of the steps in which the rate rises from 0.
    pub warmup_ratio: f64,
    /// Tokens kept of a text, special tokens included; without it [`DEFAULT_MAX_LENGTH`], or the model's positions
    /// where those are fewer.
    pub max_length: Option<usize>,
    /// Share of every label's rows that judges and never trains.
    pub validation_split: f64,
    /// Epochs without improvement before training stops; 0 for never.
    pub early_stopping_patience: usize,
    /// Every random choice follows from it.
    pub seed: u64,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            method: Method::Lora(LoraConfig::default()),
            head: HeadChoice::Auto,
            recipe: Recipe::ProbeThenLora,
            learning_rate: 1e-3,
            head_learning_rate: 1e-2,
            num_train_epochs: 5,
            train_batch_size: 16,
            gradient_accumulation_steps: 1,
            weight_decay: 0.01,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            max_grad_norm: 1.0,
            warmup_ratio: 0.1,
            max_length: None,
            validation_split: 0.15,
            early_stopping_patience: 3,
            seed: 42,
        }
    }
}

impl TrainOptions {
    /// # Errors
    /// [`Error::InvalidOption`] naming the setting, its range and what was given.
    pub fn check(&self) -> Result<()> {
        let Method::Lora(lora) = &self.method;
        lora.check()?;
        for (option, value, low, high) in [
            ("learningRate", self.learning_rate, 0.0, f64::MAX),
            ("headLearningRate", self.head_learning_rate, 0.0, f64::MAX),
            ("weightDecay", self.weight_decay, 0.0, f64::MAX),
            ("maxGradNorm", self.max_grad_norm, 0.0, f64::MAX),
            ("warmupRatio", self.warmup_ratio, 0.0, 1.0),
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
        // B starts at zero, and so does the gradient of A: without an epsilon its first update would be 0 / 0
        if !(self.adam_epsilon > 0.0 && self.adam_epsilon <= 1.0) {
            return Err(out_of_range(
                "adamEpsilon",
                "above 0 and at most 1",
                self.adam_epsilon,
            ));
        }
        for (option, value) in [
            ("adamBeta1", self.adam_beta1),
            ("adamBeta2", self.adam_beta2),
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
        if let Some(length) = self.max_length
            && !(3..=1 << 16).contains(&length)
        {
            return Err(out_of_range("maxLength", "3 to 65536", length));
        }
        for (option, value, low, high) in [
            ("numTrainEpochs", self.num_train_epochs, 1, 1000),
            ("trainBatchSize", self.train_batch_size, 1, 1024),
            (
                "gradientAccumulationSteps",
                self.gradient_accumulation_steps,
                1,
                1024,
            ),
        ] {
            if !(low..=high).contains(&value) {
                return Err(out_of_range(option, &format!("{low} to {high}"), value));
            }
        }
        Ok(())
    }
}

fn out_of_range(option: &str, range: &str, value: impl std::fmt::Display) -> Error {
    Error::InvalidOption {
        option: option.into(),
        reason: format!("expected {range}, got {value}"),
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
        let Method::Lora(lora) = options.method;
        assert_eq!((lora.r, lora.lora_alpha), (2, 16.0));
        assert!(serde_json::from_str::<TrainOptions>(r#"{"epochs": 2}"#).is_err());
    }

    #[test]
    fn names_the_option_that_is_out_of_range() {
        for (json, option) in [
            (r#"{"learningRate": -1}"#, "learningRate"),
            (r#"{"warmupRatio": 2}"#, "warmupRatio"),
            (r#"{"validationSplit": 0}"#, "validationSplit"),
            (r#"{"numTrainEpochs": 0}"#, "numTrainEpochs"),
            (r#"{"maxLength": 2}"#, "maxLength"),
            (r#"{"adamEpsilon": 0}"#, "adamEpsilon"),
            (r#"{"adamBeta2": 1}"#, "adamBeta2"),
            (r#"{"method": {"type": "lora", "r": 0}}"#, "r"),
            (
                r#"{"method": {"type": "lora", "loraDropout": 1}}"#,
                "loraDropout",
            ),
        ] {
            let options: TrainOptions = serde_json::from_str(json).unwrap();
            let error = options.check().unwrap_err();
            assert!(error.to_string().starts_with(option), "{json}: {error}");
        }
    }
}
