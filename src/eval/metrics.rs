//! Accuracy with its interval, F1, loss and confusion matrix, counted as scikit-learn does.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The standard normal's 97.5% quantile: 95% of its mass lies between this and its negative.
const NORMAL_975: f64 = 1.959_963_984_540_054;

/// How one label fared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ClassReport {
    /// The label's name.
    pub label: String,
    /// Share of the rows given this label that have it; 0 where no row was given it.
    pub precision: f64,
    /// Share of the rows of this label that were given it; 0 if there is none.
    pub recall: f64,
    /// Harmonic mean of precision and recall; 0 where both are 0.
    pub f1: f64,
    /// Rows whose true label this is.
    pub support: usize,
    /// Only where texts may have several labels: the probability above which a text is given this one.
    #[serde(default)]
    pub threshold: Option<f64>,
}

/// How a model fared on a set of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Share of rows whose largest logit is the true label's; where texts may have several labels, of rows whose labels are all right and
    /// complete, as scikit-learn's `accuracy_score`.
    pub accuracy: f64,
    /// Where the accuracy on unlimited rows of the same kind may lie: its 95% interval by Wilson's score (see [`wilson`]).
    pub interval: [f64; 2],
    /// Mean F1 over the labels that are true or predicted for at least one row, as scikit-learn's
    /// `f1_score(average="macro", zero_division=0)`; over all labels where texts may have several.
    pub macro_f1: f64,
    /// Only where texts may have several labels: F1 of all decisions together.
    #[serde(default)]
    pub micro_f1: Option<f64>,
    /// Mean cross-entropy, in nats, over rows; the binary one over rows and labels where texts may have several. NaN where a logit is NaN.
    pub loss: f64,
    /// Rows scored.
    pub count: usize,
    /// One entry per label, in the order of the labels.
    pub per_class: Vec<ClassReport>,
    /// `confusion[true][predicted]`, in the order of the labels; empty where texts may have several.
    pub confusion: Vec<Vec<usize>>,
}

impl Report {
    /// What states and models are compared by: the accuracy, or the micro F1 where texts may have several labels.
    pub fn value(&self) -> f64 {
        self.micro_f1.unwrap_or(self.accuracy)
    }

    /// Whether it is better than another on the same rows: by [`Self::value`], then by the loss.
    pub fn beats(&self, other: &Self) -> bool {
        let (value, other_value) = (self.value(), other.value());
        value > other_value || (value == other_value && self.loss < other.loss)
    }

    /// The thresholds of all labels, where texts may have several.
    pub fn thresholds(&self) -> Option<Vec<f64>> {
        self.micro_f1?;
        self.per_class.iter().map(|class| class.threshold).collect()
    }
}

/// Scores `logits` (`[rows, labels]`, row after row) against the true label ids `truth` (`[rows]`).
///
/// # Errors
/// `Internal` if there is nothing to score or the sizes contradict each other.
pub fn report(truth: &[usize], logits: &[f32], labels: &[String]) -> Result<Report> {
    let classes = labels.len();
    if truth.is_empty() || classes == 0 {
        return Err(Error::internal(format!(
            "scoring needs rows and labels, got {} rows and {classes} labels",
            truth.len()
        )));
    }
    if logits.len() != truth.len() * classes {
        return Err(Error::internal(format!(
            "scoring {} rows of {classes} labels: expected {} logits, got {}",
            truth.len(),
            truth.len() * classes,
            logits.len()
        )));
    }
    let mut confusion = vec![vec![0usize; classes]; classes];
    let mut loss = 0.0;
    for (row, (&label, scores)) in truth.iter().zip(logits.chunks_exact(classes)).enumerate() {
        let Some(counts) = confusion.get_mut(label) else {
            return Err(Error::internal(format!(
                "scoring row {row}: expected a label id below {classes}, got {label}"
            )));
        };
        counts[largest(scores)] += 1;
        loss -= log_softmax(scores)[label];
    }
    let count = truth.len();
    let per_class: Vec<ClassReport> = labels
        .iter()
        .enumerate()
        .map(|(id, label)| class_report(&confusion, id, label))
        .collect();
    let correct: usize = (0..classes).map(|id| confusion[id][id]).sum();
    Ok(Report {
        accuracy: ratio(correct, count),
        interval: wilson(correct, count),
        macro_f1: macro_f1(&confusion, &per_class),
        micro_f1: None,
        loss: loss / count as f64,
        count,
        per_class,
        confusion,
    })
}

/// The 95% score interval of a share, `correct` of `count`, as `[low, high]` within [0, 1] (Wilson 1927), without a
/// continuity correction. Unlike the share plus and minus two standard errors it stays honest for few rows and for
/// shares near 0 and 1. [0, 1] where `count` is 0: nothing is known then.
pub fn wilson(correct: usize, count: usize) -> [f64; 2] {
    if count == 0 {
        return [0.0, 1.0];
    }
    let n = count as f64;
    let share = correct.min(count) as f64 / n;
    let squared = NORMAL_975 * NORMAL_975;
    let centre = (share + squared / (2.0 * n)) / (1.0 + squared / n);
    let spread = (share * (1.0 - share) / n + squared / (4.0 * n * n)).sqrt();
    let reach = NORMAL_975 * spread / (1.0 + squared / n);
    // 0 and 1 are reached exactly; rounding would miss them
    let low = if correct == 0 { 0.0 } else { centre - reach };
    let high = if correct >= count {
        1.0
    } else {
        centre + reach
    };
    [low, high]
}

/// The index of the largest logit; the first one of equals, and never a NaN unless all are. 0 for an empty row.
pub fn largest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in logits.iter().enumerate() {
        if *value > logits[best] || (logits[best].is_nan() && !value.is_nan()) {
            best = index;
        }
    }
    best
}

/// Probabilities that sum to 1, in the order of `logits`. All are NaN where a logit is.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    log_softmax(logits).into_iter().map(f64::exp).collect()
}

/// Natural logarithms of the softmax, in f64 so that the sum of many rows keeps its digits.
fn log_softmax(logits: &[f32]) -> Vec<f64> {
    // The largest logit is taken off first, so that no exponential overflows.
    let shift = logits.get(largest(logits)).map_or(0.0, |v| f64::from(*v));
    let shifted: Vec<f64> = logits.iter().map(|v| f64::from(*v) - shift).collect();
    let log_sum = shifted.iter().map(|v| v.exp()).sum::<f64>().ln();
    shifted.into_iter().map(|v| v - log_sum).collect()
}

fn class_report(confusion: &[Vec<usize>], id: usize, label: &str) -> ClassReport {
    let hits = confusion[id][id];
    let support: usize = confusion[id].iter().sum();
    let predicted = predicted_count(confusion, id);
    ClassReport {
        label: label.to_owned(),
        precision: ratio(hits, predicted),
        recall: ratio(hits, support),
        f1: ratio(2 * hits, support + predicted),
        support,
        threshold: None,
    }
}

fn macro_f1(confusion: &[Vec<usize>], per_class: &[ClassReport]) -> f64 {
    let present: Vec<f64> = per_class
        .iter()
        .enumerate()
        .filter(|(id, class)| class.support > 0 || predicted_count(confusion, *id) > 0)
        .map(|(_, class)| class.f1)
        .collect();
    present.iter().sum::<f64>() / present.len() as f64
}

fn predicted_count(confusion: &[Vec<usize>], id: usize) -> usize {
    confusion.iter().map(|row| row[id]).sum()
}

/// scikit-learn's `zero_division=0`.
pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        labels: Vec<String>,
        truth: Vec<usize>,
        logits: Vec<f32>,
        report: Report,
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|id| format!("label {id}")).collect()
    }

    #[test]
    fn equals_scikit_learn() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/metrics/cases.json"
        );
        let cases: Vec<Case> =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(cases.len() >= 6);
        // Both sides count in integers and divide in f64; sums are taken in another order.
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
        for case in cases {
            let found = report(&case.truth, &case.logits, &case.labels).unwrap();
            let expected = case.report;
            let name = case.name;
            assert_eq!(found.confusion, expected.confusion, "{name}");
            assert_eq!(found.count, expected.count, "{name}");
            assert!(close(found.accuracy, expected.accuracy), "{name}: accuracy");
            for (end, expected) in found.interval.iter().zip(expected.interval) {
                assert!(close(*end, expected), "{name}: interval");
            }
            assert!(close(found.macro_f1, expected.macro_f1), "{name}: macroF1");
            assert!(close(found.loss, expected.loss), "{name}: loss");
            assert_eq!(found.per_class.len(), expected.per_class.len());
            for (a, b) in found.per_class.iter().zip(&expected.per_class) {
                assert_eq!((&a.label, a.support), (&b.label, b.support), "{name}");
                assert!(close(a.precision, b.precision), "{name}: precision");
                assert!(close(a.recall, b.recall), "{name}: recall");
                assert!(close(a.f1, b.f1), "{name}: f1");
            }
        }
    }

    #[test]
    fn an_interval_is_known_at_its_ends() {
        // scikit-learn's cases hold the values between; these are exact by definition
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
        for count in 1..500 {
            assert_eq!(wilson(0, count)[0], 0.0);
            assert_eq!(wilson(count, count)[1], 1.0);
        }
        let [low, high] = wilson(13, 40);
        let [other_low, other_high] = wilson(27, 40);
        assert!((low + other_high - 1.0).abs() < 1e-15 && (high + other_low - 1.0).abs() < 1e-15);
    }

    #[test]
    fn not_a_number_is_counted_not_fatal() {
        let logits = [f32::NAN, 1.0, f32::NAN, f32::NAN, 0.5, f32::INFINITY];
        let found = report(&[1, 0, 1], &logits, &names(2)).unwrap();
        assert_eq!(found.confusion, [[1, 0], [0, 2]]);
        assert!(found.loss.is_nan());
        assert!(softmax(&[f32::NAN, 0.0]).iter().all(|p| p.is_nan()));
        assert_eq!(softmax(&[]), Vec::<f64>::new());
    }

    #[test]
    fn softmax_survives_large_logits() {
        let found = softmax(&[1000.0, 1000.0, -1000.0]);
        assert_eq!(found, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn contradicting_sizes_are_errors() {
        assert!(report(&[], &[], &names(2)).is_err());
        assert!(report(&[0], &[0.0], &names(2)).is_err());
        assert!(report(&[2], &[0.0, 1.0], &names(2)).is_err());
    }

    #[test]
    fn speaks_the_border_types() {
        let found = report(&[0, 1], &[1.0, 0.0, 0.0, 1.0], &names(2)).unwrap();
        let json = serde_json::to_value(found).unwrap();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "accuracy",
                "interval",
                "macroF1",
                "microF1",
                "loss",
                "count",
                "perClass",
                "confusion"
            ]
        );
    }
}
