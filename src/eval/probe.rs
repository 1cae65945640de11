//! The head that fits frozen features best: logistic regression by L-BFGS, in float64 and the same on every engine; multinomial, or one of its
//! own for each label where texts may have several.

use std::collections::VecDeque;

use burn::tensor::{
    Device, Tensor, TensorData,
    activation::{log_sigmoid, log_softmax},
};

use super::metrics::Report;
use super::several::score;
use crate::Result;
use crate::data::{ProblemType, Truth};
use crate::device::read;
use crate::linalg::{add, dot};
use crate::models::classifier::HeadWeights;

/// Inverse strengths of the L2 penalty that are tried, from strong to weak; scikit-learn's `C`.
pub const PENALTIES: [f64; 4] = [1.0, 10.0, 100.0, 1000.0];

/// L-BFGS stops when no component of the mean loss's gradient is larger.
const TOLERANCE: f64 = 1e-5;
const MAX_ITERATIONS: usize = 200;
/// Pairs of steps and gradient changes that L-BFGS remembers; scikit-learn's (scipy's) default.
const MEMORY: usize = 10;

/// Features, `[rows, hidden]` in row order, with their labels.
#[derive(Debug, Clone)]
pub struct ProbeData {
    pub features: Vec<f32>,
    pub labels: Truth,
    /// Whether the head has biases; they are zeros if not.
    pub bias: bool,
    /// What features are multiplied by where the penalty weighs the weights that read them.
    pub scale: f64,
}

impl ProbeData {
    /// What a head with biases reads is of a length near one. A decoder's last norm gives vectors of any length, compared with which the same
    /// penalties would be next to none: these are brought to length one on average.
    pub fn new(features: Vec<f32>, labels: Truth, bias: bool) -> Self {
        let squares = features.iter().map(|value| f64::from(*value).powi(2));
        let mean = squares.sum::<f64>() / labels.len().max(1) as f64;
        let scale = if bias {
            1.0
        } else {
            1.0 / mean.sqrt().max(1e-12)
        };
        Self {
            features,
            labels,
            bias,
            scale,
        }
    }
}

/// The problem on the CPU engine: products of `[rows, hidden]` are too small to be worth a GPU's round trips.
struct Problem {
    x: Tensor<2>,      // [rows, hidden]
    target: Tensor<2>, // [rows, labels], 1 where a label applies
    shape: [usize; 3], // rows, hidden, labels
    problem: ProblemType,
    /// 1 / (2 C rows): the penalty's factor next to a mean loss.
    decay: f64,
    bias: bool,
}

impl Problem {
    fn new(data: &ProbeData, labels: usize, c: f64) -> Self {
        let device = Device::flex();
        let rows = data.labels.len();
        let hidden = data.features.len() / rows;
        let target = data.labels.indicators(labels);
        let x = Tensor::from_data(
            TensorData::new(data.features.clone(), [rows, hidden]),
            &device,
        );
        Self {
            x: if data.scale == 1.0 { x } else { x * data.scale },
            target: Tensor::from_data(TensorData::new(target, [rows, labels]), &device),
            shape: [rows, hidden, labels],
            problem: data.labels.problem(),
            decay: 1.0 / (2.0 * c * rows as f64),
            bias: data.bias,
        }
    }

    /// Losses of the rows, `[rows, 1]`, the sum over the labels of each, and the error of the probabilities, `[rows, labels]`.
    fn losses(&self, logits: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        let target = self.target.clone();
        match self.problem {
            ProblemType::SingleLabel => {
                let log_probability = log_softmax(logits, 1);
                let losses = (log_probability.clone() * target.clone()).sum_dim(1).neg();
                (losses, log_probability.exp() - target)
            }
            ProblemType::MultiLabel => {
                let log_probability = log_sigmoid(logits.clone());
                let losses =
                    (logits * (target.clone().neg() + 1.0) - log_probability.clone()).sum_dim(1);
                (losses, log_probability.exp() - target)
            }
        }
    }

    /// Mean cross-entropy plus penalty, and its gradient. `theta`: weights `[hidden, labels]`, then biases `[labels]`,
    /// which carry no penalty.
    async fn value_and_gradient(&self, theta: &[f64]) -> Result<(f64, Vec<f64>)> {
        let [rows, hidden, labels] = self.shape;
        let device = Device::flex();
        let split = hidden * labels;
        let single = theta.iter().map(|value| *value as f32).collect::<Vec<_>>();
        let weight: Tensor<2> = Tensor::from_data(
            TensorData::new(single[..split].to_vec(), [hidden, labels]),
            &device,
        );
        let bias: Tensor<2> = Tensor::from_data(
            TensorData::new(single[split..].to_vec(), [1, labels]),
            &device,
        );
        let (losses, error) = self.losses(self.x.clone().matmul(weight) + bias);
        let losses = read(losses).await?;
        let error = error / rows as f64; // [rows, labels]
        let mut gradient = read(self.x.clone().transpose().matmul(error.clone())).await?;
        gradient.extend(read(error.sum_dim(0)).await?);
        let squares = theta[..split]
            .iter()
            .map(|value| value * value)
            .sum::<f64>();
        let loss = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / rows as f64;
        let gradient = gradient
            .iter()
            .enumerate()
            .map(|(index, slope)| {
                if index < split {
                    f64::from(*slope) + 2.0 * self.decay * theta[index]
                } else if self.bias {
                    f64::from(*slope)
                } else {
                    // biases start at zero and stay there if nothing moves them
                    0.0
                }
            })
            .collect();
        Ok((loss + self.decay * squares, gradient))
    }
}

/// Fits the head with one penalty, from `start` (or zeros): scikit-learn's `LogisticRegression(C=c)`, on the scaled
/// features, with `fit_intercept=False` where the head has no biases; within `OneVsRestClassifier` where rows may have several labels.
///
/// # Errors
/// Failures of the device.
pub async fn fit(
    data: &ProbeData,
    labels: usize,
    c: f64,
    start: Option<&HeadWeights>,
) -> Result<HeadWeights> {
    let problem = Problem::new(data, labels, c);
    let hidden = problem.shape[1];
    let theta = match start {
        None => vec![0.0; (hidden + 1) * labels],
        Some(head) => flatten(head, hidden, labels, data.scale),
    };
    let theta = minimize(&problem, theta).await?;
    Ok(unflatten(&theta, hidden, labels, data.scale))
}

/// L-BFGS (Liu & Nocedal 1989) with a backtracking line search; the problem is convex.
async fn minimize(problem: &Problem, mut theta: Vec<f64>) -> Result<Vec<f64>> {
    let (mut value, mut gradient) = problem.value_and_gradient(&theta).await?;
    let mut memory: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
    for _ in 0..MAX_ITERATIONS {
        if gradient.iter().all(|slope| slope.abs() <= TOLERANCE) {
            break;
        }
        let direction = descent(&gradient, &memory);
        let slope = dot(&direction, &gradient);
        let mut step = if memory.is_empty() {
            1.0 / dot(&gradient, &gradient).sqrt().max(1e-12)
        } else {
            1.0
        };
        let mut accepted = None;
        // float32 sums end the search for a lower value after about twenty halvings
        for _ in 0..20 {
            let trial = theta
                .iter()
                .zip(&direction)
                .map(|(value, change)| value + step * change)
                .collect::<Vec<_>>();
            let (lower, slopes) = problem.value_and_gradient(&trial).await?;
            if lower <= value + 1e-4 * step * slope {
                accepted = Some((trial, lower, slopes));
                break;
            }
            step *= 0.5;
        }
        let Some((trial, lower, slopes)) = accepted else {
            break;
        };
        let moved = difference(&trial, &theta);
        let turned = difference(&slopes, &gradient);
        if dot(&moved, &turned) > 1e-12 {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back((moved, turned));
        }
        (theta, value, gradient) = (trial, lower, slopes);
    }
    Ok(theta)
}

/// The two-loop recursion: minus the approximate inverse Hessian times the gradient.
fn descent(gradient: &[f64], memory: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut q = gradient.to_vec();
    let mut factors = Vec::with_capacity(memory.len());
    for (moved, turned) in memory.iter().rev() {
        let factor = dot(moved, &q) / dot(moved, turned);
        add(&mut q, -factor, turned);
        factors.push(factor);
    }
    if let Some((moved, turned)) = memory.back() {
        let scale = dot(moved, turned) / dot(turned, turned);
        q.iter_mut().for_each(|value| *value *= scale);
    }
    for ((moved, turned), factor) in memory.iter().zip(factors.iter().rev()) {
        let back = dot(turned, &q) / dot(moved, turned);
        add(&mut q, factor - back, moved);
    }
    q.iter_mut().for_each(|value| *value = -*value);
    q
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// The other way round: [`unflatten`].
fn flatten(head: &HeadWeights, hidden: usize, labels: usize, scale: f64) -> Vec<f64> {
    let mut theta = Vec::with_capacity((hidden + 1) * labels);
    for column in 0..hidden {
        theta.extend(
            (0..labels).map(|label| f64::from(head.weight[label * hidden + column]) / scale),
        );
    }
    theta.extend(head.bias.iter().map(|bias| f64::from(*bias)));
    theta
}

/// Weights for features that were multiplied by `scale`, as weights for the features themselves.
fn unflatten(theta: &[f64], hidden: usize, labels: usize, scale: f64) -> HeadWeights {
    let mut weight = Vec::with_capacity(hidden * labels);
    for label in 0..labels {
        weight.extend((0..hidden).map(|column| (theta[column * labels + label] * scale) as f32));
    }
    HeadWeights {
        weight,
        bias: theta[hidden * labels..]
            .iter()
            .map(|bias| *bias as f32)
            .collect(),
    }
}

/// Logits of features under a head, `[rows, labels]` in row order.
pub fn head_logits(head: &HeadWeights, features: &[f32]) -> Vec<f32> {
    let hidden = head.hidden();
    features
        .chunks_exact(hidden)
        .flat_map(|row| {
            head.weight
                .chunks_exact(hidden)
                .zip(&head.bias)
                .map(move |(weight, bias)| {
                    weight
                        .iter()
                        .zip(row)
                        .map(|(weight, value)| weight * value)
                        .sum::<f32>()
                        + bias
                })
        })
        .collect()
}

/// Fits the head once per penalty of [`PENALTIES`], each from the one before, and keeps the one that classifies the
/// validation rows best ([`Report::beats`]).
///
/// # Errors
/// Failures of the device.
pub async fn fit_best(
    train: &ProbeData,
    validation: &ProbeData,
    labels: &[String],
) -> Result<HeadWeights> {
    let mut best: Option<(HeadWeights, Report)> = None;
    let mut last: Option<HeadWeights> = None;
    for c in PENALTIES {
        let head = fit(train, labels.len(), c, last.as_ref()).await?;
        let logits = head_logits(&head, &validation.features);
        let scores = score(&validation.labels, &logits, labels, None)?;
        if best.as_ref().is_none_or(|(_, best)| scores.beats(best)) {
            best = Some((head.clone(), scores));
        }
        last = Some(head);
    }
    best.map(|(head, ..)| head)
        .ok_or_else(|| crate::Error::internal("no penalty was tried"))
}
