//! Enters: an optimiser step's number. Leaves: the factor that multiplies the peak learning rate in that step.

use crate::error::{Error, Result};

/// Linear warmup from 0, then linear decay to 0, as transformers' `get_linear_schedule_with_warmup`. `step` counts
/// from 0, so the first step of a warmup has factor 0 and the last step of a run has one that is not yet 0.
pub fn linear(step: usize, warmup_steps: usize, total_steps: usize) -> f64 {
    if step < warmup_steps {
        return step as f64 / warmup_steps as f64;
    }
    let decay_steps = total_steps.saturating_sub(warmup_steps).max(1);
    total_steps.saturating_sub(step) as f64 / decay_steps as f64
}

/// The number of warmup steps, rounded up, as transformers' `TrainingArguments.get_warmup_steps`.
///
/// # Errors
/// `InvalidOption` where `warmup_ratio` is not a number from 0 to 1.
pub fn warmup_steps(warmup_ratio: f64, total_steps: usize) -> Result<usize> {
    if !(0.0..=1.0).contains(&warmup_ratio) {
        return Err(Error::InvalidOption {
            option: "warmupRatio".into(),
            reason: format!("expected a number from 0 to 1, got {warmup_ratio}"),
        });
    }
    Ok((total_steps as f64 * warmup_ratio).ceil() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_transformers() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schedules.json");
        let file: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let golden = &file["lr_schedules"];
        let warmup = golden["warmup_steps"].as_u64().unwrap() as usize;
        let total = golden["total_steps"].as_u64().unwrap() as usize;
        let factors = golden["linear"].as_array().unwrap();
        assert_eq!(factors.len(), total);
        for (step, factor) in factors.iter().enumerate() {
            let found = linear(step, warmup, total);
            // Both sides divide the same two integers in f64; only the printed digits may differ.
            assert!(
                (found - factor.as_f64().unwrap()).abs() < 1e-15,
                "step {step}: expected {factor}, got {found}"
            );
        }
    }

    #[test]
    fn edges() {
        assert_eq!(linear(0, 0, 10), 1.0);
        assert_eq!(linear(10, 3, 10), 0.0);
        assert_eq!(linear(99, 3, 10), 0.0);
        assert_eq!(linear(0, 0, 0), 0.0);
        assert_eq!(linear(5, 10, 10), 0.5);
        assert_eq!(linear(10, 10, 10), 0.0);
    }

    #[test]
    fn warmup_rounds_up() {
        assert_eq!(warmup_steps(0.1, 95), Ok(10));
        assert_eq!(warmup_steps(0.0, 95), Ok(0));
        assert_eq!(warmup_steps(1.0, 95), Ok(95));
        for ratio in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let error = warmup_steps(ratio, 95).unwrap_err();
            assert_eq!(error.code(), "invalidOption");
        }
    }
}
