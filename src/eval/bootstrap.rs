//! Whether two settings differ by more than noise, given what each got right of the same test rows: in accuracy, or in micro F1.

use serde::Serialize;

use super::several::Counts;
use crate::rng::Rng;
use crate::{Error, Result};

/// How many sets of test rows are drawn by default; the ends of the interval then vary by about a
/// hundredth of its length from seed to seed.
pub const RESAMPLES: usize = 10_000;

/// Two settings on the same test rows, by the paired bootstrap (Efron & Tibshirani 1993, chapters 13 and 16; Koehn
/// 2004). It knows nothing but these rows: of a handful it is too sure.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Accuracy (or micro F1) of B minus that of A, from -1 to 1.
    pub difference: f64,
    /// 2.5% percentile of the resampled differences.
    pub low: f64,
    /// 97.5% percentile of the resampled differences.
    pub high: f64,
    /// Two-sided: the share of resampled differences that lie at least as far from `difference` as `difference` lies
    /// from 0, with one added above and below, so that it is never 0.
    pub p_value: f64,
    /// Whether `low` to `high` holds 0: these rows do not distinguish the two.
    pub within_noise: bool,
    /// Test rows.
    pub count: usize,
}

/// Compares settings A and B by `a` and `b`, both `[rows]`: whether each got the row right. Draws `resamples` sets of
/// as many rows, with replacement, each row with both its answers; the same `seed` gives the same numbers everywhere.
///
/// # Errors
/// `InvalidOption` where there are no rows or not the same number of both, or `resamples` is 0.
pub fn compare(a: &[bool], b: &[bool], seed: u64, resamples: usize) -> Result<Comparison> {
    let count = a.len();
    if count != b.len() {
        return Err(Error::option(
            "b",
            format!("expected the same rows as in a, {count}, got {}", b.len()),
        ));
    }
    if count == 0 {
        return Err(Error::out_of_range("a", "at least one row", "none"));
    }
    if resamples == 0 {
        return Err(Error::out_of_range("resamples", "at least 1", 0));
    }
    let only = |yes: &[bool], no: &[bool]| yes.iter().zip(no).filter(|(y, n)| **y && !**n).count();
    let [gained, lost] = [only(b, a), only(a, b)];
    let mut drawn = resample(gained, lost, count, seed, resamples);
    let observed = signed(gained, lost);
    let as_far = drawn
        .iter()
        .filter(|difference| (**difference - observed).abs() >= observed.abs())
        .count();
    drawn.sort_unstable();
    let low = percentile(&drawn, 0.025, |sum| sum as f64) / count as f64;
    let high = percentile(&drawn, 0.975, |sum| sum as f64) / count as f64;
    Ok(Comparison {
        difference: observed as f64 / count as f64,
        low,
        high,
        p_value: (as_far + 1) as f64 / (resamples + 1) as f64,
        within_noise: low <= 0.0 && 0.0 <= high,
        count,
    })
}

/// Most rows that [`compare_f1`] draws, a moment's work: of more than 2,000 rows fewer sets are drawn.
const MOST_DRAWS: usize = 20_000_000;

/// The same of micro F1, which no two numbers of rows decide: each set of rows is drawn row by row. `a` and `b`: `[rows]`, each row's
/// decisions.
///
/// # Errors
/// `InvalidOption` where there are no rows or not the same number of both.
pub fn compare_f1(a: &[Counts], b: &[Counts], seed: u64) -> Result<Comparison> {
    let count = a.len();
    if count != b.len() {
        let reason = format!("expected the same rows as in a, {count}, got {}", b.len());
        return Err(Error::option("b", reason));
    }
    if count == 0 {
        return Err(Error::out_of_range("a", "at least one row", "none"));
    }
    let difference = |rows: &mut dyn Iterator<Item = usize>| {
        let mut sums = [Counts::default(); 2];
        for row in rows {
            sums[0].add(a[row]);
            sums[1].add(b[row]);
        }
        sums[1].f1() - sums[0].f1()
    };
    let observed = difference(&mut (0..count));
    let resamples = RESAMPLES.min((MOST_DRAWS / count).max(100));
    let mut rng = Rng::stream(seed, "bootstrap");
    let mut drawn = (0..resamples)
        .map(|_| difference(&mut (0..count).map(|_| rng.below(count))))
        .collect::<Vec<f64>>();
    let as_far = drawn
        .iter()
        .filter(|difference| (**difference - observed).abs() >= observed.abs())
        .count();
    drawn.sort_by(f64::total_cmp);
    let [low, high] = [0.025, 0.975].map(|share| percentile(&drawn, share, |value| value));
    Ok(Comparison {
        difference: observed,
        low,
        high,
        p_value: (as_far + 1) as f64 / (resamples + 1) as f64,
        within_noise: low <= 0.0 && 0.0 <= high,
        count,
    })
}

/// Rows that B gained over A minus rows that it lost, in `resamples` draws of `count` rows. Only rows where one of
/// the two is right move it, so their number is drawn first, and then how many of them are gains: two binomial draws
/// in place of `count` rows, with the same distribution.
fn resample(gained: usize, lost: usize, count: usize, seed: u64, resamples: usize) -> Vec<i64> {
    let mut rng = Rng::stream(seed, "bootstrap");
    let decided = gained + lost;
    let numbers = Binomial::new(count, decided, count);
    let mut numbers = (0..resamples)
        .map(|_| numbers.draw(&mut rng))
        .collect::<Vec<_>>();
    // equal numbers side by side share one table; the order of the resamples means nothing
    numbers.sort_unstable();
    numbers
        .chunk_by(|one, next| one == next)
        .flat_map(|equal| {
            let gains = Binomial::new(equal[0], gained, decided);
            equal
                .iter()
                .map(|number| {
                    let gains = gains.draw(&mut rng);
                    signed(gains, number - gains)
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

fn signed(gained: usize, lost: usize) -> i64 {
    gained as i64 - lost as i64
}

/// How many of `trials` succeed, by inversion of its cumulative probabilities.
struct Binomial {
    first: usize,
    /// Of at most `first`, `first + 1`, ... successes; not normalised, the last entry is the whole.
    cumulative: Vec<f64>,
}

impl Binomial {
    /// Each trial succeeds in `part` of `whole` cases.
    fn new(trials: usize, part: usize, whole: usize) -> Self {
        /// Counts less likely than this compared with the likeliest are left out: beyond what 2^53 draws would show.
        const LEAST: f64 = 1e-17;
        if part == 0 || part >= whole {
            return Self {
                first: if part == 0 { 0 } else { trials },
                cumulative: vec![1.0],
            };
        }
        let odds = part as f64 / (whole - part) as f64;
        // the probability of k + 1 successes over that of k
        let ratio = |k: usize| (trials - k) as f64 / (k + 1) as f64 * odds;
        // from the likeliest count outwards: no power of a share underflows however many trials there are
        let mode = ((trials + 1) as f64 * part as f64 / whole as f64) as usize;
        let mode = mode.min(trials);
        let mut below = Vec::new();
        let mut weight = 1.0;
        for k in (0..mode).rev() {
            weight /= ratio(k);
            if weight < LEAST {
                break;
            }
            below.push(weight);
        }
        let first = mode - below.len();
        let mut weights = below.into_iter().rev().collect::<Vec<_>>();
        weight = 1.0;
        weights.push(weight);
        for k in mode..trials {
            weight *= ratio(k);
            if weight < LEAST {
                break;
            }
            weights.push(weight);
        }
        let mut sum = 0.0;
        for weight in &mut weights {
            sum += *weight;
            *weight = sum;
        }
        Self {
            first,
            cumulative: weights,
        }
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        let last = self.cumulative.len() - 1;
        let target = rng.uniform() * self.cumulative[last];
        let index = self.cumulative.partition_point(|sum| *sum <= target);
        self.first + index.min(last)
    }
}

/// The value below which `share` of the sorted values lie, linear between neighbours, as `numpy.percentile`.
fn percentile<T: Copy>(sorted: &[T], share: f64, number: impl Fn(T) -> f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let [below, above] = [place.floor(), place.ceil()].map(|place| number(sorted[place as usize]));
    below + place.fract() * (above - below)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        gained: usize,
        lost: usize,
        both: usize,
        neither: usize,
        difference: f64,
        /// Where the low percentile may lie, and the high one.
        low: [f64; 2],
        high: [f64; 2],
        /// Where the p-value may lie.
        p: [f64; 2],
        #[serde(rename = "withinNoise")]
        within_noise: bool,
    }

    #[derive(Deserialize)]
    struct Cases {
        bootstrap: Vec<Case>,
    }

    /// Both settings' answers: rows that only B got right, that only A did, that both did, that neither did.
    fn answers(gained: usize, lost: usize, both: usize, neither: usize) -> [Vec<bool>; 2] {
        let rows = |gain, loss| {
            [(gained, gain), (lost, loss), (both, true), (neither, false)]
                .into_iter()
                .flat_map(|(count, right)| vec![right; count])
                .collect()
        };
        [rows(false, true), rows(true, false)]
    }

    #[test]
    fn equals_the_exact_bootstrap_within_its_own_noise() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/stats/cases.json"
        );
        let cases: Cases = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(cases.bootstrap.len() >= 8);
        for case in cases.bootstrap {
            let name = case.name;
            let [a, b] = answers(case.gained, case.lost, case.both, case.neither);
            for seed in 0..5 {
                let found = compare(&a, &b, seed, RESAMPLES).unwrap();
                // The ranges hold five standard errors of 10,000 draws, see the generator; the rest is rounding.
                let inside =
                    |value: f64, [from, to]: [f64; 2]| (from - 1e-12..=to + 1e-12).contains(&value);
                assert!(inside(found.low, case.low), "{name}: low {}", found.low);
                assert!(inside(found.high, case.high), "{name}: high {}", found.high);
                assert!(inside(found.p_value, case.p), "{name}: p {}", found.p_value);
                assert!((found.difference - case.difference).abs() < 1e-12, "{name}");
                assert_eq!(found.within_noise, case.within_noise, "{name}");
                assert_eq!(found.count, a.len(), "{name}");
            }
        }
    }

    #[test]
    fn settings_that_never_disagree_do_not_differ() {
        let [a, b] = answers(0, 0, 30, 10);
        let found = compare(&a, &b, 7, 100).unwrap();
        let none = Comparison {
            difference: 0.0,
            low: 0.0,
            high: 0.0,
            p_value: 1.0,
            within_noise: true,
            count: 40,
        };
        assert_eq!(found, none);
    }

    #[test]
    fn swapping_the_settings_turns_the_sign() {
        let [a, b] = answers(9, 0, 20, 11);
        let found = compare(&b, &a, 7, RESAMPLES).unwrap();
        assert!(found.difference == -9.0 / 40.0 && found.high < 0.0 && !found.within_noise);
    }

    #[test]
    fn a_seed_fixes_every_number() {
        let [a, b] = answers(30, 22, 100, 48);
        let run = |seed| compare(&a, &b, seed, 1_000).unwrap();
        assert_eq!(run(3), run(3));
        assert_ne!(run(3).p_value, run(4).p_value);
    }

    #[test]
    fn a_binomial_draw_is_exact_where_it_can_be_written_down() {
        // three tosses of a coin: 1, 3, 3 and 1 eighths
        let found = Binomial::new(3, 1, 2).cumulative;
        for (sum, expected) in found.iter().zip([0.125, 0.5, 0.875, 1.0]) {
            assert!((sum / found[3] - expected).abs() < 1e-15);
        }
        let mut rng = Rng::stream(1, "bootstrap");
        assert_eq!(Binomial::new(9, 0, 5).draw(&mut rng), 0);
        assert_eq!(Binomial::new(9, 5, 5).draw(&mut rng), 9);
        // a million trials: the powers of a share would have underflowed
        let count = Binomial::new(1_000_000, 1, 4).draw(&mut rng);
        // ten standard deviations
        assert!(count.abs_diff(250_000) < 4_331);
    }

    #[test]
    fn micro_f1_of_one_decision_a_row_is_as_the_accuracy() {
        // one label given to every row, right or wrong: hits, given and support make F1 the share of rows that are right
        let decisions = |right: &[bool]| {
            let of = |right: &bool| Counts {
                hits: usize::from(*right),
                given: 1,
                support: 1,
            };
            right.iter().map(of).collect::<Vec<_>>()
        };
        for (gained, lost) in [(30, 10), (12, 11), (3, 0)] {
            let [a, b] = answers(gained, lost, 60, 40);
            let exact = compare(&a, &b, 3, RESAMPLES).unwrap();
            let found = compare_f1(&decisions(&a), &decisions(&b), 3).unwrap();
            assert!((found.difference - exact.difference).abs() < 1e-12);
            // two draws of 10,000 sets: a percentile's standard error is below a tenth of the deviation, which is at most 0.06
            assert!((found.low - exact.low).abs() < 0.02, "{found:?} {exact:?}");
            assert!(
                (found.high - exact.high).abs() < 0.02,
                "{found:?} {exact:?}"
            );
            assert_eq!(found.within_noise, exact.within_noise);
            assert_eq!(
                found,
                compare_f1(&decisions(&a), &decisions(&b), 3).unwrap()
            );
        }
        assert!(compare_f1(&[], &[], 0).is_err());
    }

    #[test]
    fn contradicting_sizes_are_errors() {
        let code =
            |a: &[bool], b: &[bool], resamples| compare(a, b, 0, resamples).unwrap_err().code();
        assert_eq!(code(&[true], &[true, false], 10), "invalidOption");
        assert_eq!(code(&[], &[], 10), "invalidOption");
        assert_eq!(code(&[true], &[true], 0), "invalidOption");
    }

    #[test]
    fn speaks_the_border_types() {
        let found = compare(&[true, false], &[true, true], 0, 10).unwrap();
        let json = serde_json::to_value(found).unwrap();
        let keys = json.as_object().unwrap().keys().collect::<Vec<_>>();
        let expected = [
            "difference",
            "low",
            "high",
            "pValue",
            "withinNoise",
            "count",
        ];
        assert_eq!(keys, expected);
    }
}
