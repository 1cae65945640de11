//! Enters: tensors. Leaves: tensors. One idea of maths a file; no model knows another, no method is named here.

pub mod activation;
pub mod attention;
pub mod bottleneck;
pub mod dropout;
pub mod embedding;
pub mod linear;
pub mod lora;
pub mod mixout;
pub mod norm;
pub mod prefix;
pub mod rotary;

pub use activation::Activation;
pub use attention::{attend, attend_heads, padding_bias, split_heads, window_bias};
pub use bottleneck::Bottleneck;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use linear::Linear;
pub use lora::Lora;
pub use mixout::Mixout;
pub use norm::LayerNorm;
pub use prefix::Prefix;
pub use rotary::{Rotary, inverse_frequencies};
