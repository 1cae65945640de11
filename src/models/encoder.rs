//! Enters: token ids, types and mask. Leaves: one vector per token, whichever family the encoder belongs to.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::bert::{Bert, TokenBatch};
use super::config::{Architecture, EncoderConfig};
use super::family::Family;
use super::load::Loader;
use super::modernbert::Modernbert;
use crate::Result;
use crate::device::EngineKind;
use crate::formats::Source;
use crate::layers::{Linear, Storage};

/// A stack of transformer layers that see a text in both directions.
#[derive(Module, Debug)]
pub enum Encoder {
    /// BERT, RoBERTa or DistilBERT.
    Bert(Bert),
    Modernbert(Modernbert),
}

impl Encoder {
    /// Reads the encoder, one tensor at a time, and what a `cls` head has below its last layer: BERT's pooler where there is one, or
    /// the head's hidden layer, which starts fresh where there is none.
    ///
    /// # Errors
    /// Missing tensors, wrong shapes or types, values that are not finite, failed reads.
    pub async fn load<S: Source>(config: &EncoderConfig, loader: &Loader<'_, S>) -> Result<Self> {
        match &config.architecture {
            Architecture::Bert(settings) => {
                Bert::load(config, settings, loader).await.map(Self::Bert)
            }
            Architecture::Modernbert(settings) => Modernbert::load(config, settings, loader)
                .await
                .map(Self::Modernbert),
        }
    }

    /// Returns the last layer's vectors, `[batch, tokens, hidden]`.
    pub fn forward(&self, batch: &TokenBatch) -> Tensor<3> {
        self.upper(0, self.lower(0, batch), batch.mask.clone())
    }

    /// What enters layer `depth`: the embeddings, passed through the layers below it. `[batch, tokens, hidden]`.
    pub fn lower(&self, depth: usize, batch: &TokenBatch) -> Tensor<3> {
        match self {
            Self::Bert(bert) => bert.lower(depth, batch),
            Self::Modernbert(modernbert) => modernbert.lower(depth, batch),
        }
    }

    /// The layers from `depth` on. `x`: what [`Self::lower`] gave, `mask`: `[batch, tokens]`. Returns the last layer's vectors,
    /// `[batch, tokens, hidden]`.
    pub fn upper(&self, depth: usize, x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
        match self {
            Self::Bert(bert) => bert.upper(depth, x, mask),
            Self::Modernbert(modernbert) => modernbert.upper(depth, x, mask),
        }
    }

    /// Some of the layers alone. `x`: what enters the first of them, `mask`: `[batch, tokens]`. Returns what enters the layer behind them,
    /// `[batch, tokens, hidden]`.
    pub fn layers(&self, layers: Range<usize>, x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
        match self {
            Self::Bert(bert) => bert.run(layers, x, mask),
            Self::Modernbert(modernbert) => modernbert.run(layers, x, mask),
        }
    }

    /// What a `cls` head's last layer reads. `hidden`: `[batch, tokens, hidden]`, `mask`: `[batch, tokens]`. Returns `[batch, hidden]`.
    pub fn pooled(&self, hidden: Tensor<3>, mask: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Bert(bert) => bert.pooled(hidden),
            Self::Modernbert(modernbert) => modernbert.pooled(hidden, mask),
        }
    }

    /// Whose names it has in files.
    pub fn family(&self) -> Family {
        match self {
            Self::Bert(bert) => bert.family,
            Self::Modernbert(_) => Family::Modernbert,
        }
    }

    /// Whether a `cls` head can be put on it.
    pub fn has_pooler(&self) -> bool {
        match self {
            Self::Bert(bert) => bert.pooler.is_some(),
            Self::Modernbert(modernbert) => modernbert.pooler.is_some(),
        }
    }

    /// Whether every method trains what lies below a `cls` head's last layer.
    pub fn trains_pooler(&self) -> bool {
        match self {
            Self::Bert(bert) => bert.pooler.as_ref().is_some_and(|pooler| pooler.trains),
            Self::Modernbert(modernbert) => {
                modernbert.pooler.as_ref().is_some_and(|head| head.trains)
            }
        }
    }

    /// Trains the head's hidden layer where PEFT would with these `modules_to_save`, and keeps it frozen otherwise.
    pub fn follow_modules_to_save(&mut self, modules: &[String]) {
        let Some(hidden) = self.family().hidden_layer() else {
            return;
        };
        // PEFT takes every module whose name ends in one of these, with all that is in it
        let saved = modules
            .iter()
            .any(|name| hidden.ends_with(name) || hidden.starts_with(&format!("{name}.")));
        match self {
            Self::Bert(bert) => {
                if let Some(pooler) = &mut bert.pooler {
                    pooler.trains = saved;
                }
            }
            Self::Modernbert(modernbert) => {
                if let Some(head) = &mut modernbert.pooler {
                    head.trains = saved;
                }
            }
        }
    }

    /// Leaves out the hidden layer of the family's own head, which no other head reads. BERT's pooler belongs to the encoder and stays.
    pub fn drop_hidden_layer(&mut self) {
        match self {
            Self::Bert(bert) if bert.family.hidden_layer().is_some() => bert.pooler = None,
            Self::Bert(_) => {}
            Self::Modernbert(modernbert) => modernbert.pooler = None,
        }
    }

    /// Where its weights are.
    pub fn device(&self) -> Device {
        self.words().device()
    }

    /// Width of every position's vector.
    pub fn hidden_size(&self) -> usize {
        self.words().dims()[1]
    }

    /// The word table, `[vocabulary, hidden]`.
    fn words(&self) -> Tensor<2> {
        match self {
            Self::Bert(bert) => bert.embeddings.word_embeddings.weight.val(),
            Self::Modernbert(modernbert) => modernbert.embeddings.tok_embeddings.weight.val(),
        }
    }

    /// Transformer layers.
    pub fn num_layers(&self) -> usize {
        match self {
            Self::Bert(bert) => bert.encoder.layer.len(),
            Self::Modernbert(modernbert) => modernbert.layers.len(),
        }
    }

    /// Sets the dropout of hidden states and attention weights.
    pub fn set_dropout(&mut self, p: f64) {
        match self {
            Self::Bert(bert) => bert.set_dropout(p),
            Self::Modernbert(modernbert) => modernbert.set_dropout(p),
        }
    }

    /// Every linear layer with its checkpoint name, the family's prefix left out; BERT's pooler among them, a head's own layers not.
    pub fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        match self {
            Self::Bert(bert) => bert.linears_mut(),
            Self::Modernbert(modernbert) => modernbert.linears_mut(),
        }
    }

    /// Bytes of its weights: those of its linear layers are kept as asked, tables and norms in float32.
    pub fn weight_bytes(config: &EncoderConfig, storage: Storage, packed: bool) -> u64 {
        let linears = config.num_hidden_layers as u64 * Self::linear_numbers(config);
        let rest = config.parameters().saturating_sub(linears);
        storage.bytes(linears, packed) + 4 * rest
    }

    /// Numbers in the weights of one layer's linear layers.
    pub fn linear_numbers(config: &EncoderConfig) -> u64 {
        let [h, wide] = [config.hidden_size, config.intermediate_size].map(|n| n as u64);
        match config.architecture {
            Architecture::Bert(_) => 4 * h * h + 2 * h * wide,
            Architecture::Modernbert(_) => 4 * h * h + 3 * h * wide,
        }
    }

    /// Bytes that one layer keeps of a training batch for its backward pass: the tensors that its forward pass makes and that a gradient
    /// reads, each in float32.
    pub fn layer_bytes(
        config: &EncoderConfig,
        batch: usize,
        tokens: usize,
        kind: EngineKind,
    ) -> u64 {
        let [hidden, wide, scores] = match config.architecture {
            Architecture::Bert(_) => Bert::kept_vectors(kind),
            Architecture::Modernbert(_) => Modernbert::kept_vectors(kind),
        };
        let [b, t] = [batch, tokens].map(|n| n as u64);
        let vectors = hidden * config.hidden_size as u64 + wide * config.intermediate_size as u64;
        4 * (b * t * vectors + scores * b * config.num_attention_heads as u64 * t * t)
    }

    /// Bytes of the gradients that stand beside it while a layer's backward pass goes on: those of the scores and of the wide vectors.
    pub fn passing_bytes(config: &EncoderConfig, batch: usize, tokens: usize) -> u64 {
        let [b, t] = [batch, tokens].map(|n| n as u64);
        let scores = b * config.num_attention_heads as u64 * t * t;
        4 * (scores + b * t * config.intermediate_size as u64)
    }
}
