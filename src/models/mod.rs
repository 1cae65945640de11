//! From a configuration and a checkpoint to a frozen model on a device, with a readable file for each family.

pub mod backbone;
pub mod backbone_config;
pub mod batch;
pub mod bert;
pub mod causal_batch;
pub mod causal_lm;
pub mod classifier;
mod config;
pub mod decoder;
pub mod decoder_config;
mod decoder_context;
pub mod distilbert;
pub mod family;
pub mod fields;
pub mod gemma3;
pub mod gpt2;
pub mod head;
pub mod llama;
pub mod load;
pub mod modernbert;
pub mod modernbert_config;
pub mod names;
pub mod network;
pub mod pooler;
pub mod qwen2;
pub mod qwen3;
#[cfg(feature = "bench")]
pub mod random;
pub mod roberta;
pub mod rope;
pub mod size;
pub mod stack;

pub use backbone::Backbone;
pub use backbone_config::BackboneConfig;
pub use batch::TokenBatch;
pub use causal_batch::CausalBatch;
pub use causal_lm::CausalLm;
pub use classifier::{Classifier, Inputs};
pub use decoder_config::DecoderConfig;
pub use family::{DecoderFamily, Family};
pub use head::{Head, HeadKind};
pub use load::Loader;
pub use network::Network;
pub use size::NetworkSizes;
pub use stack::{Stack, StackContext, StackLayer};
