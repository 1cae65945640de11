//! Enters: a tuned classifier. Leaves: files that other tools load, and the way back.

pub mod card;
pub mod continue_py;
pub mod files;
pub mod gguf_lora;
pub mod import;
pub mod language;
pub mod language_card;
pub mod language_folder;
pub mod language_merged;
pub mod merged;
pub mod save;
pub mod sentence;

pub use files::ExportedFile;
pub use import::import;
pub use save::export;
