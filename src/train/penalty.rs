//! A pull of the trained tensors back to what they started from, as a loss and as gradients.

use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::peft::Trainable;
use crate::peft::freeze::trained;

/// L2-SP: `lambda * |theta - theta_start|^2` over all trained tensors, the head's too (Li et al. 2018). The start is the pretrained
/// value, or the first one if there is none (head, adapter).
#[derive(Debug, Clone)]
pub struct Penalty {
    lambda: f64,
    start: HashMap<String, Tensor<1>>,
}

impl Penalty {
    /// Remembers the values that `network` has now; `None` where `lambda` is 0.
    pub fn new(network: &impl Module, trainable: &Trainable, lambda: f64) -> Option<Self> {
        (lambda > 0.0).then(|| Self {
            lambda,
            start: trained(network, trainable)
                .into_iter()
                .map(|tensor| (tensor.path, tensor.value))
                .collect(),
        })
    }

    /// Takes the values of now as the start of the paths that `which` names.
    pub fn restart(
        &mut self,
        network: &impl Module,
        trainable: &Trainable,
        which: impl Fn(&str) -> bool,
    ) {
        for tensor in trained(network, trainable) {
            if which(&tensor.path) {
                self.start.insert(tensor.path, tensor.value);
            }
        }
    }

    /// The start of the paths that `which` names.
    pub fn start_of(&self, which: impl Fn(&str) -> bool) -> Vec<(&str, &Tensor<1>)> {
        let start = self.start.iter().filter(|(path, _)| which(path));
        let mut start: Vec<_> = start.map(|(path, value)| (path.as_str(), value)).collect();
        start.sort_by_key(|(path, _)| *path);
        start
    }

    /// Sets the start of a path.
    pub fn set_start(&mut self, path: &str, value: Tensor<1>) {
        self.start.insert(path.into(), value);
    }

    /// Adds the penalty's gradient, `2 lambda (theta - theta_start)`, to those of the same paths. Adding it before clipping and Adam is
    /// the same as adding the penalty to the loss.
    pub fn add_to(
        &self,
        network: &impl Module,
        trainable: &Trainable,
        gradients: Vec<(String, Tensor<1>)>,
    ) -> Vec<(String, Tensor<1>)> {
        let mut values = trained(network, trainable)
            .into_iter()
            .map(|tensor| (tensor.path, tensor.value))
            .collect::<HashMap<_, _>>();
        gradients
            .into_iter()
            .map(|(path, gradient)| {
                let pulled = match (values.remove(&path), self.start.get(&path)) {
                    (Some(value), Some(start)) => {
                        gradient + (value - start.clone()) * (2.0 * self.lambda)
                    }
                    _ => gradient,
                };
                (path, pulled)
            })
            .collect()
    }

    /// The penalty itself, `[1]`.
    pub fn value(&self, network: &impl Module, trainable: &Trainable) -> Option<Tensor<1>> {
        trained(network, trainable)
            .into_iter()
            .filter_map(|tensor| {
                let start = self.start.get(&tensor.path)?.clone();
                Some((tensor.value - start).square().sum() * self.lambda)
            })
            .reduce(|sum, part| sum + part)
    }
}
