//! Enters: what happened in a run. Leaves: one tagged event, the same for worker, package and page.

use serde::Serialize;

use super::options::RecipeName;
use super::options::TrainOptions;
use crate::eval::evaluation::{Baselines, Evaluation};
use crate::eval::forgetting::Forgetting;
use crate::eval::metrics::Report;
use crate::models::HeadKind;
use crate::train::seeds::{SeedRun, SeedSummary};
use crate::train::unfreeze::GroupRate;

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
    /// Other seeds did clearly better by this epoch.
    Unpromising,
}

/// Which objective is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Texts of one label together, others apart; no head.
    Contrastive,
    /// Head and method together, by cross-entropy.
    Classify,
}

/// Which state was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeptStage {
    /// The fitted head on the untuned model.
    Probe,
    /// The head fitted after the contrastive stage.
    Contrastive,
    /// An epoch of the classifying stage.
    Classify,
}

/// What happens while a run goes on, in order: started, features*, baselines, recipe, then per seed: seed? (step | evaluation)*
/// seedFinished?, and in the end finished.
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
        head: HeadKind,
        trained_parameters: u64,
        total_parameters: u64,
        /// Estimated peak, bytes.
        memory_estimate: u64,
        warnings: Vec<String>,
        /// Names the validation rows without telling them.
        items_key: String,
        /// Layers whose output is computed once and reused.
        cached_layers: usize,
    },
    /// `done` of `total` rows have passed the frozen encoder.
    Features { done: usize, total: usize },
    /// What no fine-tuning reaches.
    Baselines { validation: Baselines },
    /// What the recipe chose, now that the speed is known.
    Recipe {
        recipe: RecipeName,
        reasons: Vec<String>,
        options: Box<TrainOptions>,
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
    /// One optimiser step.
    Step {
        stage: Stage,
        /// From 1.
        step: usize,
        total_steps: usize,
        /// From 1; 0 in the contrastive stage.
        epoch: usize,
        loss: f32,
        learning_rate: f64,
        head_learning_rate: f64,
        /// Bottom to top.
        groups: Vec<GroupRate>,
        /// Padding left out.
        tokens: usize,
    },
    /// An epoch, or the contrastive stage, is scored on the validation rows.
    Evaluation {
        stage: Stage,
        step: usize,
        epoch: usize,
        validation: Report,
        /// Whether this is the best so far.
        best: bool,
    },
    /// One of several runs has ended.
    SeedFinished {
        index: usize,
        #[serde(flatten)]
        run: SeedRun,
    },
    /// The last event.
    Finished(Box<Finished>),
}

/// How a run ended and what it found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finished {
    pub reason: FinishReason,
    pub message: String,
    /// 0 where no epoch was kept.
    pub kept_epoch: usize,
    pub kept_stage: KeptStage,
    pub steps: usize,
    pub train_loss: Vec<f32>,
    /// On the validation rows.
    pub evaluation: Evaluation,
    pub forgetting: Forgetting,
    /// Whether tuning beat the best baseline.
    pub verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<SeedSummary>,
    pub options: TrainOptions,
    /// Of the method's weights in the export.
    pub export_bytes: u64,
    pub trained_parameters: u64,
    pub total_parameters: u64,
}
