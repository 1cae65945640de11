//! Enters: a model's tokenizer file and texts. Leaves: token ids.

pub mod tokenizer;

pub use tokenizer::{Encoding, Tokenizer};
