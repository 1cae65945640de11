//! Language modelling: texts and conversations in, a model that writes them out.

pub mod choose;
pub mod estimate;
pub mod event;
mod head;
pub mod model;
pub mod options;
pub mod plan;
pub mod preview;
pub mod score;
pub mod session;
pub mod tuned;

pub use event::CausalEvent;
pub use options::CausalOptions;
pub use session::CausalSession;
