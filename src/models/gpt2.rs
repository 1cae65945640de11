//! GPT-2's layer and configuration (Radford et al. 2019; transformers' `GPT2Model`).

use burn::module::Module;
use burn::tensor::Tensor;
use serde_json::json;

use super::decoder_config::{DecoderConfig, LayerKind};
use super::decoder_context::LayerContext;
use super::family::DecoderFamily;
use super::fields::{Fields, MAX_LAYERS};
use super::load::Loader;
use crate::formats::Source;
use crate::layers::{
    Activation, LayerNorm, Linear, Prefix, attend_grouped, attend_joined, split_heads,
};
use crate::{Error, Result};

/// Attention with query, key and value in one layer.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[hidden, 3 * hidden]`: query, key and value side by side.
    pub c_attn: Linear,
    pub c_proj: Linear,
    pub heads: usize,
    pub scale: f64,
    /// Filled by `peft`.
    pub prefix: Option<Prefix>,
}

/// The feed-forward network.
#[derive(Module, Debug)]
pub struct Mlp {
    pub c_fc: Linear,
    pub c_proj: Linear,
    #[module(skip)]
    pub activation: Activation,
}

/// One layer, normalised before each half.
#[derive(Module, Debug)]
pub struct Gpt2Layer {
    pub ln_1: LayerNorm,
    pub attn: Attention,
    pub ln_2: LayerNorm,
    pub mlp: Mlp,
}

impl Attention {
    fn forward(&self, x: Tensor<3>, mut context: LayerContext<'_>) -> Tensor<3> {
        let hidden = x.dims()[2];
        let all = self.c_attn.forward(x); // [batch, tokens, 3 * hidden]
        let alone = self.prefix.is_none() && context.cache.is_none();
        if alone && let Some(mixed) = attend_joined(&all, &context.bias, self.heads, self.scale) {
            return self.c_proj.forward(mixed);
        }
        let part = |index: usize| {
            // [batch, heads, tokens, width]
            split_heads(all.clone().narrow(2, index * hidden, hidden), self.heads)
        };
        let (query, key, value) = (part(0), part(1), part(2));
        let (key, value) = context.remember(key, value, self.prefix.as_ref());
        let mixed = attend_grouped(query, key, value, context.bias, self.scale);
        self.c_proj.forward(mixed)
    }
}

impl Gpt2Layer {
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
        let conv1d = async |name: &str, input: usize, output: usize| {
            loader.conv1d(&format!("{at}.{name}"), input, output).await
        };
        let norm = async |name: &str| {
            loader
                .norm(&format!("{at}.{name}"), hidden, config.norm_eps)
                .await
        };
        Ok(Self {
            ln_1: norm("ln_1").await?,
            attn: Attention {
                c_attn: conv1d("attn.c_attn", hidden, 3 * hidden).await?,
                c_proj: conv1d("attn.c_proj", hidden, hidden).await?,
                heads: config.num_attention_heads,
                scale: config.attention_scale,
                prefix: None,
            },
            ln_2: norm("ln_2").await?,
            mlp: Mlp {
                c_fc: conv1d("mlp.c_fc", hidden, wide).await?,
                c_proj: conv1d("mlp.c_proj", wide, hidden).await?,
                activation: config.activation,
            },
        })
    }

    /// `[batch, tokens, hidden]` to the same.
    pub fn forward(&self, x: Tensor<3>, context: LayerContext<'_>) -> Tensor<3> {
        let mixed = self.attn.forward(self.ln_1.forward(x.clone()), context);
        let x = x + mixed;
        let wide = self.mlp.c_fc.forward(self.ln_2.forward(x.clone()));
        x + self.mlp.c_proj.forward(self.mlp.activation.forward(wide))
    }

    /// Its linear layers by their names below the layer's own.
    pub fn linears_mut(&mut self) -> Vec<(&'static str, &mut Linear)> {
        vec![
            ("attn.c_attn", &mut self.attn.c_attn),
            ("attn.c_proj", &mut self.attn.c_proj),
            ("mlp.c_fc", &mut self.mlp.c_fc),
            ("mlp.c_proj", &mut self.mlp.c_proj),
        ]
    }
}

/// Reads it; defaults are transformers' `GPT2Config`.
///
/// # Errors
/// [`crate::Error::UnsupportedModel`] naming the field.
pub fn config(fields: &Fields) -> Result<DecoderConfig> {
    fields.only(
        "activation_function",
        &[json!("gelu_new"), json!("gelu_pytorch_tanh")],
    )?;
    fields.only("scale_attn_by_inverse_layer_idx", &[json!(false)])?;
    fields.only("add_cross_attention", &[json!(false)])?;
    let hidden_size = fields.size("n_embd", Some(768))?;
    let heads = fields.size("n_head", Some(12))?;
    if !hidden_size.is_multiple_of(heads) {
        return Err(Error::unsupported(format!(
            "n_embd {hidden_size} is not a multiple of n_head {heads}"
        )));
    }
    let head_dim = hidden_size / heads;
    let layers = fields.size("n_layer", Some(12))?;
    if layers > MAX_LAYERS {
        return Err(Error::unsupported(format!("n_layer is {layers}")));
    }
    let scaled = fields.switch("scale_attn_weights", true)?;
    Ok(DecoderConfig {
        family: DecoderFamily::Gpt2,
        vocab_size: fields.size("vocab_size", Some(50257))?,
        hidden_size,
        intermediate_size: fields.size("n_inner", Some(4 * hidden_size))?,
        num_attention_heads: heads,
        num_key_value_heads: heads,
        head_dim,
        max_position_embeddings: fields.size("n_positions", Some(1024))?,
        norm_eps: fields.positive("layer_norm_epsilon", 1e-5)?,
        norm_offset: 0.0,
        tie_word_embeddings: fields.switch("tie_word_embeddings", true)?,
        activation: Activation::TanhGelu,
        qkv_bias: true,
        output_bias: true,
        mlp_bias: true,
        qk_norm: false,
        post_norms: false,
        attention_scale: if scaled {
            (head_dim as f64).powf(-0.5)
        } else {
            1.0
        },
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
        eos_token_ids: fields.token_ids("eos_token_id", Some(50256))?,
        pad_token_id: fields.token_id("pad_token_id", None)?,
    })
}
