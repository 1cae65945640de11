//! A language model's LoRA steps.

use crate::device::{Compute, EngineKind, read};
use crate::formats::{Checkpoint, Source};
use crate::layers::Storage;
use crate::models::decoder::Layout;
use crate::models::size::{NetworkSizes, Shape};
use crate::models::{CausalBatch, CausalLm, DecoderConfig, Loader, Network};
use crate::peft::freeze::{activate, trained_parameters};
use crate::peft::{LoraConfig, Method, TargetModules, Trainable, attach};
use crate::tasks::language::LanguageOptions;
use crate::train::gradients::PassSettings;
use crate::train::memory::{Estimate, MemoryProfile};
use crate::train::optimizer::AdamW;
use crate::train::step::{Rules, train_step};
use crate::{Error, Result};

/// What one step works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanguageWork {
    /// Rows of one batch.
    pub rows: usize,
    /// Tokens a row, none of them padding, all but the first learnt.
    pub tokens: usize,
    /// Rank of the deltas, which every linear layer has.
    pub r: usize,
    /// How the frozen weights are stored.
    pub storage: Storage,
    /// Whether layers are computed twice.
    pub checkpointing: bool,
}

/// A language model in the middle of training.
pub struct LanguageBenchmark {
    config: DecoderConfig,
    work: LanguageWork,
    method: Method,
    model: CausalLm,
    trainable: Trainable,
    trained: u64,
    optimizer: AdamW,
    options: LanguageOptions,
    batch: CausalBatch,
    kind: EngineKind,
}

impl LanguageBenchmark {
    /// The model of `weights`, LoRA on all its linear layers, and one batch without padding.
    ///
    /// # Errors
    /// Weights that do not fit `config`, or cannot be stored as asked; failures of the device.
    pub async fn new<S: Source>(
        config: &DecoderConfig,
        weights: S,
        work: LanguageWork,
        compute: &Compute,
    ) -> Result<Self> {
        let checkpoint = Checkpoint::open(vec![weights]).await?;
        let loader = Loader::new(&checkpoint, config.checkpoint_prefix(), compute);
        let mut model = CausalLm::load(config, &loader.with_storage(work.storage)?).await?;
        let targets = model.default_targets().iter();
        let targets = targets.map(|name| (*name).to_string()).collect();
        let method = Method::Lora(LoraConfig {
            r: work.r,
            target_modules: TargetModules::Suffixes(targets),
            ..LoraConfig::default()
        });
        let trainable = attach(&mut model, &method, 1)?;
        let options = LanguageOptions::default();
        let count = work.rows * work.tokens;
        let ids = (0..count).map(|index| ((index * 7919) % config.vocab_size) as i32);
        let layout = Layout::plain(work.rows, work.tokens);
        let batch = CausalBatch::new(ids.collect(), &vec![true; count], layout, &compute.device);
        Ok(Self {
            trained: trained_parameters(&model, &trainable),
            model: activate(model, |path| trainable.contains(path)),
            config: config.clone(),
            optimizer: AdamW::new(options.common.adamw()),
            kind: compute.kind,
            work,
            method,
            trainable,
            options,
            batch,
        })
    }

    /// One optimiser step with clipping; the loss before it, which has been read back.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn step(&mut self) -> Result<f32> {
        let rules = Rules {
            trainable: &self.trainable,
            penalty: None,
            max_grad_norm: self.options.common.max_grad_norm,
            pass: PassSettings {
                checkpointing: self.work.checkpointing,
                noise: None,
            },
        };
        let rate = self.options.common.learning_rate;
        let batches = std::slice::from_ref(&self.batch);
        let (model, loss) = train_step(
            self.model.clone(),
            &mut self.optimizer,
            batches,
            &rules,
            |_| rate,
        );
        self.model = model;
        let loss = read(loss).await?;
        loss.first()
            .copied()
            .ok_or_else(|| Error::internal("no loss came back"))
    }

    /// Tokens that a step reads.
    pub fn tokens(&self) -> usize {
        self.work.rows * self.work.tokens
    }

    /// What such a run is estimated to take.
    pub fn estimate(&self) -> Estimate {
        let network = NetworkSizes::of_decoder(&self.config, self.work.storage, self.kind);
        let training = Shape::new(self.work.rows, self.work.tokens);
        let profile = MemoryProfile {
            checkpointing: self.work.checkpointing,
            ..MemoryProfile::new(network, self.method.clone(), self.trained, training)
        };
        profile.estimate()
    }

    /// Multiplications and additions of the matrix products that the result needs, so that the share of the ceiling is never flattered:
    /// forward; the gradients of every linear layer's input but those that read the embeddings, below which nothing trains; LoRA's own; the
    /// logits and their gradient. What checkpointing computes twice counts once.
    pub fn flops(&self) -> f64 {
        let config = &self.config;
        let rows = self.tokens() as f64;
        let r = self.work.r as f64;
        let mut flops = 0.0;
        for index in 0..config.layers.len() {
            for (name, [input, output]) in config.linear_shapes(index) {
                let [input, output] = [input as f64, output as f64];
                let reads_embeddings = index == 0
                    && ["q_proj", "k_proj", "v_proj", "c_attn"]
                        .iter()
                        .any(|first| name.ends_with(first));
                let passes = if reads_embeddings { 1.0 } else { 2.0 };
                // forward and, where there is one, the gradient of the input
                flops += passes * 2.0 * rows * (input * output + input * r);
                // B's forward and its gradients, and the gradient of A
                flops += 2.0 * rows * (3.0 * r * output + input * r);
            }
            let heads = (config.num_attention_heads * config.head_dim) as f64;
            // scores and mixture forward, and two products for each backward
            flops += 3.0 * 4.0 * rows * self.work.tokens as f64 * heads;
        }
        let table = (config.vocab_size * config.hidden_size) as f64;
        flops + 2.0 * 2.0 * self.batch.count() as f64 * table
    }
}
