//! The factor that multiplies the peak learning rate in an optimizer step.

use std::f64::consts::PI;

use super::options::LrSchedulerType;

/// How much larger the peak of a slanted triangle is than its ends (Howard & Ruder 2018, section 3.2).
const SLANT_RATIO: f64 = 32.0;

/// The rates of one stage. Its factors are pure functions of the step, which counts from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    shape: LrSchedulerType,
    warmup_steps: usize,
    total_steps: usize,
}

impl Schedule {
    /// `warmup_steps` may be given as they are; if not, they are a share of all steps, rounded up as transformers'
    /// `TrainingArguments.get_warmup_steps` does, or down for a slanted triangle, as its authors do.
    pub fn new(
        shape: LrSchedulerType,
        total_steps: usize,
        warmup_ratio: f64,
        warmup_steps: Option<usize>,
    ) -> Self {
        let share = total_steps as f64 * warmup_ratio;
        let rounded = match shape {
            LrSchedulerType::SlantedTriangular => share.floor(),
            _ => share.ceil(),
        };
        Self {
            shape,
            warmup_steps: warmup_steps.unwrap_or(rounded as usize),
            total_steps,
        }
    }

    /// The factor of a step.
    pub fn factor(&self, step: usize) -> f64 {
        let Self {
            shape,
            warmup_steps,
            total_steps,
        } = *self;
        match shape {
            LrSchedulerType::Linear => linear(step, warmup_steps, total_steps),
            LrSchedulerType::Cosine => cosine(step, warmup_steps, total_steps),
            LrSchedulerType::Constant => constant(step, warmup_steps),
            LrSchedulerType::SlantedTriangular => slanted(step, warmup_steps, total_steps),
        }
    }
}

/// Linear warmup from 0, then linear decay to 0, as transformers' `get_linear_schedule_with_warmup`. The first step of a warmup has
/// factor 0 and the last step of a run has one that is not yet 0.
fn linear(step: usize, warmup_steps: usize, total_steps: usize) -> f64 {
    if step < warmup_steps {
        return constant(step, warmup_steps);
    }
    let decay_steps = total_steps.saturating_sub(warmup_steps).max(1);
    total_steps.saturating_sub(step) as f64 / decay_steps as f64
}

/// Linear warmup, then half a cosine down to 0, as transformers' `get_cosine_schedule_with_warmup`.
fn cosine(step: usize, warmup_steps: usize, total_steps: usize) -> f64 {
    if step < warmup_steps {
        return constant(step, warmup_steps);
    }
    let decay_steps = total_steps.saturating_sub(warmup_steps).max(1);
    let progress = (step - warmup_steps) as f64 / decay_steps as f64;
    (0.5 * (1.0 + libm::cos(PI * progress.min(1.0)))).max(0.0)
}

/// Linear warmup, then the peak, as transformers' `get_constant_schedule_with_warmup`.
fn constant(step: usize, warmup_steps: usize) -> f64 {
    if step < warmup_steps {
        step as f64 / warmup_steps as f64
    } else {
        1.0
    }
}

/// A short rise from `1 / 32` and a long way back to it (Howard & Ruder 2018, equation 3), `cut` being the peak's step.
fn slanted(step: usize, cut: usize, total_steps: usize) -> f64 {
    let share = if step < cut {
        step as f64 / cut as f64
    } else {
        // equal to the paper's 1 - (t - cut) / (cut (1 / cut_frac - 1)), and finite if the cut is at 0
        let fall = total_steps.saturating_sub(cut).max(1);
        1.0 - (step - cut).min(fall) as f64 / fall as f64
    };
    (1.0 + share * (SLANT_RATIO - 1.0)) / SLANT_RATIO
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> serde_json::Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schedules.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn compare(factors: &serde_json::Value, schedule: Schedule) {
        let factors = factors.as_array().unwrap();
        assert!(factors.len() >= 20);
        for (step, factor) in factors.iter().enumerate() {
            let found = schedule.factor(step);
            // Both sides compute in f64; the cosines of two libraries may differ in the last bit.
            assert!(
                (found - factor.as_f64().unwrap()).abs() < 1e-15,
                "{schedule:?} step {step}: expected {factor}, got {found}"
            );
        }
    }

    #[test]
    fn equals_transformers() {
        let golden = &golden()["lr_schedules"];
        let number = |key: &str| golden[key].as_u64().unwrap() as usize;
        for (shape, key) in [
            (LrSchedulerType::Linear, "linear"),
            (LrSchedulerType::Cosine, "cosine"),
            (LrSchedulerType::Constant, "constant"),
        ] {
            let warmup = Some(number("warmup_steps"));
            compare(
                &golden[key],
                Schedule::new(shape, number("total_steps"), 0.0, warmup),
            );
        }
    }

    #[test]
    fn equals_the_slanted_triangle_of_its_authors() {
        let golden = &golden()["slanted_triangular"];
        let total = golden["T"].as_u64().unwrap() as usize;
        let share = golden["cut_frac"].as_f64().unwrap();
        compare(
            &golden["factor"],
            Schedule::new(LrSchedulerType::SlantedTriangular, total, share, None),
        );
    }

    #[test]
    fn edges() {
        assert_eq!(linear(0, 0, 10), 1.0);
        assert_eq!(linear(10, 3, 10), 0.0);
        assert_eq!(linear(99, 3, 10), 0.0);
        assert_eq!(linear(0, 0, 0), 0.0);
        assert_eq!(linear(5, 10, 10), 0.5);
        assert_eq!(linear(10, 10, 10), 0.0);
        assert_eq!(cosine(99, 3, 10), 0.0);
        assert_eq!(slanted(0, 0, 0), 1.0);
        assert_eq!(slanted(99, 3, 10), 1.0 / 32.0);
    }

    #[test]
    fn a_share_of_the_steps_is_rounded_up() {
        let warmup = |ratio| Schedule::new(LrSchedulerType::Linear, 95, ratio, None).warmup_steps;
        assert_eq!([warmup(0.1), warmup(0.0), warmup(1.0)], [10, 0, 95]);
    }
}
