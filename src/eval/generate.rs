//! One token at a time after a prompt, with a cache of what was read before.

use burn::tensor::{Int, Tensor, TensorData};

use super::generation_options::GenerationOptions;
use super::sampling::choose;
use crate::device::read;
use crate::models::CausalLm;
use crate::models::decoder::{Cache, Layout};
use crate::models::size::tokens_at_once;
use crate::rng::Rng;
use crate::{Error, Result};

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
    let mut own = Cache::new();
    let hidden = read_in(model, ids, past, cache.unwrap_or(&mut own)); // [1, width, hidden]
    let width = hidden.dims()[1];
    let last = hidden.narrow(1, width - 1, 1).squeeze_dim::<2>(1); // [1, hidden]
    read(model.logits(last)).await
}

/// Puts keys and values of `ids`, which come after `past` tokens, into the cache, and returns what the last of them become,
/// `[1, tokens, hidden]`. Many tokens pass in pieces, so that their scores fit into memory.
pub fn read_in(model: &CausalLm, ids: &[u32], past: usize, cache: &mut Cache) -> Tensor<3> {
    let config = &model.model.config;
    let prefix = model.model.prefix_tokens();
    let keys = (prefix + past + ids.len()) as u64;
    let piece = tokens_at_once(config.num_attention_heads as u64, keys);
    let mut done = past;
    let mut pass = |ids: &[u32]| {
        let width = ids.len();
        let values = ids.iter().map(|id| *id as i32).collect::<Vec<_>>();
        let data = TensorData::new(values, [1, width]);
        let tokens = Tensor::<2, Int>::from_data(data, &model.device());
        let layout = Layout {
            past: done,
            ..Layout::plain(1, width)
        };
        done += width;
        model.model.forward(tokens, &layout, Some(&mut *cache))
    };
    let last = ids.len().saturating_sub(1) / piece as usize * piece as usize;
    for ids in ids[..last].chunks(piece as usize) {
        pass(ids);
    }
    pass(&ids[last..])
}
