//! Enters: token ids and mask. Leaves: one vector per token (Warner et al. 2024; transformers' `ModernBertModel`).
//!
//! Norms come before each half of a layer, positions are rotary, nothing has a bias, and most layers see a window of the text alone.
//! Field names are the checkpoint's; what Rust cannot spell is in [`NAMES`].

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde_json::Value;

use super::bert::TokenBatch;
use super::config::{
    Architecture, EncoderConfig, expect, field, first_architecture, invalid, unsupported,
};
use super::family::Family;
use super::heads::masked_mean;
use super::load::{Loader, frozen};
use crate::Result;
use crate::device::EngineKind;
use crate::formats::Source;
use crate::layers::{
    Activation, Dropout, Embedding, LayerNorm, Linear, Rotary, attend_heads, inverse_frequencies,
    padding_bias, split_heads, window_bias,
};

/// The head's hidden layer and its norm.
pub const HIDDEN_LAYER: &str = "head";
/// Every linear layer of a transformer layer.
pub const TARGETS: &[&str] = &["Wqkv", "Wo", "Wi"];
/// The Rust modules' names and the checkpoint's.
pub const NAMES: &[(&str, &str)] = &[
    (".wqkv", ".Wqkv"),
    (".wo", ".Wo"),
    (".wi", ".Wi"),
    ("pooler.", "head."),
];

/// What a layer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attention {
    /// The whole text.
    Full,
    /// Tokens at most `local_attention / 2` places away.
    Sliding,
}

/// What a `cls` head reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The first token.
    Cls,
    /// The mean of the tokens.
    Mean,
}

/// What only ModernBERT's config.json says.
#[derive(Debug, Clone, PartialEq)]
pub struct ModernbertSettings {
    /// One a layer.
    pub layers: Vec<Attention>,
    /// How far a sliding layer sees to either side.
    pub reach: usize,
    /// Base of the rotary frequencies in full and in sliding layers.
    pub thetas: [f64; 2],
    pub pooling: Pooling,
}

/// Reads `config.json`; defaults are transformers' `ModernBertConfig`. Rotary settings are read as transformers 5 nests them and
/// as older files have them.
///
/// # Errors
/// As [`EncoderConfig::parse`].
pub fn config(value: &Value) -> Result<EncoderConfig> {
    for name in ["hidden_activation", "classifier_activation"] {
        expect(value, name, "gelu")?;
    }
    for name in ["attention_bias", "mlp_bias", "norm_bias", "classifier_bias"] {
        expect(value, name, false)?;
    }
    if value["rope_scaling"].is_object() {
        return Err(unsupported("rope_scaling is set, which is not supported".into()));
    }
    let count: usize = field(value, "num_hidden_layers", Some(22))?;
    let hidden_size = field(value, "hidden_size", Some(768))?;
    let num_attention_heads: usize = field(value, "num_attention_heads", Some(12))?;
    if num_attention_heads > 0 && !(hidden_size / num_attention_heads).is_multiple_of(2) {
        return Err(unsupported(format!(
            "a head is {} wide; rotary positions need an even width",
            hidden_size / num_attention_heads
        )));
    }
    let pooling = match field(value, "classifier_pooling", Some("cls".to_string()))?.as_str() {
        "cls" => Pooling::Cls,
        "mean" => Pooling::Mean,
        other => {
            return Err(unsupported(format!(
                "classifier_pooling is \"{other}\"; only \"cls\" and \"mean\" are supported"
            )));
        }
    };
    Ok(EncoderConfig {
        family: Family::Modernbert,
        vocab_size: field(value, "vocab_size", Some(50368))?,
        hidden_size,
        num_hidden_layers: count,
        num_attention_heads,
        intermediate_size: field(value, "intermediate_size", Some(1152))?,
        max_tokens: field(value, "max_position_embeddings", Some(8192))?,
        norm_eps: field(value, "norm_eps", Some(1e-5))?,
        initializer_range: field(value, "initializer_range", Some(0.02))?,
        class: first_architecture(value),
        architecture: Architecture::Modernbert(ModernbertSettings {
            layers: layer_types(value, count)?,
            reach: field::<usize>(value, "local_attention", Some(128))? / 2,
            thetas: [
                theta(value, "full_attention", "global_rope_theta", 160_000.0)?,
                theta(value, "sliding_attention", "local_rope_theta", 10_000.0)?,
            ],
            pooling,
        }),
    })
}

/// `layer_types`, or the older `global_attn_every_n_layers`.
fn layer_types(value: &Value, count: usize) -> Result<Vec<Attention>> {
    let Some(words) = field::<Option<Vec<String>>>(value, "layer_types", Some(None))? else {
        let every: usize = field(value, "global_attn_every_n_layers", Some(3))?;
        if every == 0 {
            return Err(invalid("global_attn_every_n_layers is 0".into()));
        }
        // a wrong number of layers is refused with the other sizes
        return Ok((0..count.min(1 << 10))
            .map(|layer| match layer % every {
                0 => Attention::Full,
                _ => Attention::Sliding,
            })
            .collect());
    };
    if words.len() != count {
        return Err(invalid(format!(
            "layer_types names {} layers, but num_hidden_layers is {count}",
            words.len()
        )));
    }
    words
        .iter()
        .map(|word| match word.as_str() {
            "full_attention" => Ok(Attention::Full),
            "sliding_attention" => Ok(Attention::Sliding),
            other => Err(unsupported(format!(
                "layer_types has \"{other}\"; only \"full_attention\" and \"sliding_attention\" are supported"
            ))),
        })
        .collect()
}

/// The base of one kind of layers' frequencies: nested in `rope_parameters`, or at the top under its older name.
fn theta(value: &Value, kind: &str, older: &str, default: f64) -> Result<f64> {
    let nested = &value["rope_parameters"][kind];
    expect(nested, "rope_type", "default")?;
    // older code took null for the other kind's base, newer code for none
    if nested["rope_theta"].is_null() && value.get(older).is_some_and(Value::is_null) {
        return Err(unsupported(format!("{older} is null; expected a number")));
    }
    let theta = field(nested, "rope_theta", Some(field(value, older, Some(default))?))?;
    match theta > 0.0 {
        true => Ok(theta),
        false => Err(unsupported(format!("{older} is {theta}"))),
    }
}

/// Numbers in the encoder, the head left out.
pub fn parameters(config: &EncoderConfig) -> u64 {
    let [h, i] = [config.hidden_size, config.intermediate_size].map(|n| n as u64);
    // Wqkv and Wo, Wi and its Wo, two norms
    let layer = 4 * h * h + 3 * h * i + 2 * h;
    // the embeddings' norm and the last one; layer 0 has one norm fewer
    config.vocab_size as u64 * h + h + config.num_hidden_layers as u64 * layer
}

/// Words alone: positions come in every layer.
#[derive(Module, Debug)]
pub struct Embeddings {
    pub tok_embeddings: Embedding,
    pub norm: LayerNorm,
    pub dropout: Dropout,
}

/// Self-attention with one projection for queries, keys and values.
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// `[hidden, 3 * hidden]`
    pub wqkv: Linear,
    pub wo: Linear,
    pub heads: usize,
    /// Of the attention weights.
    pub dropout: Dropout,
    /// Of what the heads give.
    pub out_dropout: Dropout,
}

/// The feed-forward network: half of `Wi`'s output is the gate of the other half (Shazeer 2020).
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[hidden, 2 * intermediate]`
    pub wi: Linear,
    pub wo: Linear,
    pub dropout: Dropout,
    #[module(skip)]
    pub activation: Activation,
}

/// One transformer layer, normalised before each half.
#[derive(Module, Debug)]
pub struct Layer {
    /// Layer 0 has none: the embeddings have just been normalised.
    pub attn_norm: Option<LayerNorm>,
    pub attn: SelfAttention,
    pub mlp_norm: LayerNorm,
    pub mlp: Mlp,
    #[module(skip)]
    pub sees: Attention,
}

/// The classification head below its last layer.
#[derive(Module, Debug)]
pub struct PredictionHead {
    pub dense: Linear,
    pub norm: LayerNorm,
    #[module(skip)]
    pub activation: Activation,
    /// Whether every method trains it: only where it started fresh, because PEFT saves `classifier` alone unless it is told.
    pub trains: bool,
}

/// The encoder.
#[derive(Module, Debug)]
pub struct Modernbert {
    pub embeddings: Embeddings,
    pub layers: Vec<Layer>,
    pub final_norm: LayerNorm,
    /// What a `cls` head reads through.
    pub pooler: Option<PredictionHead>,
    #[module(skip)]
    pub settings: ModernbertSettings,
}

/// What all layers of one kind share in a forward pass.
struct Shared {
    bias: Tensor<4>,
    rotary: Rotary,
}

impl SelfAttention {
    fn forward(&self, x: Tensor<3>, shared: &Shared) -> Tensor<3> {
        let hidden = x.dims()[2];
        let qkv = self.wqkv.forward(x); // [batch, tokens, 3 * hidden]
        let part = |index: usize| {
            split_heads(qkv.clone().narrow(2, index * hidden, hidden), self.heads) // [batch, heads, tokens, width]
        };
        let query = shared.rotary.apply(part(0));
        let key = shared.rotary.apply(part(1));
        let mixed = attend_heads(query, key, part(2), shared.bias.clone(), &self.dropout);
        self.out_dropout.forward(self.wo.forward(mixed))
    }
}

impl Mlp {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let both = self.wi.forward(x); // [batch, tokens, 2 * intermediate]
        let wide = both.dims()[2] / 2;
        let gate = both.clone().narrow(2, wide, wide);
        let input = self.activation.forward(both.narrow(2, 0, wide));
        self.wo.forward(self.dropout.forward(input * gate))
    }
}

impl Layer {
    fn forward(&self, x: Tensor<3>, shared: &Shared) -> Tensor<3> {
        let normed = match &self.attn_norm {
            Some(norm) => norm.forward(x.clone()),
            None => x.clone(),
        };
        let x = x + self.attn.forward(normed, shared);
        let normed = self.mlp_norm.forward(x.clone());
        x + self.mlp.forward(normed)
    }
}

impl PredictionHead {
    fn forward(&self, pooled: Tensor<2>) -> Tensor<2> {
        self.norm
            .forward(self.activation.forward(self.dense.forward(pooled)))
    }
}

impl Modernbert {
    /// As [`super::Encoder::lower`].
    pub fn lower(&self, depth: usize, batch: &TokenBatch) -> Tensor<3> {
        let words = self.embeddings.tok_embeddings.forward(batch.ids.clone());
        let x = self
            .embeddings
            .dropout
            .forward(self.embeddings.norm.forward(words));
        self.run(0..depth, x, batch.mask.clone())
    }

    /// As [`super::Encoder::upper`].
    pub fn upper(&self, depth: usize, x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
        let x = self.run(depth..self.layers.len(), x, mask);
        self.final_norm.forward(x)
    }

    fn run(&self, layers: std::ops::Range<usize>, mut x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
        let tokens = mask.dims()[1];
        let device = mask.device();
        let padding = padding_bias(mask); // [batch, 1, 1, tokens]
        // a text within the window needs none
        let window = match tokens > self.settings.reach + 1 {
            true => padding.clone() + window_bias(tokens, self.settings.reach, &device),
            false => padding.clone(),
        };
        let [full, sliding] = self.settings.thetas;
        let full = self.shared(padding, full, tokens, &device);
        let sliding = self.shared(window, sliding, tokens, &device);
        for layer in &self.layers[layers] {
            let shared = match layer.sees {
                Attention::Full => &full,
                Attention::Sliding => &sliding,
            };
            x = layer.forward(x, shared);
        }
        x
    }

    fn shared(&self, bias: Tensor<4>, theta: f64, tokens: usize, device: &Device) -> Shared {
        let hidden = self.embeddings.tok_embeddings.weight.val().dims()[1];
        let heads = self.layers.first().map_or(1, |layer| layer.attn.heads);
        let inv_freq = inverse_frequencies(theta, hidden / heads);
        Shared {
            bias,
            rotary: Rotary::new(&inv_freq, 0..tokens, 1.0, device),
        }
    }

    /// What a `cls` head's last layer reads. `hidden`: `[batch, tokens, hidden]`, `mask`: `[batch, tokens]`. Returns `[batch, hidden]`.
    pub fn pooled(&self, hidden: Tensor<3>, mask: Tensor<2>) -> Tensor<2> {
        let pooled = match self.settings.pooling {
            Pooling::Cls => hidden.narrow(1, 0, 1).squeeze_dim::<2>(1),
            Pooling::Mean => masked_mean(hidden, mask),
        };
        match &self.pooler {
            Some(head) => head.forward(pooled),
            // only a `mean` head, which does not ask, is put on an encoder without it
            None => pooled,
        }
    }

    /// Sets all of config.json's dropouts.
    pub fn set_dropout(&mut self, p: f64) {
        self.embeddings.dropout = Dropout::new(p);
        for layer in &mut self.layers {
            layer.attn.dropout = Dropout::new(p);
            layer.attn.out_dropout = Dropout::new(p);
            layer.mlp.dropout = Dropout::new(p);
        }
    }

    /// As [`super::Encoder::linears_mut`]; the head's own layer trains whole or not at all and is not among them.
    pub fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        let layers = self.layers.iter_mut().enumerate();
        layers
            .flat_map(|(index, layer)| {
                [
                    ("attn.Wqkv", &mut layer.attn.wqkv),
                    ("attn.Wo", &mut layer.attn.wo),
                    ("mlp.Wi", &mut layer.mlp.wi),
                    ("mlp.Wo", &mut layer.mlp.wo),
                ]
                .map(|(name, linear)| (format!("layers.{index}.{name}"), linear))
            })
            .collect()
    }

    /// As [`super::Encoder::load`]. A checkpoint without the head's hidden layer gets a fresh one: normal with `initializer_range`, its
    /// norm at one.
    ///
    /// # Errors
    /// As there.
    pub async fn load<S: Source>(
        config: &EncoderConfig,
        settings: &ModernbertSettings,
        loader: &Loader<'_, S>,
    ) -> Result<Self> {
        let [hidden, wide] = [config.hidden_size, config.intermediate_size];
        let norm = async |name: &str| loader.norm_without_bias(name, hidden, config.norm_eps).await;
        let activation = Activation::gelu(loader.kind());
        let embeddings = Embeddings {
            tok_embeddings: loader
                .embedding("embeddings.tok_embeddings", config.vocab_size, hidden)
                .await?,
            norm: norm("embeddings.norm").await?,
            dropout: Dropout::off(),
        };
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for (index, sees) in settings.layers.iter().enumerate() {
            let at = |name: &str| format!("layers.{index}.{name}");
            let linear = async |name: &str, input: usize, output: usize| {
                loader.linear_without_bias(&at(name), input, output).await
            };
            layers.push(Layer {
                attn_norm: match index {
                    0 => None,
                    _ => Some(norm(&at("attn_norm")).await?),
                },
                attn: SelfAttention {
                    wqkv: linear("attn.Wqkv", hidden, 3 * hidden).await?,
                    wo: linear("attn.Wo", hidden, hidden).await?,
                    heads: config.num_attention_heads,
                    dropout: Dropout::off(),
                    out_dropout: Dropout::off(),
                },
                mlp_norm: norm(&at("mlp_norm")).await?,
                mlp: Mlp {
                    wi: linear("mlp.Wi", hidden, 2 * wide).await?,
                    wo: linear("mlp.Wo", wide, hidden).await?,
                    dropout: Dropout::off(),
                    activation,
                },
                sees: *sees,
            });
        }
        let pooler = match loader.has("head.dense.weight") {
            true => PredictionHead {
                dense: loader
                    .linear_without_bias("head.dense", hidden, hidden)
                    .await?,
                norm: norm("head.norm").await?,
                activation,
                trains: false,
            },
            false => PredictionHead {
                dense: loader.fresh_linear(
                    "head.dense",
                    [hidden, hidden],
                    config.initializer_range,
                    false,
                ),
                norm: LayerNorm {
                    weight: frozen(Tensor::ones([hidden], loader.device())),
                    bias: None,
                    eps: config.norm_eps,
                },
                activation,
                trains: true,
            },
        };
        Ok(Self {
            embeddings,
            layers,
            final_norm: norm("final_norm").await?,
            pooler: Some(pooler),
            settings: settings.clone(),
        })
    }

    /// As [`super::Encoder::activation_bytes`].
    pub fn activation_bytes(
        config: &EncoderConfig,
        batch: usize,
        tokens: usize,
        kind: EngineKind,
    ) -> u64 {
        let [h, i, heads, b, t] = [
            config.hidden_size,
            config.intermediate_size,
            config.num_attention_heads,
            batch,
            tokens,
        ]
        .map(|n| n as u64);
        // both halves, the activated one and the product; the composed GELU keeps three more
        let wide = if kind == EngineKind::Cpu { 5 } else { 8 };
        // turning queries and keys keeps their halves and products
        let layer = b * t * (24 * h + wide * i) + 4 * b * heads * t * t;
        4 * layer * (config.num_hidden_layers as u64 + 1)
    }
}
