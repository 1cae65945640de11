//! The files of `src/text` that need no tokenizer library.

#[path = "../../src/text/chat.rs"]
pub mod chat;
#[path = "../../src/text/jinja.rs"]
mod jinja;

#[allow(unused_imports)]
pub use chat::{ChatTemplate, Message};
