//! A tuned model and the baselines on the same rows: their scores side by side, and what these allow to say.

use serde::{Deserialize, Serialize};

use super::bootstrap::{Comparison, RESAMPLES, compare, compare_f1};
use super::evaluate::BaseFeatures;
use super::metrics::{Report, largest};
use super::probe::head_logits;
use super::scores::{answer, true_label};
use super::several::{row_counts, score};
use crate::Result;
use crate::data::{Label, ProblemType, Truth};
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
    /// One a label, where texts may have several.
    pub thresholds: Option<OfBaselines<Vec<f64>>>,
}

/// What no fine-tuning reaches: one value for each of the three baselines, on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Scores against the true labels. `thresholds`: one a label, of use where rows may have several; `None` fits them on these rows.
    ///
    /// # Errors
    /// As [`score`].
    pub fn report(
        &self,
        truth: &Truth,
        labels: &[String],
        thresholds: Option<&OfBaselines<Vec<f64>>>,
    ) -> Result<Baselines> {
        let of = |logits: &[f32], thresholds: Option<&Vec<f64>>| {
            score(truth, logits, labels, thresholds.map(Vec::as_slice))
        };
        Ok(OfBaselines {
            zero_shot: of(&self.zero_shot, thresholds.map(|all| &all.zero_shot))?,
            centroid: of(&self.centroid, thresholds.map(|all| &all.centroid))?,
            probe: of(&self.probe, thresholds.map(|all| &all.probe))?,
        })
    }
}

impl Baselines {
    /// What each report was made with, where rows may have several labels.
    pub fn thresholds(&self) -> Option<OfBaselines<Vec<f64>>> {
        Some(OfBaselines {
            zero_shot: self.zero_shot.thresholds()?,
            centroid: self.centroid.thresholds()?,
            probe: self.probe.thresholds()?,
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
    /// A list where texts may have several, as what was predicted.
    pub label: Label,
    pub predicted: Label,
    /// Of the tuned model, in the order of the labels.
    pub logits: Vec<f32>,
    /// The linear probe's.
    pub baseline_predicted: Label,
}

/// The tuned model next to the baselines, on the same rows.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    pub labels: Vec<String>,
    /// Whether each row has one label, or any number of them.
    pub problem_type: ProblemType,
    pub baselines: Baselines,
    pub tuned: Report,
    /// The baseline of the highest accuracy, or micro F1 where rows may have several labels.
    pub best_baseline: Baseline,
    /// The tuned model against the best baseline.
    pub comparison: Comparison,
    pub rows: Vec<EvaluatedRow>,
}

impl Evaluation {
    /// `tuned` and each of `baselines`: logits `[rows, labels]` in row order. `thresholds`: of the tuned model and of the baselines, where
    /// rows may have several labels; `None` fits all of them on these rows.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] if there is nothing to score.
    pub fn new(
        labels: &[String],
        texts: &[Texts],
        truth: &Truth,
        tuned: &[f32],
        baselines: &OfBaselines<Vec<f32>>,
        thresholds: Option<(&[f64], &OfBaselines<Vec<f64>>)>,
    ) -> Result<Self> {
        let reports = baselines.report(truth, labels, thresholds.map(|both| both.1))?;
        let tuned_report = score(truth, tuned, labels, thresholds.map(|both| both.0))?;
        // the probe among equals, then the centroid: what a person would use
        let (best_baseline, best_logits, best) = [
            (Baseline::Centroid, &baselines.centroid, &reports.centroid),
            (Baseline::ZeroShot, &baselines.zero_shot, &reports.zero_shot),
        ]
        .into_iter()
        .fold(
            (Baseline::Probe, &baselines.probe, &reports.probe),
            |best, other| {
                if other.2.value() > best.2.value() {
                    other
                } else {
                    best
                }
            },
        );
        let comparison = compared(truth, (best_logits, best), (tuned, &tuned_report))?;
        debug_assert_eq!(best.count, comparison.count);
        let [of_tuned, of_probe] = [&tuned_report, &reports.probe].map(Report::thresholds);
        let rows = texts
            .iter()
            .enumerate()
            .zip(
                tuned
                    .chunks(labels.len())
                    .zip(baselines.probe.chunks(labels.len())),
            )
            .map(|((row, text), (tuned, probe))| EvaluatedRow {
                text: text.text.to_string(),
                text_pair: text.pair.map(str::to_string),
                label: true_label(labels, truth, row),
                predicted: answer(labels, tuned, of_tuned.as_deref()),
                logits: tuned.to_vec(),
                baseline_predicted: answer(labels, probe, of_probe.as_deref()),
            })
            .collect();
        Ok(Self {
            labels: labels.to_vec(),
            problem_type: truth.problem(),
            baselines: reports,
            tuned: tuned_report,
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
        let several = self.problem_type == ProblemType::MultiLabel;
        if difference == 0.0 {
            return if several {
                format!(
                    "Tuning and {baseline} have the same micro F1 on these {count} rows: no gain is shown."
                )
            } else {
                format!(
                    "Tuning and {baseline} label equally many of these {count} rows rightly: no gain is shown."
                )
            };
        }
        let (size, better) = (points(difference.abs()), difference > 0.0);
        let points = if several {
            "points of micro F1"
        } else {
            "points"
        };
        match (within_noise, better) {
            (false, true) => {
                format!(
                    "Tuning wins: {size} {points} above {baseline} on {count} rows ({interval})."
                )
            }
            (false, false) => format!(
                "Tuning loses: {size} {points} below {baseline} on {count} rows ({interval})."
            ),
            (true, true) => format!(
                "Tuning is {size} {points} above {baseline}, which is within the noise of {count} rows ({interval}): a gain is not shown."
            ),
            (true, false) => format!(
                "Tuning is {size} {points} below {baseline}, within the noise of {count} rows ({interval}): a gain is not shown."
            ),
        }
    }
}

/// B against A on the same rows, each by its logits and their report: in accuracy, or in micro F1 where rows may have several labels.
fn compared(truth: &Truth, a: (&[f32], &Report), b: (&[f32], &Report)) -> Result<Comparison> {
    match truth {
        Truth::One(ids) => {
            let right = |logits: &[f32]| {
                let rows = ids
                    .iter()
                    .zip(logits.chunks((logits.len() / ids.len()).max(1)));
                rows.map(|(id, logits)| largest(logits) == *id)
                    .collect::<Vec<_>>()
            };
            compare(&right(a.0), &right(b.0), BOOTSTRAP_SEED, RESAMPLES)
        }
        Truth::Several(rows) => {
            let counts = |(logits, report): (&[f32], &Report)| {
                row_counts(rows, logits, &report.thresholds().unwrap_or_default())
            };
            compare_f1(&counts(a), &counts(b), BOOTSTRAP_SEED)
        }
    }
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
        let tuned = logits(&truth, tuned);
        Evaluation::new(&labels, &texts, &truth.into(), &tuned, &baselines, None).unwrap()
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
    fn several_labels_are_compared_by_micro_f1_and_answered_as_lists() {
        let labels = ["a", "b", "c"].map(String::from);
        let texts = vec![Texts::from("t"); 60];
        let truth: Vec<Vec<usize>> = (0..60)
            .map(|row| (0..3).filter(|label| row % (label + 2) == 0).collect())
            .collect();
        // sure, and wrong about `a` in every `wrong`th row
        let logits = |wrong: usize| -> Vec<f32> {
            let rows = truth.iter().enumerate();
            rows.flat_map(|(row, ids)| {
                (0..3).map(move |label| {
                    let flip = label == 0 && row % wrong == 0;
                    if ids.contains(&label) == flip {
                        -4.0
                    } else {
                        4.0
                    }
                })
            })
            .collect()
        };
        let baselines = OfBaselines {
            zero_shot: vec![1.0; 180],
            centroid: logits(2),
            probe: logits(3),
        };
        let truth = Truth::Several(truth.clone());
        let tuned = logits(60);
        let found = Evaluation::new(&labels, &texts, &truth, &tuned, &baselines, None).unwrap();
        assert_eq!(found.problem_type, ProblemType::MultiLabel);
        assert_eq!(found.best_baseline, Baseline::Probe);
        let difference = found.tuned.value() - found.baselines.probe.value();
        assert!((found.comparison.difference - difference).abs() < 1e-12);
        assert!(
            found
                .verdict()
                .contains("points of micro F1 above the linear probe on 60 rows")
        );
        let list =
            |names: &[&str]| Label::Several(names.iter().map(|name| (*name).into()).collect());
        assert_eq!(found.rows[6].label, list(&["a", "b"]));
        assert_eq!(found.rows[6].predicted, list(&["a", "b"]));
        assert_eq!(found.rows[6].baseline_predicted, list(&["b"]));
        assert_eq!(found.rows[1].predicted, list(&[]));
        // thresholds that are given are used
        let high = OfBaselines {
            zero_shot: vec![0.999; 3],
            centroid: vec![0.999; 3],
            probe: vec![0.999; 3],
        };
        let given = Some((&[0.999; 3][..], &high));
        let found = Evaluation::new(&labels, &texts, &truth, &tuned, &baselines, given).unwrap();
        assert_eq!(found.rows[6].predicted, list(&[]));
        assert!(found.verdict().contains("the same micro F1"));
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
