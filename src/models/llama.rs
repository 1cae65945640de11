//! Llama's layer and configuration (Touvron et al. 2023; transformers' `LlamaModel`). Qwen and Gemma share the layer and differ in the
//! switches of their configurations.

use burn::module::Module;
use burn::tensor::Tensor;
use serde_json::json;

use super::decoder_config::{DecoderConfig, LayerKind};
use super::decoder_context::LayerContext;
use super::family::DecoderFamily;
use super::fields::{Fields, MAX_LAYERS};
use super::load::Loader;
use super::rope::Rope;
use crate::formats::Source;
use crate::layers::{Activation, Linear, Prefix, RmsNorm, attend_grouped};
use crate::{Error, Result};

/// Grouped-query attention with rotary positions.
#[derive(Module, Debug)]
pub struct SelfAttention {
    pub q_proj: Linear,
    pub k_proj: Linear,
    pub v_proj: Linear,
    pub o_proj: Linear,
    /// Over each head's width, if the family has it.
    pub q_norm: Option<RmsNorm>,
    pub k_norm: Option<RmsNorm>,
    pub heads: usize,
    pub key_heads: usize,
    pub scale: f64,
    /// Filled by `peft`.
    pub prefix: Option<Prefix>,
}

/// The gated feed-forward network.
#[derive(Module, Debug)]
pub struct Mlp {
    pub gate_proj: Linear,
    pub up_proj: Linear,
    pub down_proj: Linear,
    #[module(skip)]
    pub activation: Activation,
}

/// One layer, normalised before each half, and in Gemma after it too.
#[derive(Module, Debug)]
pub struct LlamaLayer {
    pub input_layernorm: RmsNorm,
    pub self_attn: SelfAttention,
    /// Before the feed-forward half; in Gemma after the attention.
    pub post_attention_layernorm: RmsNorm,
    pub pre_feedforward_layernorm: Option<RmsNorm>,
    pub mlp: Mlp,
    pub post_feedforward_layernorm: Option<RmsNorm>,
}

impl SelfAttention {
    /// `[batch, tokens, hidden]` to the same.
    fn forward(&self, x: Tensor<3>, mut context: LayerContext<'_>) -> Tensor<3> {
        let [batch, tokens, _] = x.dims();
        let split = |x: Tensor<3>, heads: usize| {
            let width = x.dims()[2] / heads;
            x.reshape([batch, tokens, heads, width]) // [batch, tokens, heads, width]
        };
        let query = split(self.q_proj.forward(x.clone()), self.heads);
        let key = split(self.k_proj.forward(x.clone()), self.key_heads);
        let value = split(self.v_proj.forward(x), self.key_heads);
        let normed = |x: Tensor<4>, norm: &Option<RmsNorm>| match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        let query = normed(query, &self.q_norm).swap_dims(1, 2); // [batch, heads, tokens, width]
        let key = normed(key, &self.k_norm).swap_dims(1, 2);
        let value = value.swap_dims(1, 2);
        let (query, key) = match context.rotary {
            Some(rotary) => (rotary.apply(query), rotary.apply(key)),
            None => (query, key),
        };
        let (key, value) = context.remember(key, value, self.prefix.as_ref());
        let mixed = attend_grouped(query, key, value, context.bias, self.scale);
        self.o_proj.forward(mixed)
    }
}

impl Mlp {
    /// `[batch, tokens, hidden]` to the same.
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let gate = self.gate_proj.forward(x.clone());
        let wide = self.activation.gate(gate, self.up_proj.forward(x));
        self.down_proj.forward(wide)
    }
}

impl LlamaLayer {
    /// Reads the layer whose names begin with `at`.
    ///
    /// # Errors
    /// As [`super::decoder::Decoder::load`].
    pub async fn load<S: Source>(
        config: &DecoderConfig,
        loader: &Loader<'_, S>,
        at: &str,
    ) -> Result<Self> {
        let [hidden, wide] = [config.hidden_size, config.intermediate_size];
        let queries = config.num_attention_heads * config.head_dim;
        let keys = config.num_key_value_heads * config.head_dim;
        let linear = async |name: &str, input: usize, output: usize, bias: bool| {
            loader
                .linear_of(&format!("{at}.{name}"), input, output, bias)
                .await
        };
        let norm = async |name: &str, width: usize| {
            load_norm(config, loader, &format!("{at}.{name}"), width).await
        };
        let norm_if = async |has: bool, name: &str, width: usize| {
            if has {
                norm(name, width).await.map(Some)
            } else {
                Ok(None)
            }
        };
        let head_norm = async |name: &str| norm_if(config.qk_norm, name, config.head_dim).await;
        let post_norm = async |name: &str| norm_if(config.post_norms, name, hidden).await;
        Ok(Self {
            input_layernorm: norm("input_layernorm", hidden).await?,
            self_attn: SelfAttention {
                q_proj: linear("self_attn.q_proj", hidden, queries, config.qkv_bias).await?,
                k_proj: linear("self_attn.k_proj", hidden, keys, config.qkv_bias).await?,
                v_proj: linear("self_attn.v_proj", hidden, keys, config.qkv_bias).await?,
                o_proj: linear("self_attn.o_proj", queries, hidden, config.output_bias).await?,
                q_norm: head_norm("self_attn.q_norm").await?,
                k_norm: head_norm("self_attn.k_norm").await?,
                heads: config.num_attention_heads,
                key_heads: config.num_key_value_heads,
                scale: config.attention_scale,
                prefix: None,
            },
            post_attention_layernorm: norm("post_attention_layernorm", hidden).await?,
            pre_feedforward_layernorm: post_norm("pre_feedforward_layernorm").await?,
            mlp: Mlp {
                gate_proj: linear("mlp.gate_proj", hidden, wide, config.mlp_bias).await?,
                up_proj: linear("mlp.up_proj", hidden, wide, config.mlp_bias).await?,
                down_proj: linear("mlp.down_proj", wide, hidden, config.mlp_bias).await?,
                activation: config.activation,
            },
            post_feedforward_layernorm: post_norm("post_feedforward_layernorm").await?,
        })
    }

    /// `[batch, tokens, hidden]` to the same.
    pub fn forward(&self, x: Tensor<3>, context: LayerContext<'_>) -> Tensor<3> {
        let mixed = self
            .self_attn
            .forward(self.input_layernorm.forward(x.clone()), context);
        match (
            &self.pre_feedforward_layernorm,
            &self.post_feedforward_layernorm,
        ) {
            (Some(before), Some(after)) => {
                let x = x + self.post_attention_layernorm.forward(mixed);
                let wide = self.mlp.forward(before.forward(x.clone()));
                x + after.forward(wide)
            }
            _ => {
                let x = x + mixed;
                let wide = self
                    .mlp
                    .forward(self.post_attention_layernorm.forward(x.clone()));
                x + wide
            }
        }
    }

    /// Its linear layers by their names below the layer's own.
    pub fn linears_mut(&mut self) -> Vec<(&'static str, &mut Linear)> {
        vec![
            ("self_attn.q_proj", &mut self.self_attn.q_proj),
            ("self_attn.k_proj", &mut self.self_attn.k_proj),
            ("self_attn.v_proj", &mut self.self_attn.v_proj),
            ("self_attn.o_proj", &mut self.self_attn.o_proj),
            ("mlp.gate_proj", &mut self.mlp.gate_proj),
            ("mlp.up_proj", &mut self.mlp.up_proj),
            ("mlp.down_proj", &mut self.mlp.down_proj),
        ]
    }
}

/// Reads a norm of that width.
///
/// # Errors
/// As [`super::decoder::Decoder::load`].
pub(super) async fn load_norm<S: Source>(
    config: &DecoderConfig,
    loader: &Loader<'_, S>,
    name: &str,
    width: usize,
) -> Result<RmsNorm> {
    Ok(RmsNorm {
        weight: loader.vector(&format!("{name}.weight"), width).await?,
        eps: config.norm_eps,
        offset: config.norm_offset,
    })
}

/// Reads a Llama's config.json; defaults are transformers' `LlamaConfig`.
///
/// # Errors
/// [`crate::Error::UnsupportedModel`] naming the field.
pub fn config(fields: &Fields) -> Result<DecoderConfig> {
    fields.only("hidden_act", &[json!("silu")])?;
    fields.only("pretraining_tp", &[json!(1)])?;
    let mut config = shared(fields, DecoderFamily::Llama, &DEFAULTS)?;
    let bias = fields.switch("attention_bias", false)?;
    config.qkv_bias = bias;
    config.output_bias = bias;
    config.mlp_bias = fields.switch("mlp_bias", false)?;
    config.ropes = one_rope(fields, config.head_dim)?;
    Ok(config)
}

/// What transformers takes for a field that the file leaves out.
pub(super) struct Defaults {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    /// As many as other heads if there is no number; the same where the file has null.
    pub num_key_value_heads: Option<usize>,
    /// The width over the heads if there is no number; the same where the file has null.
    pub head_dim: Option<usize>,
    pub max_position_embeddings: usize,
    pub tie_word_embeddings: bool,
    pub eos_token_id: Option<u32>,
    pub pad_token_id: Option<u32>,
}

/// Of transformers' `LlamaConfig`.
const DEFAULTS: Defaults = Defaults {
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: None,
    head_dim: None,
    max_position_embeddings: 2048,
    tie_word_embeddings: false,
    eos_token_id: Some(2),
    pad_token_id: None,
};

/// The sizes that Llama, Qwen and Gemma name alike, in full attention and with nothing switched on.
pub(super) fn shared(
    fields: &Fields,
    family: DecoderFamily,
    defaults: &Defaults,
) -> Result<DecoderConfig> {
    let hidden_size = fields.size("hidden_size", Some(defaults.hidden_size))?;
    let heads = fields.size("num_attention_heads", Some(defaults.num_attention_heads))?;
    let left_out = |name: &str, default: Option<usize>| default.filter(|_| !fields.has(name));
    let key_heads = left_out("num_key_value_heads", defaults.num_key_value_heads);
    let key_heads = fields.size("num_key_value_heads", Some(key_heads.unwrap_or(heads)))?;
    if !heads.is_multiple_of(key_heads) {
        return Err(Error::unsupported(format!(
            "num_attention_heads {heads} is not a multiple of num_key_value_heads {key_heads}"
        )));
    }
    let head_dim = left_out("head_dim", defaults.head_dim);
    if fields.get("head_dim").is_none() && head_dim.is_none() && !hidden_size.is_multiple_of(heads)
    {
        return Err(Error::unsupported(format!(
            "hidden_size {hidden_size} is not a multiple of num_attention_heads {heads}"
        )));
    }
    let head_dim = head_dim.unwrap_or((hidden_size / heads).max(1));
    let head_dim = fields.size("head_dim", Some(head_dim))?;
    if !head_dim.is_multiple_of(2) {
        return Err(Error::unsupported(format!(
            "head_dim is {head_dim}; rotary positions need an even one"
        )));
    }
    let layers = fields.size("num_hidden_layers", Some(defaults.num_hidden_layers))?;
    if layers > MAX_LAYERS {
        return Err(Error::unsupported(format!("num_hidden_layers is {layers}")));
    }
    Ok(DecoderConfig {
        family,
        vocab_size: fields.size("vocab_size", Some(defaults.vocab_size))?,
        hidden_size,
        intermediate_size: fields.size("intermediate_size", Some(defaults.intermediate_size))?,
        num_attention_heads: heads,
        num_key_value_heads: key_heads,
        head_dim,
        max_position_embeddings: fields.size(
            "max_position_embeddings",
            Some(defaults.max_position_embeddings),
        )?,
        norm_eps: fields.positive("rms_norm_eps", 1e-6)?,
        norm_offset: 0.0,
        tie_word_embeddings: fields.switch("tie_word_embeddings", defaults.tie_word_embeddings)?,
        activation: Activation::Swish,
        qkv_bias: false,
        output_bias: false,
        mlp_bias: false,
        qk_norm: false,
        post_norms: false,
        attention_scale: (head_dim as f64).powf(-0.5),
        embedding_scale: 1.0,
        layers: vec![
            LayerKind {
                window: None,
                rope: 0
            };
            layers
        ],
        ropes: Vec::new(),
        initializer_range: fields.positive("initializer_range", 0.02)?,
        eos_token_ids: fields.token_ids("eos_token_id", defaults.eos_token_id)?,
        pad_token_id: fields.token_id("pad_token_id", defaults.pad_token_id)?,
    })
}

/// The rope of a model whose layers are all turned alike; `width`: of a head.
pub(super) fn one_rope(fields: &Fields, width: usize) -> Result<Vec<Rope>> {
    let theta = ("rope_theta", 10000.0);
    Ok(vec![Rope::read(
        fields,
        "full_attention",
        theta,
        true,
        width,
    )?])
}

/// `layer_types` if the file has them, or else what `sliding` says of each layer: which layers see only a window.
pub(super) fn sliding_layers(
    fields: &Fields,
    layers: usize,
    sliding: impl Fn(usize) -> bool,
) -> Result<Vec<bool>> {
    let Some(words) = fields.words("layer_types")? else {
        return Ok((0..layers).map(sliding).collect());
    };
    if words.len() != layers {
        return Err(Error::unsupported(format!(
            "layer_types has {} entries for {layers} layers",
            words.len()
        )));
    }
    words
        .iter()
        .map(|word| match word.as_str() {
            "full_attention" => Ok(false),
            "sliding_attention" => Ok(true),
            other => Err(Error::unsupported(format!(
                "layer_types has \"{other}\"; supported are full_attention and sliding_attention"
            ))),
        })
        .collect()
}
