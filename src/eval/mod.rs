//! Enters: a classifier and labelled texts. Leaves: scores, and the baseline they are compared with.

pub mod evaluate;
pub mod metrics;
pub mod probe;
