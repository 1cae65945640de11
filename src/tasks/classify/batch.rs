//! A classifier's batch on the device, with what it teaches: labels, or which texts belong together.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::contrast::Pairs;
use crate::data::Truth;
use crate::models::classifier::head_input;
use crate::models::{Classifier, Inputs, StackContext};
use crate::peft::freeze::take_gradients;
use crate::train::gradients::{Batch, Entry, Sums};
use crate::train::loss::{binary_cross_entropy_sum, cross_entropy_sum};

/// What a batch teaches. Boxed, because a burn tensor is some hundred bytes large.
#[derive(Debug, Clone)]
pub enum Target {
    /// The label of each row, `[batch]`.
    Labels(Box<Tensor<1, Int>>),
    /// 1 for each label of a row, else 0, `[batch, labels]`.
    Several(Box<Tensor<2>>),
    /// Which rows belong together.
    Pairs(Box<Pairs>),
}

/// A batch with its target, on the device.
#[derive(Debug, Clone)]
pub struct TrainBatch {
    pub inputs: Inputs,
    pub target: Target,
    /// Rows that the loss is a sum over.
    pub rows: usize,
}

impl TrainBatch {
    /// Sum of the rows' losses, `[1]`.
    pub fn loss_sum(&self, classifier: &Classifier) -> Tensor<1> {
        self.loss_of(classifier, classifier.features(&self.inputs))
    }

    /// The same of what the head reads, `[batch, hidden]`.
    fn loss_of(&self, classifier: &Classifier, features: Tensor<2>) -> Tensor<1> {
        match &self.target {
            Target::Labels(labels) => {
                cross_entropy_sum(classifier.logits(features), *labels.clone())
            }
            Target::Several(targets) => {
                binary_cross_entropy_sum(classifier.logits(features), *targets.clone())
            }
            Target::Pairs(pairs) => pairs.loss_sum(features),
        }
    }

    fn mask(&self) -> Option<&Tensor<2>> {
        match &self.inputs {
            Inputs::Tokens(tokens) => Some(&tokens.mask),
            Inputs::States(states) => Some(&states.mask),
            Inputs::Features(_) => None,
        }
    }

    /// What the head reads. `x`: the last layer's output, `[batch, tokens, hidden]`; returns `[batch, hidden]`.
    fn features(&self, classifier: &Classifier, x: Option<Tensor<3>>) -> Tensor<2> {
        match (x, self.mask()) {
            (Some(x), Some(mask)) => {
                let hidden = classifier.encoder.last_norm(x);
                let kind = classifier.head.kind();
                head_input(&classifier.encoder, kind, hidden, mask.clone())
            }
            _ => classifier.features(&self.inputs),
        }
    }
}

/// Puts labels on the device, `[rows]`.
pub fn upload_labels(labels: &[usize], device: &Device) -> Tensor<1, Int> {
    let labels = labels.iter().map(|label| *label as i32).collect::<Vec<_>>();
    let rows = labels.len();
    Tensor::from_data(TensorData::new(labels, [rows]), device)
}

impl Target {
    /// The labels of these rows, of `labels` in all.
    pub fn of(truth: &Truth, labels: usize, device: &Device) -> Self {
        match truth {
            Truth::One(ids) => Self::Labels(Box::new(upload_labels(ids, device))),
            Truth::Several(rows) => {
                let values = TensorData::new(truth.indicators(labels), [rows.len(), labels]);
                Self::Several(Box::new(Tensor::from_data(values, device)))
            }
        }
    }
}

impl Batch for TrainBatch {
    type Network = Classifier;

    fn count(&self) -> usize {
        self.rows
    }

    fn entry(&self) -> Entry {
        match &self.inputs {
            Inputs::Tokens(_) => Entry::Embeddings,
            Inputs::States(states) => Entry::Layer(states.depth),
            Inputs::Features(_) => Entry::Head,
        }
    }

    fn context(&self, classifier: &Classifier) -> Option<StackContext> {
        let mask = self.mask()?.clone();
        Some(classifier.encoder.context(mask))
    }

    fn enter(&self, classifier: &Classifier, _context: &StackContext) -> Tensor<3> {
        match &self.inputs {
            Inputs::Tokens(tokens) => classifier.encoder.lower(0, tokens),
            Inputs::States(states) => states.x.clone(),
            // never asked for: such a batch has no context
            Inputs::Features(features) => (**features).clone().unsqueeze_dim(1),
        }
    }

    fn head(
        &self,
        classifier: &Classifier,
        x: Option<Tensor<3>>,
        below: bool,
        count: usize,
        sums: &mut Sums,
    ) -> (Tensor<1>, Option<Tensor<3>>) {
        let x = if below {
            x.map(|x| x.autodiff().require_grad())
        } else {
            x
        };
        let features = self.features(classifier, x.clone());
        let loss = self.loss_of(classifier, features) / count as f64;
        if !loss.is_tracked() {
            return (loss, None);
        }
        let mut tape = loss.backward();
        sums.extend(take_gradients(classifier, &mut tape));
        let gradient = x.filter(|_| below).and_then(|x| x.grad_remove(&mut tape));
        (loss.inner(), gradient)
    }
}
