//! Enters: a language model's sizes and a run's options. Leaves: the bytes that the run will take, by what takes them.

use serde::Serialize;

use crate::Result;
use crate::device::WIDENED_PART;
use crate::layers::Storage;
use crate::models::causal_batch::logit_positions;
use crate::models::decoder::{Decoder, DecoderConfig};
use crate::peft::Method;
use crate::peft::lora::trained_numbers;

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
    /// What trains: its values now and in the best state.
    pub adapter: u64,
    /// AdamW's two means.
    pub moments: u64,
    /// What the backward pass needs of the forward pass, and its own gradients.
    pub activations: u64,
    /// The logits of some positions and their gradient.
    pub logits: u64,
}

impl Estimate {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.adapter + self.moments + self.activations + self.logits
    }
}

/// Bytes at the peak of a run. The peak lies where the logits stand beside what the layers have kept, or within a layer's own backward pass,
/// whichever is larger.
pub fn estimate(config: &DecoderConfig, method: &Method, work: &Work) -> Estimate {
    let layers = config.layers.len() as u64;
    let tokens = (work.batch * work.longest) as u64;
    let hidden = config.hidden_size as u64;
    let inside = 4 * layer_floats(config, method, work);
    // gradients of scores and of the wide vectors
    let passing = 4 * (scores(config, work) + tokens * config.intermediate_size as u64);
    // a layer's weights in float32, and how many widened parts of a table were seen to stand there at once
    let (widened, copies) = match work.storage {
        Storage::F32 => (0, 0),
        Storage::F16 => (4 * config.linear_numbers(), 1),
        Storage::Int8 | Storage::Int4 => (4 * config.linear_numbers(), 4),
    };
    let words = config.vocab_size as u64;
    let positions = (logit_positions(config.vocab_size) as u64).min(tokens);
    let logits = 8 * positions * words + copies * WIDENED_PART.min(4 * words * hidden);
    let (kept, alone) = match work.checkpointing {
        true => (
            4 * layers * tokens * hidden,
            inside + passing + widened + 4 * work.trained,
        ),
        false => (layers * (inside + widened), passing),
    };
    Estimate {
        weights: work.storage.bytes(config.parameters(), work.packed),
        adapter: 8 * work.trained,
        moments: 8 * work.trained,
        activations: kept + alone.saturating_sub(logits),
        logits,
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

/// Numbers in one layer's attention weights.
fn scores(config: &DecoderConfig, work: &Work) -> u64 {
    (work.batch * config.num_attention_heads * work.longest * work.longest) as u64
}

/// Numbers that one layer keeps for its backward pass: its own, its scores and what each delta keeps.
fn layer_floats(config: &DecoderConfig, method: &Method, work: &Work) -> u64 {
    let tokens = (work.batch * work.longest) as u64;
    let linears = config.linear_shapes(0).into_iter();
    let delta = |[input, output]: [usize; 2]| match method {
        Method::Lora(lora) => {
            let dropped = if lora.lora_dropout > 0.0 {
                2 * input
            } else {
                0
            };
            let scaled = if lora.use_dora { 2 * output } else { 0 };
            2 * lora.largest_rank() + dropped + scaled
        }
        _ => 0,
    };
    let deltas = linears.map(|(_, shape)| delta(shape) as u64).sum::<u64>();
    Decoder::kept_numbers(config, tokens)
        + tokens * deltas
        + Decoder::KEPT_SCORES * scores(config, work)
}
