//! Enters: the encoder's vectors. Leaves: one logit per label.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::bert::{Bert, TokenBatch};
use super::load::frozen;
use crate::layers::Linear;

/// Which head classifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadKind {
    /// Pooler and tanh over `[CLS]`, then a linear layer: Hugging Face's `BertForSequenceClassification`.
    Cls,
    /// Masked mean over the tokens, L2 normalisation, then a linear layer: for sentence-transformers models.
    Mean,
}

/// The trained top, by the names of the files it is stored in.
#[derive(Module, Debug)]
pub enum Head {
    /// `classifier`, over the pooler's output.
    Cls(ClsHead),
    /// `linear`, over the normalised mean.
    Mean(MeanHead),
}

/// Hugging Face's `classifier`.
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

/// An encoder with a head: text in, logits out.
#[derive(Module, Debug)]
pub struct Classifier {
    pub bert: Bert,
    pub head: Head,
}

impl Classifier {
    /// What the head's linear layer reads: `[batch, hidden]`.
    pub fn features(&self, batch: &TokenBatch) -> Tensor<2> {
        features(&self.bert, self.head.kind(), batch)
    }

    /// Returns logits, `[batch, labels]`.
    pub fn forward(&self, batch: &TokenBatch) -> Tensor<2> {
        self.head.linear().forward(self.features(batch))
    }
}

/// The vector of each text that a head of that kind classifies, `[batch, hidden]`.
pub fn features(bert: &Bert, kind: HeadKind, batch: &TokenBatch) -> Tensor<2> {
    let hidden = bert.forward(batch); // [batch, tokens, hidden]
    match (kind, &bert.pooler) {
        (HeadKind::Cls, Some(pooler)) => {
            let first = hidden.narrow(1, 0, 1).squeeze_dim::<2>(1); // [batch, hidden]
            pooler.dense.forward(first).tanh()
        }
        // a cls head is only built beside a pooler
        (HeadKind::Cls, None) => hidden.narrow(1, 0, 1).squeeze_dim::<2>(1),
        (HeadKind::Mean, _) => normalize(masked_mean(hidden, batch.mask.clone())),
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
