//! Byte-level BPE (`tokenizer.ggml.model` is `gpt2`): words and merges are in the file.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::file::{Bpe, File, Vocabulary};
use super::vocabulary::Tokens;
use super::words::Words;
use crate::Result;

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
