//! Enters: a classifier and one optimiser step's batches. Leaves: the changed classifier and the loss, still on the device.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::loss::cross_entropy_sum;
use super::optimizer::{AdamW, clip_gradients};
use crate::data::batch::Batch;
use crate::models::Classifier;
use crate::models::bert::TokenBatch;
use crate::peft::freeze::take_gradients;

/// A batch with its labels, on the device.
#[derive(Debug, Clone)]
pub struct LabelledBatch {
    pub tokens: TokenBatch,
    /// `[batch]`
    pub labels: Tensor<1, Int>,
    /// Number of rows.
    pub rows: usize,
}

/// Puts a padded batch on the device.
pub fn upload(batch: &Batch, device: &Device) -> TokenBatch {
    let shape = [batch.rows, batch.width];
    let ints = |values: &[i32]| {
        Tensor::<2, Int>::from_data(TensorData::new(values.to_vec(), shape), device)
    };
    let mask = batch.mask.iter().map(|one| *one as f32).collect::<Vec<_>>();
    TokenBatch {
        ids: ints(&batch.ids),
        types: ints(&batch.types),
        mask: Tensor::from_data(TensorData::new(mask, shape), device),
    }
}

/// Puts labels on the device, `[rows]`.
pub fn upload_labels(labels: &[usize], device: &Device) -> Tensor<1, Int> {
    let labels = labels.iter().map(|label| *label as i32).collect::<Vec<_>>();
    let rows = labels.len();
    Tensor::from_data(TensorData::new(labels, [rows]), device)
}

/// Gradients of the mean loss over all rows of all batches, flat and by path, and that loss, `[1]`.
pub fn gradients(
    classifier: &Classifier,
    batches: &[LabelledBatch],
) -> (Vec<(String, Tensor<1>)>, Tensor<1>) {
    let rows = batches.iter().map(|batch| batch.rows).sum::<usize>() as f64;
    let mut sum: Vec<(String, Tensor<1>)> = Vec::new();
    let mut total: Option<Tensor<1>> = None;
    for batch in batches {
        let logits = classifier.forward(&batch.tokens);
        let loss = cross_entropy_sum(logits, batch.labels.clone()) / rows;
        let mut tape = loss.backward();
        let gradients = take_gradients(classifier, &mut tape);
        sum = match sum.is_empty() {
            true => gradients,
            false => sum
                .into_iter()
                .zip(gradients)
                .map(|((path, a), (_, b))| (path, a + b))
                .collect(),
        };
        let loss = loss.inner();
        total = Some(match total {
            None => loss,
            Some(total) => total + loss,
        });
    }
    let total = total.unwrap_or_else(|| Tensor::zeros([1], &Device::flex()));
    (sum, total)
}

/// One optimiser step over `batches`; returns the loss before it, `[1]`, without waiting for the device.
pub fn train_step(
    classifier: Classifier,
    optimizer: &mut AdamW,
    batches: &[LabelledBatch],
    max_grad_norm: f64,
    rate: impl Fn(&str) -> f64,
) -> (Classifier, Tensor<1>) {
    let (gradients, loss) = gradients(&classifier, batches);
    let gradients = clip_gradients(gradients, max_grad_norm);
    (optimizer.step(classifier, gradients, rate), loss)
}
