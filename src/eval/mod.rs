//! Scores of classifiers and language models, the baselines they are compared with, and generation.

pub mod baseline;
pub mod bootstrap;
pub mod choices;
pub mod complete;
pub mod evaluate;
pub mod evaluation;
pub mod forgetting;
pub mod generate;
pub mod generation_options;
pub mod likelihood;
pub mod metrics;
pub mod probe;
pub mod sampling;
pub mod scores;
pub mod several;
pub mod summary;
