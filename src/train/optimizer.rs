//! Enters: gradients by path. Leaves: changed parameters: AdamW with PyTorch's semantics (Loshchilov & Hutter 2019).

use std::collections::HashMap;

use burn::tensor::Tensor;

use super::TrainOptions;
use crate::models::Classifier;
use crate::peft::freeze::replace_trained;

/// AdamW's constants; `torch.optim.AdamW`'s names and defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWConfig {
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub weight_decay: f64,
}

impl From<&TrainOptions> for AdamWConfig {
    fn from(options: &TrainOptions) -> Self {
        Self {
            beta1: options.adam_beta1,
            beta2: options.adam_beta2,
            eps: options.adam_epsilon,
            weight_decay: options.weight_decay,
        }
    }
}

/// Running means of one parameter's gradient and of its square, flattened.
#[derive(Debug, Clone)]
struct Moments {
    mean: Tensor<1>,
    square: Tensor<1>,
    steps: i32,
}

/// The optimiser's state over all parameters it has seen.
#[derive(Debug, Clone)]
pub struct AdamW {
    config: AdamWConfig,
    moments: HashMap<String, Moments>,
}

impl AdamW {
    /// No parameter seen yet.
    pub fn new(config: AdamWConfig) -> Self {
        Self {
            config,
            moments: HashMap::new(),
        }
    }

    /// One step. `gradients`: flat, by path; `rate(path)` is a parameter's learning rate. Parameters without a gradient
    /// stay as they are, undecayed, as in PyTorch.
    pub fn step(
        &mut self,
        classifier: Classifier,
        gradients: Vec<(String, Tensor<1>)>,
        rate: impl Fn(&str) -> f64,
    ) -> Classifier {
        let mut gradients: HashMap<_, _> = gradients.into_iter().collect();
        replace_trained(classifier, |path, value| {
            let gradient = gradients.remove(path)?;
            Some(self.update(path, value, gradient, rate(path)))
        })
    }

    fn update(
        &mut self,
        path: &str,
        value: Tensor<1>,
        gradient: Tensor<1>,
        rate: f64,
    ) -> Tensor<1> {
        let AdamWConfig {
            beta1,
            beta2,
            eps,
            weight_decay,
        } = self.config;
        let moments = match self.moments.remove(path) {
            None => Moments {
                mean: gradient.clone() * (1.0 - beta1),
                square: gradient.square() * (1.0 - beta2),
                steps: 1,
            },
            Some(old) => Moments {
                mean: old.mean * beta1 + gradient.clone() * (1.0 - beta1),
                square: old.square * beta2 + gradient.square() * (1.0 - beta2),
                steps: old.steps + 1,
            },
        };
        let correction1 = 1.0 - beta1.powi(moments.steps);
        let correction2 = (1.0 - beta2.powi(moments.steps)).sqrt();
        let denominator = moments.square.clone().sqrt() / correction2 + eps;
        let update = moments.mean.clone() / denominator * (rate / correction1);
        self.moments.insert(path.into(), moments);
        // decay before the update, as PyTorch does
        value * (1.0 - rate * weight_decay) - update
    }
}

/// Scales all gradients so that their global L2 norm is at most `max_norm`; `torch.nn.utils.clip_grad_norm_`.
/// The norm stays on the device, so that nothing waits for it.
pub fn clip_gradients(
    gradients: Vec<(String, Tensor<1>)>,
    max_norm: f64,
) -> Vec<(String, Tensor<1>)> {
    if max_norm <= 0.0 {
        return gradients;
    }
    let squares = gradients
        .iter()
        .map(|(_, gradient)| gradient.clone().square().sum())
        .reduce(|sum, square| sum + square);
    let Some(squares) = squares else {
        return gradients;
    };
    let scale = (squares.sqrt() + 1e-6)
        .recip()
        .mul_scalar(max_norm)
        .clamp_max(1.0); // [1]
    gradients
        .into_iter()
        .map(|(path, gradient)| (path, gradient * scale.clone()))
        .collect()
}
