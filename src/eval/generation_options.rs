//! What a person may set of how a language model writes.

use serde::{Deserialize, Serialize};

use crate::options::{OptionRange, Ranges, check_ranges};
use crate::{Error, Result};

/// How the next token is chosen, by the names of transformers' `GenerationConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GenerationOptions {
    /// Tokens at most.
    pub max_new_tokens: usize,
    /// Draw from the distribution; if not, the likeliest token is taken.
    pub do_sample: bool,
    /// What logits are divided by where it draws.
    pub temperature: f64,
    /// Draw from this many of the likeliest tokens, and those as likely as the last of them; 0 for all.
    pub top_k: usize,
    /// Draw from the likeliest tokens whose probabilities together reach this.
    pub top_p: f64,
    /// Divides the positive logits of tokens that are in the text already and multiplies negative ones; 1 for none (Keskar et al. 2019).
    pub repetition_penalty: f64,
    /// Every draw follows from it.
    pub seed: u64,
    /// Texts that end a completion; they are left out of it.
    pub stop: Vec<String>,
}

impl Default for GenerationOptions {
    fn default() -> Self {
        Self {
            max_new_tokens: 128,
            do_sample: false,
            temperature: 1.0,
            top_k: 50,
            top_p: 1.0,
            repetition_penalty: 1.0,
            seed: 42,
            stop: Vec::new(),
        }
    }
}

/// The ranges of its numbers.
pub const RANGES: Ranges<GenerationOptions> = &[
    (
        OptionRange::between("maxNewTokens", 1.0, 1_048_576.0),
        |o| Some(o.max_new_tokens as f64),
    ),
    (OptionRange::positive("temperature"), |o| {
        Some(o.temperature)
    }),
    (
        OptionRange::between("topP", 0.0, 1.0).excluding_low(),
        |o| Some(o.top_p),
    ),
    (OptionRange::positive("repetitionPenalty"), |o| {
        Some(o.repetition_penalty)
    }),
    (OptionRange::seed("seed"), |o| Some(o.seed as f64)),
];

impl GenerationOptions {
    /// # Errors
    /// [`Error::InvalidOption`] naming the setting and its range.
    pub fn check(&self) -> Result<()> {
        check_ranges(self, RANGES)?;
        if self.stop.iter().any(String::is_empty) {
            return Err(Error::option("stop", "a stop text is empty"));
        }
        Ok(())
    }
}
