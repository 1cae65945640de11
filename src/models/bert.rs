//! Enters: token ids, types and mask. Leaves: one vector per token (Devlin et al. 2019; transformers' `BertModel`).
//! Field names are the checkpoint's; what Rust cannot spell is mapped in `names`.

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use super::config::EncoderConfig;
use super::load::Loader;
use crate::Result;
use crate::device::EngineKind;
use crate::formats::Source;
use crate::layers::{
    Activation, Bottleneck, Dropout, Embedding, LayerNorm, Linear, Prefix, attend, padding_bias,
};

/// A padded batch on the device.
#[derive(Debug, Clone)]
pub struct TokenBatch {
    /// `[batch, tokens]`
    pub ids: Tensor<2, Int>,
    /// `[batch, tokens]`
    pub types: Tensor<2, Int>,
    /// 1 for tokens, 0 for padding; `[batch, tokens]`
    pub mask: Tensor<2>,
}

/// Words, positions and segments, summed and normalised.
#[derive(Module, Debug)]
pub struct Embeddings {
    pub word_embeddings: Embedding,
    pub position_embeddings: Embedding,
    pub token_type_embeddings: Embedding,
    pub layer_norm: LayerNorm,
    pub dropout: Dropout,
}

/// The projections of self-attention.
#[derive(Module, Debug)]
pub struct SelfAttention {
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,
    pub heads: usize,
    /// Of the attention weights.
    pub dropout: Dropout,
    /// Filled by `peft`.
    pub prefix: Option<Prefix>,
}

/// A linear layer whose result is added to a residual and normalised.
#[derive(Module, Debug)]
pub struct Output {
    pub dense: Linear,
    pub dropout: Dropout,
    /// Filled by `peft`.
    pub adapter: Option<Bottleneck>,
    pub layer_norm: LayerNorm,
}

/// Self-attention and its output.
#[derive(Module, Debug)]
pub struct Attention {
    pub self_attention: SelfAttention,
    pub output: Output,
}

/// The widening half of the feed-forward network.
#[derive(Module, Debug)]
pub struct Intermediate {
    pub dense: Linear,
    #[module(skip)]
    pub activation: Activation,
}

/// One transformer layer, normalised after each half.
#[derive(Module, Debug)]
pub struct Layer {
    pub attention: Attention,
    pub intermediate: Intermediate,
    pub output: Output,
}

/// The stack of layers.
#[derive(Module, Debug)]
pub struct Encoder {
    pub layer: Vec<Layer>,
}

/// The linear layer and tanh over the first token.
#[derive(Module, Debug)]
pub struct Pooler {
    pub dense: Linear,
}

/// The encoder of the BERT family.
#[derive(Module, Debug)]
pub struct Bert {
    pub embeddings: Embeddings,
    pub encoder: Encoder,
    /// Present when a head needs it.
    pub pooler: Option<Pooler>,
}

impl Embeddings {
    /// `first` is the position of each text's first token. Returns `[batch, tokens, hidden]`.
    fn forward(&self, batch: &TokenBatch, first: usize) -> Tensor<3> {
        let [rows, tokens] = batch.ids.dims();
        let range = first as i64..(first + tokens) as i64;
        let positions = Tensor::<1, Int>::arange(range, &batch.ids.device())
            .reshape([1, tokens])
            .expand([rows, tokens]);
        let sum = self.word_embeddings.forward(batch.ids.clone())
            + self.token_type_embeddings.forward(batch.types.clone())
            + self.position_embeddings.forward(positions); // [batch, tokens, hidden]
        self.dropout.forward(self.layer_norm.forward(sum))
    }
}

impl Output {
    fn forward(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        let x = self.dropout.forward(self.dense.forward(x));
        let x = match &self.adapter {
            Some(adapter) => adapter.forward(x),
            None => x,
        };
        self.layer_norm.forward(x + residual)
    }
}

impl SelfAttention {
    fn forward(&self, x: Tensor<3>, bias: Tensor<4>) -> Tensor<3> {
        let query = self.query.forward(x.clone());
        let key = self.key.forward(x.clone());
        let value = self.value.forward(x);
        let (key, value, bias) = match &self.prefix {
            None => (key, value, bias),
            Some(prefix) => {
                let (key, value) = prefix.prepend(key, value);
                let batch = bias.dims()[0];
                let open = Tensor::zeros([batch, 1, 1, prefix.tokens()], &bias.device());
                (key, value, Tensor::cat(vec![open, bias], 3)) // [batch, 1, 1, virtual + tokens]
            }
        };
        attend(query, key, value, bias, self.heads, &self.dropout)
    }
}

impl Layer {
    fn forward(&self, x: Tensor<3>, bias: Tensor<4>) -> Tensor<3> {
        let mixed = self.attention.self_attention.forward(x.clone(), bias);
        let x = self.attention.output.forward(mixed, x); // [batch, tokens, hidden]
        let wide = self.intermediate.dense.forward(x.clone()); // [batch, tokens, intermediate]
        let wide = self.intermediate.activation.forward(wide);
        self.output.forward(wide, x)
    }
}

impl Bert {
    /// As [`super::Encoder::lower`].
    pub fn lower(&self, depth: usize, batch: &TokenBatch) -> Tensor<3> {
        let x = self.embeddings.forward(batch, self.prefix_tokens());
        self.run(0..depth, x, batch.mask.clone())
    }

    /// As [`super::Encoder::upper`].
    pub fn upper(&self, depth: usize, x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
        self.run(depth..self.encoder.layer.len(), x, mask)
    }

    fn run(&self, layers: std::ops::Range<usize>, mut x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
        let bias = padding_bias(mask);
        for layer in &self.encoder.layer[layers] {
            x = layer.forward(x, bias.clone());
        }
        x
    }

    /// What a `cls` head reads, `[batch, tokens, hidden]` to `[batch, hidden]`.
    pub fn pooled(&self, hidden: Tensor<3>) -> Tensor<2> {
        let first = hidden.narrow(1, 0, 1).squeeze_dim::<2>(1); // [batch, hidden]
        match &self.pooler {
            Some(pooler) => pooler.dense.forward(first).tanh(),
            // a cls head is only built beside a pooler
            None => first,
        }
    }

    /// Virtual tokens before each text. Real tokens take the positions behind them, as PEFT's prefix tuning has it.
    pub fn prefix_tokens(&self) -> usize {
        let first = self.encoder.layer.first();
        first
            .and_then(|layer| layer.attention.self_attention.prefix.as_ref())
            .map_or(0, Prefix::tokens)
    }

    /// Sets the dropout of hidden states and attention weights, as `hidden_dropout_prob` and `attention_probs_dropout_prob`.
    pub fn set_dropout(&mut self, p: f64) {
        self.embeddings.dropout = Dropout::new(p);
        for layer in &mut self.encoder.layer {
            layer.attention.self_attention.dropout = Dropout::new(p);
            layer.attention.output.dropout = Dropout::new(p);
            layer.output.dropout = Dropout::new(p);
        }
    }

    /// The two sublayer outputs of every layer with their checkpoint names, bottom to top.
    pub fn outputs_mut(&mut self) -> Vec<(String, &mut Output)> {
        let layers = self.encoder.layer.iter_mut().enumerate();
        layers
            .flat_map(|(index, layer)| {
                let at = |name: &str| format!("encoder.layer.{index}.{name}");
                [
                    (at("attention.output"), &mut layer.attention.output),
                    (at("output"), &mut layer.output),
                ]
            })
            .collect()
    }

    /// As [`super::Encoder::load`].
    ///
    /// # Errors
    /// As there.
    pub async fn load<S: Source>(config: &EncoderConfig, loader: &Loader<'_, S>) -> Result<Self> {
        let [hidden, wide] = [config.hidden_size, config.intermediate_size];
        let table = async |name: &str, rows: usize| {
            let name = format!("embeddings.{name}");
            loader.embedding(&name, rows, hidden).await
        };
        let norm = async |name: &str| loader.norm(name, hidden, config.layer_norm_eps).await;
        let embeddings = Embeddings {
            word_embeddings: table("word_embeddings", config.vocab_size).await?,
            position_embeddings: table("position_embeddings", config.max_position_embeddings)
                .await?,
            token_type_embeddings: table("token_type_embeddings", config.type_vocab_size).await?,
            layer_norm: norm("embeddings.LayerNorm").await?,
            dropout: Dropout::off(),
        };
        let mut layer = Vec::with_capacity(config.num_hidden_layers);
        for index in 0..config.num_hidden_layers {
            let at = |name: &str| format!("encoder.layer.{index}.{name}");
            layer.push(Layer {
                attention: Attention {
                    self_attention: SelfAttention {
                        query: loader
                            .linear(&at("attention.self.query"), hidden, hidden)
                            .await?,
                        key: loader
                            .linear(&at("attention.self.key"), hidden, hidden)
                            .await?,
                        value: loader
                            .linear(&at("attention.self.value"), hidden, hidden)
                            .await?,
                        heads: config.num_attention_heads,
                        dropout: Dropout::off(),
                        prefix: None,
                    },
                    output: Output {
                        dense: loader
                            .linear(&at("attention.output.dense"), hidden, hidden)
                            .await?,
                        dropout: Dropout::off(),
                        adapter: None,
                        layer_norm: norm(&at("attention.output.LayerNorm")).await?,
                    },
                },
                intermediate: Intermediate {
                    dense: loader
                        .linear(&at("intermediate.dense"), hidden, wide)
                        .await?,
                    activation: Activation::gelu(loader.kind()),
                },
                output: Output {
                    dense: loader.linear(&at("output.dense"), wide, hidden).await?,
                    dropout: Dropout::off(),
                    adapter: None,
                    layer_norm: norm(&at("output.LayerNorm")).await?,
                },
            });
        }
        let pooler = match loader.has("pooler.dense.weight") {
            true => Some(Pooler {
                dense: loader.linear("pooler.dense", hidden, hidden).await?,
            }),
            false => None,
        };
        Ok(Self {
            embeddings,
            encoder: Encoder { layer },
            pooler,
        })
    }

    /// Every linear layer with its checkpoint name, the family's prefix left out.
    pub fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        let mut linears = Vec::new();
        for (index, layer) in self.encoder.layer.iter_mut().enumerate() {
            let heads = &mut layer.attention.self_attention;
            for (name, linear) in [
                ("attention.self.query", &mut heads.query),
                ("attention.self.key", &mut heads.key),
                ("attention.self.value", &mut heads.value),
                ("attention.output.dense", &mut layer.attention.output.dense),
                ("intermediate.dense", &mut layer.intermediate.dense),
                ("output.dense", &mut layer.output.dense),
            ] {
                linears.push((format!("encoder.layer.{index}.{name}"), linear));
            }
        }
        if let Some(pooler) = &mut self.pooler {
            linears.push(("pooler.dense".into(), &mut pooler.dense));
        }
        linears
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
        // the composed GELU keeps three more wide tensors than the fused one
        let wide = if kind == EngineKind::Cpu { 3 } else { 6 };
        let layer = b * t * (16 * h + wide * i) + 4 * b * heads * t * t;
        // the backward pass holds one layer's gradients beside the kept activations
        4 * layer * (config.num_hidden_layers as u64 + 1)
    }
}
