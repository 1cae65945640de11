//! Enters: a row for a language model. Leaves: the text that the model will read, in pieces that it learns to write or not.

use serde::Serialize;

use crate::Result;
use crate::data::{ParsedText, encode_rows};
use crate::language_model::LanguageModel;
use crate::train::causal::CausalOptions;
use crate::train::causal::plan::{max_length, sequence_options};

/// Some tokens that follow one another and are all learnt, or all not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewPiece {
    pub text: String,
    pub learnt: bool,
    pub tokens: usize,
}

/// A row, cut and encoded as a run would; special tokens written out. A long text shows its first block.
///
/// # Errors
/// As a run's own for this row.
pub fn preview(
    model: &LanguageModel,
    row: &ParsedText,
    options: &CausalOptions,
) -> Result<Vec<PreviewPiece>> {
    let max_length = max_length(model, options)?;
    let settings = sequence_options(model, options);
    let (tokenizer, template) = (&model.tokenizer, &model.template);
    let rows = std::slice::from_ref(row);
    let sequences = encode_rows("row", rows, tokenizer, template, max_length, &settings)?;
    let mut pieces = Vec::new();
    let Some(first) = sequences.first() else {
        return Ok(pieces);
    };
    let mut start = 0;
    while start < first.ids.len() {
        let learnt = first.targets[start];
        let same = first.targets[start..].iter();
        let end = start + same.take_while(|target| **target == learnt).count();
        pieces.push(PreviewPiece {
            text: tokenizer.decode(&first.ids[start..end], false)?,
            learnt,
            tokens: end - start,
        });
        start = end;
    }
    Ok(pieces)
}
