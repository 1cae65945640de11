//! The tokenizer of a GGUF file: its metadata as a `tokenizer.json` and the settings that Transformers keeps beside one.

mod byte_level;
mod file;
mod sentencepiece;
mod vocabulary;
mod words;

use serde_json::{Map, Value, json};

use self::vocabulary::{CONTROL, Kind, NAMED, token_id};
use crate::Result;
use crate::models::family::DecoderFamily;

pub(super) use self::vocabulary::Tokens;

/// Control tokens that end a turn or a text, whatever the metadata says: llama.cpp stops at them too.
const ENDS: [&str; 6] = [
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
];

impl Tokens<'_> {
    /// The bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// [`crate::Error::InvalidFile`] where merges or scores are missing or broken.
    pub(super) fn tokenizer_json(&self, family: DecoderFamily) -> Result<Vec<u8>> {
        let around = self.around()?;
        match self.kind {
            Kind::ByteLevel(words) => byte_level::tokenizer_json(self, words, around),
            Kind::SentencePiece => {
                sentencepiece::tokenizer_json(self, family == DecoderFamily::Gemma3, around)
            }
        }
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
    /// [`crate::Error::InvalidFile`] for a chat template that is no text.
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
    /// [`crate::Error::InvalidFile`] for an id that no token has.
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
}
