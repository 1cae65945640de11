//! Enters: a language model and a person's texts. Leaves: events, and the best adapter found. The loop of language models, on the same
//! optimiser, schedule and methods as the classifiers' loop.

pub mod gradients;

pub use gradients::{Pass, gradients};
