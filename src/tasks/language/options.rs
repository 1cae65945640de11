//! Enters: a language model's options as JavaScript gives them. Leaves: checked options.

use serde::{Deserialize, Serialize};

use crate::peft::{LoraConfig, Method, TargetModules};
use crate::tasks::classify::options::{LrSchedulerType, invalid, out_of_range};
use crate::train::optimizer::AdamWConfig;
use crate::{Error, Result};

/// Tokens kept of a text where nothing is asked for.
pub const DEFAULT_MAX_LENGTH: usize = 512;

/// Settings of a run, by the names of Hugging Face's `TrainingArguments` and of TRL's `SFTConfig` where they have one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CausalOptions {
    /// What is trained: `lora`, `prefix` or `full`.
    pub method: Method,
    /// Peak rate.
    pub learning_rate: f64,
    /// Shape of the rate.
    pub lr_scheduler_type: LrSchedulerType,
    /// Share of the steps in which the rate rises from 0.
    pub warmup_ratio: f64,
    /// Passes over the training texts.
    pub num_train_epochs: usize,
    /// Texts per forward pass.
    pub train_batch_size: usize,
    /// Forward passes per optimiser step.
    pub gradient_accumulation_steps: usize,
    /// Compute each layer a second time in the backward pass instead of keeping its inside; without it only where memory asks for it.
    pub gradient_checkpointing: Option<bool>,
    /// AdamW's decoupled decay.
    pub weight_decay: f64,
    pub adam_beta1: f64,
    pub adam_beta2: f64,
    pub adam_epsilon: f64,
    /// Largest global norm of the gradients; 0 for no clipping.
    pub max_grad_norm: f64,
    /// Tokens of a text; without it 512, or the model's positions where those are fewer.
    pub max_length: Option<usize>,
    /// Several short texts in one row, none of which sees another.
    pub packing: bool,
    /// Learn the answers alone; otherwise every token. Plain text is learnt whole either way.
    pub completion_only_loss: bool,
    /// Share of the texts that judge and never train.
    pub validation_split: f64,
    /// Steps between evaluations; 0 for one an epoch.
    pub eval_steps: usize,
    /// Evaluations without improvement before training stops; 0 for never.
    pub early_stopping_patience: usize,
    /// Training texts that stand before each validation text in the baseline that does not train; 0 for no such baseline.
    pub few_shot_examples: usize,
    /// Prompts that are completed at every evaluation; without any, two of the validation texts'.
    pub sample_prompts: Vec<String>,
    /// Tokens of each such completion; 0 for none.
    pub sample_tokens: usize,
    /// Every random choice follows from it.
    pub seed: u64,
}

impl Default for CausalOptions {
    fn default() -> Self {
        Self {
            method: Method::Lora(LoraConfig {
                r: 8,
                target_modules: TargetModules::Pattern("all-linear".into()),
                ..LoraConfig::default()
            }),
            learning_rate: 5e-4,
            lr_scheduler_type: LrSchedulerType::Cosine,
            warmup_ratio: 0.05,
            num_train_epochs: 3,
            train_batch_size: 4,
            gradient_accumulation_steps: 1,
            gradient_checkpointing: None,
            weight_decay: 0.0,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            max_grad_norm: 1.0,
            max_length: None,
            packing: false,
            completion_only_loss: true,
            validation_split: 0.1,
            eval_steps: 0,
            early_stopping_patience: 2,
            few_shot_examples: 3,
            sample_prompts: Vec::new(),
            sample_tokens: 32,
            seed: 42,
        }
    }
}

impl CausalOptions {
    /// Reads options; unknown ones are refused.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] naming the setting.
    pub fn parse(json: serde_json::Value) -> Result<Self> {
        let options: Self = serde_path_to_error::deserialize(json).map_err(|failure| {
            let path = failure.path().to_string();
            Error::InvalidOption {
                option: if path == "." { "options".into() } else { path },
                reason: failure.inner().to_string(),
            }
        })?;
        options.check()?;
        Ok(options)
    }

    /// # Errors
    /// [`Error::InvalidOption`] naming the setting, its range and what was given.
    pub fn check(&self) -> Result<()> {
        self.method.check()?;
        for (option, value) in [
            ("learningRate", self.learning_rate),
            ("weightDecay", self.weight_decay),
            ("maxGradNorm", self.max_grad_norm),
        ] {
            // a NaN is in no range
            if !(0.0..=f64::MAX).contains(&value) {
                return Err(out_of_range(option, "0 or more", value));
            }
        }
        for (option, value) in [
            ("adamBeta1", self.adam_beta1),
            ("adamBeta2", self.adam_beta2),
        ] {
            if !(0.0..1.0).contains(&value) {
                return Err(out_of_range(option, "0 or more and below 1", value));
            }
        }
        if !(self.adam_epsilon > 0.0 && self.adam_epsilon <= 1.0) {
            let range = "above 0 and at most 1";
            return Err(out_of_range("adamEpsilon", range, self.adam_epsilon));
        }
        if !(0.0..=1.0).contains(&self.warmup_ratio) {
            return Err(out_of_range("warmupRatio", "0 to 1", self.warmup_ratio));
        }
        if !(self.validation_split > 0.0 && self.validation_split <= 0.9) {
            let range = "above 0 and at most 0.9";
            return Err(out_of_range(
                "validationSplit",
                range,
                self.validation_split,
            ));
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
            (
                "maxLength",
                self.max_length.unwrap_or(DEFAULT_MAX_LENGTH),
                8,
                1 << 16,
            ),
            ("fewShotExamples", self.few_shot_examples, 0, 64),
            ("sampleTokens", self.sample_tokens, 0, 4096),
        ] {
            if !(low..=high).contains(&value) {
                return Err(out_of_range(option, &format!("{low} to {high}"), value));
            }
        }
        match self
            .sample_prompts
            .iter()
            .any(|prompt| prompt.trim().is_empty())
        {
            true => Err(invalid("samplePrompts", "one of them is blank".into())),
            false => Ok(()),
        }
    }

    /// The optimiser's constants; biases and norms do not decay.
    pub fn adamw(&self) -> AdamWConfig {
        AdamWConfig {
            beta1: self.adam_beta1,
            beta2: self.adam_beta2,
            eps: self.adam_epsilon,
            weight_decay: self.weight_decay,
            decay_bias_and_norm: false,
        }
    }
}
