//! Padded rows of texts with their targets on the device, as a language model learns from them.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::decoder_context::Layout;
use crate::data::SequenceBatch;

/// Bytes that one chunk's logits may take, of which there are about four at once.
const LOGITS_BYTES: usize = 32 << 20;

/// Some texts and which of their tokens are to be predicted.
#[derive(Debug, Clone)]
pub struct CausalBatch {
    /// `[rows, width]`
    pub ids: Tensor<2, Int>,
    pub layout: Layout,
    /// The places of tokens that a target follows: `row * width + token`.
    pub positions: Vec<i32>,
    /// The targets, one for each of `positions`.
    pub labels: Vec<i32>,
    /// Positions whose logits exist at once, instead of as many as [`logit_positions`] gives.
    pub chunk: Option<usize>,
}

impl CausalBatch {
    /// `ids` and `targets`: row after row, padded to `layout.width`; `targets[i]` says that token `i` is to be predicted from those before it.
    /// The first token of a row has none before it and is left out.
    pub fn new(ids: Vec<i32>, targets: &[bool], layout: Layout, device: &Device) -> Self {
        let mut positions = Vec::new();
        let mut labels = Vec::new();
        for (index, target) in targets.iter().enumerate() {
            if *target && index % layout.width > 0 {
                positions.push(index as i32 - 1);
                labels.push(ids[index]);
            }
        }
        let data = TensorData::new(ids, [layout.rows, layout.width]);
        Self {
            ids: Tensor::from_data(data, device),
            layout,
            positions,
            labels,
            chunk: None,
        }
    }

    /// With the logits of this many positions at once.
    pub fn with_chunk(mut self, positions: usize) -> Self {
        self.chunk = Some(positions);
        self
    }

    /// Puts padded rows on the device.
    pub fn upload(batch: SequenceBatch, device: &Device) -> Self {
        let plain = Layout::plain(batch.rows, batch.width);
        // rows of one text each need neither positions nor segments
        let layout = if batch.segments.iter().any(|segment| *segment > 0) {
            let positions = batch.positions.iter().map(|position| *position as u32);
            Layout {
                positions: Some(positions.collect()),
                segments: Some(batch.segments),
                ..plain
            }
        } else {
            plain
        };
        Self::new(batch.ids, &batch.targets, layout, device)
    }

    /// Number of targets.
    pub fn count(&self) -> usize {
        self.labels.len()
    }
}

/// Positions whose logits exist at once.
pub fn logit_positions(words: usize) -> usize {
    (LOGITS_BYTES / (4 * words)).clamp(16, 4096)
}

/// `0..count` in pieces of at most `size`.
pub fn chunks(count: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let size = size.max(1);
    (0..count)
        .step_by(size)
        .map(move |start| start..(start + size).min(count))
}

/// Numbers on the device.
pub fn ids(values: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}
