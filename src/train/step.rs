//! One optimizer step: a network and the step's batches in, the changed network and the loss out, still on the device.

use burn::tensor::Tensor;

use super::gradients::{Batch, PassSettings, gradients};
use super::optimizer::AdamW;
use super::penalty::Penalty;
use crate::peft::Trainable;

/// What an optimizer step follows besides its batches.
pub struct Rules<'a> {
    /// Everything that the method trains.
    pub trainable: &'a Trainable,
    /// A pull towards the start.
    pub penalty: Option<&'a Penalty>,
    /// Largest global norm of the gradients; 0 for no clipping.
    pub max_grad_norm: f64,
    pub pass: PassSettings,
}

/// One optimizer step over `batches`; `rate(path)` is a parameter's learning rate. Returns the loss before it, penalty included, `[1]`,
/// without waiting for the device.
pub fn train_step<B: Batch>(
    network: B::Network,
    optimizer: &mut AdamW,
    batches: &[B],
    rules: &Rules<'_>,
    rate: impl Fn(&str) -> f64,
) -> (B::Network, Tensor<1>) {
    let (mut found, mut loss) = gradients(&network, batches, &rules.pass);
    if let Some(penalty) = rules.penalty {
        found = penalty.add_to(&network, rules.trainable, found);
        if let Some(value) = penalty.value(&network, rules.trainable) {
            loss = loss + value;
        }
    }
    let network = optimizer.step(network, found, rules.max_grad_norm, rate);
    (network, loss)
}
