//! ModernBERT: token ids and mask in, one vector per token out (Warner et al. 2024; transformers' `ModernBertModel`).
//!
//! Norms come before each half of a layer, positions are rotary, nothing has a bias, and most layers see a window of the text alone.
//! Field names are the checkpoint's; what Rust cannot spell is mapped in `names`.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::backbone_config::{BackboneConfig, ModernbertSettings, Pooling, Span};
use super::batch::TokenBatch;
use super::load::{Loader, frozen};
use crate::Result;
use crate::formats::Source;
use crate::layers::{
    Activation, Dropout, Embedding, LayerNorm, Linear, Rotary, attend_heads, attend_joined,
    inverse_frequencies, masked_mean, padding_bias, split_heads, window_bias,
};

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
    pub span: Span,
}

/// The classification head below its last layer.
#[derive(Module, Debug)]
pub struct PredictionHead {
    pub dense: Linear,
    pub norm: LayerNorm,
    #[module(skip)]
    pub activation: Activation,
    /// Whether every method trains it: only if it started fresh, because PEFT saves `classifier` alone unless asked for more.
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
#[derive(Debug, Clone)]
pub struct SharedOfKind {
    bias: Tensor<4>,
    rotary: Rotary,
}

/// What the layers share in a forward pass: those that see all of a text, and those that see a window of it.
#[derive(Debug, Clone)]
pub struct Shared {
    full: SharedOfKind,
    sliding: SharedOfKind,
}

impl Shared {
    /// What a layer of that kind reads.
    pub fn of(&self, layer: &Layer) -> &SharedOfKind {
        match layer.span {
            Span::Full => &self.full,
            Span::Sliding => &self.sliding,
        }
    }
}

impl SelfAttention {
    fn forward(&self, x: Tensor<3>, shared: &SharedOfKind) -> Tensor<3> {
        let hidden = x.dims()[2];
        let qkv = self.wqkv.forward(x); // [batch, tokens, 3 * hidden]
        if let Some(mixed) = self.mix_joined(&qkv, shared) {
            return self.out_dropout.forward(self.wo.forward(mixed));
        }
        let part = |index: usize| {
            split_heads(qkv.clone().narrow(2, index * hidden, hidden), self.heads) // [batch, heads, tokens, width]
        };
        let query = shared.rotary.apply(part(0));
        let key = shared.rotary.apply(part(1));
        let mixed = attend_heads(query, key, part(2), shared.bias.clone(), &self.dropout);
        self.out_dropout.forward(self.wo.forward(mixed))
    }

    /// Without taking query, key and value apart, `[batch, tokens, 3 * hidden]` to `[batch, tokens, hidden]`, where there is a kernel for it.
    fn mix_joined(&self, qkv: &Tensor<3>, shared: &SharedOfKind) -> Option<Tensor<3>> {
        if self.dropout.is_active() {
            return None;
        }
        let width = qkv.dims()[2] / (3 * self.heads);
        let turned = shared.rotary.apply_joined(qkv, self.heads)?;
        let scale = (width as f64).powf(-0.5);
        attend_joined(&turned, &shared.bias, self.heads, scale)
    }
}

impl Mlp {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let both = self.wi.forward(x); // [batch, tokens, 2 * intermediate]
        let wide = both.dims()[2] / 2;
        let other = both.clone().narrow(2, wide, wide);
        let mixed = self.activation.gate(both.narrow(2, 0, wide), other);
        self.wo.forward(self.dropout.forward(mixed))
    }
}

impl Layer {
    /// `[batch, tokens, hidden]` to the same.
    pub fn forward(&self, x: Tensor<3>, shared: &SharedOfKind) -> Tensor<3> {
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
    /// As [`super::Backbone::lower`].
    pub fn lower(&self, depth: usize, batch: &TokenBatch) -> Tensor<3> {
        let words = self.embeddings.tok_embeddings.forward(batch.ids.clone());
        let x = self
            .embeddings
            .dropout
            .forward(self.embeddings.norm.forward(words));
        self.run(0..depth, x, batch.mask.clone())
    }

    /// As [`super::Backbone::upper`].
    pub fn upper(&self, depth: usize, x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
        let x = self.run(depth..self.layers.len(), x, mask);
        self.final_norm.forward(x)
    }

    /// As [`super::Backbone::layers`].
    pub fn run(&self, layers: Range<usize>, mut x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
        let shared = self.shared(mask);
        for layer in &self.layers[layers] {
            x = layer.forward(x, shared.of(layer));
        }
        x
    }

    /// What the layers share for texts of this mask, `[batch, tokens]`.
    pub fn shared(&self, mask: Tensor<2>) -> Shared {
        let tokens = mask.dims()[1];
        let device = mask.device();
        let padding = padding_bias(mask); // [batch, 1, 1, tokens]
        // a text within the window needs none
        let window = if tokens > self.settings.reach + 1 {
            padding.clone() + window_bias(tokens, self.settings.reach, &device)
        } else {
            padding.clone()
        };
        let [full, sliding] = self.settings.thetas;
        Shared {
            full: self.shared_of_kind(padding, full, tokens, &device),
            sliding: self.shared_of_kind(window, sliding, tokens, &device),
        }
    }

    fn shared_of_kind(
        &self,
        bias: Tensor<4>,
        theta: f64,
        tokens: usize,
        device: &Device,
    ) -> SharedOfKind {
        let hidden = self.embeddings.tok_embeddings.weight.val().dims()[1];
        let heads = self.layers.first().map_or(1, |layer| layer.attn.heads);
        let inv_freq = inverse_frequencies(theta, hidden / heads);
        SharedOfKind {
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

    /// As [`super::Backbone::linears_mut`]; the head's own layer trains whole or not at all and is not among them.
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

    /// As [`super::Backbone::load`]. A checkpoint without the head's hidden layer gets a fresh one: normal with `initializer_range`, its
    /// norm at one.
    ///
    /// # Errors
    /// As there.
    pub async fn load<S: Source>(
        config: &BackboneConfig,
        settings: &ModernbertSettings,
        loader: &Loader<'_, S>,
    ) -> Result<Self> {
        let [hidden, wide] = [config.hidden_size, config.intermediate_size];
        let norm = async |name: &str| {
            loader
                .norm_without_bias(name, hidden, config.norm_eps)
                .await
        };
        let activation = Activation::gelu(loader.kind());
        let embeddings = Embeddings {
            tok_embeddings: loader
                .embedding("embeddings.tok_embeddings", config.vocab_size, hidden)
                .await?,
            norm: norm("embeddings.norm").await?,
            dropout: Dropout::off(),
        };
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for (index, span) in settings.layers.iter().enumerate() {
            let at = |name: &str| format!("layers.{index}.{name}");
            let linear = async |name: &str, input: usize, output: usize| {
                loader.linear_of(&at(name), input, output, false).await
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
                span: *span,
            });
        }
        let pooler = if loader.has("head.dense.weight") {
            PredictionHead {
                dense: loader
                    .in_float()
                    .linear_of("head.dense", hidden, hidden, false)
                    .await?,
                norm: norm("head.norm").await?,
                activation,
                trains: false,
            }
        } else {
            PredictionHead {
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
            }
        };
        Ok(Self {
            embeddings,
            layers,
            final_norm: norm("final_norm").await?,
            pooler: Some(pooler),
            settings: settings.clone(),
        })
    }
}
