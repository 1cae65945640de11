//! Enters: a plan. Leaves: one event per call, and in the end the best classifier found. Pausing is not calling.

use super::config::Recipe;
use super::event::{FinishReason, TrainEvent};
use super::optimizer::{AdamW, AdamWConfig};
use super::plan::{Plan, Rows};
use super::schedule::linear;
use super::step::{LabelledBatch, train_step, upload, upload_labels};
use crate::data::{Batch, Example, batches};
use crate::eval::evaluate::{Evaluation, FeaturePass, logits, read};
use crate::eval::metrics::{Report, report};
use crate::eval::probe::{ProbeData, fit_best, head_logits};
use crate::models::heads::HeadWeights;
use crate::models::names::is_head;
use crate::models::{Classifier, Head};
use crate::peft::attach;
use crate::peft::freeze::{total_parameters, train_head, trained_parameters};
use crate::pretrained::Pretrained;
use crate::rng::Rng;
use crate::tuned::{Card, RunCard, Tuned};
use crate::{Error, Result};
use burn::module::Module;

use super::TrainOptions;

/// One run. Call [`Session::next_event`] until it gives `None`; then [`Session::take_tuned`].
pub struct Session {
    model: Pretrained,
    plan: Plan,
    phase: Phase,
    stop: bool,
    train_loss: Vec<f32>,
    counts: [u64; 2],
    tuned: Option<Tuned>,
}

enum Phase {
    Start,
    Features(FeaturePass),
    Train(Box<Training>),
    Done,
}

/// What exists only while deltas train.
struct Training {
    classifier: Classifier,
    optimizer: AdamW,
    probe: HeadWeights,
    best: Best,
    epoch: usize,
    /// This epoch's batches of training rows, one list per optimiser step.
    steps: Vec<Vec<Vec<usize>>>,
    next: usize,
    done: usize,
    epochs_without_gain: usize,
    finish: Option<FinishReason>,
}

/// The best state so far, judged on the validation rows.
struct Best {
    classifier: Classifier,
    epoch: usize,
    /// `None` before anything of the tuned classifier was scored.
    scores: Option<(f64, f64)>,
}

impl Best {
    /// Higher accuracy, or the same with a lower loss. A score that is not a number never wins.
    fn loses_to(&self, report: &Report) -> bool {
        if !report.loss.is_finite() {
            return false;
        }
        self.scores.is_none_or(|(accuracy, loss)| {
            report.accuracy > accuracy || (report.accuracy == accuracy && report.loss < loss)
        })
    }
}

impl Session {
    /// Checks examples and options; computes nothing yet.
    ///
    /// # Errors
    /// As [`Plan::new`], and targets that match no layer.
    pub fn new(model: &Pretrained, examples: &[Example], options: TrainOptions) -> Result<Self> {
        let plan = Plan::new(model, examples, options)?;
        let session = Self {
            counts: [0, 0],
            model: model.clone(),
            phase: Phase::Start,
            stop: false,
            train_loss: Vec::new(),
            tuned: None,
            plan,
        };
        let blank = HeadWeights::zeros(session.plan.labels.len(), session.model.config.hidden_size);
        let classifier = session.classifier(&blank)?;
        let counts = [
            trained_parameters(&classifier),
            total_parameters(&classifier),
        ];
        Ok(Self { counts, ..session })
    }

    /// Asks for an early end; the events that follow lead to `finished`, with the best state so far. Before the probe is
    /// fitted there is no state to keep, so a stop takes effect after it.
    pub fn stop(&mut self) {
        self.stop = true;
    }

    /// What the run found, once `finished` was told; only the first call has it.
    pub fn take_tuned(&mut self) -> Option<Tuned> {
        self.tuned.take()
    }

    /// Works until there is something to tell; `None` after `finished`.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn next_event(&mut self) -> Result<Option<TrainEvent>> {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Start => self.start().map(Some),
            Phase::Features(pass) => self.features(pass).await.map(Some),
            Phase::Train(training) => self.train(training).await.map(Some),
            Phase::Done => Ok(None),
        }
    }

    fn start(&mut self) -> Result<TrainEvent> {
        let plan = &self.plan;
        // training rows first: `probe` counts on it
        let all = plan
            .train
            .encodings
            .iter()
            .chain(&plan.validation.encodings);
        self.phase = Phase::Features(FeaturePass::new(all.cloned().collect())?);
        Ok(TrainEvent::Started {
            labels: plan.labels.names().to_vec(),
            train_rows: plan.train.len(),
            validation_rows: plan.validation.len(),
            total_steps: plan.total_steps,
            epochs: plan.options.num_train_epochs,
            head: plan.head,
            trained_parameters: self.counts[0],
            total_parameters: self.counts[1],
            memory_estimate: plan.memory,
            warnings: plan.warnings.clone(),
        })
    }

    async fn features(&mut self, mut pass: FeaturePass) -> Result<TrainEvent> {
        let pad = self.model.tokenizer.pad_id();
        match pass.advance(&self.model.bert, self.plan.head, pad).await? {
            None => self.probe(&pass).await,
            Some(done) => {
                let total = pass.total();
                self.phase = Phase::Features(pass);
                Ok(TrainEvent::Features { done, total })
            }
        }
    }

    async fn probe(&mut self, pass: &FeaturePass) -> Result<TrainEvent> {
        let plan = &self.plan;
        let data = |rows: &Rows, offset: usize| ProbeData {
            features: (0..rows.len())
                .flat_map(|row| pass.row(offset + row))
                .copied()
                .collect(),
            labels: rows.labels.clone(),
        };
        let train = data(&plan.train, 0);
        let validation = data(&plan.validation, plan.train.len());
        let probe = fit_best(&train, &validation, plan.labels.names()).await?;
        let logits = head_logits(&probe, &validation.features);
        let scores = report(&validation.labels, &logits, plan.labels.names())?;
        let start = match plan.options.recipe {
            Recipe::ProbeThenLora => probe.clone(),
            Recipe::Lora => fresh_head(
                plan,
                self.model.config.hidden_size,
                self.model.config.initializer_range,
            ),
        };
        let classifier = self.classifier(&start)?;
        let best = Best {
            classifier: classifier.valid(),
            epoch: 0,
            scores: match plan.options.recipe {
                Recipe::ProbeThenLora => Some((scores.accuracy, scores.loss)),
                Recipe::Lora => None,
            },
        };
        let mut training = Box::new(Training {
            classifier,
            optimizer: AdamW::new(AdamWConfig::from(&plan.options)),
            probe,
            best,
            epoch: 0,
            steps: Vec::new(),
            next: 0,
            done: 0,
            epochs_without_gain: 0,
            finish: None,
        });
        self.next_epoch(&mut training)?;
        self.phase = Phase::Train(training);
        Ok(TrainEvent::Probe { validation: scores })
    }

    /// The frozen encoder with deltas attached and a head that trains.
    fn classifier(&self, head: &HeadWeights) -> Result<Classifier> {
        let mut classifier = Classifier {
            bert: self.model.bert.clone(),
            head: Head::new(self.plan.head, head, &self.model.compute.device),
        };
        attach(&mut classifier, &self.plan.lora, self.plan.options.seed)?;
        train_head(&mut classifier);
        Ok(classifier)
    }

    fn next_epoch(&self, training: &mut Training) -> Result<()> {
        let options = &self.plan.options;
        training.epoch += 1;
        training.next = 0;
        training.steps = batches(
            &self.plan.train.lengths(),
            options.train_batch_size,
            options.seed,
            training.epoch,
        )?
        .chunks(options.gradient_accumulation_steps)
        .map(<[Vec<usize>]>::to_vec)
        .collect();
        Ok(())
    }

    async fn train(&mut self, mut training: Box<Training>) -> Result<TrainEvent> {
        if self.stop && training.finish.is_none() {
            training.finish = Some(FinishReason::Stopped);
        }
        if let Some(reason) = training.finish {
            return self.finish(*training, reason).await;
        }
        let event = match training.next < training.steps.len() {
            true => self.step(&mut training).await?,
            false => self.end_epoch(&mut training).await?,
        };
        self.phase = Phase::Train(training);
        Ok(event)
    }

    async fn step(&mut self, training: &mut Training) -> Result<TrainEvent> {
        let Plan { options, train, .. } = &self.plan;
        let device = &self.model.compute.device;
        let mut tokens = 0;
        let mut uploaded = Vec::new();
        for rows in &training.steps[training.next] {
            let picked = rows
                .iter()
                .map(|row| &train.encodings[*row])
                .collect::<Vec<_>>();
            let batch = Batch::pad(&picked, self.model.tokenizer.pad_id())?;
            let labels = rows
                .iter()
                .map(|row| train.labels[*row])
                .collect::<Vec<_>>();
            tokens += batch.tokens;
            uploaded.push(LabelledBatch {
                tokens: upload(&batch, device),
                labels: upload_labels(&labels, device),
                rows: rows.len(),
            });
        }
        let factor = linear(training.done, self.plan.warmup_steps, self.plan.total_steps);
        let [rate, head_rate] = [
            options.learning_rate * factor,
            options.head_learning_rate * factor,
        ];
        if self.plan.lora.lora_dropout > 0.0 {
            let name = format!("dropout/{}", training.done);
            device.seed(Rng::stream(options.seed, &name).next_u64());
        }
        let by_path = |path: &str| if is_head(path) { head_rate } else { rate };
        let (classifier, loss) = train_step(
            training.classifier.clone(),
            &mut training.optimizer,
            &uploaded,
            options.max_grad_norm,
            by_path,
        );
        training.classifier = classifier;
        training.next += 1;
        training.done += 1;
        let loss = read(loss).await?.first().copied().unwrap_or(f32::NAN);
        self.train_loss.push(loss);
        if !loss.is_finite() {
            training.finish = Some(FinishReason::Diverged);
        }
        Ok(TrainEvent::Step {
            step: training.done,
            total_steps: self.plan.total_steps,
            epoch: training.epoch,
            loss,
            learning_rate: rate,
            head_learning_rate: head_rate,
            tokens,
        })
    }

    async fn end_epoch(&mut self, training: &mut Training) -> Result<TrainEvent> {
        let classifier = training.classifier.valid();
        let rows = &self.plan.validation;
        let logits = logits(&classifier, &rows.encodings, self.model.tokenizer.pad_id()).await?;
        let scores = report(&rows.labels, &logits, self.plan.labels.names())?;
        let loss = scores.loss;
        let best = training.best.loses_to(&scores);
        if best {
            training.best = Best {
                classifier,
                epoch: training.epoch,
                scores: Some((scores.accuracy, scores.loss)),
            };
            training.epochs_without_gain = 0;
        } else {
            training.epochs_without_gain += 1;
        }
        let event = TrainEvent::Evaluation {
            step: training.done,
            epoch: training.epoch,
            validation: scores,
            best,
        };
        let options = &self.plan.options;
        let patience = options.early_stopping_patience;
        if !loss.is_finite() {
            // the update of the epoch's last step made it: no later step would show it
            training.finish = Some(FinishReason::Diverged);
        } else if training.epoch == options.num_train_epochs {
            training.finish = Some(FinishReason::Completed);
        } else if patience > 0 && training.epochs_without_gain >= patience {
            training.finish = Some(FinishReason::EarlyStopping);
        } else {
            self.next_epoch(training)?;
        }
        Ok(event)
    }

    async fn finish(&mut self, training: Training, reason: FinishReason) -> Result<TrainEvent> {
        let plan = &self.plan;
        let names = plan.labels.names();
        let truth = &plan.validation.labels;
        let texts = plan
            .validation
            .texts
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>();
        let encodings = &plan.validation.encodings;
        let best = training.best;
        let probe = Classifier {
            bert: self.model.bert.clone(),
            head: Head::new(plan.head, &training.probe, &self.model.compute.device),
        };
        let pad = self.model.tokenizer.pad_id();
        let after = logits(&best.classifier, encodings, pad).await?;
        let before = logits(&probe, encodings, pad).await?;
        let evaluation = Evaluation::new(names, &texts, truth, &after, &before)?;
        let score = |report: &Report| (report.accuracy, report.macro_f1);
        let card = RunCard {
            options: serde_json::to_value(&plan.options)
                .map_err(|error| Error::InvalidState(error.to_string()))?,
            train_rows: plan.train.len(),
            validation_rows: plan.validation.len(),
            label_counts: plan.label_counts.clone(),
            steps: training.done,
            kept_epoch: best.epoch,
            baseline_scores: score(&evaluation.baseline),
            tuned_scores: score(&evaluation.tuned),
            trained_parameters: self.counts[0],
            total_parameters: self.counts[1],
        };
        let tuned = Tuned {
            classifier: best.classifier,
            baseline: training.probe,
            labels: plan.labels.clone(),
            lora: plan.lora.clone(),
            max_length: plan.max_length,
            card: Card::Run(Box::new(card)),
        };
        let message = message(reason, best.epoch, training.done, &plan.options);
        self.tuned = Some(tuned);
        Ok(TrainEvent::Finished {
            reason,
            message,
            kept_epoch: best.epoch,
            steps: training.done,
            train_loss: self.train_loss.clone(),
            evaluation,
            trained_parameters: self.counts[0],
            total_parameters: self.counts[1],
        })
    }
}

/// Hugging Face's fresh head: normal with the model's `initializer_range`, biases zero. `[labels, hidden]`.
fn fresh_head(plan: &Plan, hidden: usize, range: f64) -> HeadWeights {
    let mut rng = Rng::stream(plan.options.seed, "init/head");
    let labels = plan.labels.len();
    HeadWeights {
        weight: (0..labels * hidden)
            .map(|_| (rng.normal() * range) as f32)
            .collect(),
        bias: vec![0.0; labels],
    }
}

fn message(reason: FinishReason, kept: usize, steps: usize, options: &TrainOptions) -> String {
    let why = match reason {
        FinishReason::Completed => format!("All {} epochs are trained", options.num_train_epochs),
        FinishReason::EarlyStopping => format!(
            "Training ended early: {} epochs brought no gain on the validation rows",
            options.early_stopping_patience
        ),
        FinishReason::Stopped => "Training was stopped".into(),
        FinishReason::Diverged => format!(
            "Training diverged: after step {steps} the loss is not a number. Try a lower learningRate than {} and a \
             lower headLearningRate than {}",
            options.learning_rate, options.head_learning_rate
        ),
    };
    let what = match (kept, options.recipe) {
        (0, Recipe::ProbeThenLora) => {
            "the fitted head on the untuned model, which no epoch beat".into()
        }
        (0, Recipe::Lora) => "the state before training, because no epoch ended well".into(),
        (epoch, _) => format!("the state after epoch {epoch}, the best on the validation rows"),
    };
    format!("{why}. Kept: {what}.")
}
