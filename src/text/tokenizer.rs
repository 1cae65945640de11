//! A tokenizer.json: texts to token ids as the Python library gives them, and back.

use std::ops::Range;

use tokenizers::{NormalizedString, Normalizer};

use super::parts;
use crate::error::{Error, Result};

/// Names of the padding token, in the order in which they are looked for.
const PAD_TOKENS: [&str; 3] = ["[PAD]", "<pad>", "<|padding|>"];

/// More tokens than any model wants around its texts.
const MOST_SPECIAL_TOKENS: usize = 256;

/// Words of its own, added tokens aside, that a model's tokenizer has beyond the table at most: one in so many rows. Others are of another model.
const FEW_OF: usize = 8;

/// A token and the bytes of the text that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Token id.
    pub id: u32,
    /// Bytes of the text. Several tokens may share one character's bytes.
    pub bytes: Range<usize>,
}

impl Piece {
    /// Whether the token is for bytes of `span`, bytes of the same text: as in transformers' `return_assistant_tokens_mask`, a token that joins
    /// the space before an answer to its first word counts.
    pub fn touches(&self, span: &Range<usize>) -> bool {
        // Tokenizers that trim spaces off the offsets leave a token of spaces at its own end, without any bytes.
        let spaces = usize::from(self.bytes.is_empty());
        let start = self.bytes.start.saturating_sub(spaces);
        start < span.end && self.bytes.end > span.start
    }
}

/// A tokenizer that cuts and pads only as its caller asks.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    pub(super) file_name: String,
    pub(super) inner: tokenizers::Tokenizer,
    pad: Option<u32>,
    /// Around one text.
    pub(super) special_tokens: usize,
    /// Around two texts, or why they cannot be read together.
    pub(super) pair_tokens: std::result::Result<usize, String>,
    /// Token types that the model tells apart.
    pub(super) types: usize,
    /// Rows of the model's word table.
    rows: usize,
}

impl Tokenizer {
    /// Reads a tokenizer.json. The file's own truncation and padding are removed: sentence-transformers' files pad
    /// every text to 128 tokens, which neither training nor transformers wants.
    ///
    /// # Errors
    /// `InvalidFile` if the bytes are no tokenizer.json, or one with parts that are not known.
    pub fn from_bytes(file_name: &str, bytes: &[u8]) -> Result<Tokenizer> {
        let invalid = |reason: String| Error::file(file_name, reason);
        if bytes.is_empty() {
            return Err(invalid(
                "expected a tokenizer, but the file is empty".into(),
            ));
        }
        let no_pairs = parts::check(bytes).map_err(&invalid)?;
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|error| invalid(format!("cannot be read as a tokenizer: {error}")))?;
        added_stay(&inner).map_err(&invalid)?;
        let stored_pad = inner
            .get_padding()
            .filter(|padding| inner.token_to_id(&padding.pad_token) == Some(padding.pad_id))
            .map(|padding| padding.pad_id);
        inner
            .with_truncation(None)
            .map_err(|error| invalid(format!("its truncation cannot be removed: {error}")))?;
        inner.with_padding(None);
        let pad = stored_pad.or_else(|| PAD_TOKENS.iter().find_map(|t| inner.token_to_id(t)));
        let around = |is_pair| {
            let tokens = inner.get_post_processor().map_or(0, |post| {
                tokenizers::PostProcessor::added_tokens(post, is_pair)
            });
            if tokens > MOST_SPECIAL_TOKENS {
                return Err(format!(
                    "puts {tokens} tokens around a text, more than {MOST_SPECIAL_TOKENS}"
                ));
            }
            Ok(tokens)
        };
        let special_tokens = around(false).map_err(&invalid)?;
        let pair_tokens = no_pairs.map_or_else(|| around(true), Err);
        Ok(Tokenizer {
            file_name: file_name.to_owned(),
            inner,
            pad,
            special_tokens,
            pair_tokens,
            types: usize::MAX,
            rows: usize::MAX,
        })
    }

    /// For a model whose word table has that many rows. Tokens beyond it are fine while no text holds them, as in Gemma 3, whose tokenizer has
    /// a token for images that the language model alone has no vector for: [`Self::encode`] and its like refuse such a text.
    ///
    /// # Errors
    /// [`Error::TokenizerMismatch`] if the tokens around every text are beyond the table, or so many words that this is another model's tokenizer.
    pub fn with_rows(mut self, rows: usize) -> Result<Self> {
        let special = self.inner.encode_fast("", true).ok();
        let special = special.map_or(Vec::new(), |encoding| encoding.get_ids().to_vec());
        let beyond = |id: &u32| *id as usize >= rows;
        let words = self.inner.get_vocab(false).into_values();
        if words.filter(beyond).count() > rows / FEW_OF || special.iter().any(beyond) {
            return Err(Error::TokenizerMismatch {
                largest_id: self.largest_id(),
                rows,
            });
        }
        self.rows = rows;
        Ok(self)
    }

    /// For a model that tells so many token types apart, or reads none (0): then all are 0.
    pub fn with_types(mut self, types: usize) -> Self {
        self.types = types;
        self
    }

    /// Whether the model reads token types.
    pub fn gives_types(&self) -> bool {
        self.types > 0
    }

    /// Whether the model has a vector for that token.
    pub fn has_row(&self, id: u32) -> bool {
        (id as usize) < self.rows
    }

    /// Refuses ids that the model has no vector for.
    pub(super) fn check_rows(&self, ids: &[u32]) -> Result<()> {
        let Some(id) = ids.iter().find(|id| !self.has_row(**id)) else {
            return Ok(());
        };
        let token = self.inner.id_to_token(*id).unwrap_or_default();
        Err(Error::data(
            "text",
            None,
            format!(
                "holds the token \"{token}\", whose id is {id}, but the model's table has only {} rows (vocab_size): the model was never \
                 given a vector for it; take the token out of the text",
                self.rows
            ),
        ))
    }

    /// The largest id that this tokenizer can give, padding included. The embedding table needs one row more.
    pub fn largest_id(&self) -> u32 {
        let vocabulary = self.inner.get_vocab(true).into_values().max();
        // The post-processor has the special tokens' ids a second time, and they need not agree.
        let special = self
            .inner
            .encode_fast("", true)
            .ok()
            .and_then(|encoding| encoding.get_ids().iter().copied().max());
        vocabulary.max(special).max(self.pad).unwrap_or(0)
    }

    /// The id that fills rows shorter than the batch: the padding token's, or 0 if there is none that the model has a vector for. Any id does,
    /// because padding is masked.
    pub fn pad_id(&self) -> u32 {
        self.pad.filter(|id| self.has_row(*id)).unwrap_or(0)
    }

    /// The padding token: the file's own, else one that is named as padding, else none.
    pub fn pad_token(&self) -> Option<u32> {
        self.pad
    }

    /// With that padding token instead, which the model's own files name, or none.
    pub fn with_pad_token(mut self, pad: Option<u32>) -> Self {
        self.pad = pad;
        self
    }

    /// The tokens of `text` without special tokens around it. Special tokens written in the text are found.
    ///
    /// # Errors
    /// `InvalidFile` if the tokenizer cannot encode the text; `InvalidData` for a token beyond the model's table.
    pub fn pieces(&self, text: &str) -> Result<Vec<Piece>> {
        // Offsets of `encode` are bytes; `encode_fast` gives none.
        let encoding = self
            .inner
            .encode(text, false)
            .map_err(|error| self.cannot_encode(text, error))?;
        self.check_rows(encoding.get_ids())?;
        let offsets = encoding.get_offsets().iter();
        Ok(encoding
            .get_ids()
            .iter()
            .zip(offsets)
            .map(|(id, (start, end))| Piece {
                id: *id,
                bytes: *start..*end,
            })
            .collect())
    }

    /// The special tokens that the tokenizer puts before every text, such as a beginning-of-text token.
    ///
    /// # Errors
    /// `InvalidFile` if the tokenizer cannot encode a text.
    pub fn prefix_ids(&self) -> Result<Vec<u32>> {
        const TEXT: &str = "a";
        let encoding = self
            .inner
            .encode_fast(TEXT, true)
            .map_err(|error| self.cannot_encode(TEXT, error))?;
        let special = encoding.get_special_tokens_mask().iter();
        Ok(encoding
            .get_ids()
            .iter()
            .zip(special)
            .take_while(|(_, special)| **special == 1)
            .map(|(id, _)| *id)
            .collect())
    }

    /// The text of `ids`, without special tokens if `skip_special_tokens` is set. Bytes that are no whole character
    /// become U+FFFD; ids that the tokenizer does not know are left out.
    ///
    /// # Errors
    /// `InvalidFile` if the tokenizer cannot decode.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String> {
        let special = self.inner.get_added_vocabulary();
        let is_text = |token: String| !(skip_special_tokens && special.is_special_token(&token));
        // some decoders expect a token
        if !ids
            .iter()
            .any(|id| self.inner.id_to_token(*id).is_some_and(is_text))
        {
            return Ok(String::new());
        }
        self.inner
            .decode(ids, skip_special_tokens)
            .map_err(|error| {
                Error::file(
                    self.file_name.clone(),
                    format!("cannot decode {} ids: {error}", ids.len()),
                )
            })
    }

    /// The id of a token as the vocabulary writes it, special tokens included.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token of an id as the vocabulary writes it.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    pub(super) fn cannot_encode(&self, text: &str, error: tokenizers::Error) -> Error {
        Error::file(
            self.file_name.clone(),
            format!("cannot encode {}: {error}", quoted(text)),
        )
    }
}

/// The start of a text, for an error.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let start: String = text.chars().take(SHOWN).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("\"{start}{more}\"")
}

/// Refuses an added token of which normalizing leaves nothing: the library would find it between any two bytes, those of one letter too.
fn added_stay(inner: &tokenizers::Tokenizer) -> std::result::Result<(), String> {
    let Some(normalizer) = inner.get_normalizer() else {
        return Ok(());
    };
    for token in inner.get_added_tokens_decoder().values() {
        let mut text = NormalizedString::from(token.content.as_str());
        if token.normalized {
            normalizer
                .normalize(&mut text)
                .map_err(|error| format!("cannot normalize {:?}: {error}", token.content))?;
        }
        if text.is_empty() {
            return Err(format!(
                "nothing is left of its added token {:?} once it is normalized, which is not supported",
                token.content
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn fixture(path: &str) -> Vec<u8> {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
        std::fs::read(format!("{root}{path}")).unwrap()
    }

    fn tokenizer() -> Tokenizer {
        let bytes = fixture("tokenizer_wordpiece/tokenizer.json");
        Tokenizer::from_bytes("tokenizer.json", &bytes).unwrap()
    }

    fn ids(value: &Value) -> Vec<u32> {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn what_the_library_panics_on_is_an_error() {
        let read = |bytes: &[u8]| Tokenizer::from_bytes("tokenizer.json", bytes);
        let whole = String::from_utf8(fixture("tokenizer_wordpiece/tokenizer.json")).unwrap();
        let cut = whole.find("\"clean_text\"").unwrap();
        let error = read(&whole.as_bytes()[..cut]).err().unwrap();
        assert!(error.to_string().contains("expected JSON"), "{error}");

        let mut file: Value = serde_json::from_str(&whole).unwrap();
        let table = json!({"type": "Precompiled", "precompiled_charsmap": "////"});
        for normalizer in [
            table.clone(),
            json!({"type": "Sequence", "normalizers": [table]}),
        ] {
            file["normalizer"] = normalizer;
            let error = read(file.to_string().as_bytes()).err().unwrap();
            assert!(error.to_string().contains("Precompiled"), "{error}");
        }

        file["normalizer"] = json!({"type": "Strip", "strip_left": true, "strip_right": true});
        let blank = |normalized: bool| {
            json!({"id": 3000, "content": "  ", "single_word": true, "lstrip": false, "rstrip": false,
                "normalized": normalized, "special": false})
        };
        file["added_tokens"] = json!([blank(true)]);
        let error = read(file.to_string().as_bytes()).err().unwrap();
        assert!(error.to_string().contains("nothing is left"), "{error}");
        file["added_tokens"] = json!([blank(false)]);
        assert!(read(file.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn whole_texts_equal_the_python_library() {
        let tokenizer = tokenizer();
        let file: Value =
            serde_json::from_slice(&fixture("tokenizer_wordpiece/cases.json")).unwrap();
        let cases = file["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 60);
        for case in cases {
            let found = tokenizer
                .encode(case["text"].as_str().unwrap(), 512)
                .unwrap();
            assert_eq!(found.ids, ids(&case["ids"]), "{}", case["text"]);
            assert_eq!(found.truncated_from, None);
        }
    }

    #[test]
    fn truncated_texts_equal_the_python_library() {
        let tokenizer = tokenizer();
        let cases: Vec<Value> = serde_json::from_slice(&fixture("tokenizer/cases.json")).unwrap();
        assert!(cases.len() > 40);
        for case in cases {
            let unit = case["text"].as_str().unwrap();
            let text = unit.repeat(case["times"].as_u64().unwrap() as usize);
            let max_length = case["maxLength"].as_u64().unwrap() as usize;
            let full = case["fullLength"].as_u64().unwrap() as usize;
            let found = tokenizer.encode(&text, max_length).unwrap();
            assert_eq!(found.ids, ids(&case["ids"]), "{unit} at {max_length}");
            assert_eq!(found.type_ids, ids(&case["typeIds"]));
            assert_eq!(found.truncated_from, (full > max_length).then_some(full));
        }
    }

    #[test]
    fn the_files_own_truncation_and_padding_are_removed() {
        let mut file: Value =
            serde_json::from_slice(&fixture("tokenizer_wordpiece/tokenizer.json")).unwrap();
        file["truncation"] =
            json!({"direction": "Left", "max_length": 4, "strategy": "LongestFirst", "stride": 0});
        file["padding"] = json!({"strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 4, "pad_type_id": 0, "pad_token": "[MASK]"});
        let bytes = serde_json::to_vec(&file).unwrap();
        let altered = Tokenizer::from_bytes("tokenizer.json", &bytes).unwrap();
        let text = "the old man said that he did not know";
        assert_eq!(altered.encode(text, 64), tokenizer().encode(text, 64));
        assert_eq!(altered.encode(text, 64).unwrap().ids.len(), 11);
        assert_eq!(altered.pad_id(), 4);
        assert_eq!(tokenizer().pad_id(), 0);
    }

    #[test]
    fn the_largest_id_counts_the_post_processor() {
        assert_eq!(tokenizer().largest_id(), 1099);
        let mut file: Value =
            serde_json::from_slice(&fixture("tokenizer_wordpiece/tokenizer.json")).unwrap();
        file["post_processor"]["special_tokens"]["[SEP]"]["ids"] = json!([5000]);
        let bytes = serde_json::to_vec(&file).unwrap();
        let altered = Tokenizer::from_bytes("tokenizer.json", &bytes).unwrap();
        assert_eq!(altered.largest_id(), 5000);
    }

    #[test]
    fn too_short_a_limit_is_refused() {
        let error = tokenizer().encode("hello", 2).unwrap_err();
        assert_eq!(error.code(), "invalidOption");
        assert!(error.to_string().contains("at least 3"), "{error}");
        assert_eq!(tokenizer().encode("the", 3).unwrap().ids.len(), 3);
    }

    #[test]
    fn files_that_are_no_tokenizer_are_refused() {
        let whole = fixture("tokenizer_wordpiece/tokenizer.json");
        for bytes in [
            &b""[..],
            b"<!doctype html>",
            b"{}",
            b"[]",
            b"\xff\xfe",
            &whole[..whole.len() / 2],
        ] {
            let error = Tokenizer::from_bytes("my/tokenizer.json", bytes).unwrap_err();
            assert_eq!(error.code(), "invalidFile");
            assert!(
                error.to_string().starts_with("my/tokenizer.json: "),
                "{error}"
            );
        }
    }
}
