//! Padded rows of texts on the device, as classifiers and language models read them.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::data::Batch;

/// What an encoder reads.
#[derive(Debug, Clone)]
pub struct TokenBatch {
    /// `[batch, tokens]`
    pub ids: Tensor<2, Int>,
    /// `[batch, tokens]`
    pub types: Tensor<2, Int>,
    /// 1 for tokens, 0 for padding; `[batch, tokens]`
    pub mask: Tensor<2>,
}

impl TokenBatch {
    /// Puts a padded batch on the device.
    pub fn upload(batch: &Batch, device: &Device) -> Self {
        let shape = [batch.rows, batch.width];
        let ints = |values: &[i32]| {
            Tensor::<2, Int>::from_data(TensorData::new(values.to_vec(), shape), device)
        };
        let mask = batch.mask.iter().map(|one| *one as f32).collect::<Vec<_>>();
        Self {
            ids: ints(&batch.ids),
            types: ints(&batch.types),
            mask: Tensor::from_data(TensorData::new(mask, shape), device),
        }
    }
}
