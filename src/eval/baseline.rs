//! Heads that need no training, from normalized sentence vectors of rows or of label names.

use crate::data::Truth;
use crate::models::classifier::HeadWeights;
use crate::{Error, Result};

/// Logits are the cosine times this: sentence-transformers' `scale` of its cosine losses.
pub const SCALE: f64 = 20.0;

/// The nearest-centroid head: each label's weights are the direction of the mean of its rows, so that its logit for a
/// normalised vector is [`SCALE`] times the cosine between the two. Biases are 0. A label without rows has zeros, hence
/// the logit 0: below every label whose cosine is positive.
///
/// `vectors`: `[rows, hidden]`, each of length 1; `labels`: ids below `count`. A row counts for each of its labels.
///
/// # Errors
/// `Internal` where the sizes contradict each other, a label id is too large, or nothing is left to weigh.
pub fn centroids(
    vectors: &[f32],
    labels: &Truth,
    count: usize,
    hidden: usize,
) -> Result<HeadWeights> {
    if labels.is_empty() || hidden == 0 || vectors.len() != labels.len() * hidden {
        return Err(Error::internal(format!(
            "centroids need one vector of {hidden} values per row: {} rows, {} values",
            labels.len(),
            vectors.len()
        )));
    }
    let mut sums = vec![0.0_f64; count * hidden]; // [labels, hidden]
    for (row, (vector, ids)) in vectors.chunks_exact(hidden).zip(labels.rows()).enumerate() {
        for label in ids {
            let Some(sum) = sums.get_mut(label * hidden..(label + 1) * hidden) else {
                return Err(Error::internal(format!(
                    "centroids, row {row}: expected a label id below {count}, got {label}"
                )));
            };
            for (sum, value) in sum.iter_mut().zip(vector) {
                *sum += f64::from(*value);
            }
        }
    }
    // a sum has the mean's direction
    Ok(cosine_head(&sums, hidden))
}

/// The zero-shot head: each label's weights are the direction of its name's (or description's) vector, so that its
/// logit for a normalised vector is [`SCALE`] times the cosine between the two. Biases are 0.
///
/// `label_vectors`: `[labels, hidden]`, in the order of the labels; they need not be normalised.
///
/// # Errors
/// `Internal` where there is no label or the sizes contradict each other.
pub fn zero_shot(label_vectors: &[f32], hidden: usize) -> Result<HeadWeights> {
    if label_vectors.is_empty() || hidden == 0 || !label_vectors.len().is_multiple_of(hidden) {
        return Err(Error::internal(format!(
            "a zero-shot head needs one vector of {hidden} values per label, got {} values",
            label_vectors.len()
        )));
    }
    let wide = label_vectors
        .iter()
        .map(|value| f64::from(*value))
        .collect::<Vec<_>>();
    Ok(cosine_head(&wide, hidden))
}

/// `directions`: `[labels, hidden]`, of any length. In f64, so that a sum of many rows keeps its digits.
fn cosine_head(directions: &[f64], hidden: usize) -> HeadWeights {
    let weight = directions
        .chunks_exact(hidden)
        .flat_map(|row| {
            let norm = row.iter().map(|value| value * value).sum::<f64>().sqrt();
            // at least 1e-12, as in torch.nn.functional.normalize
            let factor = SCALE / norm.max(1e-12);
            row.iter().map(move |value| (value * factor) as f32)
        })
        .collect();
    HeadWeights {
        weight,
        bias: vec![0.0; directions.len() / hidden],
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::eval::metrics::largest;
    use crate::eval::probe::head_logits;

    #[derive(Deserialize)]
    struct Expected {
        weight: Vec<f32>,
        logits: Vec<f32>,
        predicted: Vec<usize>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Case {
        name: String,
        hidden: usize,
        count: usize,
        vectors: Vec<f32>,
        labels: Vec<usize>,
        label_vectors: Vec<f32>,
        /// Vectors to classify, `[rows, hidden]`.
        queries: Vec<f32>,
        centroids: Expected,
        zero_shot: Expected,
    }

    fn check(name: &str, head: &HeadWeights, queries: &[f32], expected: &Expected) {
        let close = |found: &[f32], expected: &[f32], tolerance: f32| {
            assert_eq!(found.len(), expected.len(), "{name}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found - expected).abs() <= tolerance,
                    "{name}: {found}, {expected}"
                );
            }
        };
        // Both sides add in f64 and round once to f32: half a unit in the last place of a number up to 20.
        close(&head.weight, &expected.weight, 2e-6);
        assert!(head.bias.iter().all(|bias| *bias == 0.0), "{name}");
        let logits = head_logits(head, queries);
        // A dot product in f32 of at most 12 products, each up to 20.
        close(&logits, &expected.logits, 2e-5);
        let predicted = logits
            .chunks(head.labels())
            .map(largest)
            .collect::<Vec<_>>();
        assert_eq!(predicted, expected.predicted, "{name}");
    }

    #[test]
    fn equal_scikit_learns_nearest_by_cosine() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/baselines/cases.json"
        );
        let cases: Vec<Case> =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(cases.len() >= 3);
        for case in cases {
            let head = centroids(
                &case.vectors,
                &case.labels.clone().into(),
                case.count,
                case.hidden,
            )
            .unwrap();
            check(&case.name, &head, &case.queries, &case.centroids);
            let head = zero_shot(&case.label_vectors, case.hidden).unwrap();
            check(&case.name, &head, &case.queries, &case.zero_shot);
        }
    }

    #[test]
    fn a_label_without_a_direction_has_zeros() {
        // label 0: two opposite rows; label 1: none; label 2: one
        let vectors = [1.0, 0.0, -1.0, 0.0, 0.6, 0.8];
        let head = centroids(&vectors, &vec![0, 0, 2].into(), 3, 2).unwrap();
        assert_eq!(head.weight, [0.0, 0.0, 0.0, 0.0, 12.0, 16.0]);
        assert_eq!((head.labels(), head.hidden()), (3, 2));
        assert_eq!(zero_shot(&[0.0, 0.0], 2).unwrap().weight, [0.0, 0.0]);
    }

    #[test]
    fn a_row_counts_for_each_of_its_labels() {
        let vectors = [1.0, 0.0, 0.0, 1.0, 0.6, 0.8];
        let labels = Truth::Several(vec![vec![0, 1], vec![1], vec![]]);
        let head = centroids(&vectors, &labels, 2, 2).unwrap();
        let half = (SCALE / 2.0_f64.sqrt()) as f32;
        assert_eq!(head.weight, [20.0, 0.0, half, half]);
    }

    #[test]
    fn contradicting_sizes_are_errors() {
        let code = |vectors: &[f32], labels: &[usize], count, hidden| {
            centroids(vectors, &labels.to_vec().into(), count, hidden)
                .unwrap_err()
                .code()
        };
        assert_eq!(code(&[], &[], 2, 2), "internal");
        assert_eq!(code(&[1.0, 0.0], &[0, 1], 2, 2), "internal");
        assert_eq!(code(&[], &[0], 2, 0), "internal");
        assert_eq!(code(&[1.0, 0.0], &[2], 2, 2), "internal");
        for (vectors, hidden) in [(&[][..], 2), (&[1.0], 2), (&[1.0], 0)] {
            assert_eq!(zero_shot(vectors, hidden).unwrap_err().code(), "internal");
        }
    }
}
