//! Enters: the encoder's vectors. Leaves: one logit per label.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::backbone::Backbone;
use super::bert::TokenBatch;
use super::load::frozen;
use super::names;
use super::network::{Network, Place};
use crate::layers::{Dropout, Linear};

/// Which head classifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum HeadKind {
    /// The family's own head, Hugging Face's `BertForSequenceClassification` and its like: a hidden layer over the first token
    /// (ModernBERT: or over the mean), then a linear layer; of a decoder a linear layer without bias over the last token.
    Cls,
    /// Masked mean over the tokens, L2 normalisation, then a linear layer: for sentence-transformers models.
    Mean,
}

impl HeadKind {
    /// PEFT's task type of an adapter under such a head.
    pub fn task_type(self) -> &'static str {
        match self {
            Self::Cls => "SEQ_CLS",
            Self::Mean => "FEATURE_EXTRACTION",
        }
    }

    /// The head that an adapter of that task type belongs to; otherwise what was expected.
    pub fn from_task_type(word: Option<&str>) -> Result<Self, String> {
        match word {
            Some("SEQ_CLS") => Ok(Self::Cls),
            Some("FEATURE_EXTRACTION") => Ok(Self::Mean),
            other => Err(format!(
                "task_type is {}, expected SEQ_CLS or FEATURE_EXTRACTION",
                other.unwrap_or("missing")
            )),
        }
    }
}

/// The trained top, by the names of the files it is stored in.
#[derive(Module, Debug)]
pub enum Head {
    /// `classifier`, over the pooler's output.
    Cls(ClsHead),
    /// `linear`, over the normalised mean.
    Mean(MeanHead),
}

/// Hugging Face's `classifier`, RoBERTa's `classifier.out_proj`, a decoder's `score`.
#[derive(Module, Debug)]
pub struct ClsHead {
    pub classifier: Linear,
}

/// Sentence-Transformers' Dense module.
#[derive(Module, Debug)]
pub struct MeanHead {
    pub linear: Linear,
}

/// A head's numbers as files hold them: `weight` is `[labels, hidden]` in row order, `bias` `[labels]`.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadWeights {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

impl HeadWeights {
    /// A head that has not learnt anything.
    pub fn zeros(labels: usize, hidden: usize) -> Self {
        Self {
            weight: vec![0.0; labels * hidden],
            bias: vec![0.0; labels],
        }
    }

    /// Number of labels.
    pub fn labels(&self) -> usize {
        self.bias.len()
    }

    /// Width of the features it reads.
    pub fn hidden(&self) -> usize {
        self.weight.len() / self.bias.len().max(1)
    }
}

impl Head {
    /// A frozen head with these numbers.
    pub fn new(kind: HeadKind, weights: &HeadWeights, device: &Device) -> Self {
        let [labels, hidden] = [weights.labels(), weights.hidden()];
        let stored = Tensor::<2>::from_data(
            TensorData::new(weights.weight.clone(), [labels, hidden]),
            device,
        );
        let bias = Tensor::<1>::from_data(TensorData::new(weights.bias.clone(), [labels]), device);
        // transpose alone is a view; the copy keeps later products on contiguous memory
        let weight = stored.transpose() + 0.0;
        let linear = Linear::new(frozen(weight), Some(frozen(bias)));
        match kind {
            HeadKind::Cls => Self::Cls(ClsHead { classifier: linear }),
            HeadKind::Mean => Self::Mean(MeanHead { linear }),
        }
    }

    /// Which of the two it is.
    pub fn kind(&self) -> HeadKind {
        match self {
            Self::Cls(_) => HeadKind::Cls,
            Self::Mean(_) => HeadKind::Mean,
        }
    }

    /// Its one linear layer.
    pub fn linear(&self) -> &Linear {
        match self {
            Self::Cls(head) => &head.classifier,
            Self::Mean(head) => &head.linear,
        }
    }
}

/// What a classifier starts from: a batch of texts at some depth of the network.
#[derive(Debug, Clone)]
pub enum Inputs {
    /// Token ids.
    Tokens(TokenBatch),
    /// What enters a layer, computed before.
    States(States),
    /// What the head reads, computed before: `[batch, hidden]`.
    Features(Tensor<2>),
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

/// An encoder with a head: text in, logits out.
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
            Inputs::States(States { x, mask, depth }) => {
                let hidden = self.encoder.upper(*depth, x.clone(), mask.clone());
                head_input(&self.encoder, kind, hidden, mask.clone())
            }
            Inputs::Features(features) => features.clone(),
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

    /// What PEFT saves whole beside an adapter: its own two words for a classifier, and the head's hidden layer where that trains and
    /// is no part of them.
    pub fn modules_to_save(&self) -> Option<Vec<&'static str>> {
        let hidden = self.encoder.family().hidden_layer();
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

/// The head without its bias where the family's own has none; what is fitted for such a head has zeros there.
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
        // PEFT wraps the bare encoder where a `mean` head reads it
        let prefix = match self.head.kind() {
            HeadKind::Cls => self.encoder.family().prefix(),
            HeadKind::Mean => "",
        };
        let linears = self.encoder.linears_mut().into_iter();
        linears
            .map(|(bare, linear)| (format!("{prefix}{bare}"), linear))
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

/// Mean of the unmasked tokens: `[batch, tokens, hidden]` and `[batch, tokens]` to `[batch, hidden]`.
pub fn masked_mean(hidden: Tensor<3>, mask: Tensor<2>) -> Tensor<2> {
    let mask = mask.unsqueeze_dim::<3>(2); // [batch, tokens, 1]
    let count = mask.clone().sum_dim(1).squeeze_dim::<2>(1); // [batch, 1]
    let sum = (hidden * mask).sum_dim(1).squeeze_dim::<2>(1); // [batch, hidden]
    sum / count.clamp_min(1e-9)
}

/// Divides each row by its L2 norm, at least 1e-12 as in `torch.nn.functional.normalize`.
pub fn normalize(x: Tensor<2>) -> Tensor<2> {
    let norm = x.clone().square().sum_dim(1).sqrt(); // [batch, 1]
    x / norm.clamp_min(1e-12)
}
