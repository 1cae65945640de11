//! The settings of a classifier's run: read over the defaults and checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use serde_json::{Map, Value};

use crate::models::HeadKind;
use crate::options::{OptionRange, Ranges, check_ranges, read};
use crate::peft::{LoraConfig, Method, MethodType};
use crate::train::options::{LoopOptions, LrSchedulerType, over_defaults};
use crate::{Error, Result};

/// Tokens kept of a text where nothing is asked for; enough for most single messages.
pub const DEFAULT_MAX_LENGTH: usize = 128;

/// How much work a run may be; see [`super::recipe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum RecipeName {
    Fast,
    #[default]
    Balanced,
    Best,
}

/// Where the head starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum HeadInit {
    /// Fitted on frozen features (Kumar et al. 2022). What is kept is never worse on the validation rows than that fit.
    Probe,
    /// Random, as in PEFT's examples; the probe is still fitted, as a baseline.
    Random,
}

/// The stage before the head's; see [`super::contrast`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
            steps: 20,
            batch_size: 32,
            learning_rate: 1e-3,
            temperature: 0.1,
        }
    }
}

/// `false`, or the stage's settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected false or an object with steps, batchSize, learningRate, temperature"
)]
pub enum Contrastive {
    Off(#[cfg_attr(test, schemars(with = "bool", extend("const" = false)))] False),
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
        if value {
            Err("expected false or settings")
        } else {
            Ok(Self)
        }
    }
}

impl Contrastive {
    /// The settings, if there is such a stage.
    pub fn settings(&self) -> Option<&ContrastiveOptions> {
        match self {
            Self::Off(_) => None,
            Self::On(settings) => Some(settings),
        }
    }
}

/// Which head; `auto` leaves it to the model's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// A classifier's own settings. What a person leaves out is filled by [`super::recipe`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClassifySettings {
    /// Fills what is left out.
    pub recipe: RecipeName,
    /// Which head classifies.
    pub head: HeadChoice,
    /// Where it starts.
    pub head_init: HeadInit,
    /// A stage before the head's.
    pub contrastive: Contrastive,
    /// Peak rate of the head.
    pub head_learning_rate: f64,
    /// Of hidden states, attention weights and the head's input.
    pub dropout: f64,
    /// What zero-shot compares a text with, by label.
    pub label_descriptions: BTreeMap<String, String>,
    /// Compute the frozen lower part once.
    pub frozen_cache: bool,
    /// Leaves examples out that cannot be learnt (a blank text or label, a token that the model lacks, a label with one example), and lists them
    /// in `started`; without it the first of them is an error.
    pub skip_bad: bool,
}

/// All settings of a classifier's run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClassifyOptions {
    #[serde(flatten)]
    pub own: ClassifySettings,
    /// What it has in common with other tasks.
    #[serde(flatten)]
    pub common: LoopOptions,
}

/// The ranges of a classifier's own numbers.
pub const RANGES: Ranges<ClassifySettings> = &[
    (OptionRange::at_least("headLearningRate", 0.0), |o| {
        Some(o.head_learning_rate)
    }),
    (
        OptionRange::between("dropout", 0.0, 1.0).excluding_high(),
        |o| Some(o.dropout),
    ),
    (
        OptionRange::between("contrastive.steps", 1.0, 100_000.0),
        |o| Some(o.contrastive.settings()?.steps as f64),
    ),
    (
        OptionRange::between("contrastive.batchSize", 4.0, 1024.0),
        |o| Some(o.contrastive.settings()?.batch_size as f64),
    ),
    (
        OptionRange::at_least("contrastive.learningRate", 0.0),
        |o| Some(o.contrastive.settings()?.learning_rate),
    ),
    (
        OptionRange::between("contrastive.temperature", 0.0, 1.0).excluding_low(),
        |o| Some(o.contrastive.settings()?.temperature),
    ),
];

impl Default for ClassifyOptions {
    fn default() -> Self {
        Self {
            own: ClassifySettings {
                recipe: RecipeName::Balanced,
                head: HeadChoice::Auto,
                head_init: HeadInit::Probe,
                contrastive: Contrastive::Off(False),
                head_learning_rate: 1e-2,
                dropout: 0.0,
                label_descriptions: BTreeMap::new(),
                frozen_cache: true,
                skip_bad: false,
            },
            common: LoopOptions {
                method: Method::Lora(LoraConfig::default()),
                learning_rate: 1e-3,
                lr_scheduler_type: LrSchedulerType::Linear,
                warmup_ratio: None,
                warmup_steps: None,
                layer_lr_decay: 1.0,
                unfreeze_every_steps: 0,
                unfreeze_every_epochs: 0,
                num_train_epochs: 5,
                train_batch_size: 16,
                gradient_accumulation_steps: 1,
                gradient_checkpointing: None,
                weight_decay: 0.01,
                decay_bias_and_norm: false,
                mixout: 0.0,
                l2_sp: 0.0,
                adam_beta1: 0.9,
                adam_beta2: 0.999,
                adam_epsilon: 1e-8,
                max_grad_norm: 1.0,
                max_length: None,
                validation_split: 0.15,
                eval_steps: 0,
                early_stopping_patience: 3,
                seed: 42,
                head_seed: None,
                data_seed: None,
                seeds: 1,
            },
        }
    }
}

impl ClassifyOptions {
    /// Reads options over the defaults; unknown ones are refused. Numbers are not checked yet.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] naming the option.
    pub fn read(given: &Map<String, Value>) -> Result<Self> {
        let (own, common) = over_defaults(&Self::default(), given)?;
        Ok(Self {
            own: read(Value::Object(own), "options")?,
            common: read(Value::Object(common), "options")?,
        })
    }

    /// # Errors
    /// [`Error::InvalidOption`] naming the option, its range and what was given, or which two do not go together.
    pub fn check(&self) -> Result<()> {
        self.common.check()?;
        check_ranges(&self.own, RANGES)?;
        if self.common.num_train_epochs == 0 && self.own.contrastive.settings().is_none() {
            return Err(Error::out_of_range("numTrainEpochs", "1 to 1000", 0));
        }
        self.check_combinations()
    }

    fn check_combinations(&self) -> Result<()> {
        let Self { own, common } = self;
        if own.contrastive.settings().is_some() {
            if common.method.kind() == MethodType::Probe {
                return Err(Error::option(
                    "contrastive",
                    "it trains the encoder, which method probe leaves as it is",
                ));
            }
            if own.head_init == HeadInit::Random {
                return Err(Error::option(
                    "headInit",
                    "after a contrastive stage the head is fitted, never random",
                ));
            }
        }
        if common.method.kind() == MethodType::Probe {
            return self.check_probe();
        }
        Ok(())
    }

    /// What has no meaning where the head alone trains.
    fn check_probe(&self) -> Result<()> {
        let options = &self.common;
        let conflict = |option: &str, reason: &str| Err(Error::option(option, reason));
        let nothing = "method probe trains the head alone, so that there is nothing to unfreeze";
        if options.unfreeze_every_epochs > 0 {
            return conflict("unfreezeEveryEpochs", nothing);
        }
        if options.unfreeze_every_steps > 0 {
            return conflict("unfreezeEverySteps", nothing);
        }
        if options.layer_lr_decay < 1.0 {
            return conflict("layerLrDecay", "method probe trains the head alone");
        }
        if options.gradient_checkpointing == Some(true) {
            return conflict(
                "gradientCheckpointing",
                "method probe trains the head alone, so that no layer keeps anything",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<ClassifyOptions> {
        ClassifyOptions::read(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn reads_javascript_names_and_refuses_unknown_ones() {
        let options =
            parse(r#"{"numTrainEpochs": 2, "method": {"type": "lora", "r": 2}}"#).unwrap();
        assert_eq!(options.common.num_train_epochs, 2);
        assert_eq!(
            options.common.method,
            Method::Lora(LoraConfig {
                r: 2,
                ..LoraConfig::default()
            })
        );
        for (json, option) in [
            (r#"{"epochs": 2}"#, "epochs"),
            (r#"{"learningRate": "fast"}"#, "learningRate"),
            (r#"{"dropout": "much"}"#, "dropout"),
            (r#"{"method": {"type": "full", "r": 2}}"#, "method"),
            (r#"{"method": {"type": "houlsby", "r": 2}}"#, "method"),
            (r#"{"contrastive": true}"#, "contrastive"),
            (r#"{"contrastive": {"epochs": 1}}"#, "contrastive"),
        ] {
            let error = parse(json).unwrap_err().to_string();
            assert!(error.contains(option), "{json}: {error}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut other = ClassifyOptions::default();
        other.own.contrastive = Contrastive::On(ContrastiveOptions::default());
        other.common.warmup_steps = Some(3);
        for options in [ClassifyOptions::default(), other] {
            let json = serde_json::to_string(&options).unwrap();
            assert_eq!(parse(&json).unwrap(), options, "{json}");
        }
    }

    #[test]
    fn names_the_option_that_is_out_of_range_or_impossible_next_to_another() {
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
            // counted up for several seeds, it would be no exact number of JavaScript
            (r#"{"seed": 9007199254740991, "seeds": 3}"#, "seed"),
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
            let error = parse(json).unwrap().check().unwrap_err();
            assert_eq!(error.code(), "invalidOption");
            assert!(error.to_string().starts_with(option), "{json}: {error}");
        }
        let both = r#"{"contrastive": {}, "numTrainEpochs": 0}"#;
        assert_eq!(parse(both).unwrap().check(), Ok(()));
    }
}
