//! What a run was made of, as hashes.

use serde::{Deserialize, Serialize};

/// What a run was made of; a checkpoint goes with no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Of the model's settings and weights.
    pub model: u64,
    /// Of the rows, in their order.
    pub rows: u64,
}
