//! Enters: a loaded model, examples and options. Leaves: events, and the best classifier found. The only training loop.

pub mod cache;
pub mod causal;
pub mod config;
pub mod contrast;
pub mod estimate;
pub mod event;
pub mod loss;
pub mod optimizer;
pub mod penalty;
pub mod plan;
pub mod recipe;
pub mod recompute;
pub mod schedule;
pub mod seeds;
pub mod session;
pub mod step;
pub mod training;
pub mod unfreeze;

pub use config::{RecipeName, TrainOptions};
pub use event::TrainEvent;
pub use recipe::Given;
pub use session::Session;
