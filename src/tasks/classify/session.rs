//! Enters: a plan. Leaves: one event per call, and in the end the best classifier found. Pausing is not calling.

use web_time::Instant;

use super::event::{FinishReason, Finished, KeptStage, TrainEvent};
use super::options::TrainOptions;
use super::plan::Plan;
use super::recipe::{Given, Speed, fit_to_time};
use super::training::{Ground, Training};
use crate::data::Example;
use crate::eval::baseline::{centroids, zero_shot};
use crate::eval::evaluate::{BaseFeatures, FeaturePass, logits, sentence_vectors};
use crate::eval::evaluation::{BaselineHeads, Baselines, Evaluation, OfBaselines};
use crate::eval::forgetting::{Forgetting, sentences};
use crate::eval::probe::{ProbeData, fit_best};
use crate::models::{Classifier, HeadKind};
use crate::peft::MethodType;
use crate::tasks::classify::model::Pretrained;
use crate::tasks::classify::tuned::{Card, RunCard, Tuned, encode};
use crate::train::cache::{Frozen, FrozenCache};
use crate::train::seeds::{SeedRun, SeedSummary, Seeds};
use crate::{Error, Result};

/// One run, or several that differ in their seeds. Call [`Session::next_event`] until it gives `None`; then [`Session::take_tuned`].
pub struct Session {
    model: Pretrained,
    plan: Plan,
    options: TrainOptions,
    phase: Phase,
    stop: bool,
    tuned: Option<Tuned>,
}

enum Phase {
    Start,
    Features(FeaturePass, Instant),
    Recipe(Box<Prepared>, Speed),
    Begin(Box<Prepared>, Seeds, Option<Box<Candidate>>),
    Train(Box<Running>),
    Finish(Box<Prepared>, Box<Candidate>, Option<SeedSummary>),
    Done,
}

/// What every run of the session shares.
struct Prepared {
    heads: BaselineHeads,
    scores: Baselines,
    /// Of the validation rows.
    logits: OfBaselines<Vec<f32>>,
    cache: FrozenCache,
}

struct Running {
    prepared: Box<Prepared>,
    options: TrainOptions,
    training: Training,
    seeds: Seeds,
    candidate: Option<Box<Candidate>>,
}

/// The best of the runs that have ended.
struct Candidate {
    training: Training,
    options: TrainOptions,
    reason: FinishReason,
}

impl Session {
    /// Checks examples and options; computes nothing yet.
    ///
    /// # Errors
    /// As [`Plan::new`], and targets that match no layer.
    pub fn new(model: &Pretrained, examples: &[Example], given: Given) -> Result<Self> {
        let plan = Plan::new(model, examples, given)?;
        Ok(Self {
            options: plan.chosen.options.clone(),
            model: model.clone(),
            phase: Phase::Start,
            stop: false,
            tuned: None,
            plan,
        })
    }

    /// Asks for an early end; the events that follow lead to `finished`, with the best state so far. Before the baselines are
    /// fitted there is no state to keep, so a stop takes effect after them.
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
        loop {
            let event = match std::mem::replace(&mut self.phase, Phase::Done) {
                Phase::Start => Some(self.start()?),
                Phase::Features(pass, begun) => Some(self.features(pass, begun).await?),
                Phase::Recipe(prepared, speed) => Some(self.recipe(prepared, &speed)),
                Phase::Begin(prepared, seeds, candidate) => {
                    self.begin(prepared, seeds, candidate).await?
                }
                Phase::Train(running) => Some(self.train(running).await?),
                Phase::Finish(prepared, candidate, seeds) => {
                    Some(self.finish(*prepared, *candidate, seeds).await?)
                }
                Phase::Done => return Ok(None),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    fn start(&mut self) -> Result<TrainEvent> {
        let plan = &self.plan;
        let (tap, cached_layers) = match plan.frozen {
            Frozen::Nothing => (None, 0),
            Frozen::Layers(layers) => (Some(layers), layers),
            Frozen::Backbone => (None, self.model.config.num_hidden_layers),
        };
        let pass = FeaturePass::new(plan.encodings.clone(), tap)?;
        self.phase = Phase::Features(pass, Instant::now());
        Ok(TrainEvent::Started {
            labels: plan.labels.names().to_vec(),
            train_rows: plan.train.len(),
            validation_rows: plan.validation.len(),
            head: plan.head,
            trained_parameters: plan.trained_parameters,
            total_parameters: plan.total_parameters,
            memory_estimate: plan.memory,
            warnings: plan.warnings.clone(),
            items_key: plan.items_key(),
            cached_layers,
        })
    }

    async fn features(&mut self, mut pass: FeaturePass, begun: Instant) -> Result<TrainEvent> {
        let pad = self.model.tokenizer.pad_id();
        if pass
            .advance(&self.model.encoder, self.plan.head, pad)
            .await?
        {
            let (done, total) = (pass.done, pass.total());
            self.phase = Phase::Features(pass, begun);
            return Ok(TrainEvent::Features { done, total });
        }
        let positions = pass.positions as f64;
        let share = self.plan.train.len() as f64 / pass.total() as f64;
        let speed = Speed {
            seconds_per_position: begun.elapsed().as_secs_f64() / positions.max(1.0),
            positions: positions * share,
        };
        let prepared = self.baselines(pass.finish()).await?;
        let validation = prepared.scores.clone();
        self.phase = Phase::Recipe(Box::new(prepared), speed);
        Ok(TrainEvent::Baselines { validation })
    }

    async fn baselines(&self, features: BaseFeatures) -> Result<Prepared> {
        let plan = &self.plan;
        let hidden = self.model.config.hidden_size;
        let names = plan.labels.names();
        let split = plan.train.len() * hidden;
        let bias = Classifier::has_bias(&self.model.encoder, plan.head);
        let data = |features: &[f32], labels: &[usize]| {
            ProbeData::new(features.to_vec(), labels.to_vec(), bias)
        };
        let train = data(&features.head[..split], &plan.train.labels);
        let validation = data(&features.head[split..], &plan.validation.labels);
        let descriptions = names.iter().map(|name| {
            let given = self.options.label_descriptions.get(name);
            given.unwrap_or(name).as_str()
        });
        let descriptions = encode(&self.model, HeadKind::Mean, descriptions, plan.max_length)?;
        let pad = self.model.tokenizer.pad_id();
        let described = sentence_vectors(&self.model.encoder, &descriptions, pad).await?;
        let heads = BaselineHeads {
            zero_shot: zero_shot(&described, hidden)?,
            centroid: centroids(
                &features.mean[..split],
                &plan.train.labels,
                names.len(),
                hidden,
            )?,
            probe: fit_best(&train, &validation, names).await?,
        };
        let mut cache = FrozenCache::new(
            plan.encodings.len(),
            hidden,
            pad,
            self.model.compute.device.clone(),
        );
        cache.set_frozen(plan.frozen);
        match plan.frozen {
            Frozen::Nothing => {}
            Frozen::Layers(_) => {
                for (row, states) in features.states.into_iter().enumerate() {
                    cache.put(row, states);
                }
            }
            Frozen::Backbone => {
                for (row, vector) in features.head.chunks(hidden).enumerate() {
                    cache.put(row, vector.to_vec());
                }
            }
        }
        let of_validation = BaseFeatures {
            head: features.head[split..].to_vec(),
            mean: features.mean[split..].to_vec(),
            states: Vec::new(),
        };
        let logits = heads.logits(&of_validation);
        Ok(Prepared {
            scores: logits.report(&plan.validation.labels, names)?,
            heads,
            logits,
            cache,
        })
    }

    fn recipe(&mut self, prepared: Box<Prepared>, speed: &Speed) -> TrainEvent {
        let chosen = fit_to_time(&self.plan.given, self.plan.chosen.clone(), speed);
        self.options = TrainOptions {
            method: self.plan.method.clone(),
            max_length: Some(self.plan.max_length),
            head_seed: Some(chosen.options.head_seed()),
            data_seed: Some(chosen.options.data_seed()),
            ..chosen.options
        };
        self.phase = Phase::Begin(prepared, Seeds::default(), None);
        TrainEvent::Recipe {
            recipe: self.options.recipe,
            reasons: chosen.reasons,
            options: Box::new(self.options.clone()),
            total_steps: self.plan.total_steps(&self.options),
            epochs: self.options.num_train_epochs,
        }
    }

    async fn begin(
        &mut self,
        prepared: Box<Prepared>,
        seeds: Seeds,
        candidate: Option<Box<Candidate>>,
    ) -> Result<Option<TrainEvent>> {
        let index = seeds.len();
        let options = Seeds::options(&self.options, index);
        let ground = ground(&self.model, &self.plan, &options, &prepared);
        let training = Training::new(&ground, prepared.cache.clone()).await?;
        let event = (self.options.seeds > 1).then(|| TrainEvent::Seed {
            index,
            count: self.options.seeds,
            head_seed: options.head_seed(),
            data_seed: options.data_seed(),
        });
        self.phase = Phase::Train(Box::new(Running {
            prepared,
            options,
            training,
            seeds,
            candidate,
        }));
        Ok(event)
    }

    async fn train(&mut self, mut running: Box<Running>) -> Result<TrainEvent> {
        if self.stop && running.training.finish.is_none() {
            running.training.finish = Some(FinishReason::Stopped);
        }
        if let Some(reason) = running.training.finish {
            return self.end_run(*running, reason).await;
        }
        let Running {
            prepared,
            options,
            training,
            seeds,
            ..
        } = &mut *running;
        let ground = ground(&self.model, &self.plan, options, prepared);
        let event = training.advance(&ground).await?;
        let judged = matches!(event, TrainEvent::Evaluation { .. }) && training.finish.is_none();
        let (epochs, rows) = (options.num_train_epochs, self.plan.validation.len());
        if judged && seeds.unpromising(&training.curve, epochs, rows) {
            training.finish = Some(FinishReason::Unpromising);
        }
        self.phase = Phase::Train(running);
        Ok(event)
    }

    async fn end_run(&mut self, running: Running, reason: FinishReason) -> Result<TrainEvent> {
        let Running {
            prepared,
            options,
            training,
            mut seeds,
            candidate,
        } = running;
        // a run without any score has none to be judged by
        let (accuracy, loss) = training.best.scores.unwrap_or((0.0, f64::MAX));
        let run = SeedRun {
            head_seed: options.head_seed(),
            data_seed: options.data_seed(),
            reason,
            accuracy,
            loss,
            kept_epoch: training.best.epoch,
            steps: training.done,
        };
        let index = seeds.len();
        let best = seeds.add(run.clone(), training.curve.clone());
        let candidate = match candidate {
            Some(other) if !best => other,
            _ => Box::new(Candidate {
                training,
                options,
                reason,
            }),
        };
        if self.options.seeds == 1 {
            return self.finish(*prepared, *candidate, None).await;
        }
        self.phase = match seeds.len() < self.options.seeds && !self.stop {
            true => Phase::Begin(prepared, seeds, Some(candidate)),
            false => Phase::Finish(prepared, candidate, Some(seeds.summary()?)),
        };
        Ok(TrainEvent::SeedFinished { index, run })
    }

    async fn finish(
        &mut self,
        prepared: Prepared,
        candidate: Candidate,
        seeds: Option<SeedSummary>,
    ) -> Result<TrainEvent> {
        let Candidate {
            training,
            options,
            reason,
        } = candidate;
        let plan = &self.plan;
        let (kept_epoch, kept_stage) = (training.best.epoch, training.best.stage);
        let (steps, train_loss) = (training.done, training.train_loss.clone());
        let ground = ground(&self.model, plan, &options, &prepared);
        let (classifier, method, trainable) = training.result(&ground);
        let names = plan.labels.names();
        let texts = plan
            .validation
            .texts
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>();
        let pad = self.model.tokenizer.pad_id();
        let tuned_logits = logits(&classifier, plan.validation_encodings(), pad).await?;
        let evaluation = Evaluation::new(
            names,
            &texts,
            &plan.validation.labels,
            &tuned_logits,
            &prepared.logits,
        )?;
        let untouched = method.kind() == MethodType::Probe;
        let forgetting = self.forgetting(&classifier.encoder, untouched).await?;
        let tuned = Tuned {
            classifier,
            method,
            trainable,
            baselines: prepared.heads,
            labels: plan.labels.clone(),
            max_length: plan.max_length,
            card: Card::Run(Box::new(RunCard {
                options: serde_json::to_value(&options)
                    .map_err(|error| Error::InvalidState(error.to_string()))?,
                train_rows: plan.train.len(),
                validation_rows: plan.validation.len(),
                label_counts: plan.label_counts.clone(),
                steps,
                kept_epoch,
                kept_stage,
                baselines: evaluation.baselines.clone(),
                tuned: evaluation.tuned.clone(),
                verdict: evaluation.verdict(),
                forgetting: forgetting.clone(),
                trained_parameters: plan.trained_parameters,
                total_parameters: plan.total_parameters,
            })),
        };
        let finished = Finished {
            reason,
            message: message(reason, kept_stage, kept_epoch, steps, &options),
            kept_epoch,
            kept_stage,
            steps,
            train_loss,
            verdict: evaluation.verdict(),
            evaluation,
            forgetting,
            seeds,
            export_bytes: tuned.export_bytes(),
            options,
            trained_parameters: plan.trained_parameters,
            total_parameters: plan.total_parameters,
        };
        self.tuned = Some(tuned);
        Ok(TrainEvent::Finished(Box::new(finished)))
    }

    async fn forgetting(
        &self,
        tuned: &crate::models::Backbone,
        untouched: bool,
    ) -> Result<Forgetting> {
        let model = &self.model;
        let pad = model.tokenizer.pad_id();
        let encodings = encode(model, HeadKind::Mean, sentences(), self.plan.max_length)?;
        let before = model.general_vectors(&encodings).await?;
        let after = match untouched {
            true => before.to_vec(),
            false => sentence_vectors(tuned, &encodings, pad).await?,
        };
        Forgetting::new(&before, &after, model.config.hidden_size)
    }
}

fn ground<'a>(
    model: &'a Pretrained,
    plan: &'a Plan,
    options: &'a TrainOptions,
    prepared: &'a Prepared,
) -> Ground<'a> {
    Ground {
        model,
        plan,
        options,
        probe: &prepared.heads.probe,
        probe_scores: &prepared.scores.probe,
    }
}

fn message(
    reason: FinishReason,
    stage: KeptStage,
    kept: usize,
    steps: usize,
    options: &TrainOptions,
) -> String {
    let why = match reason {
        FinishReason::Completed => match options.num_train_epochs {
            0 => "The contrastive stage is trained".to_string(),
            epochs => format!("All {epochs} epochs are trained"),
        },
        FinishReason::EarlyStopping => format!(
            "Training ended early: {} epochs brought no gain on the validation rows",
            options.early_stopping_patience
        ),
        FinishReason::Stopped => "Training was stopped".into(),
        FinishReason::Unpromising => "Other seeds did clearly better".into(),
        FinishReason::Diverged => format!(
            "Training diverged: after step {steps} the loss is not a number. Try a lower learningRate than {} and a \
             lower headLearningRate than {}",
            options.learning_rate, options.head_learning_rate
        ),
    };
    let what = match (stage, options.head_init) {
        (KeptStage::Classify, _) => {
            format!("the state after epoch {kept}, the best on the validation rows")
        }
        (KeptStage::Contrastive, _) => {
            "the state after the contrastive stage, with the head that was fitted then".into()
        }
        (KeptStage::Probe, super::options::HeadInit::Probe) => {
            "the fitted head on the untuned model, which no epoch beat".into()
        }
        (KeptStage::Probe, super::options::HeadInit::Random) => {
            "the state before training, because no epoch ended well".into()
        }
    };
    format!("{why}. Kept: {what}.")
}
