//! Text classification: labelled rows in, a classifier with its baselines out.

pub mod batch;
pub mod contrast;
pub mod estimate;
pub mod event;
pub mod model;
pub mod options;
pub mod plan;
pub mod recipe;
pub mod session;
pub mod training;
pub mod tuned;

pub use event::TrainEvent;
pub use options::{RecipeName, TrainOptions};
pub use recipe::Given;
pub use session::Session;
