//! What a run was made of, as hashes.

use serde::{Deserialize, Serialize};

use crate::hash::fnv1a;
use crate::{Error, Result};

/// What a run was made of; a checkpoint goes with no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Of the model's settings and weights.
    pub model: u64,
    /// Of the rows, in their order.
    pub rows: u64,
}

/// The hash of what a value holds.
///
/// # Errors
/// None in practice: everything here can be written.
pub fn hash(value: &(impl Serialize + ?Sized)) -> Result<u64> {
    let bytes = postcard::to_stdvec(value).map_err(Error::internal)?;
    Ok(fnv1a(&bytes))
}
