//! Enters: what happened in a language model's run. Leaves: one tagged event, the same for worker, package and page.

use serde::Serialize;

use super::options::CausalOptions;
use crate::eval::likelihood::Likelihood;
use crate::tasks::classify::event::FinishReason;

/// A prompt and what a model wrote behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completion {
    pub prompt: String,
    pub text: String,
}

/// The untuned model with examples in the prompt instead of in the weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FewShot {
    /// Examples before each text; fewer than asked where the context is too short.
    pub examples: usize,
    pub likelihood: Likelihood,
}

/// What happens while a run goes on, in order: started, progress*, baselines, (step | evaluation)*, finished.
#[derive(Debug, Clone, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum CausalEvent {
    /// Data and options are accepted; nothing is computed yet.
    Started {
        train_texts: usize,
        validation_texts: usize,
        /// Rows that the training texts are laid out in: blocks of long texts, or several texts in one where packed.
        train_rows: usize,
        /// Tokens of those rows, and how many of them are learnt.
        train_tokens: usize,
        train_targets: usize,
        /// Tokens of prompts that were cut, and in how many texts.
        truncated_tokens: usize,
        truncated_texts: usize,
        max_length: usize,
        trained_parameters: u64,
        total_parameters: u64,
        /// Whether layers are computed twice to save memory.
        gradient_checkpointing: bool,
        /// Estimated peak, bytes.
        memory_estimate: u64,
        total_steps: usize,
        warnings: Vec<String>,
    },
    /// `done` of `total` batches of the validation texts are scored before training.
    Progress { done: usize, total: usize },
    /// What the untuned model does.
    Baselines {
        base: Likelihood,
        few_shot: Option<FewShot>,
        completions: Vec<Completion>,
    },
    /// One optimiser step.
    Step {
        /// From 1.
        step: usize,
        total_steps: usize,
        /// From 1.
        epoch: usize,
        /// Mean over the step's targets.
        loss: f32,
        learning_rate: f64,
        /// Padding left out.
        tokens: usize,
        targets: usize,
    },
    /// The validation texts are scored.
    Evaluation {
        step: usize,
        epoch: usize,
        validation: Likelihood,
        /// Whether this is the best so far.
        best: bool,
        completions: Vec<Completion>,
    },
    /// The last event.
    Finished(Box<CausalFinished>),
}

/// How a run ended and what it found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CausalFinished {
    pub reason: FinishReason,
    pub message: String,
    /// The step whose state is kept; 0 where the untuned model was never beaten.
    pub kept_step: usize,
    pub steps: usize,
    pub train_loss: Vec<f32>,
    /// On the validation texts.
    pub base: Likelihood,
    pub few_shot: Option<FewShot>,
    pub tuned: Likelihood,
    /// Whether tuning beat both.
    pub verdict: String,
    pub options: CausalOptions,
    pub trained_parameters: u64,
    pub total_parameters: u64,
    /// Of the adapter's weights.
    pub export_bytes: u64,
}
