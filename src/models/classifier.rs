//! A backbone with a head: texts in, one logit per label out.

use burn::module::Module;
use burn::tensor::Tensor;

use super::backbone::Backbone;
use super::batch::TokenBatch;
use super::family::Family;
use super::names;
use super::network::{Network, Place};
use crate::layers::{Dropout, Linear, masked_mean, normalize};

pub use super::head::{Head, HeadKind, HeadWeights};

/// What a classifier starts from: a batch of texts at some depth of the network.
#[derive(Debug, Clone)]
pub enum Inputs {
    /// Token ids.
    Tokens(Box<TokenBatch>),
    /// What enters a layer, computed before.
    States(Box<States>),
    /// What the head reads, computed before: `[batch, hidden]`.
    Features(Box<Tensor<2>>),
}

/// The output of the layers below `depth`.
#[derive(Debug, Clone)]
pub struct States {
    /// `[batch, tokens, hidden]`
    pub x: Tensor<3>,
    /// 1 for tokens, 0 for padding; `[batch, tokens]`
    pub mask: Tensor<2>,
    /// The layer that `x` enters.
    pub depth: usize,
}

/// An encoder with a head.
#[derive(Module, Debug)]
pub struct Classifier {
    pub encoder: Backbone,
    pub head: Head,
    /// Of the head's input.
    pub dropout: Dropout,
}

impl Classifier {
    /// Without dropout. A `mean` head leaves no part of another head on the encoder.
    pub fn new(mut encoder: Backbone, head: Head) -> Self {
        if head.kind() == HeadKind::Mean {
            encoder.drop_hidden_layer();
        }
        Self {
            head: of_family(head, &encoder),
            encoder,
            dropout: Dropout::off(),
        }
    }

    /// Puts another head of the same kind on it.
    pub fn set_head(&mut self, head: Head) {
        self.head = of_family(head, &self.encoder);
    }

    /// Whether a head of that kind on that encoder has a bias.
    pub fn has_bias(encoder: &Backbone, kind: HeadKind) -> bool {
        kind == HeadKind::Mean || encoder.family().head_bias()
    }

    /// What the head's linear layer reads: `[batch, hidden]`.
    pub fn features(&self, inputs: &Inputs) -> Tensor<2> {
        let kind = self.head.kind();
        match inputs {
            Inputs::Tokens(batch) => features(&self.encoder, kind, batch),
            Inputs::States(states) => {
                let States { x, mask, depth } = &**states;
                let hidden = self.encoder.upper(*depth, x.clone(), mask.clone());
                head_input(&self.encoder, kind, hidden, mask.clone())
            }
            Inputs::Features(features) => (**features).clone(),
        }
    }

    /// Returns logits, `[batch, labels]`.
    pub fn forward(&self, inputs: &Inputs) -> Tensor<2> {
        self.logits(self.features(inputs))
    }

    /// The same from what the head reads, `[batch, hidden]`.
    pub fn logits(&self, features: Tensor<2>) -> Tensor<2> {
        self.head.linear().forward(self.dropout.forward(features))
    }

    /// What comes before the encoder's names: PEFT wraps the bare encoder if a `mean` head reads it.
    fn prefix(&self) -> &'static str {
        match self.head.kind() {
            HeadKind::Cls => self.encoder.family().prefix(),
            HeadKind::Mean => "",
        }
    }

    /// What PEFT saves whole next to an adapter: its own two words for a classifier, and the head's hidden layer if that trains and
    /// is no part of them.
    pub fn modules_to_save(&self) -> Option<Vec<&'static str>> {
        let hidden = match self.encoder.family() {
            Family::Bert => Some("pooler"),
            family => family.hidden_layer(),
        };
        let hidden =
            hidden.filter(|name| self.encoder.trains_pooler() && !name.starts_with("classifier."));
        match self.head.kind() {
            HeadKind::Cls => Some(
                ["classifier"]
                    .into_iter()
                    .chain(hidden)
                    .chain(["score"])
                    .collect(),
            ),
            HeadKind::Mean => None,
        }
    }

    /// Sets all of the network's dropout, the head's input included.
    pub fn set_dropout(&mut self, p: f64) {
        self.encoder.set_dropout(p);
        self.dropout = Dropout::new(p);
    }
}

/// The head without its bias if the family's own has none; what is fitted for such a head has zeros there.
fn of_family(mut head: Head, encoder: &Backbone) -> Head {
    if let Head::Cls(cls) = &mut head
        && !encoder.family().head_bias()
    {
        cls.classifier.bias = None;
    }
    head
}

impl Network for Classifier {
    fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        let prefix = self.prefix();
        let linears = self.encoder.linears_mut().into_iter();
        linears
            .map(|(bare, linear)| (format!("{prefix}{bare}"), linear))
            .collect()
    }

    fn tables(&self) -> Vec<String> {
        let names = self.encoder.tables().iter();
        names
            .map(|name| format!("{}{name}", self.prefix()))
            .collect()
    }

    fn num_layers(&self) -> usize {
        self.encoder.num_layers()
    }

    fn module_name(&self, path: &str) -> String {
        names::module_name(path, self.encoder.family(), self.head.kind())
    }

    fn reads(&self, path: &str) -> bool {
        self.head.kind() == HeadKind::Cls || !names::is_pooler(path)
    }

    fn is_head(&self, path: &str) -> bool {
        let hidden = self.head.kind() == HeadKind::Cls && self.encoder.trains_pooler();
        names::is_head(path) || (hidden && names::is_pooler(path))
    }

    fn place(&self, path: &str) -> Place {
        names::place(path, self.num_layers())
    }

    fn default_targets(&self) -> &'static [&'static str] {
        self.encoder.family().default_targets()
    }
}

/// The vector of each text that a head of that kind classifies, `[batch, hidden]`.
pub fn features(encoder: &Backbone, kind: HeadKind, batch: &TokenBatch) -> Tensor<2> {
    head_input(encoder, kind, encoder.forward(batch), batch.mask.clone())
}

/// The same of the encoder's vectors. `hidden`: `[batch, tokens, hidden]`, `mask`: `[batch, tokens]`.
pub fn head_input(
    encoder: &Backbone,
    kind: HeadKind,
    hidden: Tensor<3>,
    mask: Tensor<2>,
) -> Tensor<2> {
    match kind {
        HeadKind::Cls => encoder.pooled(hidden, mask),
        HeadKind::Mean => normalize(masked_mean(hidden, mask)),
    }
}
