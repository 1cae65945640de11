//! A tuned model and the baselines on the same rows: their scores side by side, and what these allow to say.

use serde::Serialize;

use super::bootstrap::{Comparison, RESAMPLES, compare};
use super::evaluate::BaseFeatures;
use super::metrics::{Report, largest, report};
use super::probe::head_logits;
use crate::Result;
use crate::models::classifier::HeadWeights;
use crate::text::Texts;

/// The bootstrap's seed: the same rows give the same interval.
const BOOTSTRAP_SEED: u64 = 0;

/// The heads on the untuned model that a tuned one has to beat.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineHeads {
    /// Label names or descriptions; reads mean vectors.
    pub zero_shot: HeadWeights,
    /// Mean of each label's training texts; reads mean vectors.
    pub centroid: HeadWeights,
    /// Logistic regression; reads what the head reads.
    pub probe: HeadWeights,
}

/// What no fine-tuning reaches: one value for each of the three baselines, on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Baselines"))]
#[serde(rename_all = "camelCase")]
pub struct OfBaselines<T> {
    /// Similarity of the text to each label's name or description; nothing is learnt.
    pub zero_shot: T,
    /// Similarity to the mean of each label's training texts.
    pub centroid: T,
    /// A linear head fitted on the frozen model's features.
    pub probe: T,
}

/// The baselines' scores.
pub type Baselines = OfBaselines<Report>;

impl BaselineHeads {
    /// Logits of rows, each `[rows, labels]`.
    pub fn logits(&self, features: &BaseFeatures) -> OfBaselines<Vec<f32>> {
        OfBaselines {
            zero_shot: head_logits(&self.zero_shot, &features.own),
            centroid: head_logits(&self.centroid, &features.own),
            probe: head_logits(&self.probe, &features.head),
        }
    }
}

impl OfBaselines<Vec<f32>> {
    /// Scores against the true label ids.
    ///
    /// # Errors
    /// As [`report`].
    pub fn report(&self, truth: &[usize], labels: &[String]) -> Result<Baselines> {
        Ok(OfBaselines {
            zero_shot: report(truth, &self.zero_shot, labels)?,
            centroid: report(truth, &self.centroid, labels)?,
            probe: report(truth, &self.probe, labels)?,
        })
    }
}

/// Which baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Baseline {
    ZeroShot,
    Centroid,
    Probe,
}

impl Baseline {
    /// For a sentence.
    fn words(self) -> &'static str {
        match self {
            Self::ZeroShot => "zero-shot similarity to the labels",
            Self::Centroid => "the nearest centroid",
            Self::Probe => "the linear probe",
        }
    }
}

/// One scored row.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EvaluatedRow {
    pub text: String,
    /// The second text of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    pub label: String,
    pub predicted: String,
    /// Of the tuned model, in the order of the labels.
    pub logits: Vec<f32>,
    /// The linear probe's.
    pub baseline_predicted: String,
}

/// The tuned model next to the baselines, on the same rows.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    pub labels: Vec<String>,
    pub baselines: Baselines,
    pub tuned: Report,
    /// The baseline of the highest accuracy.
    pub best_baseline: Baseline,
    /// The tuned model against the best baseline.
    pub comparison: Comparison,
    pub rows: Vec<EvaluatedRow>,
}

impl Evaluation {
    /// `tuned` and each of `baselines`: logits `[rows, labels]` in row order; `truth`: label ids.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] if there is nothing to score.
    pub fn new(
        labels: &[String],
        texts: &[Texts],
        truth: &[usize],
        tuned: &[f32],
        baselines: &OfBaselines<Vec<f32>>,
    ) -> Result<Self> {
        let reports = baselines.report(truth, labels)?;
        // the probe among equals, then the centroid: what a person would use
        let (best_baseline, best_logits, best) = [
            (Baseline::Centroid, &baselines.centroid, &reports.centroid),
            (Baseline::ZeroShot, &baselines.zero_shot, &reports.zero_shot),
        ]
        .into_iter()
        .fold(
            (Baseline::Probe, &baselines.probe, &reports.probe),
            |best, other| {
                if other.2.accuracy > best.2.accuracy {
                    other
                } else {
                    best
                }
            },
        );
        let right = |logits: &[f32]| right(truth, logits, labels.len());
        let comparison = compare(
            &right(best_logits),
            &right(tuned),
            BOOTSTRAP_SEED,
            RESAMPLES,
        )?;
        debug_assert_eq!(best.count, comparison.count);
        let name = |logits: &[f32]| labels.get(largest(logits)).cloned().unwrap_or_default();
        let rows = texts
            .iter()
            .zip(truth)
            .zip(
                tuned
                    .chunks(labels.len())
                    .zip(baselines.probe.chunks(labels.len())),
            )
            .map(|((text, truth), (tuned, probe))| EvaluatedRow {
                text: text.text.to_string(),
                text_pair: text.pair.map(str::to_string),
                label: labels.get(*truth).cloned().unwrap_or_default(),
                predicted: name(tuned),
                logits: tuned.to_vec(),
                baseline_predicted: name(probe),
            })
            .collect();
        Ok(Self {
            labels: labels.to_vec(),
            baselines: reports,
            tuned: report(truth, tuned, labels)?,
            best_baseline,
            comparison,
            rows,
        })
    }

    /// Whether tuning beat the best baseline, in words that stay within what these rows can show.
    pub fn verdict(&self) -> String {
        let Comparison {
            difference,
            low,
            high,
            within_noise,
            count,
            ..
        } = self.comparison;
        let baseline = self.best_baseline.words();
        let points = |share: f64| format!("{:.1}", 100.0 * share);
        let interval = format!("95% interval {} to {}", points(low), points(high));
        if difference == 0.0 {
            return format!(
                "Tuning and {baseline} label equally many of these {count} rows rightly: no gain is shown."
            );
        }
        let (size, better) = (points(difference.abs()), difference > 0.0);
        match (within_noise, better) {
            (false, true) => {
                format!("Tuning wins: {size} points above {baseline} on {count} rows ({interval}).")
            }
            (false, false) => format!(
                "Tuning loses: {size} points below {baseline} on {count} rows ({interval})."
            ),
            (true, true) => format!(
                "Tuning is {size} points above {baseline}, which is within the noise of {count} rows ({interval}): a gain is not shown."
            ),
            (true, false) => format!(
                "Tuning is {size} points below {baseline}, within the noise of {count} rows ({interval}): a gain is not shown."
            ),
        }
    }
}

/// Row by row, whether the largest logit is the true label's.
fn right(truth: &[usize], logits: &[f32], labels: usize) -> Vec<bool> {
    truth
        .iter()
        .zip(logits.chunks(labels.max(1)))
        .map(|(truth, logits)| largest(logits) == *truth)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two labels; a row is labelled rightly where `right` says so.
    fn logits(truth: &[usize], right: impl Fn(usize) -> bool) -> Vec<f32> {
        truth
            .iter()
            .enumerate()
            .flat_map(|(row, truth)| {
                if (*truth == 1) == right(row) {
                    [0.0, 1.0]
                } else {
                    [1.0, 0.0]
                }
            })
            .collect()
    }

    fn evaluation(tuned: impl Fn(usize) -> bool, probe: impl Fn(usize) -> bool) -> Evaluation {
        let truth = (0..200).map(|row| row % 2).collect::<Vec<_>>();
        let labels = ["a".to_string(), "b".to_string()];
        let texts = vec!["t".into(); 200];
        let baselines = OfBaselines {
            zero_shot: logits(&truth, |row| row % 4 == 0),
            centroid: logits(&truth, |row| row % 2 == 0),
            probe: logits(&truth, probe),
        };
        Evaluation::new(&labels, &texts, &truth, &logits(&truth, tuned), &baselines).unwrap()
    }

    #[test]
    fn a_clear_gain_is_a_win_and_a_small_one_is_not() {
        let clear = evaluation(|row| row % 10 != 0, |row| row % 10 < 6);
        assert_eq!(clear.best_baseline, Baseline::Probe);
        assert!((clear.comparison.difference - 0.3).abs() < 1e-12);
        assert!(
            clear
                .verdict()
                .starts_with("Tuning wins: 30.0 points above the linear probe on 200 rows")
        );
        let small = evaluation(|row| row < 122, |row| row > 80);
        assert!(
            small.verdict().contains("within the noise of 200 rows"),
            "{}",
            small.verdict()
        );
        let none = evaluation(|row| row < 120, |row| row < 120);
        assert!(none.verdict().contains("no gain is shown"));
    }

    #[test]
    fn a_loss_is_told_and_the_strongest_baseline_counts() {
        let lost = evaluation(|row| row % 10 == 0, |row| row % 10 < 6);
        assert!(
            lost.verdict()
                .starts_with("Tuning loses: 50.0 points below")
        );
        let centroid = evaluation(|_| true, |row| row % 4 == 0);
        assert_eq!(centroid.best_baseline, Baseline::Centroid);
    }
}
