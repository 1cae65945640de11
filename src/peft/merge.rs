//! Enters: a classifier with deltas. Leaves: a plain one whose weights hold them, with the same output up to rounding.

use burn::tensor::Tensor;

use crate::layers::{Linear, Lora};
use crate::models::Classifier;
use crate::models::load::frozen;

/// Folds every delta into its weight: `W + s A B`, each column brought to its magnitude where there is one. Nothing of the result
/// trains. Bottlenecks and prefixes are no change of a weight and stay.
pub fn merge(classifier: &Classifier) -> Classifier {
    let mut merged = classifier.clone();
    for (_, linear) in merged.encoder.linears_mut() {
        if let Some(delta) = linear.delta.take() {
            linear.weight = frozen(dense(linear, &delta));
        }
    }
    merged
}

/// A layer's weight with its delta folded in, `[in, out]`; the weight itself where it has none.
pub fn merged_weight(linear: &Linear) -> Tensor<2> {
    match &linear.delta {
        Some(delta) => dense(linear, delta),
        None => linear.weight().inner(),
    }
}

/// `[in, out]`
fn dense(linear: &Linear, delta: &Lora) -> Tensor<2> {
    let weight = linear.weight().inner();
    let product = delta
        .lora_a
        .val()
        .inner()
        .matmul(delta.lora_b.val().inner());
    let sum = weight.clone() + product * delta.scaling;
    match &delta.magnitude {
        None => sum,
        Some(magnitude) => {
            let scale = magnitude.val().inner() / delta.norm(&weight); // [out]
            sum * scale.unsqueeze_dim::<2>(0)
        }
    }
}
