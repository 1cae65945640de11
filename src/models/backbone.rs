//! The network below a classifier, whichever family it belongs to: token ids, types and mask in, one vector per token out.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::backbone_config::{Architecture, BackboneConfig};
use super::batch::TokenBatch;
use super::bert::Bert;
use super::decoder::Decoder;
use super::family::Family;
use super::load::Loader;
use super::modernbert::Modernbert;
use crate::Result;
use crate::formats::Source;
use crate::layers::{Linear, last_token};

/// A stack of transformer layers: an encoder's see a text in both directions, a decoder's what comes before each token.
#[derive(Module, Debug)]
pub enum Backbone {
    /// BERT, RoBERTa or DistilBERT.
    Bert(Bert),
    Modernbert(Modernbert),
    /// A language model without its head.
    Decoder(Decoder),
}

impl Backbone {
    /// Reads the encoder, one tensor at a time, and what a `cls` head has below its last layer: BERT's pooler if there is one, or
    /// the head's hidden layer, which starts fresh if there is none.
    ///
    /// # Errors
    /// Missing tensors, wrong shapes or types, values that are not finite, failed reads.
    pub async fn load<S: Source>(config: &BackboneConfig, loader: &Loader<'_, S>) -> Result<Self> {
        match &config.architecture {
            Architecture::Bert(settings) => {
                Bert::load(config, settings, loader).await.map(Self::Bert)
            }
            Architecture::Modernbert(settings) => Modernbert::load(config, settings, loader)
                .await
                .map(Self::Modernbert),
            Architecture::Decoder(settings) => {
                Decoder::load(settings, loader).await.map(Self::Decoder)
            }
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
            Self::Decoder(decoder) => decoder.lower(depth, batch),
        }
    }

    /// The layers from `depth` on. `x`: what [`Self::lower`] gave, `mask`: `[batch, tokens]`. Returns the last layer's vectors,
    /// `[batch, tokens, hidden]`.
    pub fn upper(&self, depth: usize, x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
        match self {
            Self::Bert(bert) => bert.upper(depth, x, mask),
            Self::Modernbert(modernbert) => modernbert.upper(depth, x, mask),
            Self::Decoder(decoder) => decoder.upper(depth, x),
        }
    }

    /// Some of the layers alone. `x`: what enters the first of them, `mask`: `[batch, tokens]`. Returns what enters the layer after them,
    /// `[batch, tokens, hidden]`.
    pub fn layers(&self, layers: Range<usize>, x: Tensor<3>, mask: Tensor<2>) -> Tensor<3> {
        match self {
            Self::Bert(bert) => bert.run(layers, x, mask),
            Self::Modernbert(modernbert) => modernbert.run(layers, x, mask),
            Self::Decoder(decoder) => decoder.run(layers, x),
        }
    }

    /// What a `cls` head's last layer reads. `hidden`: `[batch, tokens, hidden]`, `mask`: `[batch, tokens]`. Returns `[batch, hidden]`.
    pub fn pooled(&self, hidden: Tensor<3>, mask: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Bert(bert) => bert.pooled(hidden),
            Self::Modernbert(modernbert) => modernbert.pooled(hidden, mask),
            Self::Decoder(_) => last_token(hidden, mask),
        }
    }

    /// Whose names it has in files.
    pub fn family(&self) -> Family {
        match self {
            Self::Bert(bert) => bert.family,
            Self::Modernbert(_) => Family::Modernbert,
            Self::Decoder(decoder) => Family::Decoder(decoder.config.family),
        }
    }

    /// Whether every method trains what lies below a `cls` head's last layer.
    pub fn trains_pooler(&self) -> bool {
        match self {
            Self::Bert(bert) => bert.pooler.as_ref().is_some_and(|pooler| pooler.trains),
            Self::Modernbert(modernbert) => {
                modernbert.pooler.as_ref().is_some_and(|head| head.trains)
            }
            Self::Decoder(_) => false,
        }
    }

    /// Trains the head's hidden layer where PEFT would with these `modules_to_save`, and else keeps it frozen.
    pub fn match_modules_to_save(&mut self, modules: &[String]) {
        let hidden = match self.family() {
            Family::Bert => "pooler.dense",
            family => match family.hidden_layer() {
                Some(hidden) => hidden,
                None => return,
            },
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
            Self::Decoder(_) => {}
        }
    }

    /// Leaves out the hidden layer of the family's own head, which no other head reads. BERT's pooler belongs to the encoder and stays,
    /// unless it is fresh.
    pub fn drop_hidden_layer(&mut self) {
        match self {
            Self::Bert(bert)
                if bert.pooler.as_ref().is_some_and(|pooler| pooler.trains)
                    || bert.family.hidden_layer().is_some() =>
            {
                bert.pooler = None;
            }
            Self::Bert(_) => {}
            Self::Modernbert(modernbert) => modernbert.pooler = None,
            Self::Decoder(_) => {}
        }
    }

    /// Where its weights are.
    pub fn device(&self) -> Device {
        match self {
            Self::Bert(bert) => bert.embeddings.word_embeddings.weight.val().device(),
            Self::Modernbert(modernbert) => {
                modernbert.embeddings.tok_embeddings.weight.val().device()
            }
            Self::Decoder(decoder) => decoder.device(),
        }
    }

    /// Width of every position's vector.
    pub fn hidden_size(&self) -> usize {
        match self {
            Self::Bert(bert) => bert.embeddings.word_embeddings.weight.val().dims()[1],
            Self::Modernbert(modernbert) => {
                modernbert.embeddings.tok_embeddings.weight.val().dims()[1]
            }
            Self::Decoder(decoder) => decoder.config.hidden_size,
        }
    }

    /// Width of all keys of a token together.
    pub fn key_width(&self) -> usize {
        match self {
            Self::Decoder(decoder) => decoder.config.num_key_value_heads * decoder.config.head_dim,
            _ => self.hidden_size(),
        }
    }

    /// Transformer layers.
    pub fn num_layers(&self) -> usize {
        match self {
            Self::Bert(bert) => bert.encoder.layer.len(),
            Self::Modernbert(modernbert) => modernbert.layers.len(),
            Self::Decoder(decoder) => decoder.layers.len(),
        }
    }

    /// Sets the dropout of hidden states and attention weights, which a decoder's layers do not have.
    pub fn set_dropout(&mut self, p: f64) {
        match self {
            Self::Bert(bert) => bert.set_dropout(p),
            Self::Modernbert(modernbert) => modernbert.set_dropout(p),
            // a plan refuses it
            Self::Decoder(_) => {}
        }
    }

    /// Its tables by the checkpoint's names, the family's prefix left out.
    pub fn tables(&self) -> &'static [&'static str] {
        match self {
            Self::Bert(_) => &[
                "embeddings.word_embeddings",
                "embeddings.position_embeddings",
                "embeddings.token_type_embeddings",
            ],
            Self::Modernbert(_) => &["embeddings.tok_embeddings"],
            Self::Decoder(decoder) => decoder.tables(),
        }
    }

    /// Every linear layer with its checkpoint name, the family's prefix left out; BERT's pooler among them, a head's own layers not.
    pub fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        match self {
            Self::Bert(bert) => bert.linears_mut(),
            Self::Modernbert(modernbert) => modernbert.linears_mut(),
            Self::Decoder(decoder) => decoder.linears_mut(),
        }
    }
}
