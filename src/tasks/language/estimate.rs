//! Enters: a language model's sizes and a run's options. Leaves: the bytes that the run will take, by what takes them.

use serde::Serialize;

use crate::Result;
use crate::device::EngineKind;
use crate::layers::Storage;
use crate::models::decoder::DecoderConfig;
use crate::models::size::{NetworkSizes, Shape};
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
    let kind = if work.packed {
        EngineKind::Webgpu
    } else {
        EngineKind::Cpu
    };
    let sizes = NetworkSizes::of_decoder(config, work.storage, kind);
    let shape = Shape::new(work.batch, work.longest);
    let inside = sizes.layer_bytes(shape) + 4 * tokens * delta_numbers(config, method);
    // gradients of scores and of the wide vectors
    let passing = sizes.passing_bytes(shape);
    let widened = sizes.widened_bytes();
    let logits = sizes.logit_bytes(tokens);
    let (kept, alone) = match work.checkpointing {
        true => (
            4 * layers * tokens * hidden,
            inside + passing + widened + 4 * work.trained,
        ),
        false => (layers * (inside + widened), passing),
    };
    Estimate {
        weights: sizes.weight_bytes(),
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

/// Numbers that the deltas of one layer keep of each token.
fn delta_numbers(config: &DecoderConfig, method: &Method) -> u64 {
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
    linears.map(|(_, shape)| delta(shape) as u64).sum()
}
