//! Enters: a classifier and encoded texts. Leaves: logits, and the tuned model's scores beside the baseline's.

use burn::tensor::Tensor;
use serde::Serialize;

use super::metrics::{Report, largest, report};
use crate::data::{Batch, length_sorted};
use crate::models::bert::TokenBatch;
use crate::models::heads::features;
use crate::models::{Bert, Classifier, HeadKind};
use crate::text::Encoding;
use crate::train::step::upload;
use crate::{Error, Result};

/// Rows per forward pass where nothing is kept for a backward pass.
pub const EVALUATION_BATCH: usize = 32;

/// One scored row.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluatedRow {
    pub text: String,
    pub label: String,
    pub predicted: String,
    /// Of the tuned model, in the order of the labels.
    pub logits: Vec<f32>,
    pub baseline_predicted: String,
}

/// The frozen model with a fitted head beside the tuned one, on the same rows.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    pub labels: Vec<String>,
    pub baseline: Report,
    pub tuned: Report,
    pub rows: Vec<EvaluatedRow>,
}

impl Evaluation {
    /// `tuned` and `baseline`: logits `[rows, labels]` in row order; `truth`: label ids.
    ///
    /// # Errors
    /// [`Error::InvalidState`] where there is nothing to score.
    pub fn new(
        labels: &[String],
        texts: &[&str],
        truth: &[usize],
        tuned: &[f32],
        baseline: &[f32],
    ) -> Result<Self> {
        let count = labels.len();
        let name = |logits: &[f32]| labels.get(largest(logits)).cloned().unwrap_or_default();
        let rows = texts
            .iter()
            .zip(truth)
            .zip(tuned.chunks(count).zip(baseline.chunks(count)))
            .map(|((text, truth), (tuned, baseline))| EvaluatedRow {
                text: text.to_string(),
                label: labels.get(*truth).cloned().unwrap_or_default(),
                predicted: name(tuned),
                logits: tuned.to_vec(),
                baseline_predicted: name(baseline),
            })
            .collect();
        Ok(Self {
            labels: labels.to_vec(),
            baseline: report(truth, baseline, labels)?,
            tuned: report(truth, tuned, labels)?,
            rows,
        })
    }
}

/// Waits for a tensor's values.
///
/// # Errors
/// [`Error::Device`] where the device failed meanwhile.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let failed = |error: &dyn std::fmt::Display| Error::Device(error.to_string());
    let data = tensor
        .into_data_async()
        .await
        .map_err(|error| failed(&error))?;
    data.try_into_vec::<f32>().map_err(|error| failed(&error))
}

/// One forward pass over padded rows: values per row, `[rows, columns]`.
async fn forward_rows(
    encodings: &[Encoding],
    rows: &[usize],
    pad_id: u32,
    out: &mut [Vec<f32>],
    device: &burn::tensor::Device,
    forward: &impl Fn(&TokenBatch) -> Tensor<2>,
) -> Result<()> {
    let picked = rows.iter().map(|row| &encodings[*row]).collect::<Vec<_>>();
    let batch = Batch::pad(&picked, pad_id)?;
    let values = read(forward(&upload(&batch, device))).await?;
    let columns = values.len() / rows.len();
    for (row, values) in rows.iter().zip(values.chunks(columns)) {
        out[*row] = values.to_vec();
    }
    Ok(())
}

/// Logits of all rows, `[rows, labels]` in the order of `encodings`.
///
/// # Errors
/// Failures of the device.
pub async fn logits(
    classifier: &Classifier,
    encodings: &[Encoding],
    pad_id: u32,
) -> Result<Vec<f32>> {
    let device = classifier
        .bert
        .embeddings
        .word_embeddings
        .weight
        .val()
        .device();
    let lengths = encodings
        .iter()
        .map(|encoding| encoding.ids.len())
        .collect::<Vec<_>>();
    let mut out = vec![Vec::new(); encodings.len()];
    for rows in length_sorted(&lengths, EVALUATION_BATCH)? {
        let forward = |batch: &TokenBatch| classifier.forward(batch);
        forward_rows(encodings, &rows, pad_id, &mut out, &device, &forward).await?;
    }
    Ok(out.concat())
}

/// The frozen encoder's features of texts, computed batch by batch so that progress can be told.
#[derive(Debug)]
pub struct FeaturePass {
    encodings: Vec<Encoding>,
    batches: Vec<Vec<usize>>,
    next: usize,
    done: usize,
    features: Vec<Vec<f32>>,
}

impl FeaturePass {
    /// Plans the batches.
    ///
    /// # Errors
    /// None for a nonempty list.
    pub fn new(encodings: Vec<Encoding>) -> Result<Self> {
        let lengths = encodings
            .iter()
            .map(|encoding| encoding.ids.len())
            .collect::<Vec<_>>();
        Ok(Self {
            batches: length_sorted(&lengths, EVALUATION_BATCH)?,
            next: 0,
            done: 0,
            features: vec![Vec::new(); encodings.len()],
            encodings,
        })
    }

    /// Computes one batch; returns how many rows are done, or `None` after the last.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn advance(
        &mut self,
        bert: &Bert,
        kind: HeadKind,
        pad_id: u32,
    ) -> Result<Option<usize>> {
        let Some(rows) = self.batches.get(self.next) else {
            return Ok(None);
        };
        let device = bert.embeddings.word_embeddings.weight.val().device();
        let forward = |batch: &TokenBatch| features(bert, kind, batch);
        forward_rows(
            &self.encodings,
            rows,
            pad_id,
            &mut self.features,
            &device,
            &forward,
        )
        .await?;
        self.done += rows.len();
        self.next += 1;
        Ok(Some(self.done))
    }

    /// Number of rows.
    pub fn total(&self) -> usize {
        self.encodings.len()
    }

    /// One row's features, `[hidden]`; empty before its batch was computed.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.features[index]
    }
}
