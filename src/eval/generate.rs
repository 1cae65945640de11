//! One token at a time after a prompt, with a cache of what was read before.

use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::sampling::choose;
use crate::device::read;
use crate::models::CausalLm;
use crate::models::decoder::{Cache, Layout};
use crate::options::{OptionRange, Ranges, check_ranges};
use crate::rng::Rng;
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
    /// Draw from so many likeliest tokens, and those as likely as the last of them; 0 for all.
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

/// A text that is being written.
#[derive(Debug, Clone)]
pub struct Generator {
    options: GenerationOptions,
    rng: Rng,
    cache: Cache,
    /// Tokens that the cache holds.
    past: usize,
    /// Prompt and what was written.
    ids: Vec<u32>,
    written: usize,
}

impl Generator {
    /// # Errors
    /// [`Error::InvalidOption`] for settings out of range, [`Error::InvalidData`] for a prompt without tokens or one that leaves no position.
    pub fn new(model: &CausalLm, prompt: &[u32], options: GenerationOptions) -> Result<Self> {
        options.check()?;
        let positions = positions(model);
        let longest = positions.saturating_sub(1);
        if longest == 0 {
            return Err(Error::state(format!(
                "a prefix of {} virtual tokens leaves {positions} of this model's {} positions, and a prompt with the token after it needs 2",
                model.model.prefix_tokens(),
                model.model.config.max_position_embeddings
            )));
        }
        if prompt.is_empty() || prompt.len() > longest {
            return Err(Error::data(
                "prompt",
                None,
                format!(
                    "expected 1 to {longest} tokens, because this model knows {positions} positions, got {}",
                    prompt.len()
                ),
            ));
        }
        Ok(Self {
            rng: Rng::stream(options.seed, "generate"),
            options,
            cache: Cache::new(),
            past: 0,
            ids: prompt.to_vec(),
            written: 0,
        })
    }

    /// The next token; `None` where the text is at its end: the longest wanted, or the model's last position.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn next_token(&mut self, model: &CausalLm) -> Result<Option<u32>> {
        if self.written == self.options.max_new_tokens || self.ids.len() >= positions(model) {
            return Ok(None);
        }
        let new = self.ids[self.past..].to_vec();
        let logits = last_logits(model, &new, self.past, Some(&mut self.cache)).await?;
        self.past = self.ids.len();
        let id = choose(&logits, &self.ids, &self.options, &mut self.rng);
        self.ids.push(id);
        self.written += 1;
        Ok(Some(id))
    }
}

/// Positions that the model knows for a text.
fn positions(model: &CausalLm) -> usize {
    let all = model.model.config.max_position_embeddings;
    all.saturating_sub(model.model.prefix_tokens())
}

/// Logits of the token after `ids`, which come after `past` tokens that the cache holds.
///
/// # Errors
/// [`Error::Device`] where the device failed.
pub async fn last_logits(
    model: &CausalLm,
    ids: &[u32],
    past: usize,
    cache: Option<&mut Cache>,
) -> Result<Vec<f32>> {
    let width = ids.len();
    let values = ids.iter().map(|id| *id as i32).collect::<Vec<_>>();
    let data = TensorData::new(values, [1, width]);
    let tokens = Tensor::<2, Int>::from_data(data, &model.device());
    let layout = Layout {
        past,
        ..Layout::plain(1, width)
    };
    let hidden = model.model.forward(tokens, &layout, cache); // [1, width, hidden]
    let last = hidden.narrow(1, width - 1, 1).squeeze_dim::<2>(1); // [1, hidden]
    read(model.logits(last)).await
}
