//! A run's largest use of memory, before anything of it is allocated. In goes what the run does, a [`MemoryProfile`]; out comes the peak by what
//! takes it, an [`Estimate`]: the largest of all its passes on top of what is held meanwhile.

use serde::Serialize;

use super::frozen::Frozen;
use crate::Result;
use crate::device::Compute;
use crate::layers::Storage;
use crate::models::size::{Shape, product, sum};
use crate::models::{DecoderConfig, NetworkSizes};
use crate::peft::lora::trained_numbers;
use crate::peft::{InitLoraWeights, Method};

/// What a pass that is no training step computes, and so when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassKind {
    /// What the frozen network gives for the rows of a classifier. Nothing trains yet.
    Features,
    /// Validation texts after examples. Nothing trains yet.
    FewShot,
    /// The validation rows, between the steps.
    Evaluation,
    /// What a language model writes after a sample prompt, between the steps.
    Samples,
}

/// A pass that is no training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    pub kind: PassKind,
    /// Its largest batch.
    pub shape: Shape,
    /// Tokens written after it.
    pub new_tokens: u64,
}

impl Pass {
    /// A pass that writes nothing.
    pub fn new(kind: PassKind, rows: usize, tokens: usize) -> Self {
        Self {
            kind,
            shape: Shape::new(rows, tokens),
            new_tokens: 0,
        }
    }

    /// A prompt and what is written after it.
    pub fn samples(prompt: usize, new_tokens: usize) -> Self {
        Self {
            new_tokens: new_tokens as u64,
            ..Self::new(PassKind::Samples, 1, prompt)
        }
    }
}

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

    /// The peak of the run.
    pub fn estimate(&self) -> Estimate {
        self.peak().1
    }

    /// Refuses a run that does not fit, before anything is allocated.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] with both numbers and [`Self::advice`].
    pub fn check(&self, compute: &Compute) -> Result<Estimate> {
        let estimate = self.estimate();
        compute.check_memory("This run", estimate.total(), &self.advice())?;
        Ok(estimate)
    }

    /// What would lower the peak.
    pub fn advice(&self) -> String {
        let lower =
            "lower trainBatchSize (and raise gradientAccumulationSteps instead) or maxLength";
        let fewer = match (&self.method, self.network.storage) {
            (Method::Full(_), _) => ", or choose a method that trains less",
            (_, Storage::Int4) => "",
            _ => ", or store the weights in fewer bits",
        };
        match self.peak().0 {
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
        match &self.method {
            Method::Prefix(prefix) => shape.after(prefix.num_virtual_tokens),
            _ => shape,
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
        let shape = match pass.kind {
            PassKind::Features | PassKind::FewShot => pass.shape,
            PassKind::Evaluation | PassKind::Samples => self.after_prefix(pass.shape),
        };
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
        let inside = sum([
            network.layer_bytes(shape),
            product([4, positions, self.kept_by_method()]),
        ]);
        let passing = network.passing_bytes(shape);
        let widened = network.widened_bytes();
        let logits = network.logit_bytes(positions);
        let gradients = product([4, self.trained]);
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
            (product([layers, inside.saturating_add(widened)]), passing)
        };
        let backward = sum([kept, mixed, alone.saturating_sub(logits)]);
        let accumulated = if self.accumulates { gradients } else { 0 };
        let forward = network.forward_bytes(shape).saturating_sub(logits);
        Estimate {
            activations: sum([backward.max(gradients).max(forward), accumulated]),
            logits,
            ..self.held_in_training()
        }
    }

    /// Numbers that a layer keeps of each token for the method, besides its own.
    fn kept_by_method(&self) -> u64 {
        let network = &self.network;
        let of_method = match &self.method {
            // each delta keeps its product with A twice, and its masked input and the mask if it drops any; a magnitude keeps the output before
            // it
            Method::Lora(lora) => {
                let ranks = product([2, network.linears, lora.largest_rank() as u64]);
                let dropped = if lora.lora_dropout > 0.0 {
                    product([2, network.inputs])
                } else {
                    0
                };
                let scaled = if lora.use_dora {
                    product([2, network.outputs])
                } else {
                    0
                };
                sum([ranks, dropped, scaled])
            }
            Method::Houlsby(houlsby) => {
                let hidden = usize::try_from(network.hidden).unwrap_or(usize::MAX);
                let narrow = houlsby.width(hidden) as u64;
                sum([product([4, network.hidden]), product([8, narrow])])
            }
            Method::Prefix(_) | Method::Full(_) | Method::Probe(_) => 0,
        };
        // masks of hidden states, twice a layer, and the masked values
        let dropped = if self.dropout {
            product([4, network.hidden])
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::device::EngineKind;
    use crate::peft::{LoraConfig, PrefixConfig};

    fn config(heads: usize, positions: usize) -> DecoderConfig {
        let json = json!({
            "model_type": "llama", "vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 5, "num_attention_heads": heads,
            "num_key_value_heads": heads / 2, "intermediate_size": 172, "max_position_embeddings": positions,
            "tie_word_embeddings": true
        });
        DecoderConfig::parse(json.to_string().as_bytes()).unwrap()
    }

    fn profile(storage: Storage, method: Method, rows: usize, tokens: usize) -> MemoryProfile {
        let config = config(16, 1 << 17);
        let trained = trained_by(&config, &method).unwrap();
        let network = NetworkSizes::of_decoder(&config, storage, EngineKind::Cpu);
        MemoryProfile::new(network, method, trained, Shape::new(rows, tokens))
    }

    fn lora() -> Method {
        Method::Lora(LoraConfig::default())
    }

    #[test]
    fn more_tokens_never_take_less() {
        let total = |tokens| profile(Storage::F32, lora(), 1, tokens).estimate().total();
        let lengths = [64, 1000, 16_320, 16_384, 23_171, 65_536, 1 << 20, 1 << 40];
        for pair in lengths.windows(2) {
            assert!(total(pair[0]) < total(pair[1]), "{pair:?}");
        }
        // 5 layers keep 3 matrices of scores of 16 heads each
        assert!(total(16_384) > 5 * 3 * 4 * 16 * (16_384_u64 * 16_384));
        assert_eq!(total(usize::MAX), u64::MAX);
    }

    #[test]
    fn every_pass_counts_and_the_largest_gives_the_advice() {
        let compute = Compute::cpu();
        let run = profile(Storage::F32, lora(), 2, 64);
        let alone = run.estimate();
        assert!(run.check(&compute).is_ok());
        for (pass, word) in [
            (Pass::new(PassKind::FewShot, 2, 2048), "fewShotExamples"),
            (Pass::new(PassKind::Evaluation, 2, 2048), "maxLength"),
            (Pass::new(PassKind::Features, 32, 512), "maxLength"),
            (Pass::samples(6000, 32), "samplePrompts"),
        ] {
            let mut run = run.clone();
            run.passes.push(pass);
            let estimate = run.estimate();
            assert!(estimate.total() > alone.total(), "{word}");
            let small = Compute::cpu().with_memory_limit(alone.total());
            let error = run.check(&small).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            // a short one changes nothing
            run.passes = vec![Pass::new(pass.kind, 1, 8)];
            assert_eq!(run.estimate(), alone, "{word}");
        }
        let mut written = run.clone();
        let longer = |tokens| Pass::samples(3000, tokens);
        written.passes = vec![longer(1)];
        let one = written.estimate().total();
        written.passes = vec![longer(1001)];
        // keys and values of 8 heads of width 4 in 5 layers
        assert_eq!(written.estimate().total() - one, 1000 * 8 * 5 * 32);
    }

    #[test]
    fn what_is_held_is_counted_as_often_as_it_is() {
        let run = profile(Storage::F32, lora(), 2, 64);
        let plain = run.estimate();
        let more = |change: fn(&mut MemoryProfile)| {
            let mut run = run.clone();
            change(&mut run);
            run.estimate().total() - plain.total()
        };
        assert_eq!(more(|run| run.cache = 1000), 1000);
        assert_eq!(more(|run| run.candidate = true), 4 * run.trained);
        assert_eq!(more(|run| run.penalty = true), 4 * run.trained);
        assert_eq!(more(|run| run.accumulates = true), 4 * run.trained);
        assert_eq!(
            (plain.adapter, plain.moments),
            (8 * run.trained, 8 * run.trained)
        );
        // weights, values, best state, two moments and gradients
        let full = profile(Storage::F32, Method::Full(Default::default()), 1, 8).estimate();
        assert!(full.total() >= 6 * full.weights, "{full:?}");
        let prefix = Method::Prefix(PrefixConfig {
            num_virtual_tokens: 512,
        });
        let after = profile(Storage::F32, prefix, 2, 64).estimate();
        assert!(after.activations > 5 * plain.activations);
    }

    #[test]
    fn layers_are_computed_twice_where_it_is_needed() {
        let compute = Compute::cpu();
        let run = profile(Storage::F32, lora(), 2, 64);
        let (on, estimate) = choose_checkpointing(&run, &compute);
        assert!(!on && estimate == run.estimate());
        let tight = Compute::cpu().with_memory_limit(estimate.total() - 1);
        let (on, less) = choose_checkpointing(&run, &tight);
        assert!(on && less.total() < estimate.total());
        let checkpointed = MemoryProfile {
            checkpointing: true,
            ..run
        };
        assert!(!choose_checkpointing(&checkpointed, &compute).0);
        let blocks = profile(Storage::Int8, lora(), 2, 64);
        assert!(choose_checkpointing(&blocks, &compute).0);
    }

    #[test]
    fn rows_of_a_cache_and_of_a_pass_are_counted() {
        let lengths = || [3, 5, 8].into_iter();
        assert_eq!(cache_bytes(Frozen::Nothing, lengths(), 10), 0);
        assert_eq!(cache_bytes(Frozen::Layers(2), lengths(), 10), 4 * 16 * 10);
        assert_eq!(cache_bytes(Frozen::Backbone, lengths(), 10), 4 * 3 * 10);
        let endless = [usize::MAX, usize::MAX].into_iter();
        assert_eq!(cache_bytes(Frozen::Layers(1), endless, 64), u64::MAX);
        assert_eq!(rows_by_tokens(8, 100, 100), 8);
        assert_eq!(rows_by_tokens(8, 100, 250), 3);
        assert_eq!(rows_by_tokens(8, 100, 2000), 1);
        assert_eq!(rows_by_tokens(8, 100, 10), 80);
        assert_eq!(rows_by_tokens(usize::MAX, usize::MAX, 0), usize::MAX);
    }
}
