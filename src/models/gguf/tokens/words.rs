//! How a text is cut into words before byte-level BPE joins their bytes: llama.cpp has names for it, `tokenizer.ggml.pre`.

use serde_json::{Value, json};

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

    pub(super) fn pre_tokenizer(self) -> Value {
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
