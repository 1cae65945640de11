//! How far tuning moved a model's vectors of general sentences, which it was not tuned on.

use serde::Serialize;

use crate::{Error, Result};

/// 200 sentences of everyday English that belong to no task, one a line.
const SENTENCES: &str = include_str!("general_sentences.txt");

/// The sentences on which both models are compared, always in the same order.
pub fn sentences() -> impl Iterator<Item = &'static str> {
    SENTENCES.lines()
}

/// How much of the base model's geometry is left: 1 where tuning changed no direction.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Forgetting {
    /// Mean cosine between the base and the tuned model's vector of a sentence, from -1 to 1.
    pub mean_cosine: f64,
    /// The cosine of the sentence that moved furthest.
    pub lowest: f64,
    /// Sentences compared.
    pub sentences: usize,
}

impl Forgetting {
    /// `base` and `tuned`: `[sentences, hidden]`, in the same order; neither need be normalised. Both cosines are NaN
    /// where a value is NaN or infinite.
    ///
    /// # Errors
    /// `Internal` where there are no rows or the sizes contradict each other.
    pub fn new(base: &[f32], tuned: &[f32], hidden: usize) -> Result<Self> {
        let cosines = cosines(base, tuned, hidden)?;
        let count = cosines.len();
        Ok(Self {
            mean_cosine: cosines.iter().sum::<f64>() / count as f64,
            // f64::min alone would pass over a NaN
            lowest: cosines.iter().fold(1.0, |lowest: f64, cosine| {
                if cosine.is_nan() || lowest.is_nan() {
                    f64::NAN
                } else {
                    lowest.min(*cosine)
                }
            }),
            sentences: count,
        })
    }
}

/// The cosine of each row, `[rows]`.
fn cosines(base: &[f32], tuned: &[f32], hidden: usize) -> Result<Vec<f64>> {
    if base.is_empty()
        || base.len() != tuned.len()
        || hidden == 0
        || !base.len().is_multiple_of(hidden)
    {
        return Err(Error::internal(format!(
            "comparing vectors of {hidden} values: expected the same whole number of rows, got {} and {} values",
            base.len(),
            tuned.len()
        )));
    }
    Ok(base
        .chunks_exact(hidden)
        .zip(tuned.chunks_exact(hidden))
        .map(|(base, tuned)| cosine(base, tuned))
        .collect())
}

/// In f64: the square of no f32 overflows or vanishes there.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
    };
    // two roots: the product of two tiny squares would vanish
    let norms = dot(a, a).sqrt() * dot(b, b).sqrt();
    if norms == 0.0 {
        return 0.0;
    }
    // rounding must not make a cosine larger than 1
    (dot(a, b) / norms).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        hidden: usize,
        base: Vec<f32>,
        tuned: Vec<f32>,
        mean: f64,
        lowest: f64,
    }

    #[derive(Deserialize)]
    struct Cases {
        cosine: Vec<Case>,
    }

    #[test]
    fn the_sentences_are_200_and_no_two_the_same() {
        let all = sentences().collect::<Vec<_>>();
        assert_eq!(all.len(), 200);
        let folded = all.iter().map(|line| line.to_lowercase());
        assert_eq!(folded.collect::<HashSet<_>>().len(), 200);
        for sentence in all {
            let words = sentence.split_whitespace().count();
            assert!((5..=25).contains(&words), "{words} words: {sentence}");
            assert!(
                sentence.is_ascii() && sentence == sentence.trim(),
                "{sentence}"
            );
        }
    }

    #[test]
    fn equals_scikit_learn() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/stats/cases.json"
        );
        let cases: Cases = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(cases.cosine.len() >= 4);
        for case in cases.cosine {
            let name = case.name;
            let found = Forgetting::new(&case.base, &case.tuned, case.hidden).unwrap();
            // Both sides compute in f64 from the same f32 values; sums are taken in another order.
            assert!(
                (found.mean_cosine - case.mean).abs() <= 1e-12,
                "{name}: mean"
            );
            assert!(
                (found.lowest - case.lowest).abs() <= 1e-12,
                "{name}: lowest"
            );
            assert_eq!(found.sentences, case.base.len() / case.hidden, "{name}");
            let mean = Forgetting::new(&case.base, &case.tuned, case.hidden)
                .unwrap()
                .mean_cosine;
            assert_eq!(mean, found.mean_cosine, "{name}");
        }
    }

    #[test]
    fn the_same_vectors_forgot_nothing() {
        // the first two round to a little above 1 without the clamp; squares of the others leave f32's range
        let vectors = [
            0.3, 0.7, 0.2, 0.6, 0.7, 0.1, 3e38, -3e38, 1e38, 1e-45, 1e-45, 0.0,
        ];
        let found = Forgetting::new(&vectors, &vectors, 3).unwrap();
        assert!(found.mean_cosine <= 1.0 && found.lowest > 1.0 - 1e-15);
        assert!(
            Forgetting::new(&vectors[..6], &vectors[..6], 3)
                .unwrap()
                .mean_cosine
                <= 1.0
        );
    }

    #[test]
    fn not_a_number_is_not_hidden() {
        for broken in [f32::NAN, f32::INFINITY] {
            let found = Forgetting::new(&[broken, 1.0, 1.0, 0.0], &[1.0; 4], 2).unwrap();
            assert!(found.mean_cosine.is_nan() && found.lowest.is_nan());
        }
    }

    #[test]
    fn contradicting_sizes_are_errors() {
        for (base, tuned, hidden) in [
            (&[][..], &[][..], 2),
            (&[1.0, 2.0], &[1.0], 1),
            (&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0], 2),
            (&[1.0], &[1.0], 0),
        ] {
            let error = Forgetting::new(base, tuned, hidden).unwrap_err();
            assert_eq!(error.code(), "internal");
        }
    }

    #[test]
    fn speaks_the_border_types() {
        let json = serde_json::to_value(Forgetting::new(&[1.0], &[1.0], 1).unwrap()).unwrap();
        let keys = json.as_object().unwrap().keys().collect::<Vec<_>>();
        assert_eq!(keys, ["meanCosine", "lowest", "sentences"]);
    }
}
