//! Enters: a language model and batches. Leaves: the gradients of the mean loss over all their targets, with no more in memory than asked.
//!
//! The backward pass goes by hand from the loss to the layers: the head's logits exist for some positions at a time, and with gradient
//! checkpointing (Chen et al. 2016) each layer's inside exists only while its own gradient is taken. burn's autodiff does the rest. On the CPU
//! engine both ways run the same operations in the same order, so that they agree to the last bit.

use std::collections::BTreeMap;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor};

use crate::device::is_cpu;
use crate::models::causal_batch::{chunks, ids, logit_positions};
use crate::models::decoder::{Context, Layer};
use crate::models::network::layer_of;
use crate::models::{CausalBatch, CausalLm};
use crate::peft::Trainable;
use crate::peft::freeze::{activate, take_gradients};

/// How a pass is made; none of it changes the result, on a graphics card but for rounding.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Compute each layer a second time in the backward pass instead of keeping its inside.
    pub checkpointing: bool,
    /// Positions whose logits exist at once.
    pub logit_positions: usize,
    /// Where a layer's dropout starts, so that its second computation drops the same; `None` where nothing is dropped.
    pub dropout_seed: Option<u64>,
}

impl Pass {
    /// As many positions as keep the logits of that many words within bounds.
    pub fn new(words: usize, checkpointing: bool) -> Self {
        Self {
            checkpointing,
            logit_positions: logit_positions(words),
            dropout_seed: None,
        }
    }
}

/// Which part of the model trains.
struct Trained<'a> {
    paths: &'a Trainable,
    /// The lowest layer with a trained parameter; all of them where none has.
    first: usize,
    embeddings: bool,
    /// The table that gives the logits.
    head: bool,
}

impl<'a> Trained<'a> {
    fn new(model: &CausalLm, trainable: &'a Trainable) -> Self {
        let layers = model.model.layers.len();
        let has = |prefix: &str| trainable.paths().any(|path| path.starts_with(prefix));
        let embeddings = has("model.embed_tokens.") || has("model.position_embeddings.");
        let lowest = trainable
            .paths()
            .filter(|path| path.starts_with("model.layers."))
            .filter_map(layer_of)
            .min();
        Self {
            paths: trainable,
            first: if embeddings {
                0
            } else {
                lowest.unwrap_or(layers)
            },
            embeddings,
            head: has(head_name(model)),
        }
    }
}

/// Path of the table that gives the logits.
fn head_name(model: &CausalLm) -> &'static str {
    match model.lm_head {
        Some(_) => "lm_head.",
        None => "model.embed_tokens.",
    }
}

/// Gradients by path, summed over what gave them.
type Sums = BTreeMap<String, Tensor<1>>;

fn add(sums: &mut Sums, path: String, gradient: Tensor<1>) {
    let sum = match sums.remove(&path) {
        Some(sum) => sum + gradient,
        None => gradient,
    };
    sums.insert(path, sum);
}

/// Gradients of the mean loss over all targets of all batches, flat and by path, and that loss, `[1]`. `model`: with gradients turned on
/// for `trainable`.
pub fn gradients(
    model: &CausalLm,
    trainable: &Trainable,
    batches: &[CausalBatch],
    pass: &Pass,
) -> (Vec<(String, Tensor<1>)>, Tensor<1>) {
    let count = batches.iter().map(CausalBatch::count).sum::<usize>().max(1);
    let trained = Trained::new(model, trainable);
    let mut sums = Sums::new();
    let mut total: Option<Tensor<1>> = None;
    // without gradients, so that nothing is recorded; dropout stays on
    let plain = activate(model.clone(), |_| false);
    for batch in batches {
        let networks = Networks {
            model,
            plain: &plain,
        };
        let loss = add_batch(&networks, &trained, batch, count, pass, &mut sums);
        total = Some(match total {
            None => loss,
            Some(total) => total + loss,
        });
    }
    let total = total.unwrap_or_else(|| Tensor::zeros([1], &model.device()));
    (sums.into_iter().collect(), total)
}

/// The same weights twice.
struct Networks<'a> {
    /// With gradients where something trains.
    model: &'a CausalLm,
    /// Without any.
    plain: &'a CausalLm,
}

/// Adds one batch's gradients; returns its share of the loss.
fn add_batch(
    Networks { model, plain }: &Networks<'_>,
    trained: &Trained<'_>,
    batch: &CausalBatch,
    count: usize,
    pass: &Pass,
    sums: &mut Sums,
) -> Tensor<1> {
    let decoder = &model.model;
    let context = decoder.context(&batch.layout);
    let layers = decoder.layers.len();
    let mut x = plain.model.embed(batch.ids.clone(), &context);
    for index in 0..trained.first {
        x = run(plain, &plain.model.layers[index], index, x, &context, pass);
    }
    let embedded = || decoder.embed(batch.ids.clone(), &context);
    if !pass.checkpointing {
        let start = match trained.embeddings {
            true => embedded(),
            false => x,
        };
        let top = (trained.first..layers).fold(start, |x, index| {
            run(model, &decoder.layers[index], index, x, &context, pass)
        });
        let (loss, gradient) = head(
            model,
            trained,
            top.clone().inner(),
            batch,
            count,
            pass,
            sums,
        );
        if top.is_tracked() {
            let mut tape = (top * gradient).sum().backward();
            for (path, gradient) in take_gradients(*model, &mut tape) {
                add(sums, path, gradient);
            }
        }
        return loss;
    }
    let enter = |index: usize, x: Tensor<3>| match index > trained.first || trained.embeddings {
        true => x.autodiff().require_grad(),
        false => x,
    };
    // a graphics card promises no bits, and recording there takes three times as long as computing
    let repeats_bits = is_cpu(&x.device());
    let mut entries = Vec::with_capacity(layers - trained.first);
    for index in trained.first..layers {
        entries.push(x.clone());
        if !repeats_bits {
            x = run(plain, &plain.model.layers[index], index, x, &context, pass);
            continue;
        }
        // burn computes some functions otherwise where no gradient is asked for, so that this pass must ask too; it does so of leaves of its
        // own, because what was recorded is forgotten only with all its leaves
        let layer = activate(decoder.layers[index].clone(), |path| {
            trained
                .paths
                .contains(&format!("model.layers.{index}.{path}"))
        });
        x = run(model, &layer, index, enter(index, x), &context, pass).inner();
        drop(layer);
        forget(&x.device());
    }
    let (loss, mut gradient) = head(model, trained, x, batch, count, pass, sums);
    for index in (trained.first..layers).rev() {
        let Some(entry) = entries.pop() else {
            break;
        };
        let entry = enter(index, entry);
        let layer = &decoder.layers[index];
        let out = run(model, layer, index, entry.clone(), &context, pass);
        let mut tape = (out * gradient.clone()).sum().backward();
        for (path, gradient) in take_gradients(&decoder.layers[index], &mut tape) {
            add(sums, format!("model.layers.{index}.{path}"), gradient);
        }
        if let Some(of_entry) = entry.grad_remove(&mut tape) {
            gradient = of_entry;
        }
    }
    if trained.embeddings {
        let mut tape = (embedded() * gradient).sum().backward();
        for (path, gradient) in take_gradients(*model, &mut tape) {
            add(sums, path, gradient);
        }
    }
    loss
}

/// One layer, with the dropout that belongs to it.
fn run(
    model: &CausalLm,
    layer: &Layer,
    index: usize,
    x: Tensor<3>,
    context: &Context,
    pass: &Pass,
) -> Tensor<3> {
    if let Some(seed) = pass.dropout_seed {
        model.device().seed(seed.wrapping_add(index as u64));
    }
    model.model.pass(layer, index, x, context, None)
}

/// Frees what was recorded for a backward pass that nothing can ask for any more. burn does so at the end of every backward pass; this is the
/// smallest one.
pub(crate) fn forget(device: &Device) {
    Tensor::<1>::zeros([1], device)
        .autodiff()
        .require_grad()
        .sum()
        .backward();
}

/// The last norm, the logits and the loss, some positions at a time. `x`: what the last layer gave, `[rows, width, hidden]`. Returns the
/// batch's share of the mean loss, `[1]`, and its gradient to `x`.
fn head(
    model: &CausalLm,
    trained: &Trained<'_>,
    x: Tensor<3>,
    batch: &CausalBatch,
    count: usize,
    pass: &Pass,
    sums: &mut Sums,
) -> (Tensor<1>, Tensor<3>) {
    let [rows, width, hidden] = x.dims();
    let device = x.device();
    let flat = x.reshape([rows * width, hidden]);
    let mut loss = Tensor::<1>::zeros([1], &device);
    let mut gradient = Tensor::<2>::zeros([rows * width, hidden], &device);
    for chunk in chunks(batch.count(), pass.logit_positions) {
        let positions = ids(&batch.positions[chunk.clone()], &device);
        let entry = flat.clone().select(0, positions.clone()); // [chunk, hidden]
        let entry = entry.autodiff().require_grad();
        let normed = model.model.norm.forward(entry.clone());
        let plain = normed.clone().inner();
        let labels = ids(&batch.labels[chunk], &device);
        let (share, of_logits) = cross_entropy(model.logits(plain.clone()).inner(), labels, count);
        loss = loss + share;
        if trained.head {
            for (path, gradient) in table_gradients(model, &plain, &of_logits) {
                add(sums, path, gradient);
            }
        }
        let of_normed = model.head().logits_backward(&of_logits);
        let mut tape = (normed * of_normed).sum().backward();
        for (path, gradient) in take_gradients(&model.model.norm, &mut tape) {
            add(sums, format!("model.norm.{path}"), gradient);
        }
        if let Some(of_entry) = entry.grad_remove(&mut tape) {
            gradient = gradient.select_assign(0, positions, of_entry, IndexingUpdateOp::Add);
        }
    }
    (loss, gradient.reshape([rows, width, hidden]))
}

/// The sum of the positions' cross-entropies over `count`, `[1]`, and its gradient to the logits, `[positions, words]`.
fn cross_entropy(
    logits: Tensor<2>,
    labels: Tensor<1, Int>,
    count: usize,
) -> (Tensor<1>, Tensor<2>) {
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
    (0..table.parts.len())
        .map(|index| {
            let [start, end] = [table.starts[index], table.starts[index + 1]];
            let of_part = of_logits.clone().narrow(1, start, end - start);
            let gradient = of_part.transpose().matmul(normed.clone()); // [rows of the part, hidden]
            let values = (end - start) * table.width;
            let path = format!("{}parts.{index}", head_name(model));
            (path, gradient.reshape([values]))
        })
        .collect()
}
