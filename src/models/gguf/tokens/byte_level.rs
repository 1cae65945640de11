//! Byte-level BPE (`tokenizer.ggml.model` is `gpt2`): words and merges are in the file, and how texts are cut into words has a name.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::Tokens;
use super::file::{Bpe, File, Vocabulary};
use crate::formats::Metadata;
use crate::{Error, Result};

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How a text is cut into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    Gpt2,
    /// GPT-2's, with each digit on its own.
    Smollm,
    Llama3,
    Qwen2,
}

impl Words {
    /// By llama.cpp's name. Files from before these names, and those that say `default`, have GPT-2's words, as in Transformers.
    pub(super) fn read(metadata: &Metadata) -> Result<Self> {
        match metadata.text("tokenizer.ggml.pre")?.unwrap_or("default") {
            "gpt-2" | "default" => Ok(Self::Gpt2),
            "smollm" => Ok(Self::Smollm),
            "llama-bpe" | "llama3" | "llama-v3" => Ok(Self::Llama3),
            "qwen2" => Ok(Self::Qwen2),
            other => Err(Error::UnsupportedFile {
                file: metadata.file().into(),
                reason: format!(
                    "its tokenizer.ggml.pre is \"{other}\"; supported are gpt-2, smollm, llama-bpe, qwen2 and default"
                ),
            }),
        }
    }

    /// Whether every text begins with a token of its own, if the file does not say.
    pub(super) fn begins_texts(self) -> bool {
        self == Self::Llama3
    }

    fn pre_tokenizer(self) -> Value {
        let level = |regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex});
        let split = |regex: &str| json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
        let parts = match self {
            Self::Gpt2 => return level(true),
            Self::Smollm => [
                json!({"type": "Digits", "individual_digits": true}),
                level(true),
            ],
            Self::Llama3 => [split(LLAMA3), level(false)],
            Self::Qwen2 => [split(QWEN2), level(false)],
        };
        json!({"type": "Sequence", "pretokenizers": parts})
    }
}

pub(super) fn tokenizer_json(tokens: &Tokens<'_>, words: Words, around: Value) -> Result<Vec<u8>> {
    let merges = tokens.metadata.texts("tokenizer.ggml.merges")?;
    let merges = merges.ok_or_else(|| tokens.wrong("tokenizer.ggml.merges is missing".into()))?;
    let pair = |merge: &'_ String| {
        // a space at the start is a word's own
        let at = merge
            .char_indices()
            .skip(1)
            .find(|(_, letter)| *letter == ' ');
        at.map(|(at, _)| (0..at, at + 1..merge.len()))
    };
    let mut pairs = Vec::with_capacity(merges.len());
    for (index, merge) in merges.iter().enumerate() {
        let Some((left, right)) = pair(merge) else {
            return Err(tokens.wrong(format!(
                "tokenizer.ggml.merges: number {index} is \"{merge}\", expected two words with a space between them"
            )));
        };
        pairs.push((&merge[left], &merge[right]));
    }
    let vocab = Vocabulary(
        tokens
            .tokens
            .iter()
            .map(|token| Cow::from(token.as_str()))
            .collect(),
    );
    let model = Bpe {
        kind: "BPE",
        dropout: (),
        unk_token: None,
        continuing_subword_prefix: (),
        end_of_word_suffix: (),
        fuse_unk: false,
        byte_fallback: false,
        // Llama 3's words that are in the vocabulary are taken whole
        ignore_merges: words == Words::Llama3,
        vocab: &vocab,
        merges: pairs,
    };
    let normalizer = match words {
        // as the model's own tokenizer.json has it; llama.cpp leaves it out
        Words::Qwen2 => json!({"type": "NFC"}),
        _ => Value::Null,
    };
    let decoder = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
    let parts = [normalizer, words.pre_tokenizer(), around, decoder];
    File::new(tokens.added(), parts, model).bytes()
}
