//! A network as a stack of layers that can be run one at a time: what gradient checkpointing and a frozen lower part need of every family.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::backbone::Backbone;
use super::causal_lm::CausalLm;
use super::classifier::Classifier;
use super::decoder::{self, Context, Layout};
use super::modernbert::{self, Shared};
use super::network::Network;
use super::{bert, decoder::Decoder};
use crate::layers::padding_bias;

/// One transformer layer of any family. Cloning it shares the weights.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one or two are alive at a time, and a box is no burn module"
)]
pub enum StackLayer {
    Bert(bert::Layer),
    Modernbert(modernbert::Layer),
    Decoder(decoder::Layer),
}

/// What all layers share in one forward pass: masks and positions.
#[derive(Debug, Clone)]
pub enum StackContext {
    /// Added to the scores, `[batch, 1, 1, tokens]`.
    Bert(Box<Tensor<4>>),
    Modernbert(Box<Shared>),
    Decoder(Box<Context>),
}

/// A network whose layers can be run one at a time.
pub trait Stack: Network {
    /// Where its weights are.
    fn device(&self) -> Device;

    /// The path of a layer's parameters, up to what [`StackLayer`] names.
    fn layer_path(&self, index: usize) -> String;

    /// A layer by its number; its weights are shared.
    fn layer(&self, index: usize) -> StackLayer;

    /// Runs `layer` in place of layer `index`. `x`: `[batch, tokens, hidden]`; returns the same.
    fn run_layer(
        &self,
        layer: &StackLayer,
        index: usize,
        x: Tensor<3>,
        context: &StackContext,
    ) -> Tensor<3>;
}

impl Backbone {
    /// What the layers share for texts of this shape. `mask`: 1 for tokens, 0 for padding, `[batch, tokens]`.
    pub fn context(&self, mask: Tensor<2>) -> StackContext {
        match self {
            Self::Bert(_) => StackContext::Bert(Box::new(padding_bias(mask))),
            Self::Modernbert(modernbert) => {
                StackContext::Modernbert(Box::new(modernbert.shared(mask)))
            }
            Self::Decoder(decoder) => {
                let [rows, width] = mask.dims();
                let layout = Layout::plain(rows, width);
                StackContext::Decoder(Box::new(decoder.context(&layout)))
            }
        }
    }

    /// What the head reads of the last layer's output: the same, normalized by the families that have a norm there.
    pub fn last_norm(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Bert(_) => x,
            Self::Modernbert(modernbert) => modernbert.final_norm.forward(x),
            Self::Decoder(decoder) => decoder.norm.forward(x),
        }
    }

    fn layer(&self, index: usize) -> StackLayer {
        match self {
            Self::Bert(bert) => StackLayer::Bert(bert.encoder.layer[index].clone()),
            Self::Modernbert(modernbert) => {
                StackLayer::Modernbert(modernbert.layers[index].clone())
            }
            Self::Decoder(decoder) => StackLayer::Decoder(decoder.layers[index].clone()),
        }
    }

    fn layer_path(&self, index: usize) -> String {
        match self {
            Self::Bert(_) => format!("encoder.Bert.encoder.layer.{index}"),
            Self::Modernbert(_) => format!("encoder.Modernbert.layers.{index}"),
            Self::Decoder(_) => format!("encoder.Decoder.layers.{index}"),
        }
    }
}

/// Runs a layer; a layer and a context of different families leave `x` as it is, which [`Stack::layer`] never gives.
fn run(
    decoder: Option<&Decoder>,
    layer: &StackLayer,
    index: usize,
    x: Tensor<3>,
    context: &StackContext,
) -> Tensor<3> {
    match (layer, context, decoder) {
        (StackLayer::Bert(layer), StackContext::Bert(bias), _) => layer.forward(x, *bias.clone()),
        (StackLayer::Modernbert(layer), StackContext::Modernbert(shared), _) => {
            layer.forward(x, shared.of(layer))
        }
        (StackLayer::Decoder(layer), StackContext::Decoder(context), Some(decoder)) => {
            decoder.pass(layer, index, x, context, None)
        }
        _ => x,
    }
}

impl Stack for Classifier {
    fn device(&self) -> Device {
        self.encoder.device()
    }

    fn layer_path(&self, index: usize) -> String {
        self.encoder.layer_path(index)
    }

    fn layer(&self, index: usize) -> StackLayer {
        self.encoder.layer(index)
    }

    fn run_layer(
        &self,
        layer: &StackLayer,
        index: usize,
        x: Tensor<3>,
        context: &StackContext,
    ) -> Tensor<3> {
        let decoder = match &self.encoder {
            Backbone::Decoder(decoder) => Some(decoder),
            _ => None,
        };
        run(decoder, layer, index, x, context)
    }
}

impl Stack for CausalLm {
    fn device(&self) -> Device {
        self.model.device()
    }

    fn layer_path(&self, index: usize) -> String {
        format!("model.layers.{index}")
    }

    fn layer(&self, index: usize) -> StackLayer {
        StackLayer::Decoder(self.model.layers[index].clone())
    }

    fn run_layer(
        &self,
        layer: &StackLayer,
        index: usize,
        x: Tensor<3>,
        context: &StackContext,
    ) -> Tensor<3> {
        run(Some(&self.model), layer, index, x, context)
    }
}
