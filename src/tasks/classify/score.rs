//! How well a classifier does on the validation rows, as far as the loop compares states by it.

use serde::{Deserialize, Serialize};

use crate::train::task::Score;

/// A classifier's score on the validation rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassifyScore {
    pub accuracy: f64,
    pub loss: f64,
}

impl Score for ClassifyScore {
    fn is_finite(&self) -> bool {
        self.loss.is_finite()
    }

    /// Higher accuracy, or the same with a lower loss.
    fn beats(&self, other: &Self) -> bool {
        self.accuracy > other.accuracy
            || (self.accuracy == other.accuracy && self.loss < other.loss)
    }

    fn value(&self) -> f64 {
        self.accuracy
    }

    fn loss(&self) -> f64 {
        self.loss
    }

    /// Of an accuracy.
    fn standard_error(value: f64, rows: usize) -> Option<f64> {
        Some((value * (1.0 - value) / rows as f64).sqrt())
    }
}
