//! Enters: a model's tokenizer and chat template, and texts. Leaves: token ids, and texts from token ids.

pub mod chat;
mod jinja;
pub mod stream;
pub mod tokenizer;

pub use chat::{ChatTemplate, Message, Rendered};
pub use stream::TextStream;
pub use tokenizer::{Encoding, Marked, Piece, Tokenizer};
