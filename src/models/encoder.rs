//! Enters: token ids, types and mask. Leaves: one vector per token, whichever family the encoder belongs to.

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
use crate::layers::Linear;

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

    /// Bytes that one training batch keeps for its backward pass, and a little more: counted from the tensors that a layer's forward
    /// makes, each as float32. An upper estimate, because layers below the first trained one keep nothing.
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
        let [hidden, wide] = match config.architecture {
            Architecture::Bert(_) => Bert::kept_vectors(kind),
            Architecture::Modernbert(_) => Modernbert::kept_vectors(kind),
        };
        let layer = b * t * (hidden * h + wide * i) + 4 * b * heads * t * t;
        // the backward pass holds one layer's gradients beside the kept activations
        4 * layer * (config.num_hidden_layers as u64 + 1)
    }
}
