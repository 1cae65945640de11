//! What a language model's run adds to the events of the loop.

use serde::{Deserialize, Serialize};

use super::options::LanguageOptions;
use crate::data::SkippedRow;
use crate::eval::likelihood::Likelihood;
use crate::train::event::{Event, Finished};

/// The events of a language model's run.
pub type LanguageEvent =
    Event<LanguageStarted, LanguageBaselines, LanguageOptions, LanguageEvaluated, LanguageResults>;

/// The last of them.
pub type LanguageFinished = Finished<LanguageOptions, LanguageResults>;

/// A prompt and what a model wrote after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Completion {
    pub prompt: String,
    pub text: String,
}

/// The untuned model with examples in the prompt instead of in the weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FewShot {
    /// Examples before each text; fewer than asked if the context is too short.
    pub examples: usize,
    /// Of the same targets as every other score.
    pub likelihood: Likelihood,
}

/// What `started` says of the texts.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LanguageStarted {
    pub train_texts: usize,
    pub validation_texts: usize,
    /// Rows that the training texts are laid out in: blocks of long texts, or several texts in one if packed.
    pub train_rows: usize,
    /// Tokens of those rows, and how many of them are learnt.
    pub train_tokens: usize,
    pub train_targets: usize,
    /// Tokens of prompts that were cut, and in how many texts.
    pub truncated_tokens: usize,
    pub truncated_texts: usize,
    pub max_length: usize,
    /// Rows that cannot be learnt and were left out (`skipBad`).
    pub skipped_rows: Vec<SkippedRow>,
    /// Whether layers are computed twice to save memory.
    pub gradient_checkpointing: bool,
}

/// What the untuned model does.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LanguageBaselines {
    /// Of the validation texts; `None` if the run was stopped before all were scored.
    pub base: Option<Likelihood>,
    pub few_shot: Option<FewShot>,
    pub completions: Vec<Completion>,
}

/// The scores of an evaluation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LanguageEvaluated {
    pub validation: Likelihood,
    pub completions: Vec<Completion>,
}

/// What a run found, on the validation texts.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LanguageResults {
    /// `None` if the run was stopped before all texts were scored.
    pub base: Option<Likelihood>,
    pub few_shot: Option<FewShot>,
    /// Of the state that is kept.
    pub tuned: Option<Likelihood>,
}
