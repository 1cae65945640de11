//! Enters: a plan. Leaves: one event per call, and in the end the best adapter found. Pausing is not calling.

use burn::module::Module;

use super::event::{CausalEvent, CausalFinished, Completion, FewShot};
use super::options::CausalOptions;
use super::plan::CausalPlan;
use crate::data::{Packed, ParsedText, SequenceBatch, batches};
use crate::device::read;
use crate::eval::complete::complete;
use crate::eval::generate::GenerationOptions;
use crate::eval::likelihood::{Likelihood, Sums};
use crate::models::decoder::Layout;
use crate::models::{CausalBatch, CausalLm};
use crate::peft::freeze::activate;
use crate::peft::attach;
use crate::rng::Rng;
use crate::tasks::classify::event::FinishReason;
use crate::tasks::language::model::LanguageModel;
use crate::tasks::language::tuned::{CausalCard, TunedLanguage};
use crate::train::gradients::PassSettings;
use crate::train::optimizer::AdamW;
use crate::train::schedule::Schedule;
use crate::train::step::{Rules, train_step};
use crate::{Error, Result};

/// A run. Call [`CausalSession::next_event`] until it gives `None`; then [`CausalSession::take_tuned`].
pub struct CausalSession {
    model: LanguageModel,
    plan: CausalPlan,
    phase: Phase,
    stop: bool,
    tuned: Option<TunedLanguage>,
}

enum Phase {
    Start,
    Base(Scoring),
    Train(Box<Running>),
    Finish(Box<Running>),
    Done,
}

/// The untuned model on the validation texts, batch by batch.
struct Scoring {
    /// Rows of the validation texts, then those of the few-shot texts.
    batches: Vec<(bool, Vec<usize>)>,
    next: usize,
    base: Sums,
    few_shot: Sums,
}

struct Running {
    base: Likelihood,
    few_shot: Option<FewShot>,
    /// With gradients on where the method trains.
    model: CausalLm,
    optimizer: AdamW,
    schedule: Schedule,
    epoch: usize,
    /// Rows of this epoch: per optimiser step, per forward pass.
    steps: Vec<Vec<Vec<usize>>>,
    next: usize,
    done: usize,
    train_loss: Vec<f32>,
    /// Without gradients.
    best: CausalLm,
    best_score: Likelihood,
    kept_step: usize,
    without_gain: usize,
    scored_at: usize,
    finish: Option<FinishReason>,
}

impl CausalSession {
    /// Checks texts and options; computes nothing yet. `file` stands in errors.
    ///
    /// # Errors
    /// As [`CausalPlan::new`].
    pub fn new(
        model: &LanguageModel,
        file: &str,
        rows: &[ParsedText],
        options: CausalOptions,
    ) -> Result<Self> {
        Ok(Self {
            plan: CausalPlan::new(model, file, rows, options)?,
            model: model.clone(),
            phase: Phase::Start,
            stop: false,
            tuned: None,
        })
    }

    /// Asks for an early end; `finished` still comes, with the best state so far.
    pub fn stop(&mut self) {
        self.stop = true;
    }

    /// What the run found, once `finished` was told; only the first call has it.
    pub fn take_tuned(&mut self) -> Option<TunedLanguage> {
        self.tuned.take()
    }

    /// Works until there is something to tell; `None` after `finished`.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn next_event(&mut self) -> Result<Option<CausalEvent>> {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Start => self.start().map(Some),
            Phase::Base(scoring) => self.score_base(scoring).await.map(Some),
            Phase::Train(running) => self.train(running).await.map(Some),
            Phase::Finish(running) => self.finish(*running).map(Some),
            Phase::Done => Ok(None),
        }
    }

    fn start(&mut self) -> Result<CausalEvent> {
        let plan = &self.plan;
        let scoring = |few_shot: bool, rows: &[Packed]| {
            let order = by_length(rows, plan.options.train_batch_size).into_iter();
            order.map(|rows| (few_shot, rows)).collect::<Vec<_>>()
        };
        let mut batches = scoring(false, &plan.validation);
        if let Some(few_shot) = &plan.few_shot {
            batches.extend(scoring(true, &few_shot.rows));
        }
        self.phase = Phase::Base(Scoring {
            batches,
            next: 0,
            base: Sums::default(),
            few_shot: Sums::default(),
        });
        let targets = |row: &Packed| row.targets.iter().filter(|target| **target).count();
        Ok(CausalEvent::Started {
            train_texts: plan.train_texts,
            validation_texts: plan.validation_texts,
            train_rows: plan.train.len(),
            train_tokens: plan.train.iter().map(Packed::len).sum(),
            train_targets: plan.train.iter().map(targets).sum(),
            truncated_tokens: plan.truncated_tokens,
            truncated_texts: plan.truncated_texts,
            max_length: plan.max_length,
            trained_parameters: plan.trained_parameters,
            total_parameters: plan.total_parameters,
            gradient_checkpointing: plan.gradient_checkpointing,
            memory_estimate: plan.memory,
            total_steps: plan.total_steps(),
            warnings: plan.warnings.clone(),
        })
    }

    async fn score_base(&mut self, mut scoring: Scoring) -> Result<CausalEvent> {
        if let Some((few_shot, rows)) = scoring.batches.get(scoring.next) {
            let all = match (few_shot, &self.plan.few_shot) {
                (true, Some(found)) => &found.rows,
                _ => &self.plan.validation,
            };
            let batch = upload(&self.model, all, rows)?;
            let sums = match few_shot {
                true => &mut scoring.few_shot,
                false => &mut scoring.base,
            };
            sums.add(&self.model.model, &batch).await?;
            scoring.next += 1;
            let (done, total) = (scoring.next, scoring.batches.len());
            self.phase = Phase::Base(scoring);
            return Ok(CausalEvent::Progress { done, total });
        }
        let base = scoring.base.mean();
        let few_shot = self.plan.few_shot.as_ref().map(|found| FewShot {
            examples: found.examples,
            likelihood: scoring.few_shot.mean(),
        });
        let completions = samples(&self.model, &self.model.model, &self.plan).await?;
        self.phase = Phase::Train(Box::new(self.begin(base, few_shot.clone())?));
        Ok(CausalEvent::Baselines {
            base,
            few_shot,
            completions,
        })
    }

    fn begin(&self, base: Likelihood, few_shot: Option<FewShot>) -> Result<Running> {
        let plan = &self.plan;
        let options = &plan.options;
        let mut model = self.model.model.clone();
        attach(&mut model, &plan.method, options.seed)?;
        let total = plan.total_steps();
        Ok(Running {
            base,
            few_shot,
            best: model.clone(),
            best_score: base,
            model: activate(model, |path| plan.trainable.contains(path)),
            optimizer: AdamW::new(options.adamw()),
            schedule: Schedule::new(options.lr_scheduler_type, total, options.warmup_ratio, None),
            epoch: 0,
            steps: Vec::new(),
            next: 0,
            done: 0,
            train_loss: Vec::new(),
            kept_step: 0,
            without_gain: 0,
            scored_at: 0,
            finish: None,
        })
    }

    async fn train(&mut self, mut running: Box<Running>) -> Result<CausalEvent> {
        if self.stop && running.finish.is_none() {
            running.finish = Some(FinishReason::Stopped);
        }
        if running.finish.is_some() {
            return self.finish(*running);
        }
        let options = &self.plan.options;
        let epoch_over = running.next == running.steps.len();
        let due = match options.eval_steps {
            0 => epoch_over,
            steps => running.done.is_multiple_of(steps) || running.done == self.plan.total_steps(),
        };
        if due && running.done > running.scored_at {
            let event = self.evaluate(&mut running).await?;
            self.phase = match running.finish {
                Some(_) => Phase::Finish(running),
                None => Phase::Train(running),
            };
            return Ok(event);
        }
        if epoch_over {
            running.epoch += 1;
            running.next = 0;
            running.steps = self.epoch_steps(running.epoch)?;
        }
        let event = self.step(&mut running).await?;
        self.phase = Phase::Train(running);
        Ok(event)
    }

    fn epoch_steps(&self, epoch: usize) -> Result<Vec<Vec<Vec<usize>>>> {
        let options = &self.plan.options;
        let lengths = self.plan.train.iter().map(Packed::len).collect::<Vec<_>>();
        let rows = batches(&lengths, options.train_batch_size, options.seed, epoch)?;
        let steps = rows.chunks(options.gradient_accumulation_steps);
        Ok(steps.map(<[Vec<usize>]>::to_vec).collect())
    }

    async fn step(&self, running: &mut Running) -> Result<CausalEvent> {
        let plan = &self.plan;
        let options = &plan.options;
        let rows = &running.steps[running.next];
        let uploaded = rows
            .iter()
            .map(|rows| upload(&self.model, &plan.train, rows))
            .collect::<Result<Vec<_>>>()?;
        let of_rows = rows.iter().flatten().map(|row| plan.train[*row].len());
        let tokens = of_rows.sum();
        let targets = uploaded.iter().map(CausalBatch::count).sum();
        // a stream of its own for each step, so that a second computation of a layer drops the same
        let seed = Rng::stream(options.seed, &format!("dropout/{}", running.done)).next_u64();
        let rules = Rules {
            trainable: &plan.trainable,
            penalty: None,
            max_grad_norm: options.max_grad_norm,
            pass: PassSettings {
                checkpointing: plan.gradient_checkpointing,
                noise: plan.method.draws().then_some(seed),
            },
        };
        let rate = options.learning_rate * running.schedule.factor(running.done);
        let (model, loss) = train_step(
            running.model.clone(),
            &mut running.optimizer,
            &uploaded,
            &rules,
            |_| rate,
        );
        running.model = model;
        let loss = read(loss).await?.first().copied().unwrap_or(f32::NAN);
        running.next += 1;
        running.done += 1;
        running.train_loss.push(loss);
        if !loss.is_finite() {
            running.finish = Some(FinishReason::Diverged);
        }
        Ok(CausalEvent::Step {
            step: running.done,
            total_steps: plan.total_steps(),
            epoch: running.epoch,
            loss,
            learning_rate: rate,
            tokens,
            targets,
        })
    }

    async fn evaluate(&self, running: &mut Running) -> Result<CausalEvent> {
        let plan = &self.plan;
        let model = running.model.valid();
        let mut sums = Sums::default();
        for rows in by_length(&plan.validation, plan.options.train_batch_size) {
            sums.add(&model, &upload(&self.model, &plan.validation, &rows)?)
                .await?;
        }
        let validation = sums.mean();
        let completions = samples(&self.model, &model, plan).await?;
        let best = validation.loss.is_finite() && validation.loss < running.best_score.loss;
        if best {
            running.best = model;
            running.best_score = validation;
            running.kept_step = running.done;
            running.without_gain = 0;
        } else {
            running.without_gain += 1;
        }
        running.scored_at = running.done;
        let patience = plan.options.early_stopping_patience;
        if running.done == plan.total_steps() {
            running.finish = Some(FinishReason::Completed);
        } else if patience > 0 && running.without_gain >= patience {
            running.finish = Some(FinishReason::EarlyStopping);
        }
        Ok(CausalEvent::Evaluation {
            step: running.done,
            epoch: running.epoch,
            validation,
            best,
            completions,
        })
    }

    fn finish(&mut self, running: Running) -> Result<CausalEvent> {
        let plan = &self.plan;
        let reason = running.finish.unwrap_or(FinishReason::Completed);
        let verdict = verdict(&running);
        let options = CausalOptions {
            method: plan.method.clone(),
            max_length: Some(plan.max_length),
            gradient_checkpointing: Some(plan.gradient_checkpointing),
            ..plan.options.clone()
        };
        let finished = CausalFinished {
            reason,
            message: message(reason, &running),
            kept_step: running.kept_step,
            steps: running.done,
            train_loss: running.train_loss,
            base: running.base,
            few_shot: running.few_shot.clone(),
            tuned: running.best_score,
            verdict,
            options: options.clone(),
            trained_parameters: plan.trained_parameters,
            total_parameters: plan.total_parameters,
            export_bytes: 4 * plan.trained_parameters,
        };
        self.tuned = Some(TunedLanguage {
            model: running.best.valid(),
            method: plan.method.clone(),
            trainable: plan.trainable.clone(),
            card: CausalCard::Run(Box::new(finished.clone())),
        });
        self.phase = Phase::Done;
        Ok(CausalEvent::Finished(Box::new(finished)))
    }
}

/// What a person should think of the result.
fn verdict(running: &Running) -> String {
    let (base, tuned) = (running.base.perplexity, running.best_score.perplexity);
    if running.kept_step == 0 {
        return format!(
            "Tuning did not help: the validation perplexity never fell below the untuned model's {base:.2}. The adapter that is kept changes nothing."
        );
    }
    match &running.few_shot {
        Some(few_shot) if few_shot.likelihood.perplexity <= tuned => format!(
            "Tuning lowered the validation perplexity from {base:.2} to {tuned:.2}, but {} examples in the prompt reach {:.2} without any training.",
            few_shot.examples, few_shot.likelihood.perplexity
        ),
        Some(few_shot) => format!(
            "Tuning lowered the validation perplexity from {base:.2} to {tuned:.2}; {} examples in the prompt reach {:.2}.",
            few_shot.examples, few_shot.likelihood.perplexity
        ),
        None => format!("Tuning lowered the validation perplexity from {base:.2} to {tuned:.2}."),
    }
}

fn message(reason: FinishReason, running: &Running) -> String {
    let kept = match running.kept_step {
        0 => "the untuned model is kept".to_string(),
        step => format!("the state after step {step} is kept"),
    };
    match reason {
        FinishReason::EarlyStopping => format!(
            "Stopped after {} steps, because the validation loss no longer fell; {kept}.",
            running.done
        ),
        FinishReason::Stopped => format!("Stopped by you after {} steps; {kept}.", running.done),
        FinishReason::Diverged => format!(
            "The loss was no longer a number at step {}; {kept}. A smaller learningRate usually helps.",
            running.done
        ),
        FinishReason::Completed | FinishReason::Unpromising => {
            format!("All {} steps are done; {kept}.", running.done)
        }
    }
}

/// Batches for scoring, the shortest rows first; as many rows in each as train together, so that scoring needs no more memory.
pub(crate) fn by_length(rows: &[Packed], size: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|row| rows[*row].len());
    order.chunks(size).map(<[usize]>::to_vec).collect()
}

/// Some rows on the device.
pub(crate) fn upload(model: &LanguageModel, all: &[Packed], rows: &[usize]) -> Result<CausalBatch> {
    let picked = rows.iter().map(|row| &all[*row]).collect::<Vec<_>>();
    let batch = SequenceBatch::pad(&picked, model.tokenizer.pad_id())?;
    let packed = picked
        .iter()
        .any(|row| row.segments.iter().any(|segment| *segment > 0));
    let layout = match packed {
        false => Layout::plain(batch.rows, batch.width),
        true => Layout {
            positions: Some(
                batch
                    .positions
                    .iter()
                    .map(|position| *position as u32)
                    .collect(),
            ),
            segments: Some(batch.segments),
            ..Layout::plain(batch.rows, batch.width)
        },
    };
    Ok(CausalBatch::new(
        batch.ids,
        &batch.targets,
        layout,
        &model.compute.device,
    ))
}

/// The plan's prompts, completed greedily.
async fn samples(
    model: &LanguageModel,
    network: &CausalLm,
    plan: &CausalPlan,
) -> Result<Vec<Completion>> {
    let mut out = Vec::new();
    if plan.options.sample_tokens == 0 {
        return Ok(out);
    }
    let options = GenerationOptions {
        max_new_tokens: plan.options.sample_tokens,
        ..GenerationOptions::default()
    };
    for sample in &plan.samples {
        let (tokenizer, ends) = (&model.tokenizer, &model.ends);
        let written = complete(network, tokenizer, &sample.ids, ends, &options);
        match written.await {
            Ok(written) => out.push(Completion {
                prompt: sample.shown.clone(),
                text: written.text,
            }),
            // a prompt that leaves no position has no completion
            Err(Error::InvalidData { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(out)
}
