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
    /// Whether every method trains it, because it belongs to the head that PEFT saves whole. BERT's belongs to the encoder.
    pub trains: bool,
}

impl Pooler {
    /// `[batch, hidden]` to the same.
    pub fn forward(&self, first: Tensor<2>) -> Tensor<2> {
        let dense = self.dense.forward(self.dropout.forward(first));
        self.activation.forward(dense)
    }

    /// Reads it. BERT's may be missing, and no `cls` head is possible then. A model that was never a classifier lacks the others', which
    /// then start as transformers starts them: normal with `initializer_range`, biases zero.
    ///
    /// # Errors
    /// As [`super::Backbone::load`].
    pub async fn load<S: Source>(
        config: &BackboneConfig,
        loader: &Loader<'_, S>,
    ) -> Result<Option<Self>> {
        let hidden = config.hidden_size;
        let name = backbone_name("pooler.dense", config.family);
        let stored = loader.has(&format!("{name}.weight"));
        let dense = match (stored, config.family) {
            (true, _) => loader.in_float().linear(&name, hidden, hidden).await?,
            (false, Family::Bert) => return Ok(None),
            (false, _) => {
                loader.fresh_linear(&name, [hidden, hidden], config.initializer_range, true)
            }
        };
        Ok(Some(Self {
            dense,
            activation: match config.family {
                Family::Distilbert => Activation::Relu,
                _ => Activation::Tanh,
            },
            dropout: Dropout::off(),
            trains: config.family.saves_hidden_layer(),
        }))
    }
}
