//! The passes of a run that are no training steps, as far as its memory depends on them.

use crate::models::size::Shape;

/// What a pass that is no training step computes, and so when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassKind {
    /// What the frozen network gives for the rows of a classifier. Nothing trains yet.
    Features,
    /// Validation texts after examples. Nothing trains yet.
    FewShot,
    /// The validation rows, between the steps.
    Evaluation,
    /// What a language model writes after a sample prompt, between the steps.
    Samples,
}

/// A pass that is no training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    pub kind: PassKind,
    /// Its largest batch.
    pub shape: Shape,
    /// Tokens written after it.
    pub new_tokens: u64,
}

impl Pass {
    /// A pass that writes nothing.
    pub fn new(kind: PassKind, rows: usize, tokens: usize) -> Self {
        Self {
            kind,
            shape: Shape::new(rows, tokens),
            new_tokens: 0,
        }
    }

    /// A prompt and what is written after it.
    pub fn samples(prompt: usize, new_tokens: usize) -> Self {
        Self {
            new_tokens: new_tokens as u64,
            ..Self::new(PassKind::Samples, 1, prompt)
        }
    }
}
