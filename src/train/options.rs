//! The settings of a run that every task has, by the names of Hugging Face's `TrainingArguments` if it has one, and the ranges that a check holds
//! them to.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::optimizer::AdamWConfig;
use crate::options::{OptionRange, Ranges, check_ranges};
use crate::peft::Method;
use crate::{Error, Result};

/// The shape of a stage's learning rate; see [`super::schedule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum LrSchedulerType {
    Linear,
    Cosine,
    Constant,
    SlantedTriangular,
}

/// Settings that classifiers and language models share. A task's own defaults fill what is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoopOptions {
    /// What is trained.
    pub method: Method,
    /// Peak rate of what trains below the head.
    pub learning_rate: f64,
    /// Shape of the rates.
    pub lr_scheduler_type: LrSchedulerType,
    /// Share of the steps in which the rate rises from 0; 0 without either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_ratio: Option<f64>,
    /// The same as a number of steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<usize>,
    /// Each layer's rate is the one above it times this (Howard & Ruder 2018).
    pub layer_lr_decay: f64,
    /// Steps until one more group of layers trains, from the top down; 0 for all at once.
    pub unfreeze_every_steps: usize,
    /// The same in epochs.
    pub unfreeze_every_epochs: usize,
    /// Passes over the training rows.
    pub num_train_epochs: usize,
    /// Rows per forward pass.
    pub train_batch_size: usize,
    /// Forward passes per optimizer step.
    pub gradient_accumulation_steps: usize,
    /// Compute each layer a second time in the backward pass instead of keeping its inside; left out, only if memory asks for it.
    #[serde(default)]
    pub gradient_checkpointing: Option<bool>,
    /// AdamW's decoupled decay.
    pub weight_decay: f64,
    /// Whether biases and norms decay too.
    pub decay_bias_and_norm: bool,
    /// Probability that a weight is its pretrained value in a step (Lee et al. 2020); for `full` tuning.
    pub mixout: f64,
    /// Strength of the pull towards the start (L2-SP, Li et al. 2018).
    pub l2_sp: f64,
    /// AdamW's decay of the mean gradient.
    pub adam_beta1: f64,
    /// AdamW's decay of the mean squared gradient.
    pub adam_beta2: f64,
    /// AdamW's guard against division by zero.
    pub adam_epsilon: f64,
    /// Largest global norm of the gradients; 0 for no clipping.
    pub max_grad_norm: f64,
    /// Tokens kept of a text, special tokens included; left out, the task's own number, or the model's positions if those are fewer.
    #[serde(default)]
    pub max_length: Option<usize>,
    /// Share of the rows that judges and never trains.
    pub validation_split: f64,
    /// Steps between evaluations; 0 for one an epoch.
    pub eval_steps: usize,
    /// Evaluations without improvement before training stops; 0 for never.
    pub early_stopping_patience: usize,
    /// Every random choice follows from it.
    pub seed: u64,
    /// Start of head and adapter; `seed` without it.
    #[serde(default)]
    pub head_seed: Option<u64>,
    /// Order of the rows, dropout and mixout; `seed` without it.
    #[serde(default)]
    pub data_seed: Option<u64>,
    /// Runs with seeds counted up, of which the best is kept.
    pub seeds: usize,
}

/// The ranges of its numbers.
pub const RANGES: Ranges<LoopOptions> = &[
    (OptionRange::at_least("learningRate", 0.0), |o| {
        Some(o.learning_rate)
    }),
    (OptionRange::between("warmupRatio", 0.0, 1.0), |o| {
        o.warmup_ratio
    }),
    (
        OptionRange::between("layerLrDecay", 0.0, 1.0).excluding_low(),
        |o| Some(o.layer_lr_decay),
    ),
    (OptionRange::between("numTrainEpochs", 0.0, 1000.0), |o| {
        Some(o.num_train_epochs as f64)
    }),
    (OptionRange::between("trainBatchSize", 1.0, 1024.0), |o| {
        Some(o.train_batch_size as f64)
    }),
    (
        OptionRange::between("gradientAccumulationSteps", 1.0, 1024.0),
        |o| Some(o.gradient_accumulation_steps as f64),
    ),
    (OptionRange::at_least("weightDecay", 0.0), |o| {
        Some(o.weight_decay)
    }),
    (
        OptionRange::between("mixout", 0.0, 1.0).excluding_high(),
        |o| Some(o.mixout),
    ),
    (OptionRange::at_least("l2Sp", 0.0), |o| Some(o.l2_sp)),
    (
        OptionRange::between("adamBeta1", 0.0, 1.0).excluding_high(),
        |o| Some(o.adam_beta1),
    ),
    (
        OptionRange::between("adamBeta2", 0.0, 1.0).excluding_high(),
        |o| Some(o.adam_beta2),
    ),
    // some first gradients are zero (of A where B is): without an epsilon their update would be 0 / 0
    (
        OptionRange::between("adamEpsilon", 0.0, 1.0).excluding_low(),
        |o| Some(o.adam_epsilon),
    ),
    (OptionRange::at_least("maxGradNorm", 0.0), |o| {
        Some(o.max_grad_norm)
    }),
    (OptionRange::between("maxLength", 3.0, 65_536.0), |o| {
        o.max_length.map(|tokens| tokens as f64)
    }),
    (
        OptionRange::between("validationSplit", 0.0, 0.9).excluding_low(),
        |o| Some(o.validation_split),
    ),
    (OptionRange::seed("seed"), |o| Some(o.seed as f64)),
    (OptionRange::seed("headSeed"), |o| {
        o.head_seed.map(|seed| seed as f64)
    }),
    (OptionRange::seed("dataSeed"), |o| {
        o.data_seed.map(|seed| seed as f64)
    }),
    (OptionRange::between("seeds", 1.0, 100.0), |o| {
        Some(o.seeds as f64)
    }),
];

/// The names of all its options, as JavaScript spells them.
const NAMES: &[&str] = &[
    "method",
    "learningRate",
    "lrSchedulerType",
    "warmupRatio",
    "warmupSteps",
    "layerLrDecay",
    "unfreezeEverySteps",
    "unfreezeEveryEpochs",
    "numTrainEpochs",
    "trainBatchSize",
    "gradientAccumulationSteps",
    "gradientCheckpointing",
    "weightDecay",
    "decayBiasAndNorm",
    "mixout",
    "l2Sp",
    "adamBeta1",
    "adamBeta2",
    "adamEpsilon",
    "maxGradNorm",
    "maxLength",
    "validationSplit",
    "evalSteps",
    "earlyStoppingPatience",
    "seed",
    "headSeed",
    "dataSeed",
    "seeds",
];

/// Options as JSON: a task's own and those of the loop.
pub type Parts = (Map<String, Value>, Map<String, Value>);

/// What was given in place of a task's defaults. A method of the default's own type keeps the default's other fields: one field of a method is
/// not the whole of it.
///
/// # Errors
/// None in practice: defaults are plain values.
pub fn over_defaults(defaults: &impl Serialize, given: &Map<String, Value>) -> Result<Parts> {
    let mut options = match serde_json::to_value(defaults).map_err(Error::internal)? {
        Value::Object(options) => options,
        other => return Err(Error::internal(format_args!("options are {other}"))),
    };
    for (name, value) in given {
        let value = match options.get(name) {
            Some(default) if name == "method" => over_method(default, value),
            _ => value.clone(),
        };
        options.insert(name.clone(), value);
    }
    Ok(options
        .into_iter()
        .partition(|(name, _)| !LoopOptions::has(name)))
}

/// A method's fields over those of a default of the same type; a method of another type as it is.
pub fn over_method(default: &Value, given: &Value) -> Value {
    match (default, given) {
        (Value::Object(default), Value::Object(given))
            if default.get("type") == given.get("type") =>
        {
            let mut whole = default.clone();
            whole.extend(given.clone());
            Value::Object(whole)
        }
        _ => given.clone(),
    }
}

impl LoopOptions {
    /// Whether an option of that name is one of these.
    pub fn has(name: &str) -> bool {
        NAMES.contains(&name)
    }

    /// # Errors
    /// [`Error::InvalidOption`] naming the option, its range and what was given, or which two do not go together.
    pub fn check(&self) -> Result<()> {
        self.method.check()?;
        check_ranges(self, RANGES)?;
        self.check_combinations()
    }

    fn check_combinations(&self) -> Result<()> {
        let method = self.method.kind();
        if self.warmup_ratio.is_some() && self.warmup_steps.is_some() {
            return Err(Error::option(
                "warmupSteps",
                "give it or warmupRatio, not both",
            ));
        }
        if self.mixout > 0.0 && !matches!(self.method, Method::Full(_)) {
            return Err(Error::option(
                "mixout",
                format!(
                    "it replaces trained weights by their pretrained values, and method {} trains no pretrained weight; use method full",
                    method.word()
                ),
            ));
        }
        if self.unfreeze_every_steps > 0 && self.unfreeze_every_epochs > 0 {
            return Err(Error::option(
                "unfreezeEverySteps",
                "give it or unfreezeEveryEpochs, not both",
            ));
        }
        Ok(())
    }

    /// The optimizer's constants.
    pub fn adamw(&self) -> AdamWConfig {
        AdamWConfig {
            beta1: self.adam_beta1,
            beta2: self.adam_beta2,
            eps: self.adam_epsilon,
            weight_decay: self.weight_decay,
            decay_bias_and_norm: self.decay_bias_and_norm,
        }
    }

    /// The seed of what starts at random.
    pub fn head_seed(&self) -> u64 {
        self.head_seed.unwrap_or(self.seed)
    }

    /// The seed of the rows' order and of what is dropped.
    pub fn data_seed(&self) -> u64 {
        self.data_seed.unwrap_or(self.seed)
    }

    /// The options of run `index` of several: both seeds counted up, everything else the same.
    pub fn with_seed(&self, index: usize) -> Self {
        let index = index as u64;
        Self {
            head_seed: Some(self.head_seed().saturating_add(index)),
            data_seed: Some(self.data_seed().saturating_add(index)),
            ..self.clone()
        }
    }
}

#[cfg(test)]
impl LoopOptions {
    /// Options for tests of the loop's own parts.
    pub(crate) fn for_tests() -> Self {
        Self {
            method: Method::Lora(crate::peft::LoraConfig::default()),
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_named() {
        let options = LoopOptions {
            warmup_ratio: Some(0.1),
            warmup_steps: Some(1),
            ..LoopOptions::for_tests()
        };
        let json = serde_json::to_value(options).unwrap();
        let mut found = json.as_object().unwrap().keys().collect::<Vec<_>>();
        let mut named = NAMES
            .iter()
            .map(|name| (*name).to_string())
            .collect::<Vec<_>>();
        found.sort();
        named.sort();
        assert_eq!(found, named.iter().collect::<Vec<_>>());
        for (range, _) in RANGES {
            assert!(LoopOptions::has(range.option), "{}", range.option);
        }
    }
}
