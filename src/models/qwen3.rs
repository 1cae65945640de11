//! Qwen3's configuration: a Llama's with normalised queries and keys (transformers' `Qwen3Model`).

use super::decoder_config::DecoderConfig;
use super::family::DecoderFamily;
use super::fields::Fields;
use super::llama::Defaults;
use super::qwen2::{self, qwen};
use crate::Result;

/// Of transformers' `Qwen3Config`.
const DEFAULTS: Defaults = Defaults {
    head_dim: Some(128),
    ..qwen2::DEFAULTS
};

/// Reads it; defaults are transformers' `Qwen3Config`.
///
/// # Errors
/// [`crate::Error::UnsupportedModel`] naming the field.
pub fn config(fields: &Fields) -> Result<DecoderConfig> {
    let mut config = qwen(fields, DecoderFamily::Qwen3, &DEFAULTS)?;
    let bias = fields.switch("attention_bias", false)?;
    config.qkv_bias = bias;
    config.output_bias = bias;
    config.qk_norm = true;
    Ok(config)
}
