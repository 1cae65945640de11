//! A layer's weight with its delta folded in, which gives the same output up to rounding.

use burn::tensor::Tensor;

use crate::layers::{Linear, Lora};

/// A layer's weight with its delta folded in, `[in, out]`; the weight itself where it has none.
pub fn merged_weight(linear: &Linear) -> Tensor<2> {
    match &linear.delta {
        Some(delta) => dense(linear, delta),
        None => linear.weight().inner(),
    }
}

/// `W + s A B`, each column brought to its magnitude if there is one, `[in, out]`.
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
