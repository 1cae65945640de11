//! One run in the middle of its work: its stages, steps and evaluations, and the best state found.

pub(super) mod saved;

use web_time::Instant;

use burn::module::Module;

use super::event::{Event, FinishReason};
use super::gradients::{Batch, PassSettings};
use super::optimizer::AdamW;
use super::options::LoopOptions;
use super::penalty::Penalty;
use super::schedule::Schedule;
use super::step::{Rules, shared_gradients, train_step};
use super::task::{Best, Ended, EventOf, Score, StagePlan, StepRows, Task};
use super::unfreeze::{GroupRate, Groups, HEAD};
use crate::device::read;
use crate::models::Network;
use crate::models::names::is_head;
use crate::models::network::Place;
use crate::peft::Trainable;
use crate::peft::freeze::activate;
use crate::rng::Rng;
use crate::{Error, Result};

/// One run with its seeds.
pub struct Running<T: Task> {
    options: LoopOptions,
    /// Gradients are on where something trains now. `None` only within a step, which takes it by value.
    network: Option<T::Network>,
    trainable: Trainable,
    groups: Groups,
    optimizer: AdamW,
    penalty: Option<Penalty>,
    stages: Vec<StagePlan>,
    stage: usize,
    schedule: Schedule,
    /// Groups that train now, from the top; 0 before the first step of a stage.
    active: usize,
    /// Steps of this stage, and of all, when they began to.
    active_since: [usize; 2],
    epoch: usize,
    /// Of this epoch.
    steps: Vec<StepRows>,
    next: usize,
    /// Steps of this stage.
    stage_steps: usize,
    /// Steps of all stages.
    done: usize,
    /// The step after which the validation rows were scored last.
    scored_at: usize,
    without_gain: usize,
    best: Best<T::Network, T::Score>,
    /// Best value so far after each evaluation.
    curve: Vec<f64>,
    train_loss: Vec<f32>,
    finish: Option<FinishReason>,
    error: Option<Error>,
}

impl<T: Task> Running<T> {
    /// Begins the first stage.
    ///
    /// # Errors
    /// Settings that do not fit the model; failures of the device.
    pub async fn new(task: &mut T, options: LoopOptions) -> Result<Self> {
        let mut running = Self::fresh(task, options).await?;
        running.begin_stage(task)?;
        Ok(running)
    }

    /// A run before its first stage.
    async fn fresh(task: &mut T, options: LoopOptions) -> Result<Self> {
        let start = task.begin(&options).await?;
        Ok(Self {
            groups: Groups::new(&start.trainable, &start.network),
            penalty: Penalty::new(&start.network, &start.trainable, options.l2_sp),
            optimizer: AdamW::new(options.adamw()),
            best: Best {
                network: start.network.valid(),
                stage: None,
                epoch: 0,
                step: 0,
                score: start.score,
            },
            network: Some(start.network),
            trainable: start.trainable,
            stages: task.stages(),
            stage: 0,
            schedule: Schedule::new(options.lr_scheduler_type, 0, 0.0, None),
            active: 0,
            active_since: [0, 0],
            epoch: 0,
            steps: Vec::new(),
            next: 0,
            stage_steps: 0,
            done: 0,
            scored_at: 0,
            without_gain: 0,
            curve: Vec::new(),
            train_loss: Vec::new(),
            finish: None,
            error: None,
            options,
        })
    }

    /// Why the run is over, if it is.
    pub fn reason(&self) -> Option<FinishReason> {
        self.finish
    }

    /// Best value so far after each evaluation.
    pub fn curve(&self) -> &[f64] {
        &self.curve
    }

    /// Share of the last stage's steps that are done.
    pub fn progress(&self) -> f64 {
        let steps = self.plan().map_or(0, StagePlan::steps);
        self.stage_steps as f64 / steps.max(1) as f64
    }

    /// Ends the run before its time.
    pub fn end_for(&mut self, reason: FinishReason) {
        self.finish = Some(reason);
    }

    /// Ends the run by an error, with the best state kept.
    pub fn fail(&mut self, error: Error) {
        self.finish = Some(FinishReason::Failed);
        self.error = Some(error);
    }

    /// What is left of the run: everything but its best state is dropped.
    pub fn end(self) -> Ended<T> {
        Ended {
            best: self.best,
            trainable: self.trainable,
            options: self.options,
            reason: self.finish.unwrap_or(FinishReason::Completed),
            error: self.error,
            steps: self.done,
            train_loss: self.train_loss,
            seeds: None,
        }
    }

    /// Works until there is something to report; `None` once the run is over. `stop`: whether it should end as soon as what was learnt is scored.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn advance(&mut self, task: &mut T, stop: bool) -> Result<Option<EventOf<T>>> {
        if self.finish.is_some() {
            return Ok(None);
        }
        let Some(plan) = self.plan().copied() else {
            self.finish = Some(FinishReason::Completed);
            return Ok(None);
        };
        let unscored = self.done > self.scored_at;
        if stop {
            if !unscored {
                self.finish = Some(FinishReason::Stopped);
                return Ok(None);
            }
            let event = self.score(task, plan).await?;
            self.finish.get_or_insert(FinishReason::Stopped);
            return Ok(Some(event));
        }
        if unscored && self.is_due(plan) {
            let event = self.score(task, plan).await?;
            self.judge(task, plan)?;
            return Ok(Some(event));
        }
        if self.next == self.steps.len() {
            self.next_epoch(task, plan)?;
        }
        self.step(task, plan).await.map(Some)
    }

    fn plan(&self) -> Option<&StagePlan> {
        self.stages.get(self.stage)
    }

    fn begin_stage(&mut self, task: &T) -> Result<()> {
        let Some(plan) = self.plan().copied().filter(|plan| plan.steps() > 0) else {
            self.finish = Some(FinishReason::Completed);
            return Ok(());
        };
        self.schedule = self.schedule_of(&plan);
        self.optimizer = AdamW::new(self.options.adamw());
        (self.active, self.stage_steps, self.epoch) = (0, 0, 0);
        self.next_epoch(task, plan)
    }

    fn schedule_of(&self, plan: &StagePlan) -> Schedule {
        let options = &self.options;
        Schedule::new(
            options.lr_scheduler_type,
            plan.steps(),
            options.warmup_ratio.unwrap_or(0.0),
            options.warmup_steps.map(|warmup| warmup.min(plan.steps())),
        )
    }

    fn next_epoch(&mut self, task: &T, plan: StagePlan) -> Result<()> {
        self.epoch += 1;
        self.next = 0;
        self.steps = task.epoch(plan.stage, self.epoch, &self.options)?;
        if self.steps.is_empty() {
            return Err(Error::internal("an epoch without a step"));
        }
        Ok(())
    }

    fn is_due(&self, plan: StagePlan) -> bool {
        let stage_over = self.stage_steps == plan.steps();
        let every = self.options.eval_steps;
        stage_over
            || !plan.scored_once
                && match every {
                    0 => self.next == self.steps.len(),
                    every => self.stage_steps.is_multiple_of(every),
                }
    }

    /// The epoch as events report it.
    fn reported_epoch(&self, plan: StagePlan) -> usize {
        if plan.scored_once { 0 } else { self.epoch }
    }

    /// Freezes all but the topmost groups that train in this step, and the head too while no head is trained.
    fn unfreeze(&mut self, task: &mut T, plan: StagePlan) -> Result<()> {
        let active = if plan.unfreezes {
            self.groups
                .active(&self.options, self.stage_steps, self.epoch - 1)
        } else {
            self.groups.len()
        };
        if self.active == active {
            return Ok(());
        }
        self.active_since = [self.stage_steps, self.done];
        self.activate(task, plan, active)
    }

    /// Turns on the gradients of the topmost `active` groups.
    fn activate(&mut self, task: &mut T, plan: StagePlan, active: usize) -> Result<()> {
        self.active = active;
        let network = self.take_network()?;
        let (trainable, groups) = (&self.trainable, &self.groups);
        let headless = |path: &str| plan.headless && is_head(path);
        self.network = Some(activate(network, |path| {
            trainable.contains(path) && groups.is_active(path, active) && !headless(path)
        }));
        task.set_frozen_layers(groups.frozen_layers(active));
        Ok(())
    }

    fn take_network(&mut self) -> Result<T::Network> {
        self.network
            .take()
            .ok_or_else(|| Error::internal("a run without its network"))
    }

    fn network(&self) -> Result<&T::Network> {
        self.network
            .as_ref()
            .ok_or_else(|| Error::internal("a run without its network"))
    }

    async fn step(&mut self, task: &mut T, plan: StagePlan) -> Result<EventOf<T>> {
        let begun = Instant::now();
        self.unfreeze(task, plan)?;
        let mut batches = Vec::new();
        let mut tokens = 0;
        for rows in &self.steps[self.next] {
            let (batch, read) = task.batch(self.network()?, plan.stage, rows).await?;
            batches.push(batch);
            tokens += read;
        }
        let targets = batches.iter().map(Batch::count).sum();
        let factor = self.schedule.factor(self.stage_steps);
        let rate = plan.learning_rate * factor;
        let head_rate = plan.head_learning_rate * factor;
        let loss = self.train(task, &batches, [rate, head_rate]).await?;
        drop(batches);
        let groups = rates(
            &self.groups,
            &self.trainable,
            self.network()?,
            &plan,
            self.active,
            [rate, head_rate],
            self.options.layer_lr_decay,
        );
        self.next += 1;
        self.stage_steps += 1;
        self.done += 1;
        let loss = read(loss).await?.first().copied().unwrap_or(f32::NAN);
        self.train_loss.push(loss);
        if !loss.is_finite() {
            self.finish = Some(FinishReason::Diverged);
        }
        Ok(Event::Step {
            stage: plan.stage,
            step: self.done,
            total_steps: self.stages.iter().map(StagePlan::steps).sum(),
            epoch: self.reported_epoch(plan),
            loss,
            learning_rate: rate,
            head_learning_rate: head_rate,
            groups,
            tokens,
            targets,
            ms: begun.elapsed().as_secs_f64() * 1000.0,
        })
    }

    /// Changes the network by one step; the loss before it, `[1]`.
    async fn train(
        &mut self,
        task: &T,
        batches: &[T::Batch],
        [rate, head_rate]: [f64; 2],
    ) -> Result<burn::tensor::Tensor<1>> {
        let options = &self.options;
        let draws = task.draws() || options.mixout > 0.0 || options.method.draws();
        // a stream of its own for each step, so that a run that is resumed drops the same
        let name = format!("dropout/{}", self.done);
        let seed = Rng::stream(options.data_seed(), &name).next_u64();
        let rules = Rules {
            trainable: &self.trainable,
            penalty: self.penalty.as_ref(),
            max_grad_norm: options.max_grad_norm,
            pass: PassSettings {
                checkpointing: options.gradient_checkpointing.unwrap_or(false),
                noise: draws.then_some(seed),
            },
        };
        let found = shared_gradients(self.network()?, batches, &rules.pass, task.team()).await?;
        let network = self
            .network
            .take()
            .ok_or_else(|| Error::internal("a run without its network"))?;
        let (groups, decay) = (&self.groups, options.layer_lr_decay);
        let by_path = |path: &str| {
            if is_head(path) {
                head_rate
            } else {
                rate * groups.factor(path, decay)
            }
        };
        let (network, loss) = train_step(network, &mut self.optimizer, found, &rules, by_path);
        self.network = Some(network);
        Ok(loss)
    }

    /// Scores the state of now on the validation rows and keeps it if it is the best.
    async fn score(&mut self, task: &mut T, plan: StagePlan) -> Result<EventOf<T>> {
        if self.stage_steps == plan.steps() || plan.scored_once {
            let network = self.take_network()?;
            let (network, new_head) = task.end_stage(plan.stage, network).await?;
            if let (Some(penalty), true) = (&mut self.penalty, new_head) {
                penalty.restart(&network, &self.trainable, is_head);
            }
            self.network = Some(network);
        }
        let network = self.network()?.valid();
        let (score, evaluated) = task.evaluate(&network).await?;
        self.scored_at = self.done;
        if !score.is_finite() {
            // the update of the last step made it: no later step would show it
            self.finish = Some(FinishReason::Diverged);
        }
        let epoch = self.reported_epoch(plan);
        let best = task.replaces(&score, plan.stage, &self.best);
        if best {
            self.best = Best {
                network,
                stage: Some(plan.stage),
                epoch,
                step: self.done,
                score: Some(score),
            };
            self.without_gain = 0;
        } else if !plan.scored_once {
            self.without_gain += 1;
        }
        if !plan.scored_once {
            let value = self.best.score.as_ref().map_or(f64::MIN, Score::value);
            self.curve.push(value);
        }
        Ok(Event::Evaluation {
            stage: plan.stage,
            step: self.done,
            epoch,
            best,
            task: evaluated,
        })
    }

    /// Decides after an evaluation whether the run goes on.
    fn judge(&mut self, task: &T, plan: StagePlan) -> Result<()> {
        if self.finish.is_some() {
            return Ok(());
        }
        let patience = self.options.early_stopping_patience;
        if self.stage_steps == plan.steps() {
            self.stage += 1;
            self.begin_stage(task)
        } else {
            if patience > 0 && self.without_gain >= patience {
                self.finish = Some(FinishReason::EarlyStopping);
            }
            Ok(())
        }
    }
}

/// Every group's rate in a step in which the topmost `active` train, bottom to top.
pub(super) fn rates(
    groups: &Groups,
    trainable: &Trainable,
    network: &impl Network,
    plan: &StagePlan,
    active: usize,
    [rate, head_rate]: [f64; 2],
    decay: f64,
) -> Vec<GroupRate> {
    let mut rates = groups.rates(active, rate, head_rate, decay);
    if plan.headless
        && let Some(top) = rates.iter_mut().find(|group| group.name == HEAD)
    {
        // without a head, the pooler alone may train in its group
        let mut paths = trainable.paths();
        let pooler = paths.any(|path| network.place(path) == Place::Top && !is_head(path));
        top.frozen = !pooler;
        top.learning_rate = if pooler { rate } else { 0.0 };
    }
    rates
}
