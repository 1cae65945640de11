//! A language model without its head: token ids in, one vector per token out, which has seen only the tokens before it. All families share
//! this; their layers and configurations are in a file each.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::batch::TokenBatch;
use super::decoder_config::LayerKind;
use super::gpt2::Gpt2Layer;
use super::llama::{self, LlamaLayer};
use super::load::Loader;
use crate::Result;
use crate::formats::Source;
use crate::layers::{Embedding, LayerNorm, Linear, MASKED, Prefix, RmsNorm, Rotary, WordTable};

pub use super::decoder_config::DecoderConfig;
pub use super::decoder_context::{Cache, Context, KeyValue, LayerContext, Layout};
pub use super::family::DecoderFamily;

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
    /// Reads the layers, one tensor at a time. `loader` knows how frozen weights are stored.
    ///
    /// # Errors
    /// Missing tensors, wrong shapes or types, values that are not finite, failed reads, a weight that cannot be stored as asked.
    pub async fn load<S: Source>(config: &DecoderConfig, loader: &Loader<'_, S>) -> Result<Self> {
        let hidden = config.hidden_size;
        let (words, positions, norm) = match config.family {
            DecoderFamily::Gpt2 => ("wte", Some("wpe"), "ln_f"),
            _ => ("embed_tokens", None, "norm"),
        };
        let embed_tokens = loader
            .table(&format!("{words}.weight"), config.vocab_size, hidden)
            .await?;
        let position_embeddings = match positions {
            Some(name) => Some(
                loader
                    .embedding(name, config.max_position_embeddings, hidden)
                    .await?,
            ),
            None => None,
        };
        let mut layers = Vec::with_capacity(config.layers.len());
        for index in 0..config.layers.len() {
            layers.push(match config.family {
                DecoderFamily::Gpt2 => {
                    Layer::Gpt2(Gpt2Layer::load(config, loader, &format!("h.{index}")).await?)
                }
                _ => Layer::Llama(
                    LlamaLayer::load(config, loader, &format!("layers.{index}")).await?,
                ),
            });
        }
        let norm = match config.family {
            DecoderFamily::Gpt2 => Norm::Layer(loader.norm(norm, hidden, config.norm_eps).await?),
            _ => Norm::Rms(llama::load_norm(config, loader, norm, hidden).await?),
        };
        Ok(Self {
            embed_tokens,
            position_embeddings,
            layers,
            norm,
            config: config.clone(),
        })
    }

    /// Where its weights are.
    pub fn device(&self) -> Device {
        self.embed_tokens.parts[0].val().device()
    }

    /// Virtual tokens before each text. Real tokens take the positions after them, as PEFT's prefix tuning has it.
    pub fn prefix_tokens(&self) -> usize {
        let prefix = self.layers.first().and_then(Layer::prefix);
        prefix.map_or(0, Prefix::tokens)
    }

    /// What the layers share for a batch of that layout.
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

    /// The same through `layer`, which takes the place of layer `index`.
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

    /// As [`super::Backbone::lower`].
    pub fn lower(&self, depth: usize, batch: &TokenBatch) -> Tensor<3> {
        let [rows, width] = batch.ids.dims();
        let context = self.context(&Layout::plain(rows, width));
        let x = self.embed(batch.ids.clone(), &context);
        self.run(0..depth, x)
    }

    /// As [`super::Backbone::upper`]. No mask is needed: texts are padded on the right, where no token looks.
    pub fn upper(&self, depth: usize, x: Tensor<3>) -> Tensor<3> {
        let x = self.run(depth..self.layers.len(), x);
        self.norm.forward(x)
    }

    /// As [`super::Backbone::layers`].
    pub fn run(&self, layers: Range<usize>, mut x: Tensor<3>) -> Tensor<3> {
        let [rows, width, _] = x.dims();
        let context = self.context(&Layout::plain(rows, width));
        for index in layers {
            x = self.layer(index, x, &context, None);
        }
        x
    }

    /// Its tables by the checkpoint's names.
    pub fn tables(&self) -> &'static [&'static str] {
        match self.config.family {
            DecoderFamily::Gpt2 => &["wte", "wpe"],
            _ => &["embed_tokens"],
        }
    }

    /// Every linear layer with its checkpoint name, the family's prefix left out.
    pub fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        let layers = match self.config.family {
            DecoderFamily::Gpt2 => "h",
            _ => "layers",
        };
        let each = self.layers.iter_mut().enumerate();
        each.flat_map(|(index, layer)| {
            let linears = layer.linears_mut().into_iter();
            linears.map(move |(name, linear)| (format!("{layers}.{index}.{name}"), linear))
        })
        .collect()
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

/// 0 if a token may look there and a large negative number if it may not, `[1 or batch, 1, tokens, prefix + past + tokens]`.
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
