//! How a language model's batch is learnt: the logits exist for some positions at a time, and their gradient is written by hand.

use burn::tensor::activation::log_softmax;
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

#[cfg(feature = "webgpu")]
use crate::kernels;
use crate::models::causal_batch::{chunks, ids, logit_positions};
use crate::models::{CausalBatch, CausalLm, StackContext};
use crate::peft::freeze::take_gradients;
use crate::train::gradients::{Batch, Entry, Sums, backward_from};

impl Batch for CausalBatch {
    type Network = CausalLm;

    fn count(&self) -> usize {
        CausalBatch::count(self)
    }

    fn entry(&self) -> Entry {
        Entry::Embeddings
    }

    fn context(&self, model: &CausalLm) -> Option<StackContext> {
        let context = model.model.context(&self.layout);
        Some(StackContext::Decoder(Box::new(context)))
    }

    fn enter(&self, model: &CausalLm, context: &StackContext) -> Tensor<3> {
        match context {
            StackContext::Decoder(context) => model.model.embed(self.ids.clone(), context),
            // never given: `context` makes a decoder's
            _ => {
                let context = model.model.context(&self.layout);
                model.model.embed(self.ids.clone(), &context)
            }
        }
    }

    /// The last norm, the logits and the loss.
    fn head(
        &self,
        model: &CausalLm,
        x: Option<Tensor<3>>,
        _below: bool,
        count: usize,
        sums: &mut Sums,
    ) -> (Tensor<1>, Option<Tensor<3>>) {
        let Some(x) = x else {
            return (Tensor::zeros([1], &model.device()), None);
        };
        let [rows, width, hidden] = x.dims();
        let device = x.device();
        let table_trains = model.head().parts[0].val().is_require_grad();
        let flat = x.reshape([rows * width, hidden]);
        let mut loss = Tensor::<1>::zeros([1], &device);
        let mut gradient = Tensor::<2>::zeros([rows * width, hidden], &device);
        let at_once = self.chunk;
        let at_once = at_once.unwrap_or_else(|| logit_positions(model.head().rows()));
        for chunk in chunks(self.labels.len(), at_once) {
            let positions = ids(&self.positions[chunk.clone()], &device);
            let entry = flat.clone().select(0, positions.clone()); // [chunk, hidden]
            let entry = entry.autodiff().require_grad();
            let normed = model.model.norm.forward(entry.clone());
            let plain = normed.clone().inner();
            let labels = ids(&self.labels[chunk], &device);
            let logits = model.logits(plain.clone()).inner();
            let (share, of_logits) = cross_entropy(logits, labels, count);
            loss = loss + share;
            if table_trains {
                sums.extend(table_gradients(model, &plain, &of_logits));
            }
            let of_normed = model.head().logits_backward(&of_logits);
            let mut tape = backward_from(normed, of_normed);
            for (path, gradient) in take_gradients(&model.model.norm, &mut tape) {
                sums.add(format!("model.norm.{path}"), gradient);
            }
            if let Some(of_entry) = entry.grad_remove(&mut tape) {
                gradient = gradient.select_assign(0, positions, of_entry, IndexingUpdateOp::Add);
            }
        }
        (loss, Some(gradient.reshape([rows, width, hidden])))
    }
}

/// The sum of the positions' cross-entropies over `count`, `[1]`, and its gradient to the logits, `[positions, words]`.
fn cross_entropy(
    logits: Tensor<2>,
    labels: Tensor<1, Int>,
    count: usize,
) -> (Tensor<1>, Tensor<2>) {
    #[cfg(feature = "webgpu")]
    if kernels::takes(&logits) {
        return kernels::cross_entropy(logits, labels, 1.0 / count as f64);
    }
    let labels = labels.unsqueeze_dim::<2>(1); // [positions, 1]
    let logs = log_softmax(logits, 1);
    let share = logs.clone().gather(1, labels.clone()).sum().neg() / count as f64;
    let minus = Tensor::<2>::ones(labels.dims(), &logs.device()).neg();
    let gradient = logs.exp().scatter(1, labels, minus, IndexingUpdateOp::Add);
    (share, gradient / count as f64)
}

/// Gradients of the table that gives the logits, a part at a time.
fn table_gradients(
    model: &CausalLm,
    normed: &Tensor<2>,
    of_logits: &Tensor<2>,
) -> Vec<(String, Tensor<1>)> {
    let table = model.head();
    let name = if model.lm_head.is_some() {
        "lm_head."
    } else {
        "model.embed_tokens."
    };
    (0..table.parts.len())
        .map(|index| {
            let [start, end] = [table.starts[index], table.starts[index + 1]];
            let of_part = of_logits.clone().narrow(1, start, end - start);
            let gradient = of_part.transpose().matmul(normed.clone()); // [rows of the part, hidden]
            let values = (end - start) * table.width;
            (format!("{name}parts.{index}"), gradient.reshape([values]))
        })
        .collect()
}
