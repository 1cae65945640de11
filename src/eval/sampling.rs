//! The probability that each token is drawn with, and the draw.

use super::generation_options::GenerationOptions;
use crate::rng::Rng;

/// The next token after `ids`. `logits`: one a word of the vocabulary, at least one.
pub fn choose(logits: &[f32], ids: &[u32], options: &GenerationOptions, rng: &mut Rng) -> u32 {
    let scores = penalised(logits, ids, options.repetition_penalty);
    if !options.do_sample {
        return largest(&scores);
    }
    let drawn = warped(&scores, options);
    let mut point = rng.uniform();
    for (id, probability) in &drawn {
        point -= probability;
        if point < 0.0 {
            return *id;
        }
    }
    // rounding may leave a remainder after the last one
    drawn.last().map_or(0, |(id, _)| *id)
}

/// The logits, those of tokens in `ids` divided by the penalty where they are positive and multiplied by it elsewhere.
fn penalised(logits: &[f32], ids: &[u32], penalty: f64) -> Vec<f64> {
    let mut scores: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
    if penalty == 1.0 {
        return scores;
    }
    let mut seen = vec![false; scores.len()];
    for id in ids {
        let id = *id as usize;
        // once a token, however often it is in the text
        if id < scores.len() && !std::mem::replace(&mut seen[id], true) {
            let factor = if scores[id] > 0.0 {
                1.0 / penalty
            } else {
                penalty
            };
            scores[id] *= factor;
        }
    }
    scores
}

/// The tokens that can be drawn and their probabilities, likeliest first, as transformers' processors leave them: temperature,
/// top-k, top-p.
fn warped(scores: &[f64], options: &GenerationOptions) -> Vec<(u32, f64)> {
    let mut order = likeliest(scores, options.top_k);
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let Some(peak) = order.first().map(|first| scores[*first]) else {
        return Vec::new();
    };
    let weight = |id: &usize| ((scores[*id] - peak) / options.temperature).exp();
    let mut weights: Vec<f64> = order.iter().map(weight).collect();
    let total: f64 = weights.iter().sum();
    let mut reached = 0.0;
    let kept = weights.iter().take_while(|weight| {
        let more = reached < options.top_p;
        reached += **weight / total;
        more
    });
    let kept = kept.count();
    weights.truncate(kept);
    let total: f64 = weights.iter().sum();
    let ids = order.into_iter().map(|id| id as u32);
    ids.zip(weights.iter().map(|weight| weight / total))
        .collect()
}

/// The tokens whose scores are no less than the `count`th largest, which may be more than `count`; all for 0.
fn likeliest(scores: &[f64], count: usize) -> Vec<usize> {
    if count == 0 || count >= scores.len() {
        return (0..scores.len()).collect();
    }
    let mut ordered = scores.to_vec();
    let (_, least, _) = ordered.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
    let least = *least;
    (0..scores.len())
        .filter(|id| scores[*id].total_cmp(&least).is_ge())
        .collect()
}

/// The first of the largest.
fn largest(scores: &[f64]) -> u32 {
    let mut best = 0;
    for (id, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = id;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct File {
        logits: BTreeMap<String, Vec<f32>>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        logits: String,
        ids: Vec<u32>,
        options: Settings,
        probabilities: BTreeMap<u32, f64>,
    }

    /// By the names of transformers' `GenerationConfig`.
    #[derive(Debug, Deserialize)]
    struct Settings {
        temperature: f64,
        top_k: usize,
        top_p: f64,
        repetition_penalty: f64,
    }

    fn options(settings: &Settings) -> GenerationOptions {
        GenerationOptions {
            do_sample: true,
            temperature: settings.temperature,
            top_k: settings.top_k,
            top_p: settings.top_p,
            repetition_penalty: settings.repetition_penalty,
            ..GenerationOptions::default()
        }
    }

    fn cases() -> File {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sampling.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// What tokens are drawn with after `ids`, as transformers' processors leave it.
    fn distribution(logits: &[f32], ids: &[u32], options: &GenerationOptions) -> Vec<(u32, f64)> {
        warped(&penalised(logits, ids, options.repetition_penalty), options)
    }

    #[test]
    fn distributions_equal_transformers() {
        let File { logits, cases } = cases();
        assert!(cases.len() > 15);
        for case in cases {
            let what = format!("{} {:?}", case.logits, case.options);
            let logits = &logits[&case.logits];
            let found = distribution(logits, &case.ids, &options(&case.options));
            assert_eq!(found.len(), case.probabilities.len(), "{what}");
            for (id, probability) in &found {
                // both in float64, so that only the order of summation differs
                let expected = case.probabilities.get(id).copied().unwrap_or(f64::NAN);
                assert!(
                    (probability - expected).abs() < 1e-12,
                    "{what}, token {id}: {probability}, expected {expected}"
                );
            }
            assert!(found.is_sorted_by(|a, b| a.1 >= b.1), "{what}");
        }
    }

    #[test]
    fn draws_follow_the_distribution() {
        let File { logits, cases } = cases();
        let mut rng = Rng::stream(3, "draws");
        let mut compared = 0;
        for case in cases.iter().filter(|case| logits[&case.logits].len() < 10) {
            let (logits, options) = (&logits[&case.logits], options(&case.options));
            let mut counts = vec![0_u32; logits.len()];
            for _ in 0..20_000 {
                counts[choose(logits, &case.ids, &options, &mut rng) as usize] += 1;
            }
            for (id, count) in counts.iter().enumerate() {
                let expected = case.probabilities.get(&(id as u32)).copied();
                let found = f64::from(*count) / 20_000.0;
                // five deviations of a share of this many draws, which is 0.0035 at most
                assert!(
                    (found - expected.unwrap_or(0.0)).abs() < 0.0177,
                    "{found} {expected:?}"
                );
                assert!(expected.is_some() || *count == 0, "{id} cannot be drawn");
                compared += 1;
            }
        }
        assert!(compared > 20);
    }

    #[test]
    fn without_drawing_the_likeliest_is_taken_and_the_penalty_counts() {
        let mut rng = Rng::stream(3, "draws");
        let logits = [1.0, 3.0, 3.0, -1.0];
        let mut options = GenerationOptions {
            temperature: 100.0,
            top_p: 0.01,
            ..GenerationOptions::default()
        };
        assert_eq!(choose(&logits, &[1], &options, &mut rng), 1);
        options.repetition_penalty = 2.0;
        assert_eq!(choose(&logits, &[1], &options, &mut rng), 2);
        assert_eq!(choose(&logits, &[1, 2, 2], &options, &mut rng), 1);
        options.repetition_penalty = 4.0;
        assert_eq!(choose(&logits, &[1, 2, 9], &options, &mut rng), 0);
        assert_eq!(choose(&[-1.0, -3.0], &[0], &options, &mut rng), 1);
    }
}
