//! AdamW with PyTorch's semantics (Loshchilov & Hutter 2019).

#[cfg(feature = "webgpu")]
mod at_once;
#[cfg(feature = "webgpu")]
mod together;

use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use crate::device::read;
use crate::models::names::is_bias_or_norm;
use crate::peft::freeze::replace;
use crate::{Error, Result};

/// What a step on a GPU holds twice at a time of so many bytes of gradients, or of values.
#[cfg(feature = "webgpu")]
pub fn held_twice(bytes: u64) -> u64 {
    bytes.min(crate::kernels::MOST_BYTES as u64)
}

/// Nothing without a GPU engine.
#[cfg(not(feature = "webgpu"))]
pub fn held_twice(_bytes: u64) -> u64 {
    0
}

/// AdamW's constants; `torch.optim.AdamW`'s names and defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWConfig {
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub weight_decay: f64,
    /// PyTorch decays whatever it is given; Hugging Face's Trainer gives it no biases and norms.
    pub decay_bias_and_norm: bool,
}

/// Running means of one parameter's gradient and of its square, flattened.
#[derive(Debug, Clone)]
struct Moments {
    means: Means,
    steps: i32,
}

/// Where the running means are.
#[derive(Debug, Clone)]
enum Means {
    /// On a GPU: the mean and the mean square.
    Device(Box<[Tensor<1>; 2]>),
    /// In memory, for the CPU engine.
    Host { mean: Vec<f32>, square: Vec<f32> },
    /// On a GPU, among those of everything that trains.
    #[cfg(feature = "webgpu")]
    AtOnce,
}

/// One parameter's factors in one step.
#[derive(Debug, Clone, Copy)]
struct Factors {
    beta1: f64,
    beta2: f64,
    eps: f64,
    rate: f64,
    decay: f64,
    /// Of the mean and of the root of the mean square, for their start at zero.
    corrections: [f64; 2],
}

/// The optimiser's state over all parameters it has seen.
#[derive(Debug, Clone)]
pub struct AdamW {
    config: AdamWConfig,
    moments: HashMap<String, Moments>,
    #[cfg(feature = "webgpu")]
    at_once: Option<at_once::AtOnce>,
}

impl AdamW {
    /// No parameter seen yet.
    pub fn new(config: AdamWConfig) -> Self {
        Self {
            config,
            moments: HashMap::new(),
            #[cfg(feature = "webgpu")]
            at_once: None,
        }
    }

    /// The steps that each parameter has made, sorted by path.
    pub fn steps(&self) -> Vec<(String, i32)> {
        let each = self.moments.iter();
        let mut steps: Vec<_> = each.map(|(path, m)| (path.clone(), m.steps)).collect();
        steps.sort();
        steps
    }

    /// A parameter's mean, or its mean square.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn mean(&self, path: &str, squared: bool) -> Result<Vec<f32>> {
        match self.moments.get(path).map(|moments| &moments.means) {
            Some(Means::Host { mean, square }) => Ok(if squared {
                square.clone()
            } else {
                mean.clone()
            }),
            Some(Means::Device(means)) => read(means[usize::from(squared)].clone()).await,
            #[cfg(feature = "webgpu")]
            Some(Means::AtOnce) => {
                let means = self.at_once.as_ref().and_then(|all| all.means(path));
                let [mean, square] =
                    means.ok_or_else(|| Error::internal(format!("{path} has no means")))?;
                read(if squared { square } else { mean }).await
            }
            None => Err(Error::internal(format!("{path} has made no step"))),
        }
    }

    /// Puts back what [`Self::steps`] and [`Self::mean`] gave.
    pub fn restore(&mut self, path: &str, steps: i32, means: [Vec<f32>; 2], device: &Device) {
        #[cfg(feature = "webgpu")]
        self.take_apart();
        let [mean, square] = means;
        let means = if *device == Device::flex() {
            Means::Host { mean, square }
        } else {
            let tensor = |values: Vec<f32>| {
                let count = values.len();
                Tensor::from_data(TensorData::new(values, [count]), device)
            };
            Means::Device(Box::new([tensor(mean), tensor(square)]))
        };
        self.moments.insert(path.into(), Moments { means, steps });
    }

    /// One step. `gradients`: flat, by path; `max_norm`: their largest global norm, 0 for no clipping; `rate(path)` is a parameter's learning
    /// rate. Parameters without a gradient stay as they are, undecayed, as in PyTorch.
    pub fn step<M: Module>(
        &mut self,
        network: M,
        gradients: Vec<(String, Tensor<1>)>,
        max_norm: f64,
        rate: impl Fn(&str) -> f64,
    ) -> M {
        #[cfg(feature = "webgpu")]
        let gradients = match self.step_at_once(&network, gradients, max_norm, &rate) {
            Ok(mut values) => return replace(network, |path, _| values.remove(path)),
            Err(gradients) => gradients,
        };
        let gradients = clip_gradients(gradients, max_norm);
        let mut gradients: HashMap<_, _> = gradients.into_iter().collect();
        replace(network, |path, value| {
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
        let old = self.moments.remove(path);
        let steps = old.as_ref().map_or(0, |old| old.steps) + 1;
        let factors = self.factors(path, steps, rate);
        let old = old.map(|old| old.means);
        let (value, means) = if value.device() == Device::flex() {
            update_in_memory(value, gradient, old, factors)
        } else {
            update_on_device(value, gradient, old, factors)
        };
        self.moments.insert(path.into(), Moments { means, steps });
        value
    }

    /// A parameter's factors in its `steps`-th step.
    fn factors(&self, path: &str, steps: i32, rate: f64) -> Factors {
        let config = self.config;
        let decay = if is_bias_or_norm(path) && !config.decay_bias_and_norm {
            0.0
        } else {
            config.weight_decay
        };
        Factors {
            beta1: config.beta1,
            beta2: config.beta2,
            eps: config.eps,
            rate,
            decay,
            corrections: [
                1.0 - config.beta1.powi(steps),
                (1.0 - config.beta2.powi(steps)).sqrt(),
            ],
        }
    }
}

/// From primitive operations, so that nothing waits for the device.
fn update_on_device(
    value: Tensor<1>,
    gradient: Tensor<1>,
    old: Option<Means>,
    factors: Factors,
) -> (Tensor<1>, Means) {
    let Factors {
        beta1,
        beta2,
        eps,
        rate,
        decay,
        corrections,
    } = factors;
    let (mean, square) = match old {
        Some(Means::Device(old)) => {
            let [mean, square] = *old;
            (
                mean * beta1 + gradient.clone() * (1.0 - beta1),
                square * beta2 + gradient.square() * (1.0 - beta2),
            )
        }
        _ => (
            gradient.clone() * (1.0 - beta1),
            gradient.square() * (1.0 - beta2),
        ),
    };
    let denominator = square.clone().sqrt() / corrections[1] + eps;
    let update = mean.clone() / denominator * (rate / corrections[0]);
    // decay before the update, as PyTorch does
    let value = value * (1.0 - rate * decay) - update;
    (value, Means::Device(Box::new([mean, square])))
}

/// One walk over memory instead of some fifteen: with all weights trained, the CPU engine would otherwise spend as long here as on the
/// network. The order of operations is that of [`update_on_device`], and so are the results.
fn update_in_memory(
    value: Tensor<1>,
    gradient: Tensor<1>,
    old: Option<Means>,
    factors: Factors,
) -> (Tensor<1>, Means) {
    let device = value.device();
    let read = |tensor: &Tensor<1>| tensor.to_data().try_into_vec::<f32>().ok();
    let (Some(mut values), Some(gradients)) = (read(&value), read(&gradient)) else {
        return update_on_device(value, gradient, old, factors);
    };
    let count = values.len();
    let (mut mean, mut square) = match old {
        Some(Means::Host { mean, square }) => (mean, square),
        _ => (vec![0.0; count], vec![0.0; count]),
    };
    let Factors {
        beta1,
        beta2,
        eps,
        rate,
        decay,
        corrections,
    } = factors;
    let [kept1, kept2] = [beta1 as f32, beta2 as f32];
    let [new1, new2] = [(1.0 - beta1) as f32, (1.0 - beta2) as f32];
    let [root, eps] = [corrections[1] as f32, eps as f32];
    let [step, shrink] = [(rate / corrections[0]) as f32, (1.0 - rate * decay) as f32];
    let moments = mean.iter_mut().zip(&mut square);
    for ((value, gradient), (mean, square)) in values.iter_mut().zip(&gradients).zip(moments) {
        *mean = *mean * kept1 + gradient * new1;
        *square = *square * kept2 + gradient * gradient * new2;
        *value = *value * shrink - *mean / (square.sqrt() / root + eps) * step;
    }
    let value = Tensor::from_data(TensorData::new(values, [count]), &device);
    (value, Means::Host { mean, square })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_walks_give_the_same_numbers() {
        let device = Device::flex();
        let tensor = |seed: usize| {
            let values = (0..50).map(|index| (((index + 1) * (seed + 3)) as f32).sin());
            let values = values.collect::<Vec<_>>();
            Tensor::<1>::from_data(TensorData::new(values, [50]), &device)
        };
        let bits = |tensor: &Tensor<1>| {
            let values = tensor.to_data().try_into_vec::<f32>().unwrap();
            values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let (mut a, mut b) = (tensor(0), tensor(0));
        let (mut old_a, mut old_b) = (None, None);
        for step in 1..=4 {
            let factors = Factors {
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-8,
                rate: 1e-3 * f64::from(step),
                decay: 0.01,
                corrections: [
                    1.0 - 0.9_f64.powi(step),
                    (1.0 - 0.999_f64.powi(step)).sqrt(),
                ],
            };
            let gradient = tensor(step as usize);
            let (next, means) = update_on_device(a, gradient.clone(), old_a, factors);
            (a, old_a) = (next, Some(means));
            let (next, means) = update_in_memory(b, gradient, old_b, factors);
            (b, old_b) = (next, Some(means));
            assert!(matches!(old_b, Some(Means::Host { .. })));
            assert_eq!(bits(&a), bits(&b), "step {step}");
        }
    }
}
