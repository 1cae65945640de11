//! The tokenizer of a GGUF file: its metadata as a `tokenizer.json` and the settings that Transformers keeps beside one.

mod byte_level;
mod file;
mod sentencepiece;

use serde_json::{Map, Value, json};

use self::file::Added;
use crate::formats::Metadata;
use crate::models::family::DecoderFamily;
use crate::{Error, Result};

/// What llama.cpp calls the types of tokens.
const UNKNOWN: f64 = 2.0;
const CONTROL: f64 = 3.0;
const USER_DEFINED: f64 = 4.0;
const BYTE: f64 = 6.0;

/// Control tokens that end a turn or a text, whatever the metadata says: llama.cpp stops at them too.
const ENDS: [&str; 6] = [
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
];

/// The tokens that metadata name, in the words of Transformers and of GGUF, and what a SentencePiece vocabulary calls so if it names none.
const NAMED: [(&str, &str, Option<usize>); 4] = [
    ("bos_token", "bos", Some(1)),
    ("eos_token", "eos", Some(2)),
    ("unk_token", "unknown", Some(0)),
    ("pad_token", "padding", None),
];

/// How a vocabulary was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    ByteLevel(byte_level::Words),
    SentencePiece,
}

/// A vocabulary and what the metadata says of it.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    metadata: &'a Metadata,
    kind: Kind,
    /// By id.
    tokens: &'a [String],
    /// As long as `tokens`, or empty.
    types: &'a [f64],
    /// In the order of [`NAMED`].
    named: [Option<usize>; 4],
}

impl<'a> Tokens<'a> {
    /// # Errors
    /// [`Error::UnsupportedFile`] for a kind of tokenizer that is not known, [`Error::InvalidFile`] for a broken one.
    pub(super) fn read(metadata: &'a Metadata) -> Result<Self> {
        let tokens = metadata.texts("tokenizer.ggml.tokens")?.unwrap_or_default();
        let model = metadata.text("tokenizer.ggml.model")?;
        let (Some(model), false) = (model, tokens.is_empty()) else {
            return Err(Error::file(metadata.file(), "it has no tokenizer"));
        };
        let kind = match model {
            "gpt2" => Kind::ByteLevel(byte_level::Words::read(metadata)?),
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

    fn is(&self, id: usize, kind: f64) -> bool {
        self.types.get(id) == Some(&kind)
    }

    /// The bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] where merges or scores are missing or broken.
    pub(super) fn tokenizer_json(&self, family: DecoderFamily) -> Result<Vec<u8>> {
        let around = self.around()?;
        match self.kind {
            Kind::ByteLevel(words) => byte_level::tokenizer_json(self, words, around),
            Kind::SentencePiece => {
                sentencepiece::tokenizer_json(self, family == DecoderFamily::Gemma3, around)
            }
        }
    }

    /// Tokens that are found whole in a text.
    fn added(&self) -> Vec<Added<'a>> {
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

    /// The post-processor: the tokens that begin and end every text.
    fn around(&self) -> Result<Value> {
        let asked = |key: &str| self.metadata.switch(&format!("tokenizer.ggml.{key}"));
        let begins = match self.kind {
            Kind::ByteLevel(words) => words.begins_texts(),
            Kind::SentencePiece => true,
        };
        let [bos, eos, ..] = self.named;
        let begins = asked("add_bos_token")?.unwrap_or(begins);
        let ends = asked("add_eos_token")?.unwrap_or(false);
        let (bos, eos) = (bos.filter(|_| begins), eos.filter(|_| ends));
        if bos.is_none() && eos.is_none() {
            return Ok(Value::Null);
        }
        let piece = |id: Option<usize>, of: u32| {
            let id = id.and_then(|id| self.tokens.get(id));
            id.map(|token| json!({"SpecialToken": {"id": token, "type_id": of}}))
        };
        let one = |name: &str, of: u32| {
            let text = json!({"Sequence": {"id": name, "type_id": of}});
            let pieces = [piece(bos, of), Some(text), piece(eos, of)];
            pieces.into_iter().flatten().collect::<Vec<_>>()
        };
        let mut special = Map::new();
        for id in [bos, eos].into_iter().flatten() {
            let token = &self.tokens[id];
            let entry = json!({"id": token, "ids": [id], "tokens": [token]});
            special.insert(token.clone(), entry);
        }
        let pair = [one("A", 0), one("B", 1)].concat();
        Ok(json!({
            "type": "TemplateProcessing",
            "single": one("A", 0),
            "pair": pair,
            "special_tokens": special
        }))
    }

    /// `tokenizer_config.json`.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for a chat template that is no text.
    pub(super) fn tokenizer_config(&self) -> Result<Value> {
        let mut config = Map::new();
        config.insert("tokenizer_class".into(), "PreTrainedTokenizerFast".into());
        config.insert("clean_up_tokenization_spaces".into(), false.into());
        for ((name, ..), id) in NAMED.iter().zip(self.named) {
            if let Some(token) = id.and_then(|id| self.tokens.get(id)) {
                config.insert((*name).into(), token.as_str().into());
            }
        }
        if let Some(template) = self.metadata.text("tokenizer.chat_template")? {
            config.insert("chat_template".into(), template.into());
        }
        Ok(Value::Object(config))
    }

    /// `generation_config.json`: what begins, ends and pads.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for an id that no token has.
    pub(super) fn generation_config(&self) -> Result<Value> {
        let [bos, eos, _, pad] = self.named;
        let mut ends = eos.into_iter().collect::<Vec<_>>();
        for key in ["eot", "eom"] {
            ends.extend(token_id(self.metadata, key, self.tokens.len())?);
        }
        let tokens = self.tokens.iter().enumerate();
        let known =
            tokens.filter(|(id, token)| self.is(*id, CONTROL) && ENDS.contains(&token.as_str()));
        ends.extend(known.map(|(id, _)| id));
        let mut config = Map::new();
        for (name, id) in [("bos_token_id", bos), ("pad_token_id", pad)] {
            if let Some(id) = id {
                config.insert(name.into(), id.into());
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        ends.retain(|id| seen.insert(*id));
        config.insert("eos_token_id".into(), json!(ends));
        Ok(Value::Object(config))
    }

    fn wrong(&self, reason: String) -> Error {
        Error::file(self.metadata.file(), reason)
    }
}

/// The id in `tokenizer.ggml.<key>_token_id`.
fn token_id(metadata: &Metadata, key: &str, tokens: usize) -> Result<Option<usize>> {
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
