//! How a tuned model answers labelled rows, with nothing to compare it with.

use serde::Serialize;

use super::metrics::{Report, largest, report};
use crate::Result;

/// One answered row.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ScoredRow {
    pub text: String,
    pub label: String,
    pub predicted: String,
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
    /// `logits`: `[rows, labels]` in row order; `truth`: label ids.
    ///
    /// # Errors
    /// As [`report`].
    pub fn new(labels: &[String], texts: &[&str], truth: &[usize], logits: &[f32]) -> Result<Self> {
        let tuned = report(truth, logits, labels)?;
        let name = |id: usize| labels.get(id).cloned().unwrap_or_default();
        let rows = texts.iter().zip(truth).zip(logits.chunks(labels.len()));
        let rows = rows.map(|((text, truth), logits)| ScoredRow {
            text: text.to_string(),
            label: name(*truth),
            predicted: name(largest(logits)),
            logits: logits.to_vec(),
        });
        Ok(Self {
            labels: labels.to_vec(),
            tuned,
            rows: rows.collect(),
        })
    }
}
