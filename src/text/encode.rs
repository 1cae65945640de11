//! One text, or two that are judged together, to the ids and token types that a classifier reads.

use serde::Deserialize;
use tokenizers::utils::truncation::{TruncationParams, truncate_encodings};

use super::tokenizer::Tokenizer;
use crate::error::{Error, Result};

/// What is encoded as one row: a text, or two that are judged together, such as a premise and a hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Texts<'a> {
    /// The only text, or the first of two.
    pub text: &'a str,
    /// The second.
    pub pair: Option<&'a str>,
}

impl<'a> Texts<'a> {
    /// Without blanks around them.
    pub fn trimmed(self) -> Self {
        Self {
            text: self.text.trim(),
            pair: self.pair.map(str::trim),
        }
    }
}

impl<'a> From<&'a str> for Texts<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, pair: None }
    }
}

impl<'a> From<&'a String> for Texts<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

/// A text to label, or two that are judged together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected a text, or an object with text and textPair"
)]
pub enum TextInput {
    /// One text.
    Text(String),
    /// As a row of examples has them, whose other fields are not read.
    Pair {
        /// What the model reads, or the first of two texts.
        text: String,
        /// The second text.
        #[serde(rename = "textPair", alias = "text_pair", default)]
        text_pair: Option<String>,
    },
}

impl<'a> From<&'a TextInput> for Texts<'a> {
    fn from(input: &'a TextInput) -> Self {
        match input {
            TextInput::Text(text) => text.into(),
            TextInput::Pair { text, text_pair } => Self {
                text,
                pair: text_pair.as_deref(),
            },
        }
    }
}

/// A row as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// Token ids, special tokens included, never padded.
    pub ids: Vec<u32>,
    /// Token type of each id; as long as `ids`.
    pub type_ids: Vec<u32>,
    /// How many tokens the whole text, or both texts, have, special tokens included, if some were cut off.
    pub truncated_from: Option<usize>,
}

impl Tokenizer {
    /// The ids of a text, or of two, with special tokens, cut on the right to `max_length` ids, special tokens included. Of two texts the longer
    /// is cut first, and both to the same length where they must be, as transformers' `longest_first`. Two texts stand as the tokenizer's template
    /// for pairs says; a tokenizer without one joins them.
    ///
    /// # Errors
    /// `InvalidOption` if `max_length` leaves no room next to the special tokens; `InvalidFile` if the tokenizer
    /// cannot encode the text (a vocabulary without its unknown token), if its template for pairs is broken, and for token types that the model
    /// does not know; `InvalidData` for a token beyond the model's table.
    pub fn encode<'a>(&self, texts: impl Into<Texts<'a>>, max_length: usize) -> Result<Encoding> {
        let Texts { text, pair } = texts.into();
        let special_tokens = match pair {
            None => self.special_tokens,
            Some(_) => *self.pair_tokens.as_ref().map_err(|reason| {
                Error::file(
                    self.file_name.clone(),
                    format!("cannot read two texts together: {reason}"),
                )
            })?,
        };
        if max_length <= special_tokens {
            return Err(Error::option(
                "maxLength",
                format!(
                    "expected at least {}, because the tokenizer adds {special_tokens} special tokens, got {max_length}",
                    special_tokens + 1,
                ),
            ));
        }
        let tokens = |text: &str| {
            let encoding = self.inner.encode_fast(text, false);
            encoding.map_err(|error| self.cannot_encode(text, error))
        };
        let failed = |error| self.cannot_encode(text, error);
        // Cut before the special tokens are added, as the library does itself, so that the last one survives.
        let first = tokens(text)?;
        let mut second = pair.map(tokens).transpose()?;
        if let Some(second) = &mut second {
            // what a template does not set
            second.set_type_ids(vec![1; second.len()]);
        }
        let length = first.len() + second.as_ref().map_or(0, |second| second.len());
        let length = length + special_tokens;
        let cut = TruncationParams {
            max_length: max_length - special_tokens,
            ..TruncationParams::default()
        };
        let (first, second) = truncate_encodings(first, second, &cut).map_err(failed)?;
        let encoding = self
            .inner
            .post_process(first, second, true)
            .map_err(failed)?;
        self.check_rows(encoding.get_ids())?;
        Ok(Encoding {
            ids: encoding.get_ids().to_vec(),
            type_ids: self.known_types(encoding.get_type_ids())?,
            truncated_from: (length > max_length).then_some(length),
        })
    }

    /// Token types as the model reads them.
    fn known_types(&self, types: &[u32]) -> Result<Vec<u32>> {
        if self.types == 0 {
            return Ok(vec![0; types.len()]);
        }
        match types.iter().find(|one| **one as usize >= self.types) {
            Some(unknown) => Err(Error::file(
                self.file_name.clone(),
                format!(
                    "gives a token the type {unknown}, but the model knows only {} (type_vocab_size)",
                    self.types
                ),
            )),
            None => Ok(types.to_vec()),
        }
    }
}
