//! Random numbers from one u64 seed and a stream's name, the same on every platform.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::hash::fnv1a;

/// One named stream of random numbers. Streams of one seed are independent, so drawing more from one of them
/// (a longer dropout, say) never changes what another gives.
#[derive(Debug, Clone)]
pub struct Rng {
    chacha: ChaCha8Rng,
    /// Box-Muller makes normal values in pairs; the second waits here.
    spare_normal: Option<f64>,
}

impl Rng {
    /// The stream `name` ("init", "shuffle", "dropout", "split") of `seed`.
    pub fn stream(seed: u64, name: &str) -> Rng {
        // The key is written by hand: `seed_from_u64` may expand a seed differently in a later version of its crate.
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&fnv1a(name.as_bytes()).to_le_bytes());
        key[16..].copy_from_slice(b"webtune stream 1");
        Rng {
            chacha: ChaCha8Rng::from_seed(key),
            spare_normal: None,
        }
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        self.chacha.next_u64()
    }

    /// Uniform in [0, 1), with all 53 bits that an f64 holds there.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal: mean 0, deviation 1 (Box-Muller). Through `libm`, because the standard library's logarithm
    /// and sine may differ in the last digit from one platform to the next.
    pub fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare_normal.take() {
            return value;
        }
        // 1 - uniform lies in (0, 1], where the logarithm is finite.
        let radius = (-2.0 * libm::log(1.0 - self.uniform())).sqrt();
        let angle = TAU * self.uniform();
        self.spare_normal = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }

    /// Uniform in 0..n without bias; 0 where n is 0 or 1.
    pub fn below(&mut self, n: usize) -> usize {
        if n < 2 {
            return 0;
        }
        let n = n as u64;
        // Values past the last whole multiple of n would favour small results, so they are drawn again.
        let limit = u64::MAX - (u64::MAX % n + 1) % n;
        loop {
            let value = self.next_u64();
            if value <= limit {
                return (value % n) as usize;
            }
        }
    }

    /// Puts `items` into a uniformly random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = self.below(last + 1);
            items.swap(last, chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64, name: &str, count: usize) -> Vec<u64> {
        let mut rng = Rng::stream(seed, name);
        (0..count).map(|_| rng.next_u64()).collect()
    }

    #[derive(serde::Deserialize)]
    struct Case {
        // Decimal strings: JSON readers may round large numbers.
        seed: String,
        name: String,
        values: Vec<String>,
    }

    #[test]
    fn streams_equal_chacha8_written_elsewhere() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/rng/cases.json");
        let cases: Vec<Case> =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(cases.len() > 4);
        for case in cases {
            let found = draw(case.seed.parse().unwrap(), &case.name, case.values.len());
            let found: Vec<String> = found.iter().map(u64::to_string).collect();
            assert_eq!(found, case.values, "{} of {}", case.name, case.seed);
        }
    }

    #[test]
    fn the_same_seed_and_name_repeat() {
        assert_eq!(draw(42, "init", 100), draw(42, "init", 100));
    }

    #[test]
    fn other_seeds_and_names_share_no_values() {
        let mut all: Vec<u64> = Vec::new();
        for seed in [0, 1, 42, u64::MAX] {
            for name in ["init", "shuffle", "dropout", "split", ""] {
                all.extend(draw(seed, name, 200));
            }
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn uniform_and_normal_have_their_moments() {
        let mut rng = Rng::stream(7, "init");
        let count = 200_000;
        let (mut sum, mut normal_sum, mut normal_squares) = (0.0, 0.0, 0.0);
        for _ in 0..count {
            let value = rng.uniform();
            assert!((0.0..1.0).contains(&value));
            sum += value;
            let value = rng.normal();
            normal_sum += value;
            normal_squares += value * value;
        }
        let n = f64::from(count);
        // Five standard errors of each mean at this count.
        assert!((sum / n - 0.5).abs() < 0.004);
        assert!((normal_sum / n).abs() < 0.012);
        assert!((normal_squares / n - 1.0).abs() < 0.016);
    }

    #[test]
    fn below_reaches_every_value_evenly() {
        let mut rng = Rng::stream(7, "split");
        let mut counts = [0usize; 7];
        for _ in 0..70_000 {
            counts[rng.below(7)] += 1;
        }
        // Five standard deviations of a binomial count with mean 10,000.
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 470));
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }

    #[test]
    fn shuffle_keeps_every_item_once() {
        let mut items: Vec<usize> = (0..100).collect();
        Rng::stream(3, "shuffle").shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
