//! Enters: a frozen model and a method's settings. Leaves: the same model with its delta slots filled, and what trains.

pub mod attach;
pub mod config;
pub mod freeze;

pub use attach::{attach, resolve};
pub use config::{LoraConfig, TargetModules};
