//! GGUF files: metadata and tensors of a base model read in ranges, an adapter's written.
//!
//! Layout, all little-endian: magic `GGUF`, version, number of tensors, number of metadata entries; the entries; one
//! description per tensor; the data, each tensor at a multiple of the alignment.
//! Source: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod blocks;
mod head;
mod k_blocks;
pub mod kinds;
mod metadata;
mod tensors;
mod write;

pub use blocks::IntegerBlocks;
pub use head::{GgufHead, GgufTensor};
pub use kinds::Kind;
pub use metadata::{Metadata, Value};
pub use tensors::{GgufTensors, Lines, Placed, Undo};
pub use write::{Gguf, GgufValue};

const MAGIC: &[u8; 4] = b"GGUF";

/// The version that is written. Version 2 has the same layout.
const VERSION: u32 = 3;

/// The default of the format; another one is in `general.alignment`.
const ALIGNMENT: u64 = 32;

/// ggml tensors have at most this many dimensions.
const MAX_DIMENSIONS: usize = 4;
