//! Enters: a tuned classifier. Leaves: files that other tools load, and the way back.

pub mod adapter;
pub mod card;
pub mod import;
pub mod sentence;

pub use adapter::{ExportedFile, export};
pub use import::import;
