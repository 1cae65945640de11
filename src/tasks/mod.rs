//! What a model can be tuned to do: label texts, or write them.

pub mod classify;
pub mod files;
pub mod language;
