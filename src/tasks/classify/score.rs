//! How well a classifier does on the validation rows, as far as the loop compares states by it.

use serde::{Deserialize, Serialize};

use crate::eval::metrics::Report;
use crate::train::task::Score;

/// A classifier's score on the validation rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassifyScore {
    /// [`Report::value`]: accuracy, or micro F1 where texts may have several labels.
    pub value: f64,
    pub loss: f64,
}

impl From<&Report> for ClassifyScore {
    fn from(report: &Report) -> Self {
        Self {
            value: report.value(),
            loss: report.loss,
        }
    }
}

impl Score for ClassifyScore {
    fn is_finite(&self) -> bool {
        self.loss.is_finite()
    }

    /// A higher value, or the same with a lower loss.
    fn beats(&self, other: &Self) -> bool {
        self.value > other.value || (self.value == other.value && self.loss < other.loss)
    }

    fn value(&self) -> f64 {
        self.value
    }

    fn loss(&self) -> f64 {
        self.loss
    }

    /// Of an accuracy. A micro F1 is taken for one too, which is more than its deviation, since a row is several decisions.
    fn standard_error(value: f64, rows: usize) -> Option<f64> {
        Some((value * (1.0 - value) / rows as f64).sqrt())
    }
}
