//! Enters: configuration and checkpoint. Leaves: a frozen model on a device, one readable file per family.

pub mod backbone;
pub mod backbone_config;
pub mod bert;
pub mod causal_batch;
pub mod causal_lm;
pub mod classifier;
pub mod decoder;
mod decoder_classify;
mod decoder_load;
pub mod decoder_names;
pub mod distilbert;
pub mod family;
pub mod fields;
pub mod gemma3;
pub mod gpt2;
pub mod llama;
pub mod load;
pub mod modernbert;
pub mod modernbert_config;
pub mod names;
pub mod network;
pub mod pooler;
pub mod qwen2;
pub mod qwen3;
pub mod random;
pub mod roberta;
pub mod rope;

pub use backbone::Backbone;
pub use backbone_config::BackboneConfig;
pub use causal_batch::CausalBatch;
pub use causal_lm::CausalLm;
pub use classifier::{Classifier, Head, HeadKind, Inputs};
pub use decoder::DecoderConfig;
pub use family::Family;
pub use load::Loader;
pub use network::Network;
