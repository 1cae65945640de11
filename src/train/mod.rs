//! Training, whatever is trained: the loop and its step, schedules, safeguards, seeds, memory. What is particular to a task is in
//! [`task::Task`].

pub mod checkpoint;
pub mod event;
pub mod fingerprint;
pub mod frozen;
pub mod gradients;
pub mod loss;
pub mod memory;
pub mod noise;
pub mod optimizer;
pub mod options;
pub mod parts;
pub mod penalty;
pub mod run;
mod running;
pub mod schedule;
pub mod seeds;
pub mod step;
pub mod task;
pub mod unfreeze;
