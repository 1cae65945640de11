//! Enters: a language model and a person's texts. Leaves: events, and the best adapter found. The loop of language models, on the same
//! optimiser, schedule and methods as the classifiers' loop.

pub mod estimate;
pub mod event;
pub mod gradients;
pub mod options;
pub mod plan;
pub mod session;

pub use event::CausalEvent;
pub use gradients::{Pass, gradients};
pub use options::CausalOptions;
pub use session::CausalSession;
