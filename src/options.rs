//! How options are read and which values each may have: one reader and one table type for every struct of options.
//!
//! A table of ranges is a constant next to its struct. The check reads it, and so does what the page and
//! `docs/options.md` show.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer};

use crate::{Error, Result};

/// The largest whole number that JavaScript and JSON readers keep exactly, 2^53 - 1.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Reads options; an error names the option by its path, or `whole` where it is none of them in particular.
///
/// # Errors
/// [`Error::InvalidOption`].
pub fn read<'de, T, D>(given: D, whole: &str) -> Result<T>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
    D::Error: fmt::Display,
{
    serde_path_to_error::deserialize(given).map_err(|failure| {
        let path = failure.path().to_string();
        let option = if path == "." { whole } else { &path };
        let reason = failure.inner().to_string();
        // serde-wasm-bindgen puts JavaScript's own prefix before its words
        Error::option(option, reason.trim_start_matches("Error: "))
    })
}

/// The numbers that one option may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionRange {
    /// As JavaScript spells it; `contrastive.steps` for one inside another.
    pub option: &'static str,
    /// The smallest value, or what every value is above.
    pub low: f64,
    /// Whether `low` itself is too small.
    pub low_excluded: bool,
    /// The largest value, or what every value is below; infinite if there is none.
    pub high: f64,
    /// Whether `high` itself is too large.
    pub high_excluded: bool,
}

impl OptionRange {
    /// From `low` to `high`, both included.
    pub const fn between(option: &'static str, low: f64, high: f64) -> Self {
        Self {
            option,
            low,
            low_excluded: false,
            high,
            high_excluded: false,
        }
    }

    /// `low` or more.
    pub const fn at_least(option: &'static str, low: f64) -> Self {
        Self::between(option, low, f64::INFINITY)
    }

    /// More than 0.
    pub const fn positive(option: &'static str) -> Self {
        Self::at_least(option, 0.0).excluding_low()
    }

    /// A seed. Runs that differ in their seeds count up from it, and every one of theirs must be exact in JavaScript.
    pub const fn seed(option: &'static str) -> Self {
        Self::between(option, 0.0, (MAX_SAFE_INTEGER - 1000) as f64)
    }

    /// The same without its lower end.
    pub const fn excluding_low(mut self) -> Self {
        self.low_excluded = true;
        self
    }

    /// The same without its upper end.
    pub const fn excluding_high(mut self) -> Self {
        self.high_excluded = true;
        self
    }

    /// Whether the option may be `value`; NaN and infinity are in no range.
    pub fn contains(&self, value: f64) -> bool {
        let above = if self.low_excluded {
            value > self.low
        } else {
            value >= self.low
        };
        let below = if self.high_excluded {
            value < self.high
        } else {
            value <= self.high
        };
        value.is_finite() && above && below
    }

    /// # Errors
    /// [`Error::InvalidOption`] naming the option, the range and the value.
    pub fn check(&self, value: f64) -> Result<()> {
        if self.contains(value) {
            return Ok(());
        }
        Err(Error::out_of_range(self.option, self, value))
    }
}

/// The range in words: `1 to 1024`, `0 or more and below 1`.
impl fmt::Display for OptionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { low, high, .. } = self;
        match (
            self.low_excluded,
            high.is_finite().then_some(self.high_excluded),
        ) {
            (false, Some(false)) => write!(f, "{low} to {high}"),
            (false, Some(true)) => write!(f, "{low} or more and below {high}"),
            (true, Some(false)) => write!(f, "above {low} and at most {high}"),
            (true, Some(true)) => write!(f, "above {low} and below {high}"),
            (false, None) => write!(f, "{low} or more"),
            (true, None) => write!(f, "above {low}"),
        }
    }
}

/// A range for each of some options of `T`, and where its value is found; `None` for an option that is not set.
pub type Ranges<T> = &'static [(OptionRange, fn(&T) -> Option<f64>)];

/// Checks every option that a table names.
///
/// # Errors
/// [`Error::InvalidOption`] naming the option, its range and its value.
pub fn check_ranges<T>(options: &T, ranges: Ranges<T>) -> Result<()> {
    ranges
        .iter()
        .try_for_each(|(range, value)| value(options).map_or(Ok(()), |value| range.check(value)))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn an_option_that_cannot_be_read_is_named_by_its_path() {
        #[derive(Debug, serde::Deserialize)]
        struct Method {
            #[serde(rename = "r")]
            _r: usize,
        }
        #[derive(Debug, serde::Deserialize)]
        struct Options {
            #[serde(rename = "method")]
            _method: Method,
        }
        let option = |given: Value| {
            let error = read::<Options, _>(given, "options").unwrap_err();
            error.report().option.unwrap()
        };
        assert_eq!(
            option(serde_json::json!({ "method": { "r": "x" } })),
            "method.r"
        );
        assert_eq!(option(serde_json::json!(1)), "options");
    }

    #[test]
    fn ranges_hold_their_ends_as_they_say() {
        let range = OptionRange::between("dropout", 0.0, 1.0).excluding_high();
        assert_eq!(range.to_string(), "0 or more and below 1");
        assert!(range.contains(0.0) && range.contains(0.99) && !range.contains(1.0));
        let range = OptionRange::positive("temperature");
        assert_eq!(range.to_string(), "above 0");
        assert!(range.contains(1e300) && !range.contains(0.0));
        // the most seeds that a run may have are 100
        let last = OptionRange::seed("seed").high as u64 + 99;
        assert!(last <= MAX_SAFE_INTEGER);
        for range in [range, OptionRange::at_least("x", 0.0)] {
            assert!(!range.contains(f64::NAN) && !range.contains(f64::INFINITY));
        }
    }

    #[test]
    fn a_table_checks_what_is_set() {
        struct Options {
            steps: Option<usize>,
            rate: f64,
        }
        const RANGES: Ranges<Options> = &[
            (OptionRange::between("steps", 1.0, 4.0), |options| {
                options.steps.map(|steps| steps as f64)
            }),
            (OptionRange::positive("rate"), |options| Some(options.rate)),
        ];
        let check = |steps, rate| check_ranges(&Options { steps, rate }, RANGES);
        assert_eq!(check(None, 0.1), Ok(()));
        assert_eq!(check(Some(4), 0.1), Ok(()));
        let words = |steps, rate| check(steps, rate).unwrap_err().to_string();
        assert_eq!(words(Some(5), 0.1), "steps: expected 1 to 4, got 5");
        assert_eq!(words(None, f64::NAN), "rate: expected above 0, got NaN");
    }
}
