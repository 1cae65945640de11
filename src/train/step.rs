//! Enters: a classifier and one optimiser step's batches. Leaves: the changed classifier and the loss, still on the device.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::loss::cross_entropy_sum;
use super::optimizer::{AdamW, clip_gradients};
use super::penalty::Penalty;
use super::recompute::by_layer;
use crate::models::{Classifier, Inputs};
use crate::peft::Trainable;
use crate::peft::freeze::take_gradients;
use crate::tasks::classify::contrast::Pairs;

/// What a batch is to teach. Boxed, because a burn tensor is some hundred bytes large.
#[derive(Debug, Clone)]
pub enum Target {
    /// The label of each row, `[batch]`.
    Labels(Box<Tensor<1, Int>>),
    /// Which rows belong together.
    Pairs(Box<Pairs>),
}

/// A batch with its target, on the device.
#[derive(Debug, Clone)]
pub struct TrainBatch {
    pub inputs: Inputs,
    pub target: Target,
    /// Rows that the loss is a sum over.
    pub rows: usize,
}

impl TrainBatch {
    /// Sum of the rows' losses, `[1]`.
    pub fn loss_sum(&self, classifier: &Classifier) -> Tensor<1> {
        match &self.target {
            Target::Labels(labels) => {
                cross_entropy_sum(classifier.forward(&self.inputs), *labels.clone())
            }
            Target::Pairs(pairs) => pairs.loss_sum(classifier.features(&self.inputs)),
        }
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
    batches: &[TrainBatch],
) -> (Vec<(String, Tensor<1>)>, Tensor<1>) {
    gradients_by(classifier, batches, None)
}

/// The same. `recompute`: with a seed, layers are computed a second time instead of keeping their insides; see [`super::recompute`].
pub fn gradients_by(
    classifier: &Classifier,
    batches: &[TrainBatch],
    recompute: Option<u64>,
) -> (Vec<(String, Tensor<1>)>, Tensor<1>) {
    // rows without a partner have no contrastive loss, and a batch may hold none that has
    let rows = batches.iter().map(|batch| batch.rows).sum::<usize>().max(1) as f64;
    let mut sum: Vec<(String, Tensor<1>)> = Vec::new();
    let mut total: Option<Tensor<1>> = None;
    for batch in batches {
        let (gradients, loss) = match recompute {
            Some(seed) => by_layer(classifier, batch, rows, seed),
            None => {
                let loss = batch.loss_sum(classifier) / rows;
                let mut tape = loss.backward();
                (take_gradients(classifier, &mut tape), loss.inner())
            }
        };
        sum = match sum.is_empty() {
            true => gradients,
            false => sum
                .into_iter()
                .zip(gradients)
                .map(|((path, a), (_, b))| (path, a + b))
                .collect(),
        };
        total = Some(match total {
            None => loss,
            Some(total) => total + loss,
        });
    }
    let total = total.unwrap_or_else(|| Tensor::zeros([1], &Device::flex()));
    (sum, total)
}

/// What an optimiser step follows besides its batches.
pub struct Rules<'a> {
    /// Everything that the method trains.
    pub trainable: &'a Trainable,
    /// A pull towards the start.
    pub penalty: Option<&'a Penalty>,
    /// 0 for no clipping.
    pub max_grad_norm: f64,
    /// As [`gradients_by`] takes it.
    pub recompute: Option<u64>,
}

/// One optimiser step over `batches`; `rate(path)` is a parameter's learning rate. Returns the loss before it, penalty included, `[1]`,
/// without waiting for the device.
pub fn train_step(
    classifier: Classifier,
    optimizer: &mut AdamW,
    batches: &[TrainBatch],
    rules: &Rules<'_>,
    rate: impl Fn(&str) -> f64,
) -> (Classifier, Tensor<1>) {
    let (mut gradients, mut loss) = gradients_by(&classifier, batches, rules.recompute);
    if let Some(penalty) = rules.penalty {
        gradients = penalty.add_to(&classifier, rules.trainable, gradients);
        if let Some(value) = penalty.value(&classifier, rules.trainable) {
            loss = loss + value;
        }
    }
    let gradients = clip_gradients(gradients, rules.max_grad_norm);
    (optimizer.step(classifier, gradients, rate), loss)
}
