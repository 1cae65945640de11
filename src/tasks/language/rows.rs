//! A person's texts as a language model's run reads them: cut, marked with what is learnt, and put on the device.

use super::model::LanguageModel;
use super::options::{DEFAULT_MAX_LENGTH, LanguageOptions};
use crate::data::{
    Encoded, Packed, ParsedText, SequenceBatch, SequenceOptions, encode_rows, length_sorted,
};
use crate::device::Compute;
use crate::models::size::Shape;
use crate::models::{CausalBatch, DecoderConfig, NetworkSizes};
use crate::train::memory::rows_by_tokens;
use crate::{Error, Result};

/// The sequences of rows, cut and marked as a run with these options does. `file` is named in errors.
///
/// # Errors
/// As [`encode_rows`]; [`Error::InvalidOption`] for more tokens than the model has positions.
pub fn encode(
    model: &LanguageModel,
    file: &str,
    rows: &[ParsedText],
    options: &LanguageOptions,
) -> Result<Encoded> {
    let max_length = max_length(&model.config, options)?;
    let settings = sequence_options(model, options);
    let (tokenizer, template) = (&model.tokenizer, &model.template);
    encode_rows(file, rows, tokenizer, template, max_length, &settings)
}

/// Which tokens of a text are learnt.
pub(super) fn sequence_options(
    model: &LanguageModel,
    options: &LanguageOptions,
) -> SequenceOptions {
    SequenceOptions {
        assistant_only_loss: options.own.completion_only_loss,
        completion_only_loss: options.own.completion_only_loss,
        eos_token_id: model.eos_id,
        skip_bad: options.own.skip_bad,
    }
}

/// Tokens kept of a text.
///
/// # Errors
/// [`Error::InvalidOption`] if more are asked for than the model has positions.
pub(super) fn max_length(config: &DecoderConfig, options: &LanguageOptions) -> Result<usize> {
    let virtual_tokens = options.common.method.virtual_tokens();
    let positions = config.max_position_embeddings;
    let free = positions.saturating_sub(virtual_tokens);
    let wanted = options.common.max_length;
    let wanted = wanted.unwrap_or(DEFAULT_MAX_LENGTH.min(free));
    if wanted > free || free < 2 {
        let prefix = match virtual_tokens {
            0 => String::new(),
            some => format!(", {some} of which the prefix takes"),
        };
        return Err(Error::option(
            "maxLength",
            format!(
                "expected at most {free}, because this model knows {positions} positions{prefix}, got {wanted}"
            ),
        ));
    }
    Ok(wanted)
}

/// How many rows pass together where texts are scored between or before the training steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScoringRows<'a> {
    pub network: &'a NetworkSizes,
    pub compute: &'a Compute,
    /// Rows of a training step.
    pub batch: usize,
    /// Tokens of the longest training row.
    pub longest_trained: usize,
    /// Those of a prefix.
    pub virtual_tokens: usize,
}

impl ScoringRows<'_> {
    /// Of rows of at most `longest` tokens: no more tokens than a batch of a training step has, no
    /// tensor that does not fit into a buffer, and one row at least.
    pub fn most(&self, longest: usize) -> usize {
        let most = rows_by_tokens(self.batch, self.longest_trained, longest).min(self.batch);
        let row = Shape::new(1, longest).after(self.virtual_tokens);
        self.network.rows_in_a_buffer(self.compute, row, most)
    }

    /// The batches of these rows, the shortest first.
    ///
    /// # Errors
    /// None in practice: no batch is empty.
    pub fn batches(&self, rows: &[Packed]) -> Result<Vec<Vec<usize>>> {
        batches(rows, self.most(longest(rows)))
    }
}

/// Tokens of the longest row.
pub(super) fn longest(rows: &[Packed]) -> usize {
    rows.iter().map(Packed::len).max().unwrap_or(1)
}

/// Batches of at most `most` rows, the shortest first.
///
/// # Errors
/// None in practice: no batch is empty.
pub(super) fn batches(rows: &[Packed], most: usize) -> Result<Vec<Vec<usize>>> {
    let lengths = rows.iter().map(Packed::len).collect::<Vec<_>>();
    length_sorted(&lengths, most)
}

/// Some rows on the device.
///
/// # Errors
/// None in practice: a batch holds a row.
pub(super) fn upload(model: &LanguageModel, all: &[Packed], rows: &[usize]) -> Result<CausalBatch> {
    let picked = rows.iter().map(|row| &all[*row]).collect::<Vec<_>>();
    let batch = SequenceBatch::pad(&picked, model.tokenizer.pad_id())?;
    Ok(CausalBatch::upload(batch, &model.compute.device))
}
