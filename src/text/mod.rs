//! Texts and token ids: a model's tokenizer, its chat template, and the text of ids as they come.

mod charsmap;
pub mod chat;
mod encode;
mod jinja;
mod message;
mod parts;
mod repr;
pub mod stream;
mod tags;
mod template_files;
pub mod tokenizer;
pub mod vocabulary;

pub use chat::{ChatTemplate, Message, Rendered};
pub use encode::{Encoding, TextInput, Texts};
pub use stream::TextStream;
pub use tokenizer::{Piece, Tokenizer};
