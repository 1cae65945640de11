//! The top of a classifier: which head it is, and its linear layer.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::load::frozen;
use crate::layers::Linear;

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
