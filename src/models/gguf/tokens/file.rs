//! The layout of a `tokenizer.json` with a BPE vocabulary, written without a second copy of the words.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{Error, Result};

/// A token that is found whole in a text.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Added<'a> {
    id: usize,
    pub(super) content: &'a str,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    pub(super) special: bool,
}

impl<'a> Added<'a> {
    pub(super) fn new(id: usize, content: &'a str, special: bool) -> Self {
        Self {
            id,
            content,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special,
        }
    }
}

/// Words by their ids.
#[derive(Debug)]
pub(super) struct Vocabulary<'a>(pub(super) Vec<Cow<'a, str>>);

impl Serialize for Vocabulary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let words = self.0.iter().enumerate();
        serializer.collect_map(words.map(|(id, word)| (word, id)))
    }
}

/// The model in a tokenizer.json.
#[derive(Debug, Serialize)]
pub(super) struct Bpe<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) dropout: (),
    pub(super) unk_token: Option<&'a str>,
    pub(super) continuing_subword_prefix: (),
    pub(super) end_of_word_suffix: (),
    pub(super) fuse_unk: bool,
    pub(super) byte_fallback: bool,
    pub(super) ignore_merges: bool,
    pub(super) vocab: &'a Vocabulary<'a>,
    pub(super) merges: Vec<(&'a str, &'a str)>,
}

/// The whole file.
#[derive(Debug, Serialize)]
pub(super) struct File<'a> {
    version: &'static str,
    truncation: (),
    padding: (),
    added_tokens: Vec<Added<'a>>,
    normalizer: Value,
    pre_tokenizer: Value,
    post_processor: Value,
    decoder: Value,
    model: Bpe<'a>,
}

impl<'a> File<'a> {
    /// `parts`: normalizer, pre-tokenizer, post-processor, decoder.
    pub(super) fn new(added_tokens: Vec<Added<'a>>, parts: [Value; 4], model: Bpe<'a>) -> Self {
        let [normalizer, pre_tokenizer, post_processor, decoder] = parts;
        Self {
            version: "1.0",
            truncation: (),
            padding: (),
            added_tokens,
            normalizer,
            pre_tokenizer,
            post_processor,
            decoder,
            model,
        }
    }

    pub(super) fn bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(Error::internal)
    }
}
