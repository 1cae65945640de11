//! The layer between a text's first token and a `cls` head's last layer.

use burn::module::Module;
use burn::tensor::Tensor;

use super::backbone_config::BackboneConfig;
use super::family::Family;
use super::load::Loader;
use super::names::backbone_name;
use crate::Result;
use crate::formats::Source;
use crate::layers::{Activation, Dropout, Linear};

/// One layer and its non-linearity: BERT's pooler, or the hidden layer of RoBERTa's and DistilBERT's heads.
#[derive(Module, Debug)]
pub struct Pooler {
    pub dense: Linear,
    #[module(skip)]
    pub activation: Activation,
    /// Of its input.
    pub dropout: Dropout,
    /// Whether every method trains it, because it belongs to the head that PEFT saves whole. BERT's belongs to the encoder, unless it is fresh.
    pub trains: bool,
}

impl Pooler {
    /// `[batch, hidden]` to the same.
    pub fn forward(&self, first: Tensor<2>) -> Tensor<2> {
        let dense = self.dense.forward(self.dropout.forward(first));
        self.activation.forward(dense)
    }

    /// Reads it. One that the checkpoint lacks starts as transformers starts it, normal with `initializer_range` and biases zero: a model that was
    /// never a classifier has none of RoBERTa's or DistilBERT's, and BERT's own is missing after masked language modelling.
    ///
    /// # Errors
    /// As [`super::Backbone::load`].
    pub async fn load<S: Source>(config: &BackboneConfig, loader: &Loader<'_, S>) -> Result<Self> {
        let hidden = config.hidden_size;
        let name = backbone_name("pooler.dense", config.family);
        let stored = loader.has(&format!("{name}.weight"));
        let dense = if stored {
            loader.in_float().linear(&name, hidden, hidden).await?
        } else {
            loader.fresh_linear(&name, [hidden, hidden], config.initializer_range, true)
        };
        Ok(Self {
            dense,
            activation: match config.family {
                Family::Distilbert => Activation::Relu,
                _ => Activation::Tanh,
            },
            dropout: Dropout::off(),
            // a fresh one of BERT is in no file but those that are saved here
            trains: config.family.saves_hidden_layer()
                || (config.family == Family::Bert && !stored),
        })
    }
}
