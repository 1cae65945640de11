//! Enters: token ids, types and mask. Leaves: one vector per token, whichever family the encoder belongs to.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::bert::{Bert, TokenBatch};
use super::config::EncoderConfig;
use super::load::Loader;
use crate::Result;
use crate::device::EngineKind;
use crate::formats::Source;
use crate::layers::Linear;

/// A stack of transformer layers that see a whole text at once.
#[derive(Module, Debug)]
pub enum Encoder {
    /// BERT.
    Bert(Bert),
}

impl Encoder {
    /// Reads the encoder, one tensor at a time, and the pooler where there is one.
    ///
    /// # Errors
    /// Missing tensors, wrong shapes or types, values that are not finite, failed reads.
    pub async fn load<S: Source>(config: &EncoderConfig, loader: &Loader<'_, S>) -> Result<Self> {
        Bert::load(config, loader).await.map(Self::Bert)
    }

    /// Returns the last layer's vectors, `[batch, tokens, hidden]`.
    pub fn forward(&self, batch: &TokenBatch) -> Tensor<3> {
        self.upper(0, self.lower(0, batch), batch.mask.clone())
    }

    /// What enters layer `depth`: the embeddings, passed through the layers below it. `[batch, tokens, hidden]`.
    pub fn lower(&self, depth: usize, batch: &TokenBatch) -> Tensor<3> {
        match self {
            Self::Bert(bert) => bert.lower(depth, batch),
        }
    }

    /// The layers from `depth` on. `x`: what [`Self::lower`] gave, `mask`: `[batch, tokens]`. Returns the last layer's vectors,
    /// `[batch, tokens, hidden]`.
    pub fn upper(&self, depth: usize, x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
        match self {
            Self::Bert(bert) => bert.upper(depth, x, mask),
        }
    }

    /// What a `cls` head's last layer reads. `hidden`: `[batch, tokens, hidden]`, `mask`: `[batch, tokens]`. Returns `[batch, hidden]`.
    pub fn pooled(&self, hidden: Tensor<3>, _mask: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Bert(bert) => bert.pooled(hidden),
        }
    }

    /// Whether a `cls` head can be put on it.
    pub fn has_pooler(&self) -> bool {
        match self {
            Self::Bert(bert) => bert.pooler.is_some(),
        }
    }

    /// Where its weights are.
    pub fn device(&self) -> Device {
        match self {
            Self::Bert(bert) => bert.embeddings.word_embeddings.weight.val().device(),
        }
    }

    /// Transformer layers.
    pub fn num_layers(&self) -> usize {
        match self {
            Self::Bert(bert) => bert.encoder.layer.len(),
        }
    }

    /// Width of every position's vector.
    pub fn hidden_size(&self) -> usize {
        match self {
            Self::Bert(bert) => bert.embeddings.word_embeddings.weight.val().dims()[1],
        }
    }

    /// Sets the dropout of hidden states and attention weights.
    pub fn set_dropout(&mut self, p: f64) {
        match self {
            Self::Bert(bert) => bert.set_dropout(p),
        }
    }

    /// Every linear layer with its checkpoint name, the family's prefix left out.
    pub fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        match self {
            Self::Bert(bert) => bert.linears_mut(),
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
        Bert::activation_bytes(config, batch, tokens, kind)
    }
}
