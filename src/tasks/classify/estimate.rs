//! Enters: an encoder's sizes and a run's options. Leaves: the bytes that the run will take.

use super::options::TrainOptions;
use crate::device::Compute;
use crate::eval::evaluate::EVALUATION_BATCH;
use crate::layers::Storage;
use crate::models::size::Shape;
use crate::models::{BackboneConfig, NetworkSizes};
use crate::peft::{Method, MethodType};

/// What an estimate depends on besides model and options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// How the weights of linear layers are kept.
    pub storage: Storage,
    /// Tokens of the longest row.
    pub longest: usize,
    /// Number of labels.
    pub labels: usize,
    /// Rows that train and judge.
    pub rows: usize,
    /// Numbers that train.
    pub trained: u64,
}

/// Bytes at the peak: the weights; what one training batch keeps, or one evaluation batch holds; what trains five times
/// over (value, gradient, two moments, best epoch's copy); the baselines' features (as computed, gathered, and as a
/// tensor), their products of rows and labels, and the probe's solver's memory; the confusion matrices.
pub fn estimate(
    config: &BackboneConfig,
    compute: &Compute,
    options: &TrainOptions,
    method: &Method,
    work: &Work,
) -> u64 {
    let [hidden, wide, layers, labels, rows] = [
        config.hidden_size,
        config.intermediate_size,
        config.num_hidden_layers,
        work.labels,
        work.rows,
    ]
    .map(|n| n as u64);
    let head = (hidden + 1) * labels;
    let sizes = NetworkSizes::of_backbone(config, work.storage, compute.kind);
    let contrastive = options
        .contrastive
        .settings()
        .map_or(0, |stage| stage.batch_size);
    let batch = options.train_batch_size.max(contrastive);
    let prefix = match method {
        Method::Prefix(config) => config.num_virtual_tokens,
        _ => 0,
    };
    let tokens = (batch * work.longest) as u64;
    // what a method keeps for each token of a layer, beside the network's own
    let kept = match method {
        // each of six deltas keeps its product with A twice, and its masked input and the mask where it drops any; a magnitude keeps
        // the output before it
        Method::Lora(lora) => {
            let dropped = if lora.lora_dropout > 0.0 {
                2 * (5 * hidden + wide)
            } else {
                0
            };
            let scaled = if lora.use_dora {
                2 * (5 * hidden + wide)
            } else {
                0
            };
            12 * lora.largest_rank() as u64 + dropped + scaled
        }
        Method::Houlsby(houlsby) => 2 * (2 * hidden + 4 * houlsby.width(config.hidden_size) as u64),
        _ => 0,
    };
    // masks of hidden states, twice a layer, and the masked values
    let dropped = if options.dropout > 0.0 { 4 * hidden } else { 0 };
    // a mixture and its mask for each weight
    let mixed = if options.mixout > 0.0 {
        8 * work.trained
    } else {
        0
    };
    let start = if options.l2_sp > 0.0 && method.kind() != MethodType::Full {
        4 * work.trained
    } else {
        0
    };
    let longest = work.longest + prefix;
    // a layer's weights in float32, which the backward pass reads again
    let widened = sizes.widened_bytes();
    let inside = sizes.layer_bytes(Shape::new(batch, longest));
    let passing = sizes.passing_bytes(Shape::new(batch, longest));
    let of_method = 4 * tokens * (kept + dropped);
    let activations = match options.gradient_checkpointing {
        // what enters each layer, and one layer's inside
        true => 4 * layers * tokens * hidden + inside + of_method + widened,
        false => layers * (inside + of_method + widened),
    };
    let training = activations + passing + mixed + start;
    let evaluation = sizes.layer_bytes(Shape::new(EVALUATION_BATCH, longest));
    let baselines = 20 * rows * hidden + 40 * rows * labels + 200 * head;
    sizes.weight_bytes()
        + training.max(evaluation)
        + 20 * work.trained
        + baselines
        + 16 * labels * labels
}
