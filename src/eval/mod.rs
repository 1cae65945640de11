//! Enters: a classifier and labelled texts. Leaves: scores, and the baseline they are compared with.

pub mod baseline;
pub mod bootstrap;
pub mod choices;
pub mod complete;
pub mod evaluate;
pub mod evaluation;
pub mod forgetting;
pub mod generate;
pub mod likelihood;
pub mod metrics;
pub mod probe;
pub mod sampling;
pub mod summary;
