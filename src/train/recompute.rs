//! Enters: a classifier and a batch. Leaves: the gradients, with the inside of one layer at a time in memory.
//!
//! Gradient checkpointing (Chen et al. 2016), as for language models in [`crate::tasks::language::gradients`]: what enters each layer is kept, and its
//! inside is computed again when its own gradient is taken. Without dropout the loss is that of the plain way, on the CPU engine to the last
//! bit, and the gradients but for the order in which those that meet at a layer are summed.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use super::step::TrainBatch;
use crate::device::is_cpu;
use crate::models::classifier::States;
use crate::models::network::layer_of;
use crate::models::{Classifier, Inputs, Network};
use crate::peft::freeze::{activate, take_gradients, tracked_paths};
use crate::tasks::language::gradients::forget;

/// Whether a path belongs to what lies below the layers.
fn is_embedding(path: &str) -> bool {
    path.contains("embed")
}

/// Gradients of the sum of the rows' losses over `rows`, flat and by path, and that loss, `[1]`. Each layer's dropout starts from `seed` and
/// the layer's number, so that its second computation drops the same.
pub(super) fn by_layer(
    classifier: &Classifier,
    batch: &TrainBatch,
    rows: f64,
    seed: u64,
) -> (Vec<(String, Tensor<1>)>, Tensor<1>) {
    let tracked = tracked_paths(classifier);
    let layers = classifier.num_layers();
    let embeddings = tracked.iter().any(|path| is_embedding(path));
    let below_head = tracked.iter().filter(|path| !is_embedding(path));
    let lowest = below_head.filter_map(|path| layer_of(path)).min();
    let device = classifier.encoder.device();
    // the embeddings come first, the head last
    let seed_at = |place: usize| device.seed(seed.wrapping_add(place as u64));
    let of_layer = |classifier: &Classifier, index: usize, x: Tensor<3>, mask: &Tensor<2>| {
        seed_at(index + 1);
        let encoder = &classifier.encoder;
        encoder.layers(index..index + 1, x, mask.clone())
    };

    // without gradients, so that nothing is recorded; dropout stays on
    let plain = activate(classifier.clone(), |_| false);
    // burn computes some functions otherwise where no gradient is asked for, so that a first pass must ask too; it does so of leaves of its
    // own, because what was recorded is forgotten only with all its leaves. A graphics card promises no bits, and recording there takes three
    // times as long as computing.
    let repeats_bits = is_cpu(&device);
    let leaves = || {
        activate(classifier.clone(), |path| {
            tracked.iter().any(|tracked| tracked == path)
        })
    };
    let (start, mut x, mask) = match &batch.inputs {
        Inputs::Tokens(tokens) => {
            seed_at(0);
            let x = match embeddings && repeats_bits {
                true => leaves().encoder.lower(0, tokens).inner(),
                false => plain.encoder.lower(0, tokens),
            };
            forget(&device);
            (0, x, tokens.mask.clone())
        }
        Inputs::States(States { x, mask, depth }) => (*depth, x.clone(), mask.clone()),
        Inputs::Features(_) => {
            let loss = batch.loss_sum(classifier) / rows;
            let mut tape = loss.backward();
            return (take_gradients(classifier, &mut tape), loss.inner());
        }
    };
    let first = match embeddings {
        true => start,
        false => lowest.unwrap_or(layers).max(start),
    };
    for index in start..first {
        x = of_layer(&plain, index, x, &mask);
    }
    let enter = |index: usize, x: Tensor<3>| match index > first || embeddings {
        true => x.autodiff().require_grad(),
        false => x,
    };
    let mut entries = Vec::with_capacity(layers - first);
    for index in first..layers {
        entries.push(x.clone());
        if !repeats_bits {
            x = of_layer(&plain, index, x, &mask);
            continue;
        }
        let layer = leaves();
        x = of_layer(&layer, index, enter(index, x), &mask).inner();
        drop(layer);
        forget(&device);
    }

    let mut found = BTreeMap::new();
    let top = match first < layers || embeddings {
        true => x.autodiff().require_grad(),
        false => x,
    };
    seed_at(layers + 1);
    let above = TrainBatch {
        inputs: Inputs::States(States {
            x: top.clone(),
            mask: mask.clone(),
            depth: layers,
        }),
        target: batch.target.clone(),
        rows: batch.rows,
    };
    let loss = above.loss_sum(classifier) / rows;
    let mut tape = loss.backward();
    found.extend(take_gradients(classifier, &mut tape));
    let mut gradient = match top.is_require_grad() {
        true => top.grad_remove(&mut tape),
        false => None,
    };
    for index in (first..layers).rev() {
        let (Some(entry), Some(of_out)) = (entries.pop(), gradient.take()) else {
            break;
        };
        let entry = enter(index, entry);
        let out = of_layer(classifier, index, entry.clone(), &mask);
        let mut tape = (out * of_out).sum().backward();
        found.extend(take_gradients(classifier, &mut tape));
        gradient = match entry.is_require_grad() {
            true => entry.grad_remove(&mut tape),
            false => None,
        };
    }
    if let (true, Some(of_out), Inputs::Tokens(tokens)) = (embeddings, gradient, &batch.inputs) {
        seed_at(0);
        let mut tape = (classifier.encoder.lower(0, tokens) * of_out)
            .sum()
            .backward();
        found.extend(take_gradients(classifier, &mut tape));
    }
    let in_order = tracked.into_iter().filter_map(|path| {
        let gradient = found.remove(&path)?;
        Some((path, gradient))
    });
    (in_order.collect(), loss.inner())
}
