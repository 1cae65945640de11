//! Enters: a loaded model, examples and options. Leaves: events, and the best classifier found. The only training loop.

pub mod cache;
pub mod gradients;
pub mod loss;
pub mod memory;
pub mod noise;
pub mod optimizer;
pub mod penalty;
pub mod schedule;
pub mod seeds;
pub mod step;
pub mod unfreeze;
