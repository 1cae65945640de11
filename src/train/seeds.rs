//! Several runs that differ in their seeds: which to end early, and mean, deviation and best of the rest (Dodge et al. 2020).

use super::event::{FinishReason, SeedRun, SeedSummary};
use crate::eval::summary::Summary;

/// The share of a run after which it is judged; Dodge et al. find that a run's later quality shows by then.
const JUDGED_FROM: f64 = 0.3;
/// Earlier runs that are needed to judge one.
const NEEDED_RUNS: usize = 2;

/// What is known of the runs so far.
#[derive(Debug, Clone, Default)]
pub struct Seeds {
    runs: Vec<SeedRun>,
    /// Best value so far after each evaluation, per run.
    curves: Vec<Vec<f64>>,
}

/// Whether a run is better than another: the higher value, or the same with a lower loss. A run without a score is better than none.
fn beats(a: &SeedRun, b: &SeedRun) -> bool {
    match (a.value, b.value) {
        (Some(own), Some(other)) => own > other || (own == other && a.loss < b.loss),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

impl Seeds {
    /// What is known of these runs.
    pub fn of(runs: Vec<SeedRun>, curves: Vec<Vec<f64>>) -> Self {
        Self { runs, curves }
    }

    /// Every run that has ended.
    pub fn runs(&self) -> &[SeedRun] {
        &self.runs
    }

    /// Every run's best value so far after each evaluation.
    pub fn curves(&self) -> &[Vec<f64>] {
        &self.curves
    }

    /// Whether a run that has reached `curve` (its best value so far after each evaluation, `progress` of its steps done) should end: it lies below
    /// the median of the earlier runs at the same evaluation by more than the standard error that `error` gives for that median. Where it gives
    /// none, no run ends early.
    pub fn unpromising(
        &self,
        curve: &[f64],
        progress: f64,
        error: impl Fn(f64) -> Option<f64>,
    ) -> bool {
        let Some(reached) = curve.last() else {
            return false;
        };
        if !(JUDGED_FROM..1.0).contains(&progress) {
            return false;
        }
        // a run that ended early keeps its last value
        let mut others = self
            .curves
            .iter()
            .filter_map(|other| other.get(curve.len() - 1).or(other.last()).copied())
            .collect::<Vec<_>>();
        if others.len() < NEEDED_RUNS {
            return false;
        }
        others.sort_by(f64::total_cmp);
        let median = (others[(others.len() - 1) / 2] + others[others.len() / 2]) / 2.0;
        error(median).is_some_and(|error| *reached < median - error)
    }

    /// Adds a run; true if it is the best so far.
    pub fn add(&mut self, run: SeedRun, curve: Vec<f64>) -> bool {
        let better = self.best().is_none_or(|best| beats(&run, &self.runs[best]));
        self.runs.push(run);
        self.curves.push(curve);
        better
    }

    /// Runs that have ended.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// The run that is kept.
    pub fn best(&self) -> Option<usize> {
        // the first of equals, as `add` kept it
        (0..self.runs.len()).reduce(|best, index| {
            if beats(&self.runs[index], &self.runs[best]) {
                index
            } else {
                best
            }
        })
    }

    /// Mean, deviation and best.
    pub fn summary(&self) -> SeedSummary {
        let whole = self
            .runs
            .iter()
            .filter(|run| run.reason != FinishReason::Unpromising)
            .filter_map(|run| run.value)
            .collect::<Vec<_>>();
        let summary = Summary::of(&whole).ok();
        SeedSummary {
            mean: summary.as_ref().map_or(0.0, |summary| summary.mean),
            deviation: summary.as_ref().map_or(0.0, |summary| summary.deviation),
            best: self.best().unwrap_or_default(),
            runs: self.runs.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: Option<f64>, loss: f64, reason: FinishReason) -> SeedRun {
        SeedRun {
            head_seed: 0,
            data_seed: 0,
            reason,
            value,
            loss: value.map(|_| loss),
            kept_epoch: 1,
            kept_step: 1,
            steps: 1,
        }
    }

    /// The standard error of an accuracy on this many rows.
    fn of_rows(rows: usize) -> impl Fn(f64) -> Option<f64> {
        move |value: f64| Some((value * (1.0 - value) / rows as f64).sqrt())
    }

    #[test]
    fn only_a_clearly_worse_run_ends_and_never_at_once() {
        let mut seeds = Seeds::default();
        assert!(!seeds.unpromising(&[0.1, 0.1, 0.1], 0.3, of_rows(100)));
        seeds.add(
            run(Some(0.9), 0.3, FinishReason::Completed),
            vec![0.7, 0.8, 0.9, 0.9],
        );
        assert!(
            !seeds.unpromising(&[0.1, 0.1, 0.1], 0.3, of_rows(100)),
            "one run judges nothing"
        );
        let other = run(Some(0.8), 0.3, FinishReason::Completed);
        seeds.add(other, vec![0.6, 0.7, 0.8]);
        // median 0.85 after the third epoch, one standard error 0.036
        assert!(
            !seeds.unpromising(&[0.1, 0.1], 0.2, of_rows(100)),
            "too early"
        );
        assert!(!seeds.unpromising(&[0.1, 0.1, 0.82], 0.3, of_rows(100)));
        assert!(seeds.unpromising(&[0.1, 0.1, 0.81], 0.3, of_rows(100)));
        assert!(
            !seeds.unpromising(&[0.1, 0.1, 0.81], 0.3, of_rows(10)),
            "ten rows tell less"
        );
        assert!(
            !seeds.unpromising(&[0.1, 0.1, 0.1], 0.3, |_| None),
            "a score without a known error judges nothing"
        );
        assert!(
            !seeds.unpromising(&[0.1, 0.1, 0.1], 1.0, of_rows(100)),
            "the run is over anyway"
        );
        // the second run ended after its third epoch
        assert!(seeds.unpromising(&[0.1, 0.1, 0.1, 0.1], 0.4, of_rows(100)));
    }

    #[test]
    fn sums_up_whole_runs_and_keeps_the_best() {
        let mut seeds = Seeds::default();
        assert!(seeds.add(run(None, 0.0, FinishReason::Failed), vec![]));
        assert!(seeds.add(run(Some(0.8), 0.3, FinishReason::Completed), vec![]));
        assert!(!seeds.add(run(Some(0.5), 0.1, FinishReason::Unpromising), vec![]));
        assert!(seeds.add(run(Some(0.8), 0.2, FinishReason::EarlyStopping), vec![]));
        assert!(!seeds.add(run(Some(0.8), 0.2, FinishReason::Completed), vec![]));
        // stopped before anything was scored: no accuracy of 0 in the mean
        assert!(!seeds.add(run(None, 0.0, FinishReason::Stopped), vec![]));
        let summary = seeds.summary();
        assert_eq!((summary.best, summary.runs.len()), (3, 6));
        assert!((summary.mean - 0.8).abs() < 1e-12 && summary.deviation < 1e-12);
    }
}
