//! BERT: token ids, types and mask in, one vector per token out (Devlin et al. 2019; transformers' `BertModel`). Field names are the
//! checkpoint's; what Rust cannot spell is mapped in `names`. RoBERTa and DistilBERT are the same network: their own files say where they
//! differ.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use super::backbone_config::{Architecture, BackboneConfig, BertSettings};
use super::batch::TokenBatch;
use super::family::Family;
use super::fields::Fields;
use super::load::Loader;
use super::names::backbone_name;
use super::pooler::Pooler;
use crate::Result;
use crate::formats::Source;
use crate::layers::{
    Activation, Bottleneck, Dropout, Embedding, LayerNorm, Linear, Prefix, attend, padding_bias,
};

/// Words, positions and segments, summed and normalised.
#[derive(Module, Debug)]
pub struct Embeddings {
    pub word_embeddings: Embedding,
    pub position_embeddings: Embedding,
    pub token_type_embeddings: Option<Embedding>,
    #[module(skip)]
    pub position_padding: Option<usize>,
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

/// The encoder of BERT and its relatives.
#[derive(Module, Debug)]
pub struct Bert {
    #[module(skip)]
    pub family: Family,
    pub embeddings: Embeddings,
    pub encoder: Encoder,
    /// What a `cls` head reads.
    pub pooler: Option<Pooler>,
}

/// Reads BERT's `config.json`; defaults are transformers' `BertConfig`.
///
/// # Errors
/// As [`BackboneConfig::parse`].
pub fn config(fields: &Fields) -> Result<BackboneConfig> {
    sized(fields, 30522)
}

/// The same with that many words if the file does not say how many.
pub(super) fn sized(fields: &Fields, words: usize) -> Result<BackboneConfig> {
    fields.only("hidden_act", &["gelu".into()])?;
    fields.only("position_embedding_type", &["absolute".into()])?;
    fields.only("is_decoder", &[false.into()])?;
    let positions = fields.size("max_position_embeddings", Some(512))?;
    Ok(BackboneConfig {
        family: Family::Bert,
        vocab_size: fields.size("vocab_size", Some(words))?,
        hidden_size: fields.size("hidden_size", Some(768))?,
        num_hidden_layers: fields.size("num_hidden_layers", Some(12))?,
        num_attention_heads: fields.size("num_attention_heads", Some(12))?,
        intermediate_size: fields.size("intermediate_size", Some(3072))?,
        max_tokens: positions,
        norm_eps: fields.positive("layer_norm_eps", 1e-12)?,
        initializer_range: fields.positive("initializer_range", 0.02)?,
        architectures: fields.words("architectures")?.unwrap_or_default(),
        architecture: Architecture::Bert(BertSettings {
            positions,
            position_padding: None,
            token_types: Some(fields.size("type_vocab_size", Some(2))?),
        }),
    })
}

impl Embeddings {
    /// `first` is the position of each text's first token. Returns `[batch, tokens, hidden]`.
    fn forward(&self, batch: &TokenBatch, first: usize) -> Tensor<3> {
        let [rows, tokens] = batch.ids.dims();
        let positions = match self.position_padding {
            None => {
                let range = first as i64..(first + tokens) as i64;
                Tensor::<1, Int>::arange(range, &batch.ids.device())
                    .reshape([1, tokens])
                    .expand([rows, tokens])
            }
            // as transformers counts: by ids, not by the mask
            Some(padding) => {
                let real = batch.ids.clone().not_equal_elem(padding as i64).int();
                (real.clone().cumsum(1) + first as i64) * real + padding as i64
            }
        };
        let words = self.word_embeddings.forward(batch.ids.clone()); // [batch, tokens, hidden]
        let words = match &self.token_type_embeddings {
            Some(types) => words + types.forward(batch.types.clone()),
            None => words,
        };
        let sum = words + self.position_embeddings.forward(positions); // [batch, tokens, hidden]
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
        self.layer_norm.forward_sum(x, residual)
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
    /// `x`: `[batch, tokens, hidden]`, `bias`: added to the scores, `[batch, 1, 1, tokens]`. Returns the shape of `x`.
    pub fn forward(&self, x: Tensor<3>, bias: Tensor<4>) -> Tensor<3> {
        let mixed = self.attention.self_attention.forward(x.clone(), bias);
        let x = self.attention.output.forward(mixed, x); // [batch, tokens, hidden]
        let wide = self.intermediate.dense.forward(x.clone()); // [batch, tokens, intermediate]
        let wide = self.intermediate.activation.forward(wide);
        self.output.forward(wide, x)
    }
}

impl Bert {
    /// As [`super::Backbone::lower`].
    pub fn lower(&self, depth: usize, batch: &TokenBatch) -> Tensor<3> {
        let x = self.embeddings.forward(batch, self.prefix_tokens());
        self.run(0..depth, x, batch.mask.clone())
    }

    /// As [`super::Backbone::upper`].
    pub fn upper(&self, depth: usize, x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
        self.run(depth..self.encoder.layer.len(), x, mask)
    }

    /// As [`super::Backbone::layers`].
    pub fn run(&self, layers: Range<usize>, mut x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
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
            Some(pooler) => pooler.forward(first),
            // a mean head has left it out, and does not ask
            None => first,
        }
    }

    /// Virtual tokens before each text. Real tokens take the positions after them, as PEFT's prefix tuning has it.
    pub fn prefix_tokens(&self) -> usize {
        let first = self.encoder.layer.first();
        first
            .and_then(|layer| layer.attention.self_attention.prefix.as_ref())
            .map_or(0, Prefix::tokens)
    }

    /// Sets the dropout of hidden states and attention weights, as `hidden_dropout_prob` and `attention_probs_dropout_prob`.
    pub fn set_dropout(&mut self, p: f64) {
        self.embeddings.dropout = Dropout::new(p);
        if let (Family::Roberta, Some(pooler)) = (self.family, &mut self.pooler) {
            pooler.dropout = Dropout::new(p);
        }
        for layer in &mut self.encoder.layer {
            layer.attention.self_attention.dropout = Dropout::new(p);
            layer.attention.output.dropout = Dropout::new(p);
            layer.output.dropout = Dropout::new(p);
        }
    }

    /// The two sublayer outputs of every layer with their names, bottom to top.
    pub fn outputs_mut(&mut self) -> Vec<(String, &mut Output)> {
        let family = self.family;
        let layers = self.encoder.layer.iter_mut().enumerate();
        layers
            .flat_map(|(index, layer)| {
                let at =
                    |name: &str| backbone_name(&format!("encoder.layer.{index}.{name}"), family);
                [
                    (at("attention.output"), &mut layer.attention.output),
                    (at("output"), &mut layer.output),
                ]
            })
            .collect()
    }

    /// As [`super::Backbone::load`].
    ///
    /// # Errors
    /// As there.
    pub async fn load<S: Source>(
        config: &BackboneConfig,
        settings: &BertSettings,
        loader: &Loader<'_, S>,
    ) -> Result<Self> {
        let family = config.family;
        let [hidden, wide] = [config.hidden_size, config.intermediate_size];
        let table = async |name: &str, rows: usize| {
            let name = format!("embeddings.{name}");
            loader.embedding(&name, rows, hidden).await
        };
        let norm = async |name: &str| loader.norm(name, hidden, config.norm_eps).await;
        let embeddings = Embeddings {
            word_embeddings: table("word_embeddings", config.vocab_size).await?,
            position_embeddings: table("position_embeddings", settings.positions).await?,
            token_type_embeddings: match settings.token_types {
                Some(rows) => Some(table("token_type_embeddings", rows).await?),
                None => None,
            },
            position_padding: settings.position_padding,
            layer_norm: norm("embeddings.LayerNorm").await?,
            dropout: Dropout::off(),
        };
        let mut layer = Vec::with_capacity(config.num_hidden_layers);
        for index in 0..config.num_hidden_layers {
            let at = |name: &str| backbone_name(&format!("encoder.layer.{index}.{name}"), family);
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
        Ok(Self {
            family,
            embeddings,
            encoder: Encoder { layer },
            pooler: Some(Pooler::load(config, loader).await?),
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
                let name = backbone_name(&format!("encoder.layer.{index}.{name}"), self.family);
                linears.push((name, linear));
            }
        }
        // as a part of the head it trains whole or not at all
        if let (Family::Bert, Some(pooler)) = (self.family, &mut self.pooler)
            && !pooler.trains
        {
            linears.push(("pooler.dense".into(), &mut pooler.dense));
        }
        linears
    }
}
