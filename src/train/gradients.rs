//! The gradients of one optimizer step, with no more in memory than asked.
//!
//! The backward pass goes from the loss to the topmost layer first, and from there down. With gradient checkpointing (Chen et al. 2016) what
//! enters each layer is kept, and the inside of a layer exists only while its own gradient is taken; without it, all layers' insides are kept.
//! burn's autodiff does the rest. On the CPU engine both ways run the same operations in the same order and agree to the last bit.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{Device, Gradients, Tensor};

use super::noise::Noise;
use crate::device::is_cpu;
#[cfg(feature = "webgpu")]
use crate::kernels;
use crate::models::network::Place;
use crate::models::{Stack, StackContext, StackLayer};
use crate::peft::freeze::{activate, take_gradients, tracked_paths};

/// Where a batch enters the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// As token ids.
    Embeddings,
    /// As what enters this layer, computed before.
    Layer(usize),
    /// As what the head reads, computed before.
    Head,
}

/// A batch on the device together with what it teaches.
pub trait Batch {
    type Network: Stack;

    /// What the loss is a mean over: rows, or predicted tokens.
    fn count(&self) -> usize;

    /// Where it enters.
    fn entry(&self) -> Entry;

    /// What all layers share in this batch's forward pass; `None` for one that enters at the head.
    fn context(&self, network: &Self::Network) -> Option<StackContext>;

    /// What enters the first layer that it passes, `[batch, tokens, hidden]`: the embeddings, or what was computed before.
    fn enter(&self, network: &Self::Network, context: &StackContext) -> Tensor<3>;

    /// The loss summed over the batch and divided by `count`, `[1]`, with the gradients of everything above the last layer added to `sums`. `x`:
    /// the last layer's output without autodiff, `[batch, tokens, hidden]`, if the batch passes any. Also returns the gradient to `x` if
    /// `below` says that something below trains.
    fn head(
        &self,
        network: &Self::Network,
        x: Option<Tensor<3>>,
        below: bool,
        count: usize,
        sums: &mut Sums,
    ) -> (Tensor<1>, Option<Tensor<3>>);
}

/// How a pass is made; none of it changes the result, on a graphics card but for rounding.
#[derive(Debug, Clone, Copy, Default)]
pub struct PassSettings {
    /// Compute each layer a second time in the backward pass instead of keeping its inside.
    pub checkpointing: bool,
    /// Seed of what the step draws (dropout, mixout); `None` if it draws nothing.
    pub noise: Option<u64>,
}

/// Gradients by path, flat, summed over what gave them.
#[derive(Debug, Default)]
pub struct Sums(BTreeMap<String, Tensor<1>>);

impl Sums {
    /// Adds a gradient to those of its path.
    pub fn add(&mut self, path: String, gradient: Tensor<1>) {
        let sum = match self.0.remove(&path) {
            Some(sum) => sum + gradient,
            None => gradient,
        };
        self.0.insert(path, sum);
    }

    /// Sorted by path.
    pub fn into_flat(self) -> Vec<(String, Tensor<1>)> {
        self.0.into_iter().collect()
    }

    /// The same for several.
    pub fn extend(&mut self, gradients: impl IntoIterator<Item = (String, Tensor<1>)>) {
        for (path, gradient) in gradients {
            self.add(path, gradient);
        }
    }
}

/// Gradients of the mean loss over all batches together, flat and by path, and that loss, `[1]`. They exist for the parameters of `network` that
/// have gradients turned on.
pub fn gradients<B: Batch>(
    network: &B::Network,
    batches: &[B],
    pass: &PassSettings,
) -> (Vec<(String, Tensor<1>)>, Tensor<1>) {
    let parts = Parts::new(network, batches, pass);
    let mut sums = Sums::default();
    let mut total: Option<Tensor<1>> = None;
    for index in 0..batches.len() {
        let (found, loss) = parts.compute(index);
        sums.extend(found.0);
        total = Some(match total {
            None => loss,
            Some(total) => total + loss,
        });
    }
    let total = total.unwrap_or_else(|| Tensor::zeros([1], &network.device()));
    (sums.into_flat(), total)
}

/// The parts of a step, one for each batch, which do not depend on each other.
pub struct Parts<'a, B: Batch> {
    network: &'a B::Network,
    batches: &'a [B],
    pass: &'a PassSettings,
    /// The same weights without gradients, so that nothing is recorded; dropout stays on.
    plain: B::Network,
    trained: Trained,
    /// What the loss is a mean over.
    count: usize,
}

impl<'a, B: Batch> Parts<'a, B> {
    pub fn new(network: &'a B::Network, batches: &'a [B], pass: &'a PassSettings) -> Self {
        Self {
            plain: activate(network.clone(), |_| false),
            trained: Trained::new(network),
            count: batches.iter().map(B::count).sum::<usize>().max(1),
            network,
            batches,
            pass,
        }
    }

    /// What a batch adds to the gradients and to the loss, `[1]`.
    pub fn compute(&self, index: usize) -> (Sums, Tensor<1>) {
        let work = Work {
            network: self.network,
            plain: &self.plain,
            trained: &self.trained,
            noise: Noise::new(self.pass.noise, index),
            repeats_bits: is_cpu(&self.network.device()),
        };
        let mut sums = Sums::default();
        let batch = &self.batches[index];
        let loss = if self.pass.checkpointing {
            work.checkpointed(batch, self.count, &mut sums)
        } else {
            work.whole(batch, self.count, &mut sums)
        };
        (sums, loss)
    }
}

/// What of a network trains now.
struct Trained {
    paths: BTreeSet<String>,
    /// The lowest layer with a trained parameter; the number of layers if none has.
    lowest: usize,
    embeddings: bool,
}

impl Trained {
    fn new<N: Stack>(network: &N) -> Self {
        let paths = tracked_paths(network).into_iter().collect::<BTreeSet<_>>();
        let lowest = paths.iter().filter_map(|path| match network.place(path) {
            Place::Layer(layer) => Some(layer),
            _ => None,
        });
        Self {
            lowest: lowest.min().unwrap_or_else(|| network.num_layers()),
            embeddings: paths
                .iter()
                .any(|path| network.place(path) == Place::Embeddings),
            paths,
        }
    }
}

/// One batch's way through the network.
struct Work<'a, N> {
    /// With gradients where something trains.
    network: &'a N,
    /// The same weights without any.
    plain: &'a N,
    trained: &'a Trained,
    noise: Noise,
    /// Whether both ways must agree to the last bit. A graphics card promises no bits, and recording there takes three times as long as computing.
    repeats_bits: bool,
}

/// The part of the network that a batch passes with gradients.
struct Span {
    /// The layer that the batch enters.
    start: usize,
    /// The first layer with a backward pass.
    first: usize,
    layers: usize,
    /// Whether the backward pass goes on below the first layer.
    embeddings: bool,
}

impl Span {
    /// Whether anything below the head has a backward pass.
    fn below_head(&self) -> bool {
        self.first < self.layers || self.embeddings
    }

    /// Whether what enters layer `index` needs a gradient.
    fn needs_gradient(&self, index: usize) -> bool {
        index > self.first || self.embeddings
    }
}

impl<N: Stack> Work<'_, N> {
    fn span(&self, entry: Entry) -> Span {
        let layers = self.network.num_layers();
        let (start, embeddings) = match entry {
            Entry::Embeddings => (0, self.trained.embeddings),
            Entry::Layer(layer) => (layer, false),
            Entry::Head => (layers, false),
        };
        let first = if embeddings {
            start
        } else {
            self.trained.lowest.max(start)
        };
        Span {
            start,
            first,
            layers,
            embeddings,
        }
    }

    /// One layer, with the noise that belongs to it.
    fn run(
        &self,
        layer: &StackLayer,
        index: usize,
        x: Tensor<3>,
        context: &StackContext,
    ) -> Tensor<3> {
        self.noise.layer(&self.network.device(), index);
        self.network.run_layer(layer, index, x, context)
    }

    fn enter<B: Batch<Network = N>>(
        &self,
        network: &N,
        batch: &B,
        context: &StackContext,
    ) -> Tensor<3> {
        self.noise.embeddings(&network.device());
        batch.enter(network, context)
    }

    /// What enters the span's first layer, without gradients.
    fn frozen_part(&self, span: &Span, mut x: Tensor<3>, context: &StackContext) -> Tensor<3> {
        for index in span.start..span.first {
            x = self.run(&self.plain.layer(index), index, x, context);
        }
        x
    }

    fn head<B: Batch<Network = N>>(
        &self,
        batch: &B,
        x: Option<Tensor<3>>,
        span: &Span,
        count: usize,
        sums: &mut Sums,
    ) -> (Tensor<1>, Option<Tensor<3>>) {
        self.noise.head(&self.network.device(), span.layers);
        batch.head(self.network, x, span.below_head(), count, sums)
    }

    /// Keeps the insides of all layers with a backward pass.
    fn whole<B: Batch<Network = N>>(&self, batch: &B, count: usize, sums: &mut Sums) -> Tensor<1> {
        let span = self.span(batch.entry());
        let Some(context) = batch.context(self.network) else {
            return self.head(batch, None, &span, count, sums).0;
        };
        let mut x = if span.embeddings {
            self.enter(self.network, batch, &context)
        } else {
            let x = self.enter(self.plain, batch, &context);
            self.frozen_part(&span, x, &context)
        };
        for index in span.first..span.layers {
            x = self.run(&self.network.layer(index), index, x, &context);
        }
        let top = Some(x.clone().inner());
        let (loss, gradient) = self.head(batch, top, &span, count, sums);
        if let Some(gradient) = gradient.filter(|_| x.is_tracked()) {
            let mut tape = backward_from(x, gradient);
            sums.extend(take_gradients(self.network, &mut tape));
        }
        loss
    }

    /// Keeps what enters each layer, and computes its inside again when its gradient is taken.
    fn checkpointed<B: Batch<Network = N>>(
        &self,
        batch: &B,
        count: usize,
        sums: &mut Sums,
    ) -> Tensor<1> {
        let span = self.span(batch.entry());
        let Some(context) = batch.context(self.network) else {
            return self.head(batch, None, &span, count, sums).0;
        };
        let x = if span.embeddings && self.repeats_bits {
            let leaves = activate(self.network.clone(), |path| {
                self.trained.paths.contains(path)
            });
            let x = self.enter(&leaves, batch, &context).inner();
            drop(leaves);
            forget(&x.device());
            x
        } else {
            self.enter(self.plain, batch, &context)
        };
        let x = self.frozen_part(&span, x, &context);
        let (x, mut entries) = self.forward(&span, x, &context);
        let (loss, mut gradient) = self.head(batch, Some(x), &span, count, sums);
        for index in (span.first..span.layers).rev() {
            let (Some(entry), Some(of_out)) = (entries.pop(), gradient.take()) else {
                break;
            };
            let entry = entering(&span, index, entry);
            let layer = self.network.layer(index);
            let out = self.run(&layer, index, entry.clone(), &context);
            let mut tape = backward_from(out, of_out);
            for (path, gradient) in take_gradients(&layer, &mut tape) {
                sums.add(self.full_path(index, &path), gradient);
            }
            gradient = if entry.is_require_grad() {
                entry.grad_remove(&mut tape)
            } else {
                None
            };
        }
        if let (true, Some(of_out)) = (span.embeddings, gradient) {
            let out = self.enter(self.network, batch, &context);
            let mut tape = backward_from(out, of_out);
            sums.extend(take_gradients(self.network, &mut tape));
        }
        loss
    }

    /// The last layer's output and what entered each layer of the span, none of it recorded.
    fn forward(
        &self,
        span: &Span,
        mut x: Tensor<3>,
        context: &StackContext,
    ) -> (Tensor<3>, Vec<Tensor<3>>) {
        let mut entries = Vec::with_capacity(span.layers - span.first);
        for index in span.first..span.layers {
            entries.push(x.clone());
            if !self.repeats_bits {
                x = self.run(&self.plain.layer(index), index, x, context);
                continue;
            }
            // burn computes some functions in another way while gradients are recorded, so this pass records too, to give the same bits; it does so
            // on leaf tensors of its own, because burn frees what it recorded only when all leaves of it are gone
            let layer = activate(self.plain.layer(index), |path| {
                self.trained.paths.contains(&self.full_path(index, path))
            });
            x = self
                .run(&layer, index, entering(span, index, x), context)
                .inner();
            drop(layer);
            forget(&x.device());
        }
        (x, entries)
    }

    /// The path in the network of one in a [`StackLayer`].
    fn full_path(&self, index: usize, path: &str) -> String {
        // the first part is the name of the enum's variant
        let below = path.split_once('.').map_or(path, |(_, below)| below);
        format!("{}.{below}", self.network.layer_path(index))
    }
}

/// The gradients of everything below `x`, whose own gradient is given, of the same shape.
pub fn backward_from<const D: usize>(x: Tensor<D>, gradient: Tensor<D>) -> Gradients {
    #[cfg(feature = "webgpu")]
    if let Some(tape) = kernels::backward_from(&x, &gradient) {
        return tape;
    }
    (x * gradient).sum().backward()
}

/// What enters a layer, as a leaf of its own if its gradient is needed.
fn entering(span: &Span, index: usize, x: Tensor<3>) -> Tensor<3> {
    if span.needs_gradient(index) {
        x.autodiff().require_grad()
    } else {
        x
    }
}

/// Frees what was recorded for a backward pass that nobody can ask for any more. burn does so at the end of every backward pass; this is the
/// smallest one.
fn forget(device: &Device) {
    Tensor::<1>::zeros([1], device)
        .autodiff()
        .require_grad()
        .sum()
        .backward();
}
