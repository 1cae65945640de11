//! One optimizer step: the gradients of its batches, by one engine or by several, and the change of the network.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::gradients::{Batch, Parts, PassSettings, gradients};
use super::optimizer::AdamW;
use super::penalty::Penalty;
use crate::Result;
use crate::device::read;
use crate::models::Stack;
use crate::peft::Trainable;
use crate::team::Team;

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

/// Gradients of the mean loss, flat and by path, and that loss, `[1]`.
pub type Found = (Vec<(String, Tensor<1>)>, Tensor<1>);

/// Changes the network by what was found; `rate(path)` is a parameter's learning rate. Also returns the loss, penalty included, `[1]`, without
/// waiting for the device.
pub fn train_step<N: Stack>(
    network: N,
    optimizer: &mut AdamW,
    (mut found, mut loss): Found,
    rules: &Rules<'_>,
    rate: impl Fn(&str) -> f64,
) -> (N, Tensor<1>) {
    if let Some(penalty) = rules.penalty {
        found = penalty.add_to(&network, rules.trainable, found);
        if let Some(value) = penalty.value(&network, rules.trainable) {
            loss = loss + value;
        }
    }
    let network = optimizer.step(network, found, rules.max_grad_norm, rate);
    (network, loss)
}

/// What one batch gives, on its way between engines.
#[derive(Debug, Serialize, Deserialize)]
struct Part {
    gradients: BTreeMap<String, Vec<f32>>,
    loss: Vec<f32>,
}

/// The gradients of a step, each batch's by one member of the team. They are those of [`gradients`] to the last bit.
///
/// # Errors
/// Failures of the device; a lost team.
pub async fn shared_gradients<B: Batch>(
    network: &B::Network,
    batches: &[B],
    pass: &PassSettings,
    team: &Team,
) -> Result<Found> {
    if team.is_alone() {
        return Ok(gradients(network, batches, pass));
    }
    let parts = Parts::new(network, batches, pass);
    let compute = async |index: usize| {
        let (sums, loss) = parts.compute(index);
        let mut gradients = BTreeMap::new();
        for (path, gradient) in sums.into_flat() {
            gradients.insert(path, read(gradient).await?);
        }
        let loss = read(loss).await?;
        Ok(Part { gradients, loss })
    };
    let device = network.device();
    let tensor = |values: Vec<f32>| {
        let count = values.len();
        Tensor::from_data(TensorData::new(values, [count]), &device)
    };
    let combine = |parts: Vec<Part>| parts.into_iter().reduce(add);
    let whole: Option<Part> = team.share(batches.len(), compute, combine).await?;
    let Some(Part { gradients, loss }) = whole else {
        return Ok((Vec::new(), tensor(vec![0.0])));
    };
    let gradients = gradients.into_iter();
    let gradients = gradients.map(|(path, values)| (path, tensor(values)));
    Ok((gradients.collect(), tensor(loss)))
}

/// As tensors are added in [`gradients`]: path by path, in the order of the batches.
fn add(mut sum: Part, part: Part) -> Part {
    for (path, values) in part.gradients {
        match sum.gradients.entry(path) {
            Entry::Occupied(mut sum) => plus(sum.get_mut(), &values),
            Entry::Vacant(place) => {
                place.insert(values);
            }
        }
    }
    plus(&mut sum.loss, &part.loss);
    sum
}

fn plus(sum: &mut [f32], more: &[f32]) {
    sum.iter_mut()
        .zip(more)
        .for_each(|(sum, more)| *sum += more);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_added_path_by_path() {
        let part = |gradients: &[(&str, f32)], loss: f32| Part {
            gradients: (gradients.iter())
                .map(|(path, value)| (String::from(*path), vec![*value]))
                .collect(),
            loss: vec![loss],
        };
        let sum = add(
            part(&[("b", 1.0), ("c", 2.0)], 1.0),
            part(&[("a", 4.0), ("c", 8.0), ("d", 16.0)], 2.0),
        );
        let found = sum
            .gradients
            .iter()
            .map(|(path, values)| (path.as_str(), values[0]));
        assert_eq!(
            found.collect::<Vec<_>>(),
            [("a", 4.0), ("b", 1.0), ("c", 10.0), ("d", 16.0)]
        );
        assert_eq!(sum.loss, [3.0]);
    }
}
