//! The vocabulary of a GGUF file, checked, and what the metadata says of its tokens.

use super::file::Added;
use super::words::Words;
use crate::formats::Metadata;
use crate::{Error, Result};

/// What llama.cpp calls the types of tokens.
pub(super) const UNKNOWN: f64 = 2.0;
pub(super) const CONTROL: f64 = 3.0;
const USER_DEFINED: f64 = 4.0;
pub(super) const BYTE: f64 = 6.0;

/// The tokens that metadata name, in the words of Transformers and of GGUF, and what a SentencePiece vocabulary calls so if it names none.
pub(super) const NAMED: [(&str, &str, Option<usize>); 4] = [
    ("bos_token", "bos", Some(1)),
    ("eos_token", "eos", Some(2)),
    ("unk_token", "unknown", Some(0)),
    ("pad_token", "padding", None),
];

/// How a vocabulary was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    ByteLevel(Words),
    SentencePiece,
}

/// A vocabulary and what the metadata says of it.
#[derive(Debug)]
pub(in super::super) struct Tokens<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) kind: Kind,
    /// By id.
    pub(super) tokens: &'a [String],
    /// As long as `tokens`, or empty.
    types: &'a [f64],
    /// In the order of [`NAMED`].
    pub(super) named: [Option<usize>; 4],
}

impl<'a> Tokens<'a> {
    /// # Errors
    /// [`Error::UnsupportedFile`] for a kind of tokenizer that is not known, [`Error::InvalidFile`] for a broken one.
    pub(in super::super) fn read(metadata: &'a Metadata) -> Result<Self> {
        let tokens = metadata.texts("tokenizer.ggml.tokens")?.unwrap_or_default();
        let model = metadata.text("tokenizer.ggml.model")?;
        let (Some(model), false) = (model, tokens.is_empty()) else {
            return Err(Error::file(metadata.file(), "it has no tokenizer"));
        };
        let kind = match model {
            "gpt2" => Kind::ByteLevel(Words::read(metadata)?),
            "llama" => Kind::SentencePiece,
            other => {
                return Err(Error::UnsupportedFile {
                    file: metadata.file().into(),
                    reason: format!(
                        "its tokenizer is \"{other}\"; supported are gpt2 (byte-level BPE) and llama (SentencePiece)"
                    ),
                });
            }
        };
        let types = metadata.numbers("tokenizer.ggml.token_type")?;
        let types = types.unwrap_or_default();
        if !types.is_empty() && types.len() != tokens.len() {
            return Err(Error::file(
                metadata.file(),
                format!(
                    "it has {} tokens, and tokenizer.ggml.token_type is of {}",
                    tokens.len(),
                    types.len()
                ),
            ));
        }
        let mut named = [None; 4];
        for (place, (_, key, usual)) in named.iter_mut().zip(NAMED) {
            let usual = usual.filter(|_| kind == Kind::SentencePiece);
            *place =
                token_id(metadata, key, tokens.len())?.or(usual.filter(|id| *id < tokens.len()));
        }
        Ok(Self {
            metadata,
            kind,
            tokens,
            types,
            named,
        })
    }

    /// Whether a token is of that type.
    pub(super) fn is(&self, id: usize, kind: f64) -> bool {
        self.types.get(id) == Some(&kind)
    }

    /// Tokens that are found whole in a text.
    pub(super) fn added(&self) -> Vec<Added<'a>> {
        let tokens = self.tokens.iter().enumerate();
        let added = tokens.filter_map(|(id, content)| {
            let special =
                self.named.contains(&Some(id)) || self.is(id, CONTROL) || self.is(id, UNKNOWN);
            let found = special || self.is(id, USER_DEFINED);
            // an empty one would be everywhere
            (found && !content.is_empty()).then_some(Added::new(id, content, special))
        });
        added.collect()
    }

    pub(super) fn wrong(&self, reason: String) -> Error {
        Error::file(self.metadata.file(), reason)
    }
}

/// The id in `tokenizer.ggml.<key>_token_id`.
pub(super) fn token_id(metadata: &Metadata, key: &str, tokens: usize) -> Result<Option<usize>> {
    let key = format!("tokenizer.ggml.{key}_token_id");
    let Some(id) = metadata.whole(&key)? else {
        return Ok(None);
    };
    let known = usize::try_from(id).ok().filter(|id| *id < tokens);
    let wrong = || {
        Error::file(
            metadata.file(),
            format!("{key} is {id}, and it has {tokens} tokens"),
        )
    };
    known.map(Some).ok_or_else(wrong)
}
