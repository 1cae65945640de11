//! How likely a language model finds the targets of its batches.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::device::read;
use crate::models::causal_batch::{chunks, ids, logit_positions};
use crate::models::{CausalBatch, CausalLm};

/// How well targets are predicted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Likelihood {
    /// Mean cross-entropy in nats.
    pub loss: f64,
    /// `e` to the loss.
    pub perplexity: f64,
    /// Share of targets that are the likeliest token.
    pub token_accuracy: f64,
    /// Number of targets.
    pub tokens: usize,
}

/// Sums over targets, from which a [`Likelihood`] is made.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Sums {
    loss: f64,
    correct: f64,
    tokens: usize,
}

impl Sums {
    /// Of a batch's targets.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn of(model: &CausalLm, batch: &CausalBatch) -> Result<Self> {
        let [loss, correct] = sums(model, batch).await?;
        Ok(Self {
            loss,
            correct,
            tokens: batch.count(),
        })
    }

    /// Adds those of other targets.
    pub fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.tokens += other.tokens;
    }

    /// The means. Without any target the loss is 0.
    pub fn mean(&self) -> Likelihood {
        let count = self.tokens.max(1) as f64;
        let loss = self.loss / count;
        Likelihood {
            loss,
            perplexity: loss.exp(),
            token_accuracy: self.correct / count,
            tokens: self.tokens,
        }
    }
}

/// The sum of the targets' cross-entropies, and how many are the likeliest token.
async fn sums(model: &CausalLm, batch: &CausalBatch) -> Result<[f64; 2]> {
    let hidden = model.model.forward(batch.ids.clone(), &batch.layout, None);
    let [rows, width, size] = hidden.dims();
    let flat = hidden.reshape([rows * width, size]);
    let device = flat.device();
    let mut parts: Vec<Tensor<1>> = Vec::new();
    for chunk in chunks(batch.count(), logit_positions(model.head().rows())) {
        let positions = ids(&batch.positions[chunk.clone()], &device);
        let labels: Tensor<1, Int> = ids(&batch.labels[chunk], &device);
        let logits = model.logits(flat.clone().select(0, positions));
        let best = logits.clone().argmax(1).squeeze_dim::<1>(1);
        let right = best.equal(labels.clone()).float();
        let logs = log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1));
        parts.push(logs.sum().neg());
        parts.push(right.sum());
    }
    if parts.is_empty() {
        return Ok([0.0; 2]);
    }
    let values = read(Tensor::cat(parts, 0)).await?;
    let sum = |first: usize| {
        values
            .iter()
            .skip(first)
            .step_by(2)
            .map(|v| f64::from(*v))
            .sum()
    };
    Ok([sum(0), sum(1)])
}
