//! Text classification: labelled rows in, a classifier with its baselines out.

pub mod batch;
pub mod cache;
pub mod contrast;
pub mod event;
mod forward;
mod memory;
pub mod model;
pub mod options;
pub mod plan;
mod prepare;
pub mod recipe;
mod report;
mod rows;
pub mod score;
pub mod task;
pub mod tuned;

pub use event::ClassifyEvent;
pub use options::{ClassifyOptions, RecipeName};
pub use recipe::UserOptions;
pub use task::{ClassifyRun, ClassifyTask};
