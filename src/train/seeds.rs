//! Enters: how runs fared that differ in their seeds. Leaves: which to end early, and mean, deviation and best of the rest
//! (Dodge et al. 2020).

use serde::Serialize;

use crate::Result;
use crate::eval::summary::Summary;
use crate::tasks::classify::TrainOptions;
use crate::tasks::classify::event::FinishReason;

/// The share of the epochs after which a run is judged; Dodge et al. find that a run's later quality shows by then.
const JUDGED_FROM: f64 = 0.3;
/// Earlier runs that are needed to judge one.
const NEEDED_RUNS: usize = 2;

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeedRun {
    pub head_seed: u64,
    pub data_seed: u64,
    pub reason: FinishReason,
    /// Best on the validation rows.
    pub accuracy: f64,
    pub loss: f64,
    pub kept_epoch: usize,
    pub steps: usize,
}

/// All runs together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeedSummary {
    pub runs: Vec<SeedRun>,
    /// Of the accuracies of all runs that were not ended as unpromising.
    pub mean: f64,
    /// Their sample standard deviation; 0 for one run.
    pub deviation: f64,
    /// Index of the run that is kept.
    pub best: usize,
}

/// What is known of the runs so far.
#[derive(Debug, Clone, Default)]
pub struct Seeds {
    runs: Vec<SeedRun>,
    /// Best accuracy so far after each epoch, per run.
    curves: Vec<Vec<f64>>,
}

impl Seeds {
    /// The options of run `index`: both seeds counted up, everything else the same.
    pub fn options(options: &TrainOptions, index: usize) -> TrainOptions {
        TrainOptions {
            head_seed: Some(options.head_seed().wrapping_add(index as u64)),
            data_seed: Some(options.data_seed().wrapping_add(index as u64)),
            ..options.clone()
        }
    }

    /// Whether a run that has reached `curve` (its best accuracy so far after each epoch, out of `epochs`) should end: it lies below the
    /// median of the earlier runs at the same epoch by more than one standard error of an accuracy on `rows` rows.
    pub fn unpromising(&self, curve: &[f64], epochs: usize, rows: usize) -> bool {
        let epoch = curve.len();
        let Some(reached) = curve.last() else {
            return false;
        };
        if (epoch as f64) < JUDGED_FROM * epochs as f64 || epoch >= epochs {
            return false;
        }
        // a run that ended early keeps its last value
        let mut others = self
            .curves
            .iter()
            .filter_map(|curve| curve.get(epoch - 1).or(curve.last()).copied())
            .collect::<Vec<_>>();
        if others.len() < NEEDED_RUNS {
            return false;
        }
        others.sort_by(f64::total_cmp);
        let median = (others[(others.len() - 1) / 2] + others[others.len() / 2]) / 2.0;
        let error = (median * (1.0 - median) / rows as f64).sqrt();
        *reached < median - error
    }

    /// Adds a run; true where it is the best so far.
    pub fn add(&mut self, run: SeedRun, curve: Vec<f64>) -> bool {
        let better = self.best().is_none_or(|best| {
            let best = &self.runs[best];
            run.accuracy > best.accuracy || (run.accuracy == best.accuracy && run.loss < best.loss)
        });
        self.runs.push(run);
        self.curves.push(curve);
        better
    }

    /// Runs that have ended.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether none has ended.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn best(&self) -> Option<usize> {
        // the first of equals, as `add` kept it
        (0..self.runs.len()).reduce(|best, index| {
            let [a, b] = [&self.runs[best], &self.runs[index]];
            match b.accuracy > a.accuracy || (b.accuracy == a.accuracy && b.loss < a.loss) {
                true => index,
                false => best,
            }
        })
    }

    /// Mean, deviation and best.
    ///
    /// # Errors
    /// [`crate::Error::InvalidState`] before the first run has ended.
    pub fn summary(&self) -> Result<SeedSummary> {
        let whole = self
            .runs
            .iter()
            .filter(|run| run.reason != FinishReason::Unpromising)
            .map(|run| run.accuracy)
            .collect::<Vec<_>>();
        let summary = Summary::of(&whole)?;
        Ok(SeedSummary {
            mean: summary.mean,
            deviation: summary.deviation,
            best: self.best().unwrap_or_default(),
            runs: self.runs.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(accuracy: f64, loss: f64, reason: FinishReason) -> SeedRun {
        SeedRun {
            head_seed: 0,
            data_seed: 0,
            reason,
            accuracy,
            loss,
            kept_epoch: 1,
            steps: 1,
        }
    }

    #[test]
    fn only_a_clearly_worse_run_ends_and_never_at_once() {
        let mut seeds = Seeds::default();
        assert!(!seeds.unpromising(&[0.1, 0.1, 0.1], 10, 100));
        seeds.add(
            run(0.9, 0.3, FinishReason::Completed),
            vec![0.7, 0.8, 0.9, 0.9],
        );
        assert!(
            !seeds.unpromising(&[0.1, 0.1, 0.1], 10, 100),
            "one run judges nothing"
        );
        seeds.add(run(0.8, 0.3, FinishReason::Completed), vec![0.6, 0.7, 0.8]);
        // median 0.85 after the third epoch, one standard error 0.036
        assert!(!seeds.unpromising(&[0.1, 0.1], 10, 100), "too early");
        assert!(!seeds.unpromising(&[0.1, 0.1, 0.82], 10, 100));
        assert!(seeds.unpromising(&[0.1, 0.1, 0.81], 10, 100));
        assert!(
            !seeds.unpromising(&[0.1, 0.1, 0.81], 10, 10),
            "ten rows tell less"
        );
        assert!(
            !seeds.unpromising(&[0.1, 0.1, 0.1], 3, 100),
            "the last epoch is over anyway"
        );
        // the second run ended after its third epoch
        assert!(seeds.unpromising(&[0.1, 0.1, 0.1, 0.1], 10, 100));
    }

    #[test]
    fn sums_up_whole_runs_and_keeps_the_best() {
        let mut seeds = Seeds::default();
        assert!(seeds.summary().is_err());
        assert!(seeds.add(run(0.8, 0.3, FinishReason::Completed), vec![]));
        assert!(!seeds.add(run(0.5, 0.1, FinishReason::Unpromising), vec![]));
        assert!(seeds.add(run(0.8, 0.2, FinishReason::EarlyStopping), vec![]));
        assert!(!seeds.add(run(0.8, 0.2, FinishReason::Completed), vec![]));
        let summary = seeds.summary().unwrap();
        assert_eq!((summary.best, summary.runs.len()), (2, 4));
        assert!((summary.mean - 0.8).abs() < 1e-12 && summary.deviation < 1e-12);
        let options = Seeds::options(&TrainOptions::default(), 2);
        assert_eq!(
            (options.head_seed(), options.data_seed(), options.seed),
            (44, 44, 42)
        );
    }
}
