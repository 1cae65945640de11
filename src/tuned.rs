//! Enters: what a run or an imported adapter found. Leaves: predictions before and after tuning.

use serde::Serialize;

use crate::data::Example;
use crate::data::LabelMap;
use crate::eval::evaluate::{Evaluation, logits};
use crate::eval::metrics::{largest, softmax};
use crate::models::heads::{Head, HeadWeights};
use crate::models::{Classifier, HeadKind};
use crate::peft::LoraConfig;
use crate::pretrained::Pretrained;
use crate::text::Encoding;
use crate::{Error, Result};

/// Which of the two classifiers answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// With adapter and trained head.
    Tuned,
    /// The frozen encoder with the fitted head.
    Baseline,
}

/// A tuned classifier beside the baseline it started from.
#[derive(Debug, Clone)]
pub struct Tuned {
    /// Without autodiff.
    pub classifier: Classifier,
    /// The head that was fitted on frozen features.
    pub baseline: HeadWeights,
    /// Label names in the order of the logits.
    pub labels: LabelMap,
    /// The adapter's settings.
    pub lora: LoraConfig,
    /// Tokens kept of a text.
    pub max_length: usize,
    /// What the model card tells of the run.
    pub card: Card,
}

/// Where the model card comes from.
#[derive(Debug, Clone)]
pub enum Card {
    /// Written from what a run of this session found.
    Run(Box<RunCard>),
    /// The text that came with an imported adapter.
    Imported(String),
}

/// A run's settings, counts and scores; never its data.
#[derive(Debug, Clone)]
pub struct RunCard {
    /// The options as JSON.
    pub options: serde_json::Value,
    pub train_rows: usize,
    pub validation_rows: usize,
    /// Label and number of rows.
    pub label_counts: Vec<(String, usize)>,
    pub steps: usize,
    pub kept_epoch: usize,
    /// Accuracy and macro F1 on the validation rows.
    pub baseline_scores: (f64, f64),
    pub tuned_scores: (f64, f64),
    pub trained_parameters: u64,
    pub total_parameters: u64,
}

/// One text's answer.
#[derive(Debug, Clone, Serialize)]
pub struct Prediction {
    pub label: String,
    /// In the order of the labels; sums to 1.
    pub probabilities: Vec<f64>,
    pub logits: Vec<f32>,
    pub labels: Vec<String>,
}

/// Encodes texts for a model.
///
/// # Errors
/// Failures of the tokenizer.
pub fn encode<'a>(
    model: &Pretrained,
    texts: impl Iterator<Item = &'a str>,
    max_length: usize,
) -> Result<Vec<Encoding>> {
    texts
        .map(|text| model.tokenizer.encode(text, max_length))
        .collect()
}

impl Tuned {
    /// Which head answers.
    pub fn head(&self) -> HeadKind {
        self.classifier.head.kind()
    }

    /// Logits of texts, `[texts, labels]` in row order.
    ///
    /// # Errors
    /// Failures of the tokenizer or the device.
    pub async fn logits(
        &self,
        model: &Pretrained,
        encodings: &[Encoding],
        which: Which,
    ) -> Result<Vec<f32>> {
        let pad = model.tokenizer.pad_id();
        match which {
            Which::Tuned => logits(&self.classifier, encodings, pad).await,
            Which::Baseline => {
                let classifier = Classifier {
                    bert: model.bert.clone(),
                    head: Head::new(self.head(), &self.baseline, &model.compute.device),
                };
                logits(&classifier, encodings, pad).await
            }
        }
    }

    /// Classifies texts.
    ///
    /// # Errors
    /// Failures of the tokenizer or the device.
    pub async fn predict(
        &self,
        model: &Pretrained,
        texts: &[String],
        which: Which,
    ) -> Result<Vec<Prediction>> {
        let encodings = encode(model, texts.iter().map(String::as_str), self.max_length)?;
        let logits = self.logits(model, &encodings, which).await?;
        let names = self.labels.names();
        Ok(logits
            .chunks(names.len())
            .map(|row| Prediction {
                label: names[largest(row)].clone(),
                probabilities: softmax(row),
                logits: row.to_vec(),
                labels: names.to_vec(),
            })
            .collect())
    }

    /// Scores both classifiers on labelled rows.
    ///
    /// # Errors
    /// [`Error::InvalidData`] for a label that was not trained; failures of the tokenizer or the device.
    pub async fn evaluate(&self, model: &Pretrained, examples: &[Example]) -> Result<Evaluation> {
        let truth = examples
            .iter()
            .enumerate()
            .map(|(index, example)| {
                self.labels
                    .id(&example.label)
                    .ok_or_else(|| Error::InvalidData {
                        file: "examples".into(),
                        row: Some(index + 1),
                        reason: format!(
                            "the label \"{}\" was not among the trained ones: {}",
                            example.label,
                            self.labels.names().join(", ")
                        ),
                    })
            })
            .collect::<Result<Vec<_>>>()?;
        let texts = examples
            .iter()
            .map(|example| example.text.as_str())
            .collect::<Vec<_>>();
        let encodings = encode(model, texts.iter().copied(), self.max_length)?;
        let tuned = self.logits(model, &encodings, Which::Tuned).await?;
        let baseline = self.logits(model, &encodings, Which::Baseline).await?;
        Evaluation::new(self.labels.names(), &texts, &truth, &tuned, &baseline)
    }
}
