//! A task whose batches fail from some point on, as those of a device that is lost.

use serde_json::{Map, Value};
use webtune::team::Team;
use webtune::train::event::Stage;
use webtune::train::fingerprint::Fingerprint;
use webtune::train::options::LoopOptions;
use webtune::train::task::{Best, Ended, EventOf, FinishedOf, StagePlan, Start, StepRows, Task};
use webtune::{Error, Result};

/// Does as `task` does until it has made this many batches.
pub struct Failing<T> {
    pub task: T,
    pub batches: usize,
}

pub const WORDS: &str = "the adapter went away";

fn of_task<T: Task>(ended: &Ended<Failing<T>>) -> Ended<T> {
    Ended {
        best: ended.best.clone(),
        trainable: ended.trainable.clone(),
        options: ended.options.clone(),
        reason: ended.reason,
        error: ended.error.clone(),
        steps: ended.steps,
        train_loss: ended.train_loss.clone(),
        seeds: ended.seeds.clone(),
    }
}

impl<T: Task> Task for Failing<T> {
    type Network = T::Network;
    type Batch = T::Batch;
    type Score = T::Score;
    type Tuned = T::Tuned;
    type Started = T::Started;
    type Baselines = T::Baselines;
    type Options = T::Options;
    type Evaluated = T::Evaluated;
    type Results = T::Results;

    const NAME: &'static str = T::NAME;
    const TEXTS: &'static [&'static str] = T::TEXTS;

    fn fingerprint(&self) -> Fingerprint {
        self.task.fingerprint()
    }

    fn given(&self) -> Map<String, Value> {
        self.task.given()
    }

    fn decisions(&self) -> Vec<f64> {
        self.task.decisions()
    }

    fn decide(&mut self, decisions: &[f64]) {
        self.task.decide(decisions);
    }

    fn without_texts(&self, evaluated: &T::Evaluated) -> T::Evaluated {
        self.task.without_texts(evaluated)
    }

    fn with_texts(&self, evaluated: &T::Evaluated) -> T::Evaluated {
        self.task.with_texts(evaluated)
    }

    fn team(&self) -> &Team {
        self.task.team()
    }

    fn caches(&self) -> bool {
        self.task.caches()
    }

    fn options(&self) -> &LoopOptions {
        self.task.options()
    }

    fn started(&mut self) -> Result<EventOf<Self>> {
        self.task.started()
    }

    async fn prepare(&mut self, stop: bool) -> Result<Option<EventOf<Self>>> {
        self.task.prepare(stop).await
    }

    fn stages(&self) -> Vec<StagePlan> {
        self.task.stages()
    }

    async fn begin(&mut self, options: &LoopOptions) -> Result<Start<T::Network, T::Score>> {
        self.task.begin(options).await
    }

    fn epoch(&self, stage: Stage, epoch: usize, options: &LoopOptions) -> Result<Vec<StepRows>> {
        self.task.epoch(stage, epoch, options)
    }

    async fn batch(
        &mut self,
        network: &T::Network,
        stage: Stage,
        rows: &[usize],
    ) -> Result<(T::Batch, usize)> {
        if self.batches == 0 {
            return Err(Error::Device(WORDS.into()));
        }
        self.batches -= 1;
        self.task.batch(network, stage, rows).await
    }

    fn set_frozen_layers(&mut self, layers: usize) {
        self.task.set_frozen_layers(layers);
    }

    async fn end_stage(&mut self, stage: Stage, network: T::Network) -> Result<(T::Network, bool)> {
        self.task.end_stage(stage, network).await
    }

    async fn evaluate(&mut self, network: &T::Network) -> Result<(T::Score, T::Evaluated)> {
        self.task.evaluate(network).await
    }

    fn replaces(&self, score: &T::Score, stage: Stage, best: &Best<T::Network, T::Score>) -> bool {
        self.task.replaces(score, stage, best)
    }

    fn validation_rows(&self) -> usize {
        self.task.validation_rows()
    }

    fn draws(&self) -> bool {
        self.task.draws()
    }

    fn tuned(&mut self, ended: &Ended<Self>) -> Result<T::Tuned> {
        self.task.tuned(&of_task(ended))
    }

    async fn finished(
        &mut self,
        ended: Ended<Self>,
        tuned: &mut T::Tuned,
    ) -> Result<FinishedOf<Self>> {
        self.task.finished(of_task(&ended), tuned).await
    }
}
