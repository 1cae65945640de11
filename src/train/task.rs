//! What differs between tasks: the loop in [`super::run`] knows a task by this trait alone.

use std::fmt::Debug;

use burn::module::Module;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::event::{Event, FinishReason, Finished, SeedSummary, Stage};
use super::fingerprint::Fingerprint;
use super::gradients::Batch;
use super::options::LoopOptions;
use crate::models::Stack;
use crate::peft::Trainable;
use crate::team::Team;
use crate::{Error, Result};

/// How well a state does on the validation rows.
pub trait Score: Debug + Clone + Serialize + DeserializeOwned {
    /// Whether it is a number.
    fn is_finite(&self) -> bool;

    /// Whether it is better than `other`; equal scores are not.
    fn beats(&self, other: &Self) -> bool;

    /// The number by which runs with different seeds are compared, the larger the better.
    fn value(&self) -> f64;

    /// The mean loss on the validation rows.
    fn loss(&self) -> f64;

    /// The standard error of `value`, if it has one, on this many rows; runs are ended early by it.
    fn standard_error(value: f64, rows: usize) -> Option<f64>;
}

/// One part of a run with an objective and a schedule of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StagePlan {
    pub stage: Stage,
    /// Passes over its rows.
    pub epochs: usize,
    /// Optimizer steps in each.
    pub steps_per_epoch: usize,
    /// Peak rates below the head and at it.
    pub learning_rate: f64,
    pub head_learning_rate: f64,
    /// Whether it trains no head.
    pub headless: bool,
    /// Whether groups of layers are unfrozen one after the other.
    pub unfreezes: bool,
    /// Whether it is scored at its end alone, without epochs to count.
    pub scored_once: bool,
}

impl StagePlan {
    /// Optimizer steps.
    pub fn steps(&self) -> usize {
        self.epochs * self.steps_per_epoch
    }
}

/// A network as a run begins with it.
pub struct Start<N, S> {
    /// With the method's parts attached and without gradients.
    pub network: N,
    pub trainable: Trainable,
    /// Of this very state, if it may be kept.
    pub score: Option<S>,
}

/// The best state of a run so far.
#[derive(Debug, Clone)]
pub struct Best<N, S> {
    /// Without gradients.
    pub network: N,
    /// The stage that made it; `None` for the state before training.
    pub stage: Option<Stage>,
    /// 0 for the state before training and outside epochs.
    pub epoch: usize,
    pub step: usize,
    /// `None` until something that may be kept was scored.
    pub score: Option<S>,
}

/// A run that is over.
pub struct Ended<T: Task> {
    pub best: Best<T::Network, T::Score>,
    pub trainable: Trainable,
    /// With the seeds of this run.
    pub options: LoopOptions,
    pub reason: FinishReason,
    pub error: Option<Error>,
    pub steps: usize,
    pub train_loss: Vec<f32>,
    pub seeds: Option<SeedSummary>,
}

/// An optimizer step's rows, by forward pass.
pub type StepRows = Vec<Vec<usize>>;

/// The events of a task's run.
pub type EventOf<T> = Event<
    <T as Task>::Started,
    <T as Task>::Baselines,
    <T as Task>::Options,
    <T as Task>::Evaluated,
    <T as Task>::Results,
>;

/// The last event of a task's run.
pub type FinishedOf<T> = Finished<<T as Task>::Options, <T as Task>::Results>;

/// What a model can be tuned to do.
#[expect(
    async_fn_in_trait,
    reason = "one thread polls a run, in a worker or in a program: no future is sent"
)]
pub trait Task: Sized {
    type Network: Stack + Module + Clone;
    type Batch: Batch<Network = Self::Network>;
    type Score: Score;
    /// What a run finds.
    type Tuned;
    /// What it adds to the events of those names.
    type Started: Debug + Clone + Serialize;
    type Baselines: Debug + Clone + Serialize;
    type Options: Debug + Clone + Serialize;
    type Evaluated: Debug + Clone + Serialize + DeserializeOwned;
    type Results: Debug + Clone + Serialize;

    /// What a run of it tunes, in words.
    const NAME: &'static str;

    /// Options that hold a person's texts.
    const TEXTS: &'static [&'static str];

    /// What its model and its rows are.
    fn fingerprint(&self) -> Fingerprint;

    /// The options as they were given.
    fn given(&self) -> Map<String, Value>;

    /// What was decided by the clock.
    fn decisions(&self) -> Vec<f64>;

    /// Takes such decisions over, in place of its own.
    fn decide(&mut self, decisions: &[f64]);

    /// The numbers of an evaluation, without any text.
    fn without_texts(&self, evaluated: &Self::Evaluated) -> Self::Evaluated;

    /// The same with the texts that every evaluation has.
    fn with_texts(&self, evaluated: &Self::Evaluated) -> Self::Evaluated;

    /// The engines that make the run together.
    fn team(&self) -> &Team;

    /// Whether the output of frozen layers is computed once and kept.
    fn caches(&self) -> bool;

    /// The options of the loop; final once [`Self::prepare`] gave `None`.
    fn options(&self) -> &LoopOptions;

    /// The first event.
    ///
    /// # Errors
    /// Settings that do not fit the model.
    fn started(&mut self) -> Result<EventOf<Self>>;

    /// One part of the work before training, up to the event `recipe`; `None` once all is done. `stop`: whether the caller asked for an end, after
    /// which no more than needed is done.
    ///
    /// # Errors
    /// Failures of the device.
    async fn prepare(&mut self, stop: bool) -> Result<Option<EventOf<Self>>>;

    /// The stages of every run, in order.
    fn stages(&self) -> Vec<StagePlan>;

    /// The network as a run with these options begins with it.
    ///
    /// # Errors
    /// Settings that do not fit the model; failures of the device.
    async fn begin(&mut self, options: &LoopOptions) -> Result<Start<Self::Network, Self::Score>>;

    /// The steps of an epoch, which counts from 1.
    ///
    /// # Errors
    /// Failures of batching.
    fn epoch(&self, stage: Stage, epoch: usize, options: &LoopOptions) -> Result<Vec<StepRows>>;

    /// Rows on the device, and how many tokens they hold. `network`: as it is now, with gradients.
    ///
    /// # Errors
    /// Failures of the device.
    async fn batch(
        &mut self,
        network: &Self::Network,
        stage: Stage,
        rows: &[usize],
    ) -> Result<(Self::Batch, usize)>;

    /// Says how many of the lowest layers are frozen from now on.
    fn set_frozen_layers(&mut self, layers: usize);

    /// Ends a stage; what it returns is scored. Gives whether the head is new.
    ///
    /// # Errors
    /// Failures of the device.
    async fn end_stage(
        &mut self,
        stage: Stage,
        network: Self::Network,
    ) -> Result<(Self::Network, bool)>;

    /// Scores a network without gradients on the validation rows.
    ///
    /// # Errors
    /// Failures of the device.
    async fn evaluate(&mut self, network: &Self::Network)
    -> Result<(Self::Score, Self::Evaluated)>;

    /// Whether a state replaces the best one.
    fn replaces(
        &self,
        score: &Self::Score,
        _stage: Stage,
        best: &Best<Self::Network, Self::Score>,
    ) -> bool {
        score.is_finite() && best.score.as_ref().is_none_or(|best| score.beats(best))
    }

    /// Rows that a score is counted over.
    fn validation_rows(&self) -> usize;

    /// Whether a step draws at random, apart from the method.
    fn draws(&self) -> bool;

    /// What was found, without waiting for the device, so that nothing is lost if a later report fails.
    ///
    /// # Errors
    /// Failures of the device.
    fn tuned(&mut self, ended: &Ended<Self>) -> Result<Self::Tuned>;

    /// The last event; may complete what was found.
    ///
    /// # Errors
    /// Failures of the device.
    async fn finished(
        &mut self,
        ended: Ended<Self>,
        tuned: &mut Self::Tuned,
    ) -> Result<FinishedOf<Self>>;
}
