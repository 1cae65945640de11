//! What a classifier's run adds to the events of the loop.

use serde::{Deserialize, Serialize};

use super::options::ClassifyOptions;
use crate::data::{ProblemType, SkippedRow};
use crate::eval::evaluation::{Baselines, Evaluation};
use crate::eval::forgetting::Forgetting;
use crate::eval::metrics::Report;
use crate::models::HeadKind;
use crate::train::event::{Event, Finished, Stage};

/// The events of a classifier's run.
pub type ClassifyEvent =
    Event<ClassifyStarted, ClassifyBaselines, ClassifyOptions, ClassifyEvaluated, ClassifyResults>;

/// The last of them.
pub type ClassifyFinished = Finished<ClassifyOptions, ClassifyResults>;

/// Which state was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum KeptStage {
    /// The fitted head on the untuned model.
    Probe,
    /// The head fitted after the contrastive stage.
    Contrastive,
    /// An evaluation of the classifying stage.
    Classify,
}

impl KeptStage {
    /// The kept state by the stage that made it.
    pub fn of(stage: Option<Stage>) -> Self {
        match stage {
            None => Self::Probe,
            Some(Stage::Contrastive) => Self::Contrastive,
            Some(_) => Self::Classify,
        }
    }
}

/// What `started` says of the examples.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ClassifyStarted {
    pub labels: Vec<String>,
    /// Whether each row has one label, or any number of them.
    pub problem_type: ProblemType,
    pub train_rows: usize,
    pub validation_rows: usize,
    /// Examples that cannot be learnt and were left out (`skipBad`).
    pub skipped_rows: Vec<SkippedRow>,
    pub head: HeadKind,
    /// A fingerprint of the validation rows; reveals no text.
    pub items_key: String,
    /// Layers whose output is computed once and reused.
    pub cached_layers: usize,
}

/// What the model reaches without fine-tuning.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ClassifyBaselines {
    pub validation: Baselines,
}

/// The scores of an evaluation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ClassifyEvaluated {
    pub validation: Report,
}

/// What a run found.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ClassifyResults {
    pub kept_stage: KeptStage,
    /// On the validation rows.
    pub evaluation: Evaluation,
    pub forgetting: Forgetting,
}
