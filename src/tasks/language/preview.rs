//! A row as a language model will read it, in pieces that it learns to write or not.

use serde::Serialize;

use crate::Result;
use crate::data::ParsedText;
use crate::tasks::language::LanguageOptions;
use crate::tasks::language::model::LanguageModel;
use crate::tasks::language::rows::encode;

/// Some tokens that follow one another and are all learnt, or all not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PreviewPiece {
    /// Special tokens are written out.
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
    options: &LanguageOptions,
) -> Result<Vec<PreviewPiece>> {
    let found = encode(model, "row", std::slice::from_ref(row), options)?;
    let mut pieces = Vec::new();
    let Some(first) = found.sequences.iter().flatten().next() else {
        return Ok(pieces);
    };
    let mut start = 0;
    while start < first.ids.len() {
        let learnt = first.targets[start];
        let same = first.targets[start..].iter();
        let end = start + same.take_while(|target| **target == learnt).count();
        pieces.push(PreviewPiece {
            text: model.tokenizer.decode(&first.ids[start..end], false)?,
            learnt,
            tokens: end - start,
        });
        start = end;
    }
    Ok(pieces)
}
