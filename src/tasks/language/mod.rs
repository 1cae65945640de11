//! Language modelling: texts and conversations in, a model that writes them out.

pub mod choose;
pub mod estimate;
pub mod event;
pub mod few_shot;
mod head;
pub mod model;
pub mod options;
pub mod plan;
pub mod preview;
mod report;
pub mod rows;
pub mod samples;
pub mod score;
pub mod task;
pub mod tuned;

pub use event::LanguageEvent;
pub use options::LanguageOptions;
pub use task::{LanguageRun, LanguageTask};
