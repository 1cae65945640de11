//! The settings of a language model's run, by the names of TRL's `SFTConfig` if it has one: read over the defaults and checked.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::options::{OptionRange, Ranges, check_ranges, read};
use crate::peft::{LoraConfig, Method, TargetModules};
use crate::train::options::{LoopOptions, LrSchedulerType, over_defaults};
use crate::{Error, Result};

/// Tokens kept of a text if nothing is asked for.
pub const DEFAULT_MAX_LENGTH: usize = 512;

/// A language model's own settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LanguageSettings {
    /// Several short texts in one row, none of which sees another.
    pub packing: bool,
    /// Learn the answers alone, not every token. Plain text is learnt whole either way.
    pub completion_only_loss: bool,
    /// Training texts before each validation text in the baseline that does not train; 0 for no such baseline.
    pub few_shot_examples: usize,
    /// Prompts that are completed at every evaluation; without any, two of the validation texts'.
    pub sample_prompts: Vec<String>,
    /// Tokens of each such completion; 0 for none.
    pub sample_tokens: usize,
    /// Leaves rows out that cannot be learnt (refused by the chat template, an answer too long), and lists them in `started`; without it
    /// the first of them is an error.
    pub skip_bad: bool,
}

/// All settings of a language model's run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LanguageOptions {
    /// What only language models have.
    #[serde(flatten)]
    pub own: LanguageSettings,
    /// What it has in common with other tasks.
    #[serde(flatten)]
    pub common: LoopOptions,
}

/// The ranges of a language model's own numbers.
pub const RANGES: Ranges<LanguageSettings> = &[
    (OptionRange::between("fewShotExamples", 0.0, 64.0), |o| {
        Some(o.few_shot_examples as f64)
    }),
    (OptionRange::between("sampleTokens", 0.0, 4096.0), |o| {
        Some(o.sample_tokens as f64)
    }),
];

/// What it holds some of the common numbers to.
pub const COMMON_RANGES: Ranges<LoopOptions> = &[
    (OptionRange::between("numTrainEpochs", 1.0, 1000.0), |o| {
        Some(o.num_train_epochs as f64)
    }),
    (OptionRange::between("maxLength", 8.0, 65_536.0), |o| {
        o.max_length.map(|tokens| tokens as f64)
    }),
];

impl Default for LanguageOptions {
    fn default() -> Self {
        Self {
            own: LanguageSettings {
                packing: false,
                completion_only_loss: true,
                few_shot_examples: 3,
                sample_prompts: Vec::new(),
                sample_tokens: 32,
                skip_bad: false,
            },
            common: LoopOptions {
                method: Method::Lora(LoraConfig {
                    r: 8,
                    target_modules: TargetModules::Pattern("all-linear".into()),
                    ..LoraConfig::default()
                }),
                learning_rate: 1e-3,
                lr_scheduler_type: LrSchedulerType::Cosine,
                warmup_ratio: Some(0.05),
                warmup_steps: None,
                layer_lr_decay: 1.0,
                unfreeze_every_steps: 0,
                unfreeze_every_epochs: 0,
                num_train_epochs: 3,
                train_batch_size: 4,
                gradient_accumulation_steps: 1,
                gradient_checkpointing: None,
                weight_decay: 0.0,
                decay_bias_and_norm: false,
                mixout: 0.0,
                l2_sp: 0.0,
                adam_beta1: 0.9,
                adam_beta2: 0.999,
                adam_epsilon: 1e-8,
                max_grad_norm: 1.0,
                max_length: None,
                validation_split: 0.1,
                eval_steps: 0,
                early_stopping_patience: 2,
                seed: 42,
                head_seed: None,
                data_seed: None,
                seeds: 1,
            },
        }
    }
}

impl LanguageOptions {
    /// Reads options over the defaults and checks them; unknown ones are refused.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] naming the option.
    pub fn parse(given: Value) -> Result<Self> {
        let given = match given {
            Value::Object(given) => given,
            Value::Null => Map::new(),
            other => return Err(Error::out_of_range("options", "an object", other)),
        };
        // an absent option and one that is undefined or null are the same to JavaScript
        let given = given
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect::<Map<_, _>>();
        let (own, mut common) = over_defaults(&Self::default(), &given)?;
        if given.contains_key("warmupSteps") && !given.contains_key("warmupRatio") {
            common.remove("warmupRatio");
        }
        let options = Self {
            own: read(Value::Object(own), "options")?,
            common: read(Value::Object(common), "options")?,
        };
        options.check()?;
        Ok(options)
    }

    /// # Errors
    /// [`Error::InvalidOption`] naming the option, its range and what was given.
    pub fn check(&self) -> Result<()> {
        check_ranges(&self.common, COMMON_RANGES)?;
        self.common.check()?;
        check_ranges(&self.own, RANGES)?;
        let mut prompts = self.own.sample_prompts.iter();
        if prompts.any(|prompt| prompt.trim().is_empty()) {
            return Err(Error::option("samplePrompts", "one of them is blank"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_field_of_the_method_leaves_the_others_at_their_defaults() {
        let options = LanguageOptions::parse(json!({
            "method": {"type": "lora", "loraDropout": 0.1}
        }));
        let Method::Lora(lora) = options.unwrap().common.method else {
            panic!("it is LoRA");
        };
        let Method::Lora(default) = LanguageOptions::default().common.method else {
            panic!("it is LoRA");
        };
        assert_eq!(
            lora,
            LoraConfig {
                lora_dropout: 0.1,
                ..default
            }
        );
    }

    #[test]
    fn names_the_option_that_is_wrong() {
        for (options, option) in [
            (json!({"epochs": 1}), "epochs"),
            (json!({"packing": 3}), "packing"),
            (json!({"learningRate": "fast"}), "learningRate"),
            (json!({"numTrainEpochs": 0}), "numTrainEpochs"),
            (json!({"maxLength": 7}), "maxLength"),
            (json!({"fewShotExamples": 65}), "fewShotExamples"),
            (json!({"samplePrompts": [" "]}), "samplePrompts"),
            (json!({"mixout": 0.1}), "mixout"),
            (json!({"seed": 9_007_199_254_740_991_u64}), "seed"),
            (json!({"warmupSteps": 1, "warmupRatio": 0.1}), "warmupSteps"),
        ] {
            let error = LanguageOptions::parse(options.clone()).unwrap_err();
            assert!(error.to_string().contains(option), "{options}: {error}");
        }
        let steps = LanguageOptions::parse(json!({"warmupSteps": 3})).unwrap();
        assert_eq!(steps.common.warmup_ratio, None);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let options = LanguageOptions::default();
        let json = serde_json::to_value(&options).unwrap();
        assert_eq!(LanguageOptions::parse(json).unwrap(), options);
    }
}
