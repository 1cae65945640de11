//! Enters: a loaded model, examples and options. Leaves: events, and the best classifier found. The only training loop.

pub mod config;
pub mod event;
pub mod loss;
pub mod optimizer;
pub mod plan;
pub mod schedule;
pub mod session;
pub mod step;

pub use config::{Method, Recipe, TrainOptions};
pub use event::TrainEvent;
pub use session::Session;
