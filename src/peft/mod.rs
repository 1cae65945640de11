//! Fine-tuning methods, one small file each: what a method attaches to a frozen network, what trains, and how its values are stored.

pub mod adapter_file;
pub mod freeze;
pub mod full;
pub mod houlsby;
pub mod keys;
pub mod lora;
pub mod lora_config;
pub mod merge;
pub mod method;
pub mod patterns;
pub mod pissa;
pub mod prefix;
pub mod store;

pub use adapter_file::{BaseModel, TaskType};
pub use freeze::Trainable;
pub use houlsby::HoulsbyConfig;
pub use lora_config::{Bias, InitLoraWeights, LoraConfig, TargetModules};
pub use method::{Method, MethodType, Tunable, attach, check_storage};
pub use patterns::Patterns;
pub use prefix::PrefixConfig;
