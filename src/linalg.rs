//! Vector arithmetic in float64, for the two fits that the engine makes outside burn: the probe's and PiSSA's.

/// Sums that a processor can form in parallel; a single sum would wait for each addition before the next.
const LANES: usize = 8;

/// The sum of `a[i] * b[i]`.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>();
    sums.iter().sum::<f64>() + rest
}

/// `to += factor * from`
pub fn add(to: &mut [f64], factor: f64, from: &[f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_product_counts_what_fills_no_lane() {
        let a = (1..=19).map(f64::from).collect::<Vec<_>>();
        // 1 + 4 + ... + 361
        assert_eq!(dot(&a, &a), 2470.0);
        assert_eq!(dot(&[], &[]), 0.0);
        let mut sum = vec![1.0, 2.0];
        add(&mut sum, 0.5, &[4.0, -2.0]);
        assert_eq!(sum, [3.0, 1.0]);
    }
}
