//! How a tuned model answers labelled rows, with nothing to compare it with.

use serde::Serialize;

use super::metrics::{Report, largest};
use super::several::{given, score};
use crate::Result;
use crate::data::{Label, Truth};
use crate::text::Texts;

/// One answered row.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ScoredRow {
    pub text: String,
    /// The second text of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// A list where texts may have several, as what was predicted.
    pub label: Label,
    pub predicted: Label,
    /// In the order of the labels.
    pub logits: Vec<f32>,
}

/// A tuned model on labelled rows.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Scores {
    pub labels: Vec<String>,
    pub tuned: Report,
    pub rows: Vec<ScoredRow>,
}

impl Scores {
    /// `logits`: `[rows, labels]` in row order; `thresholds`: one a label, where rows may have several.
    ///
    /// # Errors
    /// As [`score`].
    pub fn new(
        labels: &[String],
        texts: &[Texts],
        truth: &Truth,
        logits: &[f32],
        thresholds: Option<&[f64]>,
    ) -> Result<Self> {
        let tuned = score(truth, logits, labels, thresholds)?;
        let rows = texts.iter().enumerate().zip(logits.chunks(labels.len()));
        let rows = rows.map(|((row, texts), logits)| ScoredRow {
            text: texts.text.to_string(),
            text_pair: texts.pair.map(str::to_string),
            label: true_label(labels, truth, row),
            predicted: answer(labels, logits, thresholds),
            logits: logits.to_vec(),
        });
        Ok(Self {
            labels: labels.to_vec(),
            tuned,
            rows: rows.collect(),
        })
    }
}

/// A row's label, or its labels.
pub(super) fn true_label(labels: &[String], truth: &Truth, row: usize) -> Label {
    match truth {
        Truth::One(ids) => Label::One(name(labels, ids[row])),
        Truth::Several(rows) => {
            let ids = rows[row].iter();
            Label::Several(ids.map(|id| name(labels, *id)).collect())
        }
    }
}

/// What a row's logits say. `thresholds`: one a label, where rows may have several.
pub(super) fn answer(labels: &[String], logits: &[f32], thresholds: Option<&[f64]>) -> Label {
    match thresholds {
        None => Label::One(name(labels, largest(logits))),
        Some(thresholds) => {
            let ids = given(logits, thresholds);
            Label::Several(ids.map(|id| name(labels, id)).collect())
        }
    }
}

fn name(labels: &[String], id: usize) -> String {
    labels.get(id).cloned().unwrap_or_default()
}
