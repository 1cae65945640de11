//! Enters: a language model's sizes and a run's options. Leaves: the bytes that the run will take, by what takes them.

use serde::Serialize;

use crate::Result;
use crate::layers::Storage;
use crate::models::causal_batch::logit_positions;
use crate::models::decoder::DecoderConfig;
use crate::peft::lora::trained_numbers;
use crate::peft::{LoraConfig, Method};

/// What an estimate depends on besides the model's sizes and the method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// How the frozen weights are kept.
    pub storage: Storage,
    /// Whether the engine puts two 4-bit values into a byte.
    pub packed: bool,
    /// Rows per forward pass.
    pub batch: usize,
    /// Tokens of the longest row.
    pub longest: usize,
    /// Numbers that train.
    pub trained: u64,
    /// Whether layers are computed twice.
    pub checkpointing: bool,
}

/// Bytes at the peak of a run, by what takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// The frozen weights as they are kept.
    pub weights: u64,
    /// What trains: values, gradients, the best state's copy.
    pub adapter: u64,
    /// AdamW's two means.
    pub moments: u64,
    /// What the backward pass needs of the forward pass.
    pub activations: u64,
    /// The logits of some positions and their gradients.
    pub logits: u64,
}

impl Estimate {
    /// All of it. Activations and logits do not stand at their peak together where layers are computed twice; the larger counts then, which
    /// [`estimate`] has seen to.
    pub fn total(&self) -> u64 {
        self.weights + self.adapter + self.moments + self.activations + self.logits
    }
}

/// Bytes at the peak of a run.
pub fn estimate(config: &DecoderConfig, method: &Method, work: &Work) -> Estimate {
    let layers = config.layers.len() as u64;
    let tokens = (work.batch * work.longest) as u64;
    let hidden = config.hidden_size as u64;
    let inside = layer_floats(config, method, work.batch as u64, work.longest as u64);
    let widened = match work.storage {
        Storage::F32 => 0,
        _ => linear_floats(config),
    };
    let activations = match work.checkpointing {
        true => 4 * (layers * tokens * hidden + 2 * inside + widened),
        false => 4 * (layers * (inside + widened) + inside),
    };
    let words = config.vocab_size;
    let positions = (logit_positions(words) as u64).min(tokens);
    Estimate {
        weights: work.storage.bytes(config.parameters(), work.packed),
        adapter: 12 * work.trained,
        moments: 8 * work.trained,
        activations,
        logits: 16 * positions * words as u64,
    }
}

/// Numbers that a method would train, from the sizes alone.
///
/// # Errors
/// [`crate::Error::InvalidOption`] for settings out of range.
pub fn trained_by(config: &DecoderConfig, method: &Method) -> Result<u64> {
    method.check()?;
    let layers = config.layers.len();
    match method {
        Method::Lora(lora) => {
            let shapes = (0..layers).flat_map(|index| config.linear_shapes(index));
            trained_numbers(lora, shapes)
        }
        Method::Prefix(prefix) => {
            let width = config.num_key_value_heads * config.head_dim;
            Ok((2 * layers * width * prefix.num_virtual_tokens) as u64)
        }
        _ => Ok(config.parameters()),
    }
}

/// Numbers in one layer's linear weights.
fn linear_floats(config: &DecoderConfig) -> u64 {
    let shapes = config.linear_shapes(0).into_iter();
    shapes
        .map(|(_, [input, output])| (input * output) as u64)
        .sum()
}

/// Numbers that one layer keeps for its backward pass.
fn layer_floats(config: &DecoderConfig, method: &Method, batch: u64, length: u64) -> u64 {
    let [hidden, wide, width, heads, key_heads] = [
        config.hidden_size,
        config.intermediate_size,
        config.head_dim,
        config.num_attention_heads,
        config.num_key_value_heads,
    ]
    .map(|n| n as u64);
    let tokens = batch * length;
    let queries = width * heads;
    let keys = width * key_heads;
    let lora = match method {
        Method::Lora(LoraConfig { r, .. }) => 14 * *r as u64,
        _ => 0,
    };
    tokens * (8 * hidden + 4 * queries + 4 * keys + 6 * wide + lora)
        + 3 * batch * heads * length * length
}
