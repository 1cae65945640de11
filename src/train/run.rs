//! The training loop, the only one: a task in, one event per call out, and in the end the best state found. Pausing is not calling.

pub mod saved;

use std::collections::VecDeque;

use super::checkpoint::{Past, RunCheckpoint};
use super::event::{Event, FinishReason, SeedRun};
use super::running::Running;
use super::seeds::Seeds;
use super::task::{Ended, EventOf, Score, Task};
use crate::{Error, Result};

/// One run, or several that differ in their seeds. Call [`Run::next_event`] until it gives `None`; then [`Run::take_tuned`].
pub struct Run<T: Task> {
    task: T,
    phase: Phase,
    seeds: Seeds,
    running: Option<Running<T>>,
    /// The best of the runs that have ended.
    candidate: Option<Ended<T>>,
    /// What ended the last run, if it was an error.
    failure: Option<Error>,
    stop: bool,
    tuned: Option<T::Tuned>,
    /// What was reported since training began.
    past: Vec<Past<T::Evaluated>>,
    /// The state that the run goes on from, once all before training is done.
    restored: Option<Box<RunCheckpoint<T>>>,
    /// What was reported before and comes again.
    replay: VecDeque<EventOf<T>>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Start,
    Prepare,
    Begin,
    Train,
    Finish,
    Done,
}

impl<T: Task> Run<T> {
    /// Computes nothing yet.
    pub fn new(task: T) -> Self {
        Self {
            task,
            phase: Phase::Start,
            seeds: Seeds::default(),
            running: None,
            candidate: None,
            failure: None,
            stop: false,
            tuned: None,
            past: Vec::new(),
            restored: None,
            replay: VecDeque::new(),
        }
    }

    /// Asks for an early end. What was learnt since the last evaluation is scored, and `finished` still comes, with the best state.
    pub fn stop(&mut self) {
        self.stop = true;
    }

    /// What the run found, once it has ended; only the first call has it.
    pub fn take_tuned(&mut self) -> Option<T::Tuned> {
        self.tuned.take()
    }

    /// Works until there is something to report; `None` after `finished`.
    ///
    /// # Errors
    /// Failures before anything was trained, and of the report on what was found, which [`Self::take_tuned`] has all the same. An error in a step
    /// is none of these: it ends the run as `failed`, with the best state kept.
    pub async fn next_event(&mut self) -> Result<Option<EventOf<T>>> {
        if let Some(event) = self.replay.pop_front() {
            return Ok(Some(event));
        }
        loop {
            let event = match self.phase {
                Phase::Done => return Ok(None),
                Phase::Train => self.train().await,
                // whatever comes of it, it is not done twice
                phase => {
                    self.phase = Phase::Done;
                    if matches!(phase, Phase::Begin)
                        && let Some(checkpoint) = self.restored.take()
                    {
                        // its events are remembered already
                        return self.restore(*checkpoint).await;
                    }
                    match phase {
                        Phase::Start => self.start()?,
                        Phase::Prepare => self.prepare().await?,
                        Phase::Begin => self.begin().await?,
                        _ => self.finish().await?,
                    }
                }
            };
            if let Some(event) = event {
                self.remember(&event);
                return Ok(Some(event));
            }
        }
    }

    fn start(&mut self) -> Result<Option<EventOf<T>>> {
        let event = self.task.started()?;
        self.phase = Phase::Prepare;
        Ok(Some(event))
    }

    async fn prepare(&mut self) -> Result<Option<EventOf<T>>> {
        let event = self.task.prepare(self.stop).await?;
        self.phase = if event.is_some() {
            Phase::Prepare
        } else {
            Phase::Begin
        };
        Ok(event)
    }

    async fn begin(&mut self) -> Result<Option<EventOf<T>>> {
        let index = self.seeds.len();
        let options = self.options_of(index);
        let event = (options.seeds > 1).then(|| self.seed_event(index));
        match Running::new(&mut self.task, options).await {
            Ok(running) => self.running = Some(running),
            // an earlier seed has found something
            Err(error) if self.candidate.is_some() => {
                self.failure = Some(error);
                self.phase = Phase::Finish;
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        self.phase = Phase::Train;
        Ok(event)
    }

    async fn train(&mut self) -> Option<EventOf<T>> {
        let Some(running) = &mut self.running else {
            self.phase = Phase::Finish;
            return None;
        };
        match running.advance(&mut self.task, self.stop).await {
            Ok(None) => self.end_run(),
            Ok(Some(event)) => {
                let rows = self.task.validation_rows();
                let scored = matches!(event, Event::Evaluation { .. });
                let error = |value| T::Score::standard_error(value, rows);
                if scored
                    && running.reason().is_none()
                    && (self.seeds).unpromising(running.curve(), running.progress(), error)
                {
                    running.end_for(FinishReason::Unpromising);
                }
                Some(event)
            }
            Err(error) => {
                running.fail(error);
                self.end_run()
            }
        }
    }

    /// Keeps the better of this run and the best before it.
    fn end_run(&mut self) -> Option<EventOf<T>> {
        let running = self.running.take()?;
        let curve = running.curve().to_vec();
        let ended = running.end();
        self.failure.clone_from(&ended.error);
        if self.task.options().seeds == 1 {
            self.candidate = Some(ended);
            self.phase = Phase::Finish;
            return None;
        }
        let run = SeedRun {
            head_seed: ended.options.head_seed(),
            data_seed: ended.options.data_seed(),
            reason: ended.reason,
            value: ended.best.score.as_ref().map(Score::value),
            loss: ended.best.score.as_ref().map(Score::loss),
            kept_epoch: ended.best.epoch,
            kept_step: ended.best.step,
            steps: ended.steps,
        };
        let index = self.seeds.len();
        if self.seeds.add(run.clone(), curve) {
            self.candidate = Some(ended);
        }
        let more = self.seeds.len() < self.task.options().seeds;
        self.phase = if more && !self.stop && self.failure.is_none() {
            Phase::Begin
        } else {
            Phase::Finish
        };
        Some(Event::SeedFinished { index, run })
    }

    async fn finish(&mut self) -> Result<Option<EventOf<T>>> {
        let Some(mut ended) = self.candidate.take() else {
            return Err(Error::internal("a run that has found nothing"));
        };
        if self.task.options().seeds > 1 {
            ended.seeds = Some(self.seeds.summary());
        }
        if let Some(error) = self.failure.take() {
            ended.reason = FinishReason::Failed;
            ended.error = Some(error);
        }
        let mut tuned = self.task.tuned(&ended)?;
        let finished = self.task.finished(ended, &mut tuned).await;
        self.tuned = Some(tuned);
        Ok(Some(Event::Finished(Box::new(finished?))))
    }
}
