//! What happens in a run, as one tagged event, the same for worker, package and page. A task fills in what is its own.

use serde::{Deserialize, Serialize};

use super::unfreeze::GroupRate;
use crate::error::ErrorCode;

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum FinishReason {
    /// All epochs were trained.
    Completed,
    /// The validation rows stopped improving.
    EarlyStopping,
    /// The caller ended it.
    Stopped,
    /// The loss was no longer a number.
    Diverged,
    /// Other seeds did clearly better by this time.
    Unpromising,
    /// An error ended it; the best state before it is kept.
    Failed,
}

/// Which objective is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Texts of one label together, others apart; no head.
    Contrastive,
    /// Head and method together, by the cross-entropy of labels.
    Classify,
    /// The cross-entropy of tokens.
    Language,
}

/// One of several runs that differ in their seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SeedRun {
    pub head_seed: u64,
    pub data_seed: u64,
    pub reason: FinishReason,
    /// Best on the validation rows, the larger the better: accuracy, or minus the loss of a language model; `None` for a run that ended before
    /// anything of it was scored.
    pub value: Option<f64>,
    /// The loss of that state.
    pub loss: Option<f64>,
    /// Epoch and step of that state; 0 for the state before training.
    pub kept_epoch: usize,
    pub kept_step: usize,
    pub steps: usize,
}

/// All of several runs together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SeedSummary {
    pub runs: Vec<SeedRun>,
    /// Of the values of all runs that were scored and not ended as unpromising; 0 if there is none.
    pub mean: f64,
    /// Their sample standard deviation; 0 for one run.
    pub deviation: f64,
    /// Index of the run that is kept.
    pub best: usize,
}

/// What happens while a run goes on, in order: started, progress*, baselines, recipe, then per seed: seed? (step | evaluation)* seedFinished?, and in
/// the end finished. `S`, `B`, `O`, `E` and `F` are what a task adds to `started`, `baselines`, `recipe`, `evaluation` and `finished`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Event<S, B, O, E, F> {
    /// Data and options are accepted; nothing is computed yet.
    Started {
        /// Numbers that train, and all numbers of the network.
        trained_parameters: u64,
        total_parameters: u64,
        /// Estimated peak, bytes.
        memory_estimate: u64,
        /// What a person should know of their data.
        warnings: Vec<String>,
        #[serde(flatten)]
        task: S,
    },
    /// `done` of `total` rows or batches have passed the untuned model.
    Progress { done: usize, total: usize },
    /// What the model reaches without fine-tuning.
    Baselines(B),
    /// All options as the run takes them, and why those that were left out are so.
    Recipe {
        options: Box<O>,
        reasons: Vec<String>,
        /// Optimizer steps of all stages.
        total_steps: usize,
        epochs: usize,
    },
    /// One of several runs begins.
    Seed {
        /// From 0.
        index: usize,
        count: usize,
        head_seed: u64,
        data_seed: u64,
    },
    /// One optimizer step.
    Step {
        stage: Stage,
        /// From 1.
        step: usize,
        total_steps: usize,
        /// From 1; 0 in the contrastive stage.
        epoch: usize,
        /// Mean over the step's rows or targets.
        loss: f32,
        learning_rate: f64,
        head_learning_rate: f64,
        /// Bottom to top.
        groups: Vec<GroupRate>,
        /// Tokens that were read, padding left out.
        tokens: usize,
        /// What the loss is a mean over: rows, or predicted tokens.
        targets: usize,
        /// Time that the step took, until its loss was read back.
        ms: f64,
    },
    /// The validation rows are scored.
    Evaluation {
        stage: Stage,
        step: usize,
        epoch: usize,
        /// Whether this is the best so far.
        best: bool,
        #[serde(flatten)]
        task: E,
    },
    /// One of several runs has ended.
    SeedFinished {
        index: usize,
        #[serde(flatten)]
        run: SeedRun,
    },
    /// The last event.
    Finished(Box<Finished<O, F>>),
}

/// How a run ended and what it found.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Finished<O, F> {
    pub reason: FinishReason,
    pub message: String,
    /// The error that ended it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<ErrorCode>,
    /// Step and epoch of the state that is kept; 0 for the state before training.
    pub kept_step: usize,
    pub kept_epoch: usize,
    pub steps: usize,
    /// Of each step.
    pub train_loss: Vec<f32>,
    /// Whether tuning beat the baselines.
    pub verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<SeedSummary>,
    pub options: O,
    pub trained_parameters: u64,
    pub total_parameters: u64,
    /// Of the method's weights in an export.
    pub export_bytes: u64,
    #[serde(flatten)]
    pub task: F,
}
