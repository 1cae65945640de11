//! Enters: what happened in a run. Leaves: one tagged event, the same for worker, package and page.

use serde::Serialize;

use crate::eval::evaluate::Evaluation;
use crate::eval::metrics::Report;
use crate::models::HeadKind;

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
}

/// What happens while a run goes on, in order: started, features*, probe, (step | evaluation)*, finished.
#[derive(Debug, Clone, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum TrainEvent {
    /// Data and options are accepted; nothing is computed yet.
    Started {
        labels: Vec<String>,
        train_rows: usize,
        validation_rows: usize,
        total_steps: usize,
        epochs: usize,
        head: HeadKind,
        trained_parameters: u64,
        total_parameters: u64,
        /// Estimated peak, bytes.
        memory_estimate: u64,
        warnings: Vec<String>,
    },
    /// `done` of `total` rows have passed the frozen encoder.
    Features { done: usize, total: usize },
    /// The head is fitted on frozen features.
    Probe { validation: Report },
    /// One optimiser step.
    Step {
        /// From 1.
        step: usize,
        total_steps: usize,
        /// From 1.
        epoch: usize,
        loss: f32,
        learning_rate: f64,
        head_learning_rate: f64,
        /// Padding left out.
        tokens: usize,
    },
    /// An epoch is scored on the validation rows.
    Evaluation {
        step: usize,
        epoch: usize,
        validation: Report,
        /// Whether this is the best so far.
        best: bool,
    },
    /// The last event.
    Finished {
        reason: FinishReason,
        message: String,
        /// 0 when the probe was kept.
        kept_epoch: usize,
        steps: usize,
        train_loss: Vec<f32>,
        evaluation: Evaluation,
        trained_parameters: u64,
        total_parameters: u64,
    },
}
