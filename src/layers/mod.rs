//! The maths of networks, one idea a file. No model and no method is named here.

pub mod activation;
pub mod attention;
pub mod bottleneck;
pub mod dropout;
pub mod embedding;
pub mod linear;
pub mod lora;
pub mod mixout;
pub mod norm;
pub mod pooling;
pub mod prefix;
pub mod product;
pub mod rotary;
pub mod storage;
pub mod table;

pub use activation::Activation;
pub use attention::{
    MASKED, attend, attend_grouped, attend_heads, attend_joined, padding_bias, split_heads,
    window_bias,
};
pub use bottleneck::Bottleneck;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use linear::Linear;
pub use lora::Lora;
pub use mixout::Mixout;
pub use norm::{LayerNorm, RmsNorm};
pub use pooling::{last_token, masked_mean, normalize};
pub use prefix::Prefix;
pub use rotary::{Rotary, inverse_frequencies};
pub use storage::Storage;
pub use table::WordTable;
