//! Files of weights: tensors read in ranges, checked and given as f32, and new files written.
//!
//! Nothing here knows a model. [`Checkpoint`] is what a model loader uses; [`write()`] is what an export uses.

pub mod dtype;
pub mod foreign;
pub mod gguf;
pub mod onnx;
pub mod safetensors;
pub mod shards;
pub mod source;
pub mod values;
pub(crate) mod writer;

pub use dtype::{Dtype, Float};
pub use gguf::{
    Gguf, GgufHead, GgufTensor, GgufTensors, GgufValue, IntegerBlocks, Lines, Metadata, Undo,
};
pub use safetensors::{Header, TensorInfo};
pub use shards::Checkpoint;
pub use source::{MemorySource, Source, read_all};
pub use values::{read_tensor, read_values};
pub use writer::write;
