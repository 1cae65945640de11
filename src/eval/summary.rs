//! Mean, spread and best of one setting's scores under several seeds.

use serde::Serialize;

use crate::{Error, Result};

/// One setting over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Mean score. NaN where one is NaN.
    pub mean: f64,
    /// Sample standard deviation, the sum of squares divided by `count` - 1; 0 for one run.
    pub deviation: f64,
    /// Index of the highest score; the first one of equals, and never a NaN unless all are.
    pub best: usize,
    /// Runs.
    pub count: usize,
}

impl Summary {
    /// `scores`: one per seed; higher is better.
    ///
    /// # Errors
    /// `Internal` if there is no score.
    pub fn of(scores: &[f64]) -> Result<Self> {
        let count = scores.len();
        if count == 0 {
            return Err(Error::internal(
                "a summary needs at least one run, got none",
            ));
        }
        let mean = scores.iter().sum::<f64>() / count as f64;
        let squares = scores
            .iter()
            .map(|score| (score - mean) * (score - mean))
            .sum::<f64>();
        let mut best = 0;
        for (index, score) in scores.iter().enumerate() {
            if *score > scores[best] || (scores[best].is_nan() && !score.is_nan()) {
                best = index;
            }
        }
        Ok(Self {
            mean,
            deviation: match count {
                1 => 0.0,
                _ => (squares / (count - 1) as f64).sqrt(),
            },
            best,
            count,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        scores: Vec<f64>,
        mean: f64,
        deviation: f64,
        best: usize,
    }

    #[derive(Deserialize)]
    struct Cases {
        summary: Vec<Case>,
    }

    #[test]
    fn equals_numpy() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/stats/cases.json"
        );
        let cases: Cases = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(cases.summary.len() >= 5);
        for case in cases.summary {
            let found = Summary::of(&case.scores).unwrap();
            // Scores are at most 1; the sums are taken in another order.
            assert!((found.mean - case.mean).abs() <= 1e-12, "{:?}", case.scores);
            assert!(
                (found.deviation - case.deviation).abs() <= 1e-12,
                "{:?}",
                case.scores
            );
            assert_eq!(found.best, case.best, "{:?}", case.scores);
            assert_eq!(found.count, case.scores.len());
        }
    }

    #[test]
    fn not_a_number_is_never_best() {
        let found = Summary::of(&[f64::NAN, 0.2, 0.5, 0.5]).unwrap();
        assert_eq!(found.best, 2);
        assert!(found.mean.is_nan() && found.deviation.is_nan());
    }

    #[test]
    fn no_runs_are_an_error() {
        assert_eq!(Summary::of(&[]).unwrap_err().code(), "internal");
    }

    #[test]
    fn speaks_the_border_types() {
        let json = serde_json::to_value(Summary::of(&[0.5]).unwrap()).unwrap();
        let keys = json.as_object().unwrap().keys().collect::<Vec<_>>();
        assert_eq!(keys, ["mean", "deviation", "best", "count"]);
    }
}
