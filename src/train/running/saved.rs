//! One seed's run as part of a checkpoint, and back.

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::Running;
use crate::device::read;
use crate::models::names::is_head;
use crate::peft::Trainable;
use crate::peft::freeze::{TrainedTensor, replace, trained};
use crate::train::checkpoint::{BestState, RunningState, Values};
use crate::train::optimizer::AdamW;
use crate::train::options::LoopOptions;
use crate::train::task::{Best, StagePlan, Task};
use crate::{Error, Result};

/// A tensor of a checkpoint, not yet read.
#[derive(Debug, Clone)]
pub enum Held {
    Tensor(Box<Tensor<1>>),
    /// The optimizer's mean of a path's gradient.
    Mean(String),
    /// And of its square.
    Square(String),
}

/// Name, number of values, and where they are.
pub type Named = (String, usize, Held);

/// The values of a network's trained tensors under `prefix`.
pub fn values_of(network: &impl burn::module::Module, of: &Trainable, prefix: &str) -> Vec<Named> {
    let tensors = trained(network, of).into_iter();
    let named = tensors.map(|TrainedTensor { path, value, .. }| {
        let count = value.dims()[0];
        (
            format!("{prefix}/{path}"),
            count,
            Held::Tensor(Box::new(value)),
        )
    });
    named.collect()
}

/// A network with the trained values that a checkpoint holds under `prefix`.
pub fn with_values<M: burn::module::Module>(
    network: M,
    of: &Trainable,
    prefix: &str,
    values: &mut Values,
) -> Result<M> {
    let mut found = HashMap::new();
    for TrainedTensor { path, value, .. } in trained(&network, of) {
        let name = format!("{prefix}/{path}");
        found.insert(path, values.take(&name, value.dims()[0])?);
    }
    Ok(replace(network, |path, value| {
        Some(tensor(found.remove(path)?, &value.device()))
    }))
}

fn tensor(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

impl<S: Clone> BestState<S> {
    pub fn of<N>(best: &Best<N, S>) -> Self {
        Self {
            stage: best.stage,
            epoch: best.epoch,
            step: best.step,
            score: best.score.clone(),
        }
    }

    /// With the network that reached it.
    pub fn with<N>(self, network: N) -> Best<N, S> {
        Best {
            network,
            stage: self.stage,
            epoch: self.epoch,
            step: self.step,
            score: self.score,
        }
    }
}

impl<T: Task> Running<T> {
    /// All but the tensors.
    pub fn state(&self) -> RunningState<T::Score> {
        RunningState {
            best: BestState::of(&self.best),
            stage: self.stage,
            epoch: self.epoch,
            next: self.next,
            stage_steps: self.stage_steps,
            done: self.done,
            scored_at: self.scored_at,
            without_gain: self.without_gain,
            active: self.active,
            active_since: self.active_since,
            curve: self.curve.clone(),
            finish: self.finish,
            moments: self.optimizer.steps(),
        }
    }

    /// The tensors.
    ///
    /// # Errors
    /// A step that failed has taken the network away.
    pub fn tensors(&self) -> Result<Vec<Named>> {
        let network = self.network()?;
        let mut out = values_of(network, &self.trainable, "now");
        let counts = out.iter().map(|(name, count, _)| (name.clone(), *count));
        let counts: HashMap<_, _> = counts.collect();
        for (path, _) in self.optimizer.steps() {
            let count = counts.get(&format!("now/{path}")).copied();
            let count = count.ok_or_else(|| Error::internal("a step of what does not train"))?;
            out.push((format!("mean/{path}"), count, Held::Mean(path.clone())));
            out.push((format!("square/{path}"), count, Held::Square(path)));
        }
        if self.best.stage.is_some() {
            // before that it is what every run begins with
            out.extend(values_of(&self.best.network, &self.trainable, "best"));
        }
        if let Some(penalty) = &self.penalty {
            for (path, value) in penalty.start_of(is_head) {
                let held = Held::Tensor(Box::new(value.clone()));
                out.push((format!("start/{path}"), value.dims()[0], held));
            }
        }
        Ok(out)
    }

    /// Reads one of its tensors.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn read(&self, held: Held) -> Result<Vec<f32>> {
        match held {
            Held::Tensor(tensor) => read(*tensor).await,
            Held::Mean(path) => self.optimizer.mean(&path, false).await,
            Held::Square(path) => self.optimizer.mean(&path, true).await,
        }
    }

    /// What trains.
    pub fn trainable(&self) -> &Trainable {
        &self.trainable
    }

    /// The best network so far.
    pub fn best_network(&self) -> &T::Network {
        &self.best.network
    }

    /// Groups that train now.
    pub fn active(&self) -> usize {
        self.active
    }

    /// A run as it was. `train_loss`: of each step so far.
    ///
    /// # Errors
    /// As [`Self::new`]; [`Error::InvalidFile`] for a state that does not fit.
    pub async fn restore(
        task: &mut T,
        options: LoopOptions,
        state: RunningState<T::Score>,
        train_loss: Vec<f32>,
        values: &mut Values,
    ) -> Result<Self> {
        let mut running = Self::fresh(task, options).await?;
        let network = running.take_network()?;
        let trainable = &running.trainable;
        if state.best.stage.is_some() {
            let network = running.best.network.clone();
            let network = with_values(network, trainable, "best", values)?;
            running.best = state.best.with(network);
        } else {
            running.best = state.best.with(running.best.network);
        }
        let network = with_values(network, trainable, "now", values)?;
        let mut optimizer = AdamW::new(running.options.adamw());
        for tensor in trained(&network, trainable) {
            let steps = state.moments.iter().find(|(path, _)| *path == tensor.path);
            if let Some((path, steps)) = steps {
                let count = tensor.value.dims()[0];
                let mean = values.take(&format!("mean/{path}"), count)?;
                let square = values.take(&format!("square/{path}"), count)?;
                optimizer.restore(path, *steps, [mean, square], &tensor.value.device());
            }
        }
        running.optimizer = optimizer;
        if let Some(penalty) = &mut running.penalty {
            for TrainedTensor { path, value, .. } in trained(&network, trainable) {
                if let Some(found) = values.take_any(&format!("start/{path}")) {
                    penalty.set_start(&path, tensor(found, &value.device()));
                }
            }
        }
        running.network = Some(network);
        running.stage = state.stage;
        running.epoch = state.epoch;
        running.next = state.next;
        running.stage_steps = state.stage_steps;
        running.done = state.done;
        running.scored_at = state.scored_at;
        running.without_gain = state.without_gain;
        running.curve = state.curve;
        running.finish = state.finish;
        running.train_loss = train_loss;
        if let Some(plan) = running.plan().copied() {
            running.schedule = running.schedule_of(&plan);
            running.steps = task.epoch(plan.stage, state.epoch, &running.options)?;
            if state.active > 0 {
                running.activate(task, plan, state.active)?;
                running.active_since = state.active_since;
                running.fill_cache(task, plan).await?;
            }
        }
        Ok(running)
    }

    /// Computes again, in the same batches, what the task kept of the frozen layers since these groups train: in other batches the last bits
    /// would differ.
    async fn fill_cache(&mut self, task: &mut T, plan: StagePlan) -> Result<()> {
        let thaws = self.options.unfreeze_every_steps + self.options.unfreeze_every_epochs > 0;
        if !plan.unfreezes || !thaws || !task.caches() {
            return Ok(());
        }
        let [since, done] = self.active_since;
        for step in since..self.stage_steps {
            let epoch = step / plan.steps_per_epoch + 1;
            let steps = task.epoch(plan.stage, epoch, &self.options)?;
            let rows = steps.get(step % plan.steps_per_epoch);
            for rows in rows.into_iter().flatten() {
                task.batch(self.network()?, plan.stage, rows).await?;
            }
        }
        if self.scored_at > done {
            let network = burn::module::Module::valid(self.network()?);
            task.evaluate(&network).await?;
        }
        Ok(())
    }
}
