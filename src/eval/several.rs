//! Scores where a text may have several labels: each label is a yes or no of its own, against a threshold.

use super::metrics::{ClassReport, Report, ratio, wilson};
use crate::data::Truth;
use crate::{Error, Result};

/// Rows with a label, and rows without it, from which on it gets a threshold of its own. Of fewer the best threshold says more of these rows
/// than of the label.
pub const ROWS_FOR_OWN_THRESHOLD: usize = 10;

/// What is predicted without thresholds that were fitted.
pub const DEFAULT_THRESHOLD: f64 = 0.5;

/// The probability that a label applies, by its logit.
pub fn sigmoid(logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(logit)).exp())
}

/// Whether a label is given, by its logit: its probability is over the threshold. Never for a NaN.
pub fn applies(logit: f32, threshold: f64) -> bool {
    sigmoid(logit) > threshold
}

/// The ids of the labels that a row is given.
pub fn given<'a>(logits: &'a [f32], thresholds: &'a [f64]) -> impl Iterator<Item = usize> + 'a {
    let pairs = logits.iter().zip(thresholds).enumerate();
    pairs
        .filter(|(_, (logit, threshold))| applies(**logit, **threshold))
        .map(|(id, _)| id)
}

/// Decisions that were right and wrong, about one label or about all of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Given, and true.
    pub hits: usize,
    /// Given.
    pub given: usize,
    /// True.
    pub support: usize,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.given += other.given;
        self.support += other.support;
    }

    fn count(&mut self, is_given: bool, is_true: bool) {
        self.hits += usize::from(is_given && is_true);
        self.given += usize::from(is_given);
        self.support += usize::from(is_true);
    }

    /// Harmonic mean of precision and recall; 0 where both are 0.
    pub fn f1(self) -> f64 {
        ratio(2 * self.hits, self.support + self.given)
    }
}

/// The thresholds that give the highest F1 on these rows: a label's own where at least [`ROWS_FOR_OWN_THRESHOLD`] rows have it and as many do
/// not, and for all other labels one that gives the highest micro F1 of all labels together. `logits`: `[rows, labels]`.
pub fn fit_thresholds(truth: &[Vec<usize>], logits: &[f32], labels: usize) -> Vec<f64> {
    let decisions = |wanted: Option<usize>| {
        let rows = truth.iter().zip(logits.chunks(labels.max(1)));
        let all = rows.flat_map(|(ids, row)| {
            let row = row.iter().enumerate();
            row.map(|(id, logit)| (id, sigmoid(*logit), ids.contains(&id)))
        });
        all.filter(|(id, ..)| wanted.is_none_or(|wanted| *id == wanted))
            .map(|(_, probability, is_true)| (probability, is_true))
            .collect::<Vec<_>>()
    };
    let shared = best_threshold(decisions(None));
    (0..labels)
        .map(|label| {
            let with = truth.iter().filter(|ids| ids.contains(&label)).count();
            if with.min(truth.len() - with) < ROWS_FOR_OWN_THRESHOLD {
                shared
            } else {
                best_threshold(decisions(Some(label)))
            }
        })
        .collect()
}

/// The threshold of the highest F1. Between two neighbouring probabilities all thresholds give the same: 0.5 if it is one of them, else the
/// middle. Of several gaps with the same F1 the one nearest to 0.5.
fn best_threshold(mut decisions: Vec<(f64, bool)>) -> f64 {
    decisions.retain(|(probability, _)| !probability.is_nan());
    decisions.sort_by(|a, b| b.0.total_cmp(&a.0));
    let support = decisions.iter().filter(|(_, is_true)| *is_true).count();
    let mut counts = Counts {
        support,
        ..Counts::default()
    };
    let mut best = (0.0, DEFAULT_THRESHOLD);
    for (index, (probability, is_true)) in decisions.iter().enumerate() {
        counts.hits += usize::from(*is_true);
        counts.given += 1;
        let next = decisions.get(index + 1).map_or(0.0, |next| next.0);
        // equal probabilities go together
        if next == *probability && index + 1 < decisions.len() {
            continue;
        }
        let threshold = if (next..*probability).contains(&DEFAULT_THRESHOLD) {
            DEFAULT_THRESHOLD
        } else {
            // the middle of two neighbouring numbers may round up to the higher one
            Some(f64::midpoint(next, *probability))
                .filter(|middle| middle < probability)
                .unwrap_or(next)
        };
        let nearer = (threshold - DEFAULT_THRESHOLD).abs() < (best.1 - DEFAULT_THRESHOLD).abs();
        if counts.f1() > best.0 || (counts.f1() == best.0 && counts.hits > 0 && nearer) {
            best = (counts.f1(), threshold);
        }
    }
    best.1
}

/// Each row's decisions about all labels, `[rows]`.
pub fn row_counts(truth: &[Vec<usize>], logits: &[f32], thresholds: &[f64]) -> Vec<Counts> {
    let rows = truth.iter().zip(logits.chunks(thresholds.len().max(1)));
    rows.map(|(ids, row)| {
        let mut counts = Counts::default();
        for (id, (logit, threshold)) in row.iter().zip(thresholds).enumerate() {
            counts.count(applies(*logit, *threshold), ids.contains(&id));
        }
        counts
    })
    .collect()
}

/// Scores `logits` (`[rows, labels]`) against the labels that apply to each row. `thresholds`: one a label; `None` fits them on these rows.
///
/// # Errors
/// `Internal` if there is nothing to score or the sizes contradict each other.
pub fn report_several(
    truth: &[Vec<usize>],
    logits: &[f32],
    labels: &[String],
    thresholds: Option<&[f64]>,
) -> Result<Report> {
    let columns = labels.len();
    let fits = thresholds.is_none_or(|thresholds| thresholds.len() == columns);
    if truth.is_empty() || columns == 0 || logits.len() != truth.len() * columns || !fits {
        return Err(Error::internal(format!(
            "scoring {} rows of {columns} labels, got {} logits",
            truth.len(),
            logits.len()
        )));
    }
    let thresholds = match thresholds {
        Some(thresholds) => thresholds.to_vec(),
        None => fit_thresholds(truth, logits, columns),
    };
    let mut of_labels = vec![Counts::default(); columns];
    let (mut exact, mut loss) = (0, 0.0);
    for (ids, row) in truth.iter().zip(logits.chunks_exact(columns)) {
        let mut all_right = true;
        for (id, logit) in row.iter().enumerate() {
            let is_true = ids.contains(&id);
            let is_given = applies(*logit, thresholds[id]);
            of_labels[id].count(is_given, is_true);
            all_right &= is_given == is_true;
            loss += cross_entropy(*logit, is_true);
        }
        exact += usize::from(all_right);
    }
    let mut total = Counts::default();
    of_labels.iter().for_each(|counts| total.add(*counts));
    let count = truth.len();
    let f1s = of_labels.iter().map(|counts| counts.f1());
    Ok(Report {
        accuracy: ratio(exact, count),
        interval: wilson(exact, count),
        macro_f1: f1s.sum::<f64>() / columns as f64,
        micro_f1: Some(total.f1()),
        loss: loss / (count * columns) as f64,
        count,
        per_class: (labels.iter().zip(&of_labels).zip(&thresholds))
            .map(|((label, counts), threshold)| ClassReport {
                label: label.clone(),
                precision: ratio(counts.hits, counts.given),
                recall: ratio(counts.hits, counts.support),
                f1: counts.f1(),
                support: counts.support,
                threshold: Some(*threshold),
            })
            .collect(),
        confusion: Vec::new(),
    })
}

/// Of one yes or no, in nats.
fn cross_entropy(logit: f32, is_true: bool) -> f64 {
    let x = f64::from(if is_true { logit } else { -logit });
    // f64::max would pass over a NaN
    let above = if x < 0.0 { -x } else { 0.0 };
    above + (-x.abs()).exp().ln_1p()
}

/// Scores rows of either kind; `thresholds` as in [`report_several`], of no use where each row has one label.
///
/// # Errors
/// As [`super::metrics::report`] and [`report_several`].
pub fn score(
    truth: &Truth,
    logits: &[f32],
    labels: &[String],
    thresholds: Option<&[f64]>,
) -> Result<Report> {
    match truth {
        Truth::One(ids) => super::metrics::report(ids, logits, labels),
        Truth::Several(rows) => report_several(rows, logits, labels, thresholds),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        labels: Vec<String>,
        truth: Vec<Vec<usize>>,
        logits: Vec<f32>,
        thresholds: Vec<f64>,
        report: Report,
        /// The highest F1 of each label over all thresholds, and of all labels under one.
        #[serde(rename = "bestF1")]
        best_f1: Vec<f64>,
        #[serde(rename = "bestSharedF1")]
        best_shared_f1: f64,
    }

    fn cases() -> Vec<Case> {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/metrics/several.json"
        );
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    // Both sides count in integers and divide in f64; sums are taken in another order.
    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * b.abs().max(1.0)
    }

    #[test]
    fn equals_scikit_learn() {
        let cases = cases();
        assert!(cases.len() >= 4);
        for case in cases {
            let found = report_several(
                &case.truth,
                &case.logits,
                &case.labels,
                Some(&case.thresholds),
            )
            .unwrap();
            let (expected, name) = (case.report, case.name);
            assert!(close(found.accuracy, expected.accuracy), "{name}");
            for (end, expected) in found.interval.iter().zip(expected.interval) {
                assert!(close(*end, expected), "{name}: interval");
            }
            let micro = [found.micro_f1, expected.micro_f1].map(Option::unwrap);
            assert!(close(micro[0], micro[1]), "{name}: micro F1");
            assert!(close(found.macro_f1, expected.macro_f1), "{name}: macro F1");
            // torch adds in f64 too, of f32 logits
            assert!(close(found.loss, expected.loss), "{name}: loss");
            assert_eq!(found.per_class.len(), expected.per_class.len());
            for (a, b) in found.per_class.iter().zip(&expected.per_class) {
                assert_eq!((&a.label, a.support), (&b.label, b.support), "{name}");
                assert_eq!(a.threshold, b.threshold, "{name}");
                assert!(close(a.precision, b.precision), "{name}: precision");
                assert!(close(a.recall, b.recall), "{name}: recall");
                assert!(close(a.f1, b.f1), "{name}: f1");
            }
        }
    }

    #[test]
    fn fitted_thresholds_reach_the_highest_f1_of_the_precision_recall_curve() {
        for case in cases() {
            let labels = case.labels.len();
            let fitted = fit_thresholds(&case.truth, &case.logits, labels);
            let found =
                report_several(&case.truth, &case.logits, &case.labels, Some(&fitted)).unwrap();
            let mut shared = None;
            for (label, class) in found.per_class.iter().enumerate() {
                let few = class.support.min(found.count - class.support) < ROWS_FOR_OWN_THRESHOLD;
                if few {
                    let first = *shared.get_or_insert(fitted[label]);
                    assert_eq!(fitted[label], first, "{}: {}", case.name, class.label);
                } else {
                    assert!(
                        close(class.f1, case.best_f1[label]),
                        "{}: {}",
                        case.name,
                        class.label
                    );
                }
            }
            if let Some(shared) = shared {
                let all = vec![shared; labels];
                let found = report_several(&case.truth, &case.logits, &case.labels, Some(&all));
                let found = found.unwrap().micro_f1.unwrap();
                assert!(close(found, case.best_shared_f1), "{}", case.name);
            }
        }
    }

    #[test]
    fn a_threshold_is_a_half_where_that_is_as_good() {
        let half = |decisions: &[(f64, bool)]| best_threshold(decisions.to_vec());
        assert_eq!(half(&[(0.9, true), (0.2, false)]), 0.5);
        assert_eq!(half(&[(0.9, true), (0.7, false)]), f64::midpoint(0.9, 0.7));
        // equal F1 below and above: the nearer gap
        assert_eq!(
            half(&[(0.8, true), (0.6, false), (0.45, false), (0.4, true)]),
            0.7
        );
        assert_eq!(half(&[(0.3, false)]), 0.5);
        assert_eq!(half(&[(f64::NAN, true)]), 0.5);
        assert_eq!(half(&[]), 0.5);
        // a threshold never parts equal probabilities
        assert_eq!(half(&[(0.7, true), (0.7, false), (0.7, true)]), 0.5);
    }

    #[test]
    fn not_a_number_is_counted_not_fatal() {
        let names = ["a".to_string(), "b".to_string()];
        let truth = [vec![0], vec![]];
        let found = report_several(&truth, &[f32::NAN, 1.0, 0.0, -1.0], &names, None).unwrap();
        assert!(found.loss.is_nan());
        assert_eq!(found.count, 2);
        assert_eq!(found.per_class[0].recall, 0.0);
        assert!(report_several(&[], &[], &names, None).is_err());
        assert!(report_several(&truth, &[0.0; 3], &names, None).is_err());
        assert!(report_several(&truth, &[0.0; 4], &names, Some(&[0.5])).is_err());
    }
}
