//! A run's state at a step boundary: what trains, the optimizer, where in the data it is, the best state, earlier seeds, and what was reported.
//! It holds numbers and settings, and no text that a person wrote.

mod bytes;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(super) use bytes::Values;
pub use bytes::Writer;
use bytes::{read, refused};

use super::event::{FinishReason, SeedRun, Stage};
use super::fingerprint::Fingerprint;
use super::task::Task;
use crate::{Error, Result};

/// A step as it was reported; what follows from the options is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PastStep {
    pub stage: Stage,
    pub step: usize,
    pub epoch: usize,
    pub loss: f32,
    pub rate: f64,
    pub head_rate: f64,
    /// Groups that trained.
    pub active: usize,
    pub tokens: usize,
    pub targets: usize,
    pub ms: f64,
}

/// An event since training began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Past<E> {
    Seed(usize),
    Step(PastStep),
    Evaluation {
        stage: Stage,
        step: usize,
        epoch: usize,
        best: bool,
        task: E,
    },
    SeedFinished(usize),
}

/// The best state so far; its values are tensors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BestState<S> {
    pub stage: Option<Stage>,
    pub epoch: usize,
    pub step: usize,
    pub score: Option<S>,
}

/// One seed's run; what trains, its best values and the optimizer's means are tensors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RunningState<S> {
    pub best: BestState<S>,
    pub stage: usize,
    pub epoch: usize,
    pub next: usize,
    pub stage_steps: usize,
    pub done: usize,
    pub scored_at: usize,
    pub without_gain: usize,
    pub active: usize,
    /// Steps of the stage, and of all, when that many groups began to train.
    pub active_since: [usize; 2],
    pub curve: Vec<f64>,
    pub finish: Option<FinishReason>,
    /// Steps that the optimizer has made, by path.
    pub moments: Vec<(String, i32)>,
}

/// All of it but the tensors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State<S, E> {
    pub fingerprint: Fingerprint,
    /// As they were given, without texts, in JSON.
    pub options: String,
    /// Names of options that were given and hold a person's texts.
    pub withheld: Vec<String>,
    /// What the task decided by the clock.
    pub decisions: Vec<f64>,
    pub runs: Vec<SeedRun>,
    pub curves: Vec<Vec<f64>>,
    /// Of the best run of those that have ended.
    pub candidate: Option<BestState<S>>,
    pub running: Option<RunningState<S>>,
    pub past: Vec<Past<E>>,
}

/// A run's state, read and found whole, not yet put into a run.
pub struct RunCheckpoint<T: Task> {
    pub(super) state: State<T::Score, T::Evaluated>,
    pub(super) values: Values,
}

impl<T: Task> RunCheckpoint<T> {
    /// Reads the pieces that [`super::run::Run::checkpoint_piece`] gave, one after the other.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] naming what is wrong: damage, a checkpoint of another version or task.
    pub fn read(bytes: Vec<u8>) -> Result<Self> {
        let (state, values) = read(bytes, T::NAME)?;
        Ok(Self { state, values })
    }

    /// The options that the run was started with. `given`: those with a person's texts, which no checkpoint holds, again; any other as it was.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a text that is not given again, and for an option that differs.
    pub fn options(&self, given: Map<String, Value>) -> Result<Map<String, Value>> {
        let options = serde_json::from_str(&self.state.options);
        let mut options: Map<String, Value> = options.map_err(refused)?;
        for name in &self.state.withheld {
            if given.get(name).is_none_or(Value::is_null) {
                return Err(Error::option(
                    name,
                    "the run had it; give it again, because a checkpoint holds no text",
                ));
            }
        }
        for (name, value) in given {
            if value.is_null() {
                continue;
            }
            let withheld = self.state.withheld.contains(&name);
            match options.get(&name) {
                Some(old) if !same(old, &value) => {
                    return Err(Error::option(
                        name,
                        format!("the run that is resumed had {old}, got {value}"),
                    ));
                }
                None if !withheld => {
                    return Err(Error::option(
                        name,
                        format!("the run that is resumed left it out, got {value}"),
                    ));
                }
                Some(_) => {}
                None => {
                    options.insert(name, value);
                }
            }
        }
        Ok(options)
    }

    /// # Errors
    /// [`Error::InvalidFile`] if it is of a run on another model or other rows.
    pub(super) fn check(&self, found: Fingerprint) -> Result<()> {
        let expected = self.state.fingerprint;
        if expected.model != found.model {
            return Err(refused("it is of a run on another model"));
        }
        if expected.rows != found.rows {
            return Err(refused("it is of a run on other rows"));
        }
        Ok(())
    }
}

/// Whether what is given again says nothing else than what was given.
fn same(old: &Value, given: &Value) -> bool {
    match (old, given) {
        (Value::Number(old), Value::Number(given)) => old.as_f64() == given.as_f64(),
        (Value::Object(old), Value::Object(given)) => given
            .iter()
            .all(|(name, value)| old.get(name).is_some_and(|old| same(old, value))),
        _ => old == given,
    }
}
