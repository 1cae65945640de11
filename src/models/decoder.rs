//! Enters: token ids. Leaves: one vector per token that has seen only the tokens before it. What all language models share; their
//! layers and configurations are in a file per family.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::gpt2::Gpt2Layer;
use super::llama::LlamaLayer;
use super::rope::Rope;
use crate::layers::{
    Activation, Embedding, LayerNorm, Linear, MASKED, Prefix, RmsNorm, Rotary, WordTable,
};

/// Which file of this folder reads the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecoderFamily {
    Llama,
    Qwen2,
    Qwen3,
    Gemma3,
    Gpt2,
}

impl DecoderFamily {
    pub const ALL: [Self; 5] = [
        Self::Llama,
        Self::Qwen2,
        Self::Qwen3,
        Self::Gemma3,
        Self::Gpt2,
    ];

    /// transformers' `model_type`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Gemma3 => "gemma3_text",
            Self::Gpt2 => "gpt2",
        }
    }
}

/// What a layer of a model may look at and how it turns positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerKind {
    /// The number of tokens that a token sees, itself included; all before it without.
    pub window: Option<usize>,
    /// Index into [`DecoderConfig::ropes`].
    pub rope: usize,
}

/// A language model's configuration, whatever its family calls it.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    pub family: DecoderFamily,
    /// Rows of the word table.
    pub vocab_size: usize,
    /// Width of every position's vector.
    pub hidden_size: usize,
    /// Width between the feed-forward layers.
    pub intermediate_size: usize,
    pub num_attention_heads: usize,
    /// Heads with keys and values of their own; divides `num_attention_heads`.
    pub num_key_value_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Positions that the model knows.
    pub max_position_embeddings: usize,
    /// Added to the variance in norms.
    pub norm_eps: f64,
    /// Added to the weights of norms.
    pub norm_offset: f64,
    /// Whether words and logits share a table.
    pub tie_word_embeddings: bool,
    pub activation: Activation,
    /// Of query, key and value.
    pub qkv_bias: bool,
    /// Of the attention's output.
    pub output_bias: bool,
    /// Of the feed-forward layers.
    pub mlp_bias: bool,
    /// Whether each head's queries and keys are normalised.
    pub qk_norm: bool,
    /// Whether a sublayer's output is normalised before it is added.
    pub post_norms: bool,
    /// What scores are multiplied by.
    pub attention_scale: f64,
    /// What embeddings are multiplied by.
    pub embedding_scale: f64,
    /// One a layer.
    pub layers: Vec<LayerKind>,
    /// Empty for learned positions.
    pub ropes: Vec<Rope>,
    /// Standard deviation of fresh weights.
    pub initializer_range: f64,
    /// Any of them ends a text.
    pub eos_token_ids: Vec<u32>,
}

/// The norm of any family.
#[derive(Module, Debug)]
pub enum Norm {
    Rms(RmsNorm),
    Layer(LayerNorm),
}

impl Norm {
    /// Any shape; the last axis is normalised.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Rms(norm) => norm.forward(x),
            Self::Layer(norm) => norm.forward(x),
        }
    }
}

/// One transformer layer.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "all layers of a model are of one family, so that no space is wasted but a GPT-2's few kilobytes"
)]
pub enum Layer {
    Llama(LlamaLayer),
    Gpt2(Gpt2Layer),
}

/// Keys and values of the tokens that a layer has seen, rotated: `[batch, key heads, tokens, width]` each.
#[derive(Debug, Clone)]
pub struct KeyValue {
    pub key: Tensor<4>,
    pub value: Tensor<4>,
}

/// One a layer; empty at the start of a text.
pub type Cache = Vec<Option<KeyValue>>;

/// Where a batch's tokens stand.
#[derive(Debug, Clone)]
pub struct Layout {
    pub rows: usize,
    /// Tokens a row.
    pub width: usize,
    /// Of each token, row after row; none where every row counts from `past`.
    pub positions: Option<Vec<u32>>,
    /// The text that each token of a packed row belongs to; tokens see only their own text.
    pub segments: Option<Vec<i32>>,
    /// Tokens that a cache already holds.
    pub past: usize,
}

impl Layout {
    /// Rows of one text each, padded on the right.
    pub fn plain(rows: usize, width: usize) -> Self {
        Self {
            rows,
            width,
            positions: None,
            segments: None,
            past: 0,
        }
    }
}

/// What the layers of one forward pass share.
#[derive(Debug, Clone)]
pub struct Context {
    /// One a rope of the configuration.
    pub rotaries: Vec<Rotary>,
    /// By window: added to the scores; broadcasts to `[batch, heads, tokens, keys]`.
    biases: Vec<(Option<usize>, Tensor<4>)>,
    /// For learned positions, `[batch, tokens]`.
    positions: Option<Box<Tensor<2, Int>>>,
}

/// How one layer takes part in a forward pass.
pub struct LayerContext<'a> {
    pub rotary: Option<&'a Rotary>,
    pub bias: Tensor<4>,
    pub cache: Option<&'a mut Option<KeyValue>>,
}

impl LayerContext<'_> {
    /// The keys and values of this pass behind those of the prefix and of the cache, which then holds them too.
    pub fn remember(
        &mut self,
        key: Tensor<4>,
        value: Tensor<4>,
        prefix: Option<&Prefix>,
    ) -> (Tensor<4>, Tensor<4>) {
        let before = self.cache.as_ref().and_then(|cache| cache.as_ref());
        let (key, value) = match (before, prefix) {
            (Some(before), _) => (
                Tensor::cat(vec![before.key.clone(), key], 2),
                Tensor::cat(vec![before.value.clone(), value], 2),
            ),
            (None, Some(prefix)) => prefix.prepend_heads(key, value),
            (None, None) => (key, value),
        };
        if let Some(cache) = &mut self.cache {
            **cache = Some(KeyValue {
                key: key.clone(),
                value: value.clone(),
            });
        }
        (key, value)
    }
}

/// A language model without its head.
#[derive(Module, Debug)]
pub struct Decoder {
    pub embed_tokens: WordTable,
    /// GPT-2's learned positions.
    pub position_embeddings: Option<Embedding>,
    pub layers: Vec<Layer>,
    pub norm: Norm,
    #[module(skip)]
    pub config: DecoderConfig,
}

impl Decoder {
    /// Where its weights are.
    pub fn device(&self) -> Device {
        self.embed_tokens.parts[0].val().device()
    }

    /// Virtual tokens before each text. Real tokens take the positions behind them, as PEFT's prefix tuning has it.
    pub fn prefix_tokens(&self) -> usize {
        let prefix = self.layers.first().and_then(Layer::prefix);
        prefix.map_or(0, Prefix::tokens)
    }

    /// What the layers share for a batch that stands so.
    pub fn context(&self, layout: &Layout) -> Context {
        let device = self.device();
        let prefix = self.prefix_tokens();
        let first = prefix + layout.past;
        let counted = (first..first + layout.width).map(|n| n as u32);
        let positions = match &layout.positions {
            None => counted.collect::<Vec<_>>(),
            Some(given) => given.iter().map(|n| n + first as u32).collect(),
        };
        let rotaries = self.config.ropes.iter().map(|rope| {
            let positions = positions.iter().map(|n| *n as usize);
            Rotary::new(&rope.inv_freq, positions, 1.0, &device)
        });
        let rotaries = rotaries.collect();
        let table = self.position_embeddings.is_some().then(|| {
            let values = positions.iter().map(|n| *n as i32).collect::<Vec<_>>();
            let rows = values.len() / layout.width;
            let data = TensorData::new(values, [rows, layout.width]);
            let table = Tensor::<2, Int>::from_data(data, &device);
            Box::new(table.expand([layout.rows, layout.width]))
        });
        let mut biases: Vec<(Option<usize>, Tensor<4>)> = Vec::new();
        for LayerKind { window, .. } in &self.config.layers {
            if biases.iter().all(|(other, _)| other != window) {
                biases.push((*window, bias(layout, prefix, *window, &device)));
            }
        }
        Context {
            rotaries,
            biases,
            positions: table,
        }
    }

    /// `ids`: `[batch, tokens]`. Returns what enters the first layer, `[batch, tokens, hidden]`.
    pub fn embed(&self, ids: Tensor<2, Int>, context: &Context) -> Tensor<3> {
        let mut x = self.embed_tokens.lookup(ids);
        if self.config.embedding_scale != 1.0 {
            x = x * self.config.embedding_scale;
        }
        match (&self.position_embeddings, &context.positions) {
            (Some(table), Some(positions)) => x + table.forward(*positions.clone()),
            _ => x,
        }
    }

    /// One layer. `x`: `[batch, tokens, hidden]`; returns the same.
    pub fn layer(
        &self,
        index: usize,
        x: Tensor<3>,
        context: &Context,
        cache: Option<&mut Option<KeyValue>>,
    ) -> Tensor<3> {
        self.pass(&self.layers[index], index, x, context, cache)
    }

    /// The same through `layer`, which stands in for layer `index`.
    pub fn pass(
        &self,
        layer: &Layer,
        index: usize,
        x: Tensor<3>,
        context: &Context,
        cache: Option<&mut Option<KeyValue>>,
    ) -> Tensor<3> {
        let kind = self.config.layers[index];
        let bias = context
            .biases
            .iter()
            .find(|(window, _)| *window == kind.window);
        let context = LayerContext {
            rotary: context.rotaries.get(kind.rope),
            // every window of the configuration has its bias
            bias: bias.map_or_else(
                || Tensor::zeros([1, 1, 1, 1], &x.device()),
                |(_, bias)| bias.clone(),
            ),
            cache,
        };
        match layer {
            Layer::Llama(layer) => layer.forward(x, context),
            Layer::Gpt2(layer) => layer.forward(x, context),
        }
    }

    /// All layers and the last norm: `[batch, tokens]` to `[batch, tokens, hidden]`. With a cache, `layout.past` tokens are in it.
    pub fn forward(
        &self,
        ids: Tensor<2, Int>,
        layout: &Layout,
        cache: Option<&mut Cache>,
    ) -> Tensor<3> {
        let context = self.context(layout);
        let mut x = self.embed(ids, &context);
        match cache {
            None => {
                for index in 0..self.layers.len() {
                    x = self.layer(index, x, &context, None);
                }
            }
            Some(cache) => {
                cache.resize(self.layers.len(), None);
                for (index, slot) in cache.iter_mut().enumerate() {
                    x = self.layer(index, x, &context, Some(slot));
                }
            }
        }
        self.norm.forward(x)
    }
}

impl Layer {
    /// Its learned prefix.
    pub fn prefix(&self) -> Option<&Prefix> {
        match self {
            Self::Llama(layer) => layer.self_attn.prefix.as_ref(),
            Self::Gpt2(layer) => layer.attn.prefix.as_ref(),
        }
    }

    /// Where it goes.
    pub fn prefix_mut(&mut self) -> &mut Option<Prefix> {
        match self {
            Self::Llama(layer) => &mut layer.self_attn.prefix,
            Self::Gpt2(layer) => &mut layer.attn.prefix,
        }
    }

    /// Its linear layers by their names below the layer's own.
    pub fn linears_mut(&mut self) -> Vec<(&'static str, &mut Linear)> {
        match self {
            Self::Llama(layer) => layer.linears_mut(),
            Self::Gpt2(layer) => layer.linears_mut(),
        }
    }
}

/// 0 where a token may look and a large negative number where it may not, `[1 or batch, 1, tokens, prefix + past + tokens]`.
fn bias(layout: &Layout, prefix: usize, window: Option<usize>, device: &Device) -> Tensor<4> {
    let (tokens, past) = (layout.width, layout.past);
    let keys = prefix + past + tokens;
    let blocked = MASKED as f32;
    let mut values = vec![blocked; tokens * keys];
    for token in 0..tokens {
        let row = &mut values[token * keys..(token + 1) * keys];
        let last = prefix + past + token;
        row[first_key(last, window)..=last].fill(0.0);
        if layout.segments.is_some() {
            // where each text of a packed row sees the prefix is below
            row[..prefix].fill(0.0);
        }
    }
    let causal = Tensor::<4>::from_data(TensorData::new(values, [1, 1, tokens, keys]), device);
    let Some(segments) = &layout.segments else {
        return causal;
    };
    // packed rows never follow a cache, so that the keys are the prefix and the row itself
    let rows = layout.rows;
    let shape = [rows, 1, tokens, tokens];
    let data = TensorData::new(segments.clone(), [rows, tokens]);
    let ids = Tensor::<2, Int>::from_data(data, device);
    let queries = ids.clone().reshape([rows, 1, tokens, 1]).expand(shape);
    let others = ids.reshape([rows, 1, 1, tokens]).expand(shape);
    let apart = queries.not_equal(others).float() * MASKED;
    let apart = if prefix == 0 {
        apart
    } else {
        let counted = (0..rows).flat_map(|_| 0..tokens as u32);
        let positions = layout.positions.clone();
        let positions = positions.unwrap_or_else(|| counted.collect());
        let before = prefix_bias(&positions, prefix, window);
        let data = TensorData::new(before, [rows, 1, tokens, prefix]);
        Tensor::cat(vec![Tensor::from_data(data, device), apart], 3)
    };
    causal.expand([rows, 1, tokens, keys]) + apart
}

/// The first key that the token at `last` sees through a window, which counts the prefix as any other tokens.
fn first_key(last: usize, window: Option<usize>) -> usize {
    window.map_or(0, |window| (last + 1).saturating_sub(window))
}

/// [`bias`] of the prefix alone, by each token's position in its own text, `[positions, prefix]`.
fn prefix_bias(positions: &[u32], prefix: usize, window: Option<usize>) -> Vec<f32> {
    let mut values = vec![0.0; positions.len() * prefix];
    for (row, position) in values.chunks_mut(prefix).zip(positions) {
        let first = first_key(prefix + *position as usize, window);
        row[..first.min(prefix)].fill(MASKED as f32);
    }
    values
}
