//! Gemma 3's configuration: a Llama's with four norms a layer whose weights are distances from 1,
//! normalised queries and keys, scaled embeddings, and windows in most layers (transformers' `Gemma3TextModel`).

use serde_json::json;

use super::decoder_config::{DecoderConfig, LayerKind};
use super::family::DecoderFamily;
use super::fields::Fields;
use super::llama::{Defaults, shared, sliding_layers};
use super::rope::Rope;
use crate::Result;
use crate::layers::Activation;

/// Of transformers' `Gemma3TextConfig`.
const DEFAULTS: Defaults = Defaults {
    vocab_size: 262208,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    num_key_value_heads: Some(4),
    head_dim: Some(256),
    max_position_embeddings: 131_072,
    tie_word_embeddings: true,
    eos_token_id: Some(1),
    pad_token_id: Some(0),
};

/// Reads it; defaults are transformers' `Gemma3TextConfig`.
///
/// # Errors
/// [`crate::Error::UnsupportedModel`] naming the field.
pub fn config(fields: &Fields) -> Result<DecoderConfig> {
    fields.only("hidden_activation", &[json!("gelu_pytorch_tanh")])?;
    fields.only("attn_logit_softcapping", &[])?;
    fields.only("final_logit_softcapping", &[])?;
    fields.only("use_bidirectional_attention", &[json!(false)])?;
    let mut config = shared(fields, DecoderFamily::Gemma3, &DEFAULTS)?;
    config.norm_offset = 1.0;
    config.activation = Activation::TanhGelu;
    config.qk_norm = true;
    config.post_norms = true;
    let bias = fields.switch("attention_bias", false)?;
    config.qkv_bias = bias;
    config.output_bias = bias;
    config.attention_scale = fields.positive("query_pre_attn_scalar", 256.0)?.powf(-0.5);
    config.embedding_scale = (config.hidden_size as f64).sqrt();
    let window = fields.size("sliding_window", Some(4096))?;
    // older files name every how many layers one is global
    let pattern = match fields.get("sliding_window_pattern") {
        Some(_) => fields.size("sliding_window_pattern", None)?,
        None => fields.size("_sliding_window_pattern", Some(6))?,
    };
    let layers = config.layers.len();
    let sliding = sliding_layers(fields, layers, |layer| !(layer + 1).is_multiple_of(pattern))?;
    config.layers = sliding
        .into_iter()
        .map(|sliding| LayerKind {
            window: sliding.then_some(window),
            rope: usize::from(sliding),
        })
        .collect();
    let global = Rope::read(
        fields,
        "full_attention",
        ("rope_theta", 1e6),
        true,
        config.head_dim,
    )?;
    let local = ("rope_local_base_freq", 10000.0);
    let local = Rope::read(fields, "sliding_attention", local, false, config.head_dim)?;
    config.ropes = vec![global, local];
    Ok(config)
}
