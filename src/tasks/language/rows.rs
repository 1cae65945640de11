//! A person's texts as a language model's run reads them: cut, marked with what is learnt, and put on the device.

use super::model::LanguageModel;
use super::options::{DEFAULT_MAX_LENGTH, LanguageOptions};
use crate::data::{
    Packed, ParsedText, Sequence, SequenceBatch, SequenceOptions, encode_rows, length_sorted,
};
use crate::models::{CausalBatch, DecoderConfig};
use crate::peft::Method;
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
) -> Result<Vec<Sequence>> {
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
    }
}

/// Tokens kept of a text.
///
/// # Errors
/// [`Error::InvalidOption`] if more are asked for than the model has positions.
pub(super) fn max_length(config: &DecoderConfig, options: &LanguageOptions) -> Result<usize> {
    let virtual_tokens = match &options.common.method {
        Method::Prefix(config) => config.num_virtual_tokens,
        _ => 0,
    };
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

/// Batches for scoring, the shortest rows first: no larger than `batch` rows of `longest_trained` tokens, so that scoring needs no more memory than
/// training, and one row at least.
///
/// # Errors
/// None in practice: no batch is empty.
pub(super) fn scoring_batches(
    rows: &[Packed],
    batch: usize,
    longest_trained: usize,
) -> Result<Vec<Vec<usize>>> {
    let lengths = rows.iter().map(Packed::len).collect::<Vec<_>>();
    let longest = lengths.iter().copied().max().unwrap_or(1);
    length_sorted(
        &lengths,
        rows_by_tokens(batch, longest_trained, longest).min(batch),
    )
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
