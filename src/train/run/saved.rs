//! A run's checkpoint, written in pieces between two events, and a run that goes on from one.

use std::collections::VecDeque;

use super::{Phase, Run};
use crate::device::read;
use crate::train::checkpoint::{BestState, Past, PastStep, RunCheckpoint, State, Values, Writer};
use crate::train::event::Event;
use crate::train::options::LoopOptions;
use crate::train::running::saved::{Held, Named, values_of, with_values};
use crate::train::running::{Running, rates};
use crate::train::seeds::Seeds;
use crate::train::task::{Ended, EventOf, StagePlan, Task};
use crate::train::unfreeze::{GroupRate, Groups};
use crate::{Error, Result};

/// A checkpoint that is being written.
#[derive(Debug)]
pub struct CheckpointWriter {
    bytes: Writer,
    tensors: VecDeque<Named>,
    head: Option<Vec<u8>>,
    /// Events that it tells of: the run must not go on before the last piece.
    events: usize,
    ended: bool,
}

impl<T: Task> Run<T> {
    /// Begins to write the state of now; `None` before training has begun, and once nothing is left to train.
    ///
    /// # Errors
    /// None in practice.
    pub fn checkpoint(&self) -> Result<Option<CheckpointWriter>> {
        let begun = matches!(self.phase, Phase::Begin | Phase::Train);
        // what waits to be reported again is in the checkpoint that the run came from
        if !begun || self.past.is_empty() || !self.replay.is_empty() || self.stop {
            return Ok(None);
        }
        let mut options = self.task.given();
        let mut withheld = Vec::new();
        for name in T::TEXTS {
            let text = options.shift_remove(*name);
            let empty = |value: &serde_json::Value| match value {
                serde_json::Value::Array(list) => list.is_empty(),
                serde_json::Value::Object(map) => map.is_empty(),
                other => other.is_null(),
            };
            if text.is_some_and(|text| !empty(&text)) {
                withheld.push((*name).to_string());
            }
        }
        let mut tensors = Vec::new();
        if let Some(running) = &self.running {
            tensors.extend(running.tensors()?);
        }
        if let Some(ended) = &self.candidate
            && ended.best.stage.is_some()
        {
            let network = &ended.best.network;
            tensors.extend(values_of(network, &ended.trainable, "candidate"));
        }
        let candidate = self.candidate.as_ref();
        let state = State::<T::Score, T::Evaluated> {
            fingerprint: self.task.fingerprint(),
            options: serde_json::to_string(&options).map_err(Error::internal)?,
            withheld,
            decisions: self.task.decisions(),
            runs: self.seeds.runs().to_vec(),
            curves: self.seeds.curves().to_vec(),
            candidate: candidate.map(|ended| BestState::of(&ended.best)),
            running: self.running.as_ref().map(Running::state),
            past: self.past.clone(),
        };
        let mut bytes = Writer::default();
        let counts = tensors
            .iter()
            .map(|(name, count, _)| (name.clone(), *count));
        let head = bytes.head(T::NAME, &state, counts.collect())?;
        Ok(Some(CheckpointWriter {
            bytes,
            tensors: tensors.into(),
            head: Some(head),
            events: self.past.len(),
            ended: false,
        }))
    }

    /// The next piece; `None` after the last one.
    ///
    /// # Errors
    /// [`Error::InvalidState`] if the run went on meanwhile; failures of the device.
    pub async fn checkpoint_piece(&self, writer: &mut CheckpointWriter) -> Result<Option<Vec<u8>>> {
        if writer.events != self.past.len() {
            return Err(Error::state(
                "the run went on before its checkpoint was written",
            ));
        }
        if let Some(head) = writer.head.take() {
            return Ok(Some(head));
        }
        if let Some((_, _, held)) = writer.tensors.pop_front() {
            let values = match (held, &self.running) {
                (Held::Tensor(tensor), _) => read(*tensor).await?,
                (held, Some(running)) => running.read(held).await?,
                (_, None) => return Err(Error::internal("an optimizer without a run")),
            };
            return Ok(Some(writer.bytes.tensor(&values)));
        }
        if writer.ended {
            return Ok(None);
        }
        writer.ended = true;
        Ok(Some(writer.bytes.end()))
    }

    /// A run that goes on from a checkpoint. What comes before training is computed again; what was reported since then comes again before
    /// anything new.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for a checkpoint of another model or of other rows.
    pub fn resume(mut task: T, checkpoint: RunCheckpoint<T>) -> Result<Self> {
        checkpoint.check(task.fingerprint())?;
        task.decide(&checkpoint.state.decisions);
        let mut run = Self::new(task);
        run.restored = Some(Box::new(checkpoint));
        Ok(run)
    }

    /// What an event adds to the past.
    pub(super) fn remember(&mut self, event: &EventOf<T>) {
        let past = match event {
            Event::Seed { index, .. } => Past::Seed(*index),
            Event::Step {
                stage,
                step,
                epoch,
                loss,
                learning_rate,
                head_learning_rate,
                tokens,
                targets,
                ms,
                ..
            } => Past::Step(PastStep {
                stage: *stage,
                step: *step,
                epoch: *epoch,
                loss: *loss,
                rate: *learning_rate,
                head_rate: *head_learning_rate,
                active: self.running.as_ref().map_or(0, Running::active),
                tokens: *tokens,
                targets: *targets,
                ms: *ms,
            }),
            Event::Evaluation {
                stage,
                step,
                epoch,
                best,
                task,
            } => Past::Evaluation {
                stage: *stage,
                step: *step,
                epoch: *epoch,
                best: *best,
                task: self.task.without_texts(task),
            },
            Event::SeedFinished { index, .. } => Past::SeedFinished(*index),
            _ => return,
        };
        self.past.push(past);
    }

    /// Puts a checkpoint's state into the run; the first of the events that come again.
    pub(super) async fn restore(
        &mut self,
        checkpoint: RunCheckpoint<T>,
    ) -> Result<Option<EventOf<T>>> {
        let RunCheckpoint { state, mut values } = checkpoint;
        let mut groups = None;
        self.seeds = Seeds::of(state.runs, state.curves);
        if let Some(candidate) = state.candidate {
            let ended = self.ended(candidate, &state.past, &mut values).await?;
            let network = ended.best.network.clone();
            groups = Some((ended.trainable.clone(), network));
            self.candidate = Some(ended);
        }
        if let Some(running) = state.running {
            let index = self.seeds.len();
            let losses = losses(&state.past, index);
            let options = self.options_of(index);
            let task = &mut self.task;
            let running = Running::restore(task, options, running, losses, &mut values).await?;
            groups = Some((running.trainable().clone(), running.best_network().clone()));
            self.running = Some(running);
        }
        let (trainable, network) = groups.ok_or_else(|| Error::internal("an empty checkpoint"))?;
        let groups = Groups::new(&trainable, &network);
        let rates_of = |plan: &StagePlan, step: &PastStep| {
            let rate = [step.rate, step.head_rate];
            let decay = self.task.options().layer_lr_decay;
            rates(
                &groups,
                &trainable,
                &network,
                plan,
                step.active,
                rate,
                decay,
            )
        };
        let events = state.past.iter().map(|past| self.again(past, rates_of));
        let replay = events.collect::<Result<_>>()?;
        self.past = state.past;
        self.replay = replay;
        self.phase = if self.running.is_some() {
            Phase::Train
        } else {
            Phase::Begin
        };
        Ok(self.replay.pop_front())
    }

    /// A past event as it was reported.
    fn again(
        &self,
        past: &Past<T::Evaluated>,
        rates_of: impl Fn(&StagePlan, &PastStep) -> Vec<GroupRate>,
    ) -> Result<EventOf<T>> {
        Ok(match past {
            Past::Seed(index) => self.seed_event(*index),
            Past::SeedFinished(index) => {
                let run = self.seeds.runs().get(*index).cloned();
                let run = run.ok_or_else(|| Error::internal("a seed that has not ended"))?;
                Event::SeedFinished { index: *index, run }
            }
            Past::Step(step) => {
                let stages = self.task.stages();
                let plan = stages.iter().find(|plan| plan.stage == step.stage);
                let plan = plan.ok_or_else(|| Error::internal("a step of no stage"))?;
                Event::Step {
                    stage: step.stage,
                    step: step.step,
                    total_steps: stages.iter().map(StagePlan::steps).sum(),
                    epoch: step.epoch,
                    loss: step.loss,
                    learning_rate: step.rate,
                    head_learning_rate: step.head_rate,
                    groups: rates_of(plan, step),
                    tokens: step.tokens,
                    targets: step.targets,
                    ms: step.ms,
                }
            }
            Past::Evaluation {
                stage,
                step,
                epoch,
                best,
                task,
            } => Event::Evaluation {
                stage: *stage,
                step: *step,
                epoch: *epoch,
                best: *best,
                task: self.task.with_texts(task),
            },
        })
    }

    /// The options of a seed's run.
    pub(super) fn options_of(&self, index: usize) -> LoopOptions {
        let options = self.task.options();
        if options.seeds > 1 {
            options.with_seed(index)
        } else {
            options.clone()
        }
    }

    pub(super) fn seed_event(&self, index: usize) -> EventOf<T> {
        let options = self.options_of(index);
        Event::Seed {
            index,
            count: options.seeds,
            head_seed: options.head_seed(),
            data_seed: options.data_seed(),
        }
    }

    /// The best of the runs that have ended.
    async fn ended(
        &mut self,
        best: BestState<T::Score>,
        past: &[Past<T::Evaluated>],
        values: &mut Values,
    ) -> Result<Ended<T>> {
        let index = self.seeds.best().unwrap_or_default();
        let run = self.seeds.runs().get(index);
        let run = run.ok_or_else(|| Error::internal("a seed that has not ended"))?;
        let (reason, steps) = (run.reason, run.steps);
        let options = self.options_of(index);
        let start = self.task.begin(&options).await?;
        let network = burn::module::Module::valid(&start.network);
        let network = match best.stage {
            Some(_) => with_values(network, &start.trainable, "candidate", values)?,
            None => network,
        };
        Ok(Ended {
            best: best.with(network),
            trainable: start.trainable,
            options,
            reason,
            error: None,
            steps,
            train_loss: losses(past, index),
            seeds: None,
        })
    }
}

/// The losses of a seed's steps.
fn losses<E>(past: &[Past<E>], seed: usize) -> Vec<f32> {
    let mut current = 0;
    let mut out = Vec::new();
    for past in past {
        match past {
            Past::Seed(index) => current = *index,
            Past::Step(step) if current == seed => out.push(step.loss),
            _ => {}
        }
    }
    out
}
