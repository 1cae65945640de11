//! Logits of encoded texts, and the vectors that heads read, batch by batch.

use burn::tensor::Tensor;

use crate::Result;
use crate::data::{Batch, length_sorted};
use crate::device::read;
use crate::models::classifier::head_input;
use crate::models::{Backbone, Classifier, HeadKind, Inputs, SentencePooling, TokenBatch};
use crate::team::Team;
use crate::text::Encoding;

/// Rows per forward pass where nothing is kept for a backward pass.
pub const EVALUATION_BATCH: usize = 32;

/// Batches for scoring, of at most `most` rows.
///
/// # Errors
/// None in practice: no caller asks for batches without rows.
pub fn scoring_batches(encodings: &[Encoding], most: usize) -> Result<Vec<Vec<usize>>> {
    let lengths = encodings
        .iter()
        .map(|encoding| encoding.ids.len())
        .collect::<Vec<_>>();
    length_sorted(&lengths, most)
}

/// One vector per row, `[rows, columns]` in the order of `encodings`, from padded batches.
///
/// # Errors
/// Failures of the device.
async fn vectors(
    encoder: &Backbone,
    Encoded {
        encodings,
        pad_id,
        most,
        team,
    }: Encoded<'_>,
    forward: impl Fn(TokenBatch) -> Tensor<2>,
) -> Result<Vec<f32>> {
    let device = encoder.device();
    let mut out = vec![Vec::new(); encodings.len()];
    let batches = scoring_batches(encodings, most)?;
    let compute = async |index: usize| {
        let picked = (batches[index].iter().map(|row| &encodings[*row])).collect::<Vec<_>>();
        let batch = TokenBatch::upload(&Batch::pad(&picked, pad_id)?, &device);
        read(forward(batch)).await
    };
    let values: Vec<Vec<f32>> = team.all(batches.len(), compute).await?;
    for (rows, values) in batches.iter().zip(values) {
        let columns = values.len() / rows.len();
        for (row, values) in rows.iter().zip(values.chunks(columns)) {
            out[*row] = values.to_vec();
        }
    }
    Ok(out.concat())
}

/// Encoded texts to compute something of.
#[derive(Debug, Clone, Copy)]
pub struct Encoded<'a> {
    pub encodings: &'a [Encoding],
    pub pad_id: u32,
    /// Rows that pass at a time.
    pub most: usize,
    /// Who computes.
    pub team: &'a Team,
}

/// Logits of all rows, `[rows, labels]` in their order.
///
/// # Errors
/// Failures of the device.
pub async fn logits(classifier: &Classifier, texts: Encoded<'_>) -> Result<Vec<f32>> {
    let forward = |batch| classifier.forward(&Inputs::Tokens(Box::new(batch)));
    vectors(&classifier.encoder, texts, forward).await
}

/// Each text's vector by that pooling, of length 1: `[rows, hidden]` in their order.
///
/// # Errors
/// Failures of the device.
pub async fn sentence_vectors(
    encoder: &Backbone,
    pooling: SentencePooling,
    texts: Encoded<'_>,
) -> Result<Vec<f32>> {
    let forward = |batch: TokenBatch| pooling.vectors(encoder.forward(&batch), batch.mask);
    vectors(encoder, texts, forward).await
}

/// What the frozen encoder gives for a list of texts, in their order.
#[derive(Debug, Clone, Default)]
pub struct BaseFeatures {
    /// What the head reads, `[rows, hidden]`.
    pub head: Vec<f32>,
    /// What the model's own pooling makes of the texts, of length 1, `[rows, hidden]`.
    pub own: Vec<f32>,
    /// What enters the layer at the tap, `[tokens, hidden]` for each row; empty without a tap.
    pub states: Vec<Vec<f32>>,
}

/// Computes [`BaseFeatures`] batch by batch, so that progress can be reported.
#[derive(Debug)]
pub struct FeaturePass {
    encodings: Vec<Encoding>,
    batches: Vec<Vec<usize>>,
    /// Keep what enters this layer.
    tap: Option<usize>,
    next: usize,
    /// Rows computed.
    pub done: usize,
    /// Positions computed, padding included.
    pub positions: usize,
    rows: Vec<[Vec<f32>; 3]>,
}

impl FeaturePass {
    /// Plans batches of at most `most` rows.
    ///
    /// # Errors
    /// As [`scoring_batches`].
    pub fn new(encodings: Vec<Encoding>, tap: Option<usize>, most: usize) -> Result<Self> {
        Ok(Self {
            batches: scoring_batches(&encodings, most)?,
            tap,
            next: 0,
            done: 0,
            positions: 0,
            rows: vec![Default::default(); encodings.len()],
            encodings,
        })
    }

    /// Computes a batch, or as many as there are members of the team; false if none is left.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn advance(
        &mut self,
        encoder: &Backbone,
        pooling: SentencePooling,
        kind: HeadKind,
        pad_id: u32,
        team: &Team,
    ) -> Result<bool> {
        let left = self.batches.len() - self.next;
        let batches = self.next..self.next + left.min(team.size());
        if batches.is_empty() {
            return Ok(false);
        }
        let compute = async |part: usize| {
            let rows = &self.batches[batches.start + part];
            self.compute(rows, encoder, pooling, kind, pad_id).await
        };
        let found: Vec<Vec<[Vec<f32>; 3]>> = team.all(batches.len(), compute).await?;
        for (rows, values) in self.batches[batches.clone()].iter().zip(found) {
            for (row, values) in rows.iter().zip(values) {
                self.rows[*row] = values;
            }
            let width = rows.iter().map(|row| self.encodings[*row].ids.len()).max();
            self.positions += rows.len() * width.unwrap_or(0).max(1);
            self.done += rows.len();
        }
        self.next = batches.end;
        Ok(true)
    }

    /// What [`BaseFeatures`] has, of each of these rows.
    async fn compute(
        &self,
        rows: &[usize],
        encoder: &Backbone,
        pooling: SentencePooling,
        kind: HeadKind,
        pad_id: u32,
    ) -> Result<Vec<[Vec<f32>; 3]>> {
        let picked = rows
            .iter()
            .map(|row| &self.encodings[*row])
            .collect::<Vec<_>>();
        let padded = Batch::pad(&picked, pad_id)?;
        let batch = TokenBatch::upload(&padded, &encoder.device());
        let depth = self.tap.unwrap_or(0);
        let lower = encoder.lower(depth, &batch);
        let hidden = encoder.upper(depth, lower.clone(), batch.mask.clone());
        let width = hidden.dims()[2];
        let own = read(pooling.vectors(hidden.clone(), batch.mask.clone())).await?;
        let head = match (kind, pooling) {
            (HeadKind::Mean, SentencePooling::Mean) => own.clone(),
            _ => read(head_input(encoder, kind, hidden, batch.mask)).await?,
        };
        let states = match self.tap {
            Some(_) => read(lower).await?,
            None => Vec::new(),
        };
        let of_row = |(index, row): (usize, &usize)| {
            let vector = index * width..(index + 1) * width;
            let start = index * padded.width * width;
            let kept = start..start + self.encodings[*row].ids.len() * width;
            [
                head[vector.clone()].to_vec(),
                own[vector].to_vec(),
                states.get(kept).unwrap_or_default().to_vec(),
            ]
        };
        Ok(rows.iter().enumerate().map(of_row).collect())
    }

    /// Number of rows.
    pub fn total(&self) -> usize {
        self.encodings.len()
    }

    /// All that was computed.
    pub fn finish(self) -> BaseFeatures {
        let mut out = BaseFeatures::default();
        for [head, own, states] in self.rows {
            out.head.extend(head);
            out.own.extend(own);
            if self.tap.is_some() {
                out.states.push(states);
            }
        }
        out
    }
}
