//! A classifier's LoRA steps on an encoder of any shape.

use serde::Deserialize;

use crate::data::Batch;
use crate::device::{Compute, read};
use crate::formats::{Checkpoint, MemorySource};
use crate::models::TokenBatch;
use crate::models::classifier::HeadWeights;
use crate::models::random::random_checkpoint;
use crate::models::{Backbone, BackboneConfig, Classifier, Head, HeadKind, Inputs, Loader};
use crate::peft::freeze::activate;
use crate::peft::{LoraConfig, Method, TargetModules, Trainable, attach};
use crate::tasks::classify::ClassifyOptions;
use crate::tasks::classify::batch::{Target, TrainBatch, upload_labels};
use crate::train::gradients::{PassSettings, gradients};
use crate::train::optimizer::AdamW;
use crate::train::step::{Rules, train_step};
use crate::{Error, Result};

const LABELS: usize = 6;

/// Sizes of the model and of its batch.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shape {
    pub layers: usize,
    pub hidden_size: usize,
    pub heads: usize,
    pub intermediate_size: usize,
    pub vocab_size: usize,
    pub batch: usize,
    pub tokens: usize,
    pub r: usize,
}

/// A random model in the middle of training.
pub struct ClassifierBenchmark {
    shape: Shape,
    classifier: Classifier,
    optimizer: AdamW,
    batch: TrainBatch,
    trainable: Trainable,
}

impl ClassifierBenchmark {
    /// A model of that shape, LoRA on query and value, and one batch without padding.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] for a shape that no model has; failures of the device.
    pub async fn new(shape: Shape, compute: &Compute) -> Result<Self> {
        let json = serde_json::json!({
            "model_type": "bert",
            "vocab_size": shape.vocab_size,
            "hidden_size": shape.hidden_size,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "intermediate_size": shape.intermediate_size,
            "max_position_embeddings": shape.tokens,
        });
        let config = BackboneConfig::parse(json.to_string().as_bytes())?;
        let file = MemorySource::new("model.safetensors", random_checkpoint(&config, 1)?);
        let checkpoint = Checkpoint::open(vec![file]).await?;
        let encoder = Backbone::load(&config, &Loader::new(&checkpoint, "", compute)).await?;
        let head = HeadWeights::zeros(LABELS, shape.hidden_size);
        let head = Head::new(HeadKind::Mean, &head, &compute.device);
        let mut classifier = Classifier::new(encoder, head);
        let lora = LoraConfig {
            r: shape.r,
            target_modules: TargetModules::Suffixes(vec!["query".into(), "value".into()]),
            ..LoraConfig::default()
        };
        let trainable = attach(&mut classifier, &Method::Lora(lora), 1)?;
        let classifier = activate(classifier, |path| trainable.contains(path));
        let count = shape.batch * shape.tokens;
        let batch = Batch {
            ids: (0..count)
                .map(|index| ((index * 7919) % shape.vocab_size) as i32)
                .collect(),
            mask: vec![1; count],
            types: vec![0; count],
            rows: shape.batch,
            width: shape.tokens,
            tokens: count,
        };
        let labels = (0..shape.batch).map(|row| row % LABELS).collect::<Vec<_>>();
        Ok(Self {
            batch: TrainBatch {
                inputs: Inputs::Tokens(Box::new(TokenBatch::upload(&batch, &compute.device))),
                target: Target::Labels(Box::new(upload_labels(&labels, &compute.device))),
                rows: shape.batch,
            },
            trainable,
            optimizer: AdamW::new(ClassifyOptions::default().common.adamw()),
            classifier,
            shape,
        })
    }

    /// One optimiser step with clipping; the loss before it, which has been read back.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn step(&mut self) -> Result<f32> {
        let batches = std::slice::from_ref(&self.batch);
        let rules = Rules {
            trainable: &self.trainable,
            penalty: None,
            max_grad_norm: 1.0,
            pass: PassSettings::default(),
        };
        let found = gradients(&self.classifier, batches, &rules.pass);
        let (classifier, loss) = train_step(
            self.classifier.clone(),
            &mut self.optimizer,
            found,
            &rules,
            |_| 1e-3,
        );
        self.classifier = classifier;
        let loss = read(loss).await?;
        loss.first()
            .copied()
            .ok_or_else(|| Error::internal("no loss came back"))
    }

    /// Multiplications and additions of matrix products alone, so that the share of the ceiling is never flattered:
    /// forward; the gradients of every layer's inputs but the first layer's, below which nothing trains; LoRA's own.
    pub fn flops(&self) -> f64 {
        let [layers, h, wide, tokens, r] = [
            self.shape.layers,
            self.shape.hidden_size,
            self.shape.intermediate_size,
            self.shape.tokens,
            self.shape.r,
        ]
        .map(|n| n as f64);
        let rows = self.shape.batch as f64 * tokens;
        let linears = 2.0 * rows * (4.0 * h * h + 2.0 * h * wide);
        let first_inputs = 2.0 * rows * 3.0 * h * h;
        // scores and mixture forward, and two products for each backward
        let attention = 3.0 * 4.0 * rows * tokens * h;
        // two deltas a layer; forward, input gradients and weight gradients of both factors
        let lora = 3.0 * 2.0 * 2.0 * rows * 2.0 * h * r;
        layers * (2.0 * linears + attention + lora) - first_inputs
    }
}
