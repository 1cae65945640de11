//! The configuration of Qwen2 and Qwen2.5: a Llama's with biases on query, key and value (transformers' `Qwen2Model`).

use serde_json::json;

use super::decoder_config::DecoderConfig;
use super::family::DecoderFamily;
use super::fields::Fields;
use super::llama::{Defaults, one_rope, shared, sliding_layers};
use crate::Result;

/// Of transformers' `Qwen2Config`.
pub(super) const DEFAULTS: Defaults = Defaults {
    vocab_size: 151936,
    hidden_size: 4096,
    intermediate_size: 22016,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: Some(32),
    head_dim: None,
    max_position_embeddings: 32768,
    tie_word_embeddings: false,
    eos_token_id: None,
    pad_token_id: None,
};

/// Reads it; defaults are transformers' `Qwen2Config`.
///
/// # Errors
/// [`crate::Error::UnsupportedModel`] naming the field.
pub fn config(fields: &Fields) -> Result<DecoderConfig> {
    let mut config = qwen(fields, DecoderFamily::Qwen2, &DEFAULTS)?;
    config.qkv_bias = true;
    Ok(config)
}

/// What both generations of Qwen share: the activation, the windows of the upper layers.
pub(super) fn qwen(
    fields: &Fields,
    family: DecoderFamily,
    defaults: &Defaults,
) -> Result<DecoderConfig> {
    fields.only("hidden_act", &[json!("silu")])?;
    let mut config = shared(fields, family, defaults)?;
    if fields.switch("use_sliding_window", false)? {
        let window = fields.size("sliding_window", Some(4096))?;
        let first = match fields.get("max_window_layers") {
            Some(value) if *value == json!(0) => 0,
            _ => fields.size("max_window_layers", Some(28))?,
        };
        let sliding = sliding_layers(fields, config.layers.len(), |layer| layer >= first)?;
        for (layer, sliding) in config.layers.iter_mut().zip(sliding) {
            layer.window = sliding.then_some(window);
        }
    }
    config.ropes = one_rope(fields, config.head_dim)?;
    Ok(config)
}
