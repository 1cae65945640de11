//! Enters: a frozen model and a method's settings. Leaves: the same model with the method's parts attached, and what trains.

pub mod config;
pub mod freeze;
pub mod full;
pub mod houlsby;
pub mod keys;
pub mod lora;
pub mod merge;
pub mod method;
pub mod pissa;
pub mod prefix;

pub use config::{Bias, InitLoraWeights, LoraConfig, Patterns, TargetModules};
pub use freeze::Trainable;
pub use houlsby::HoulsbyConfig;
pub use method::{Method, MethodType, Tunable, attach, check_storage};
pub use prefix::PrefixConfig;
