//! Enters: tensors. Leaves: tensors. One idea of maths a file; no model knows another, no method is named here.

pub mod activation;
pub mod attention;
pub mod embedding;
pub mod linear;
pub mod lora;
pub mod norm;

pub use activation::Activation;
pub use attention::{attend, padding_bias};
pub use embedding::Embedding;
pub use linear::Linear;
pub use lora::Lora;
pub use norm::LayerNorm;
