//! A run's largest use of memory, before anything of it is allocated. In goes what the run does, a [`MemoryProfile`]; out comes the peak by what
//! takes it, an [`Estimate`]: the largest of all its passes on top of what is held meanwhile.

mod pass;

pub use pass::{Pass, PassKind};
use serde::Serialize;

use super::frozen::Frozen;
use super::optimizer::held_twice;
use super::options::LoopOptions;
use crate::device::Compute;
use crate::layers::Storage;
use crate::models::size::largest::LargestTensor;
use crate::models::size::{Shape, product, sum};
use crate::models::{DecoderConfig, NetworkSizes};
use crate::peft::lora::trained_numbers;
use crate::peft::{InitLoraWeights, Method};
use crate::{Error, Result};

/// Rows and labels of a classifier's baselines, which are fitted before anything trains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BaselineSizes {
    /// Rows that train and judge; 0 for a language model.
    pub rows: u64,
    pub labels: u64,
}

/// What a run does, as far as its memory depends on it. Begin with [`MemoryProfile::new`] and set what differs.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryProfile {
    pub network: NetworkSizes,
    pub method: Method,
    /// Numbers that train.
    pub trained: u64,
    /// The largest batch of a training step.
    pub training: Shape,
    /// Layers from the lowest in which something trains to the top. Those below keep nothing for a backward pass.
    pub trained_layers: u64,
    /// Whether layers are computed twice.
    pub checkpointing: bool,
    /// Whether a step sums the gradients of several batches.
    pub accumulates: bool,
    /// Whether hidden states are dropped out.
    pub dropout: bool,
    /// Whether weights are mixed with their pretrained values.
    pub mixout: bool,
    /// Whether a penalty holds the values that training started from.
    pub penalty: bool,
    /// Whether the best values of an earlier seed are held.
    pub candidate: bool,
    /// Bytes of the rows that the frozen part of the network is computed for once.
    pub cache: u64,
    pub baselines: BaselineSizes,
    /// Everything but the training steps.
    pub passes: Vec<Pass>,
}

/// Bytes at the peak of a run, by what takes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "MemoryEstimate"))]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// The frozen weights as they are stored.
    pub weights: u64,
    /// What trains: its values now and in the best state, and what penalties and earlier seeds hold of it.
    pub adapter: u64,
    /// AdamW's two means.
    pub moments: u64,
    /// What the backward pass needs of the forward pass, and the gradients; or the inside of a layer in any other pass.
    pub activations: u64,
    /// The logits of some positions and their gradient.
    pub logits: u64,
    /// Rows that the frozen part is computed for once.
    pub cache: u64,
    /// Vectors and scores of a classifier's baselines.
    pub baselines: u64,
}

impl Estimate {
    /// All of it.
    pub fn total(&self) -> u64 {
        sum([
            self.weights,
            self.adapter,
            self.moments,
            self.activations,
            self.logits,
            self.cache,
            self.baselines,
        ])
    }
}

impl MemoryProfile {
    /// A run of nothing but training steps, in which the whole network stays in memory between forward and backward pass.
    pub fn new(network: NetworkSizes, method: Method, trained: u64, training: Shape) -> Self {
        Self {
            trained_layers: network.layers,
            network,
            method,
            trained,
            training,
            checkpointing: false,
            accumulates: false,
            dropout: false,
            mixout: false,
            penalty: false,
            candidate: false,
            cache: 0,
            baselines: BaselineSizes::default(),
            passes: Vec::new(),
        }
    }

    /// With what the options that both tasks share ask for, but for checkpointing.
    pub fn with_options(self, options: &LoopOptions) -> Self {
        Self {
            accumulates: options.gradient_accumulation_steps > 1,
            mixout: options.mixout > 0.0,
            penalty: options.l2_sp > 0.0,
            candidate: options.seeds > 1,
            ..self
        }
    }

    /// The peak of the run.
    pub fn estimate(&self) -> Estimate {
        self.peak().1
    }

    /// Refuses a run that does not fit, before anything is allocated.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] or [`crate::Error::BufferTooLarge`] with both numbers and what would lower them.
    pub fn check(&self, compute: &Compute) -> Result<Estimate> {
        let (pass, estimate) = self.peak();
        compute.check_memory("This run", estimate.total(), &self.advice_for(pass))?;
        let (pass, largest) = self.largest_tensor();
        largest.check(compute, "this run", &self.advice_for(pass))?;
        Ok(estimate)
    }

    /// What a person could do, if the run does not fit.
    pub fn advice(&self, compute: &Compute) -> Option<String> {
        match self.check(compute) {
            Err(Error::OutOfMemory { advice, .. } | Error::BufferTooLarge { advice, .. }) => {
                Some(advice)
            }
            _ => None,
        }
    }

    /// The largest tensor that any pass holds, and the pass; `None` for a training step.
    pub fn largest_tensor(&self) -> (Option<PassKind>, LargestTensor) {
        let training = self
            .network
            .largest_tensor(self.after_prefix(self.training));
        let passes = self.passes.iter().map(|pass| {
            let shape = self.shape_of(pass);
            let largest = match pass.new_tokens {
                0 => self.network.largest_tensor(shape),
                _ => self.network.largest_tensor_in_pieces(shape),
            };
            (Some(pass.kind), largest)
        });
        passes.fold((None, training), |largest, pass| {
            if pass.1.bytes > largest.1.bytes {
                pass
            } else {
                largest
            }
        })
    }

    /// What would make a pass smaller; `None` for a training step.
    fn advice_for(&self, pass: Option<PassKind>) -> String {
        let lower =
            "lower trainBatchSize (and raise gradientAccumulationSteps instead) or maxLength";
        let fewer = match (&self.method, self.network.storage) {
            (Method::Full(_), _) => ", or choose a method that trains less",
            (_, Storage::Int4) => "",
            _ => ", or store the weights in fewer bits",
        };
        match pass {
            Some(PassKind::FewShot) => {
                format!("lower fewShotExamples, which makes the validation texts longer{fewer}")
            }
            Some(PassKind::Samples) => {
                format!("give shorter samplePrompts, or lower sampleTokens or maxLength{fewer}")
            }
            Some(PassKind::Features | PassKind::Evaluation) => {
                format!("lower maxLength, or use fewer rows{fewer}")
            }
            None if self.checkpointing => format!("{lower}{fewer}"),
            None => format!("turn gradientCheckpointing on, {lower}{fewer}"),
        }
    }

    /// The pass that takes most, `None` for a training step, and what it takes.
    fn peak(&self) -> (Option<PassKind>, Estimate) {
        let passes = self.passes.iter();
        let passes = passes.map(|pass| (Some(pass.kind), self.pass(pass)));
        let training = (None, self.training_step());
        passes.fold(training, |largest, pass| {
            if pass.1.total() > largest.1.total() {
                pass
            } else {
                largest
            }
        })
    }

    /// What every pass of the run finds in memory.
    fn held(&self) -> Estimate {
        Estimate {
            weights: sum([self.network.weight_bytes(), self.residual_bytes()]),
            cache: self.cache,
            ..Estimate::default()
        }
    }

    /// The same once something trains.
    fn held_in_training(&self) -> Estimate {
        let numbers = |copies: u64| product([copies, 4, self.trained]);
        let BaselineSizes { rows, labels } = self.baselines;
        Estimate {
            adapter: sum([
                numbers(2),
                if self.penalty { self.start_bytes() } else { 0 },
                if self.candidate { numbers(1) } else { 0 },
            ]),
            moments: numbers(2),
            // the baselines' scores, and confusion matrices
            baselines: sum([product([12, rows, labels]), product([16, labels, labels])]),
            ..self.held()
        }
    }

    /// What a penalty holds: the first values, which `full` shares with the loaded model.
    fn start_bytes(&self) -> u64 {
        match self.method {
            Method::Full(_) => 0,
            _ => product([4, self.trained]),
        }
    }

    /// PiSSA moves a part of each weight into the adapter; what remains is a copy.
    fn residual_bytes(&self) -> u64 {
        match &self.method {
            Method::Lora(lora) if lora.init_lora_weights == InitLoraWeights::Pissa => {
                product([4, self.network.layers, self.network.linear])
            }
            _ => 0,
        }
    }

    /// A batch with the virtual tokens of a prefix, which every token sees.
    fn after_prefix(&self, shape: Shape) -> Shape {
        shape.after(self.method.virtual_tokens())
    }

    /// What is computed before anything trains has no prefix.
    fn shape_of(&self, pass: &Pass) -> Shape {
        match pass.kind {
            PassKind::Features | PassKind::FewShot => pass.shape,
            PassKind::Evaluation | PassKind::Samples => self.after_prefix(pass.shape),
        }
    }

    fn pass(&self, pass: &Pass) -> Estimate {
        let network = &self.network;
        let BaselineSizes { rows, labels } = self.baselines;
        let held = match pass.kind {
            PassKind::Features => Estimate {
                // features as computed, gathered and as a tensor; products of rows and labels; what the probe's solver remembers
                baselines: sum([
                    product([20, rows, network.hidden]),
                    product([40, rows, labels]),
                    product([200, network.hidden.saturating_add(1), labels]),
                ]),
                ..self.held()
            },
            PassKind::FewShot => self.held(),
            PassKind::Evaluation | PassKind::Samples => self.held_in_training(),
        };
        let shape = self.shape_of(pass);
        let bytes = match pass.new_tokens {
            0 => network.forward_bytes(shape),
            new => network.generation_bytes(shape, new),
        };
        let logits = network.logit_bytes(shape.positions()).min(bytes);
        Estimate {
            activations: bytes - logits,
            logits,
            ..held
        }
    }

    fn training_step(&self) -> Estimate {
        let network = &self.network;
        let shape = self.after_prefix(self.training);
        let positions = shape.positions();
        let own = product([4, positions, self.kept_by_method()]);
        // and one of the attention's weights
        let mask = if self.dropout {
            network.score_bytes(shape)
        } else {
            0
        };
        // of the wide layer only its output is read again where its own weight and input have no gradient; and nothing below the lowest
        // bottleneck keeps anything
        let (spared, below) = match self.method {
            Method::Houlsby(_) => (
                product([4, positions, network.wide]),
                network.attention_bytes(shape),
            ),
            _ => (0, 0),
        };
        let inside = sum([network.layer_bytes(shape), own, mask]).saturating_sub(spared);
        let passing = network.passing_bytes(shape);
        let widened = network.widened_bytes();
        let logits = network.logit_bytes(positions);
        let gradients = product([4, self.trained]);
        // the table that gives the logits has its gradient first
        let of_table = if matches!(self.method, Method::Full(_)) && logits > 0 {
            product([4, network.table])
        } else {
            0
        };
        // a mixture and its mask for each weight
        let mixed = if self.mixout {
            product([8, self.trained])
        } else {
            0
        };
        let layers = self.trained_layers;
        let (kept, alone) = if self.checkpointing {
            // what enters each layer, and one layer's inside
            let entries = product([4, layers, positions, network.hidden]);
            (entries, sum([inside, passing, widened, gradients]))
        } else {
            let all = product([layers, inside.saturating_add(widened)]);
            (all.saturating_sub(below), passing)
        };
        let backward = sum([kept, mixed, alone.max(logits.saturating_add(of_table))]);
        let accumulated = if self.accumulates { gradients } else { 0 };
        let during = backward.max(gradients).max(network.forward_bytes(shape));
        // clipping and the optimizer hold the largest tensor and its gradient again, and its new value; or what is copied at a time
        let step = sum([gradients, product([3, of_table]).max(held_twice(gradients))]);
        let peak = during.saturating_add(accumulated).max(step);
        Estimate {
            activations: peak.saturating_sub(logits),
            logits: logits.min(peak),
            ..self.held_in_training()
        }
    }

    /// Numbers that a layer keeps of each token for the method, besides its own.
    fn kept_by_method(&self) -> u64 {
        let network = &self.network;
        let of_method = match &self.method {
            // each delta keeps its product with A twice, and what it masks of its input; a magnitude keeps the output before it
            Method::Lora(lora) => {
                let ranks = product([2, network.linears, lora.largest_rank() as u64]);
                let dropped = if lora.lora_dropout > 0.0 {
                    network.inputs
                } else {
                    0
                };
                let scaled = if lora.use_dora { network.outputs } else { 0 };
                sum([ranks, dropped, scaled])
            }
            // two bottlenecks, whose linear layers read the sublayers' outputs; the network's own read nothing again
            Method::Houlsby(houlsby) => {
                let hidden = usize::try_from(network.hidden).unwrap_or(usize::MAX);
                product([6, houlsby.width(hidden) as u64])
            }
            Method::Prefix(_) | Method::Full(_) | Method::Probe(_) => 0,
        };
        // masks of hidden states, twice a layer
        let dropped = if self.dropout {
            product([2, network.hidden])
        } else {
            0
        };
        sum([of_method, dropped])
    }
}

/// Whether layers are computed twice, and the estimate that follows. They are if the run does not fit without, and if the weights are stored in
/// blocks, because all of them would otherwise be alive in float32 from the forward to the backward pass. What `profile` says of it counts for
/// nothing.
pub fn choose_checkpointing(profile: &MemoryProfile, compute: &Compute) -> (bool, Estimate) {
    let with = |checkpointing: bool| {
        let profile = MemoryProfile {
            checkpointing,
            ..profile.clone()
        };
        profile.estimate()
    };
    let plain = with(false);
    if !profile.network.storage.is_quantized() && plain.total() <= compute.memory_limit {
        return (false, plain);
    }
    (true, with(true))
}

/// Bytes of the output of a network's frozen part for rows of these lengths, once all of them are cached.
pub fn cache_bytes(frozen: Frozen, lengths: impl Iterator<Item = usize>, hidden: u64) -> u64 {
    let vectors = match frozen {
        Frozen::Nothing => 0,
        Frozen::Layers(_) => lengths.fold(0_u64, |sum, tokens| sum.saturating_add(tokens as u64)),
        Frozen::Backbone => lengths.count() as u64,
    };
    product([4, vectors, hidden])
}

/// Rows that a pass over a language model's texts takes at a time: as many as stay within `batch` rows of the longest training text.
pub fn rows_by_tokens(batch: usize, longest_trained: usize, longest: usize) -> usize {
    let tokens = batch.saturating_mul(longest_trained);
    (tokens / longest.max(1)).max(1)
}

/// Numbers that a method would train in a language model, from its configuration alone.
///
/// # Errors
/// [`crate::Error::InvalidOption`] for settings out of range.
pub fn trained_by(config: &DecoderConfig, method: &Method) -> Result<u64> {
    method.check()?;
    let layers = config.layers.len();
    match method {
        Method::Lora(lora) => {
            let shapes = (0..layers).flat_map(|index| config.linear_shapes(index));
            trained_numbers(lora, shapes)
        }
        Method::Prefix(prefix) => Ok(product(
            [
                2,
                layers,
                config.num_key_value_heads,
                config.head_dim,
                prefix.num_virtual_tokens,
            ]
            .map(|n| n as u64),
        )),
        _ => Ok(config.parameters()),
    }
}
