//! A tokenizer.json made of the vocabulary files of older folders, with the parts that transformers gives to the tokenizer's class.

use serde_json::{Map, Value, json};

use crate::json::check_values;
use crate::{Error, Result};

/// More words and merges than any vocabulary of these kinds has.
const MOST_WORDS: usize = 1_000_000;

/// Qwen2's words before they are cut into pieces, from transformers' `tokenization_qwen2.py`.
const QWEN2_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The files that such a tokenizer is made of.
#[derive(Debug, Default)]
pub struct VocabularyFiles {
    /// `vocab.json`
    pub vocab: Option<Vec<u8>>,
    /// `merges.txt`
    pub merges: Option<Vec<u8>>,
    /// `vocab.txt`
    pub words: Option<Vec<u8>>,
}

/// What a class of transformers makes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Gpt2,
    Roberta,
    Qwen2,
    Bert,
}

impl Class {
    fn of_name(name: &str) -> Option<Self> {
        match name.trim_end_matches("Fast").trim_end_matches("Tokenizer") {
            "GPT2" => Some(Self::Gpt2),
            "Roberta" | "Bart" | "Longformer" => Some(Self::Roberta),
            "Qwen2" => Some(Self::Qwen2),
            "Bert" | "DistilBert" | "Electra" | "MobileBert" => Some(Self::Bert),
            _ => None,
        }
    }

    fn of_model(model_type: &str) -> Option<Self> {
        match model_type {
            "roberta" => Some(Self::Roberta),
            "qwen2" | "qwen3" => Some(Self::Qwen2),
            "bert" | "distilbert" => Some(Self::Bert),
            "gpt2" => Some(Self::Gpt2),
            _ => None,
        }
    }

    /// The special tokens of a folder whose settings name none.
    fn tokens(self) -> &'static [(&'static str, &'static str)] {
        const END: &str = "<|endoftext|>";
        match self {
            Self::Gpt2 => &[("unk_token", END), ("bos_token", END), ("eos_token", END)],
            Self::Qwen2 => &[("unk_token", END), ("eos_token", END), ("pad_token", END)],
            Self::Roberta => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("sep_token", "</s>"),
                ("cls_token", "<s>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
            Self::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
        }
    }
}

/// The bytes of a tokenizer.json. `settings`: of `tokenizer_config.json`, with those of `special_tokens_map.json` below them; `model_type`: of
/// config.json, for a folder that names no class. `None` if the files are none that a tokenizer can be made of.
///
/// # Errors
/// [`Error::InvalidFile`] for broken files, and for a class of tokenizers that is not known.
pub fn tokenizer_json(
    files: &VocabularyFiles,
    settings: &Map<String, Value>,
    model_type: &str,
) -> Result<Option<Vec<u8>>> {
    let named = settings.get("tokenizer_class").and_then(Value::as_str);
    // a class that says nothing of the vocabulary's kind
    let named =
        named.filter(|name| !name.starts_with("PreTrained") && *name != "TokenizersBackend");
    let class = match named {
        Some(name) => Class::of_name(name),
        None => Class::of_model(model_type),
    };
    let pieces = files.vocab.as_ref().zip(files.merges.as_ref());
    let class = match (class, &files.words, pieces) {
        (_, None, None) => return Ok(None),
        (Some(Class::Bert), Some(_), _)
        | (Some(Class::Gpt2 | Class::Roberta | Class::Qwen2), _, Some(_)) => class,
        (None, Some(_), None) if named.is_none() => Some(Class::Bert),
        (None, None, Some(_)) if named.is_none() => Some(Class::Gpt2),
        _ => None,
    };
    let Some(class) = class else {
        let name = named.unwrap_or(model_type);
        let reason = format!(
            "it is missing, and a tokenizer of {name} cannot be made of the vocabulary files here; AutoTokenizer.from_pretrained(folder)\
             .save_pretrained(folder) of transformers writes one"
        );
        return Err(Error::file("tokenizer.json", reason));
    };
    let mut built = match (class, &files.words, pieces) {
        (Class::Bert, Some(words), _) => bert(words, settings)?,
        (_, _, Some((vocab, merges))) => bpe(class, vocab, merges, settings)?,
        _ => return Ok(None),
    };
    let added = added_tokens(class, settings, &built["model"]["vocab"]);
    let id = |token: &str| {
        let added = added.iter().find(|entry| entry["content"] == token);
        added.map(|entry| entry["id"].clone())
    };
    built["post_processor"] = around(class, settings, id)?;
    built["added_tokens"] = added.into();
    let bytes = serde_json::to_vec(&built);
    bytes
        .map(Some)
        .map_err(|error| Error::internal(format!("tokenizer.json: {error}")))
}

/// A token's text, however the settings write it.
fn token(settings: &Map<String, Value>, class: Class, name: &str) -> Option<String> {
    let text = |value: &Value| {
        let text = value.as_str().or_else(|| value["content"].as_str());
        text.map(String::from)
    };
    match settings.get(name) {
        Some(value) => text(value),
        None => {
            let own = class.tokens().iter().find(|(own, _)| *own == name);
            own.map(|(_, text)| (*text).into())
        }
    }
}

fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Error::file(
            file,
            format!("expected UTF-8, but the byte at offset {at} is not"),
        )
    })
}

fn switch(settings: &Map<String, Value>, name: &str, default: bool) -> bool {
    settings
        .get(name)
        .and_then(Value::as_bool)
        .unwrap_or(default)
}

/// WordPiece over one word a line.
fn bert(words: &[u8], settings: &Map<String, Value>) -> Result<Value> {
    let lines = text("vocab.txt", words)?.lines();
    let vocab = lines
        .zip(0..)
        .map(|(word, id)| (word.to_string(), json!(id)));
    let vocab = vocab.take(MOST_WORDS).collect::<Map<_, _>>();
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true,
            "handle_chinese_chars": switch(settings, "tokenize_chinese_chars", true),
            "strip_accents": settings.get("strip_accents").and_then(Value::as_bool),
            "lowercase": switch(settings, "do_lower_case", true)
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece", "unk_token": token(settings, Class::Bert, "unk_token"), "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab
        }
    }))
}

/// Byte-level BPE over a vocabulary and its merges.
fn bpe(class: Class, vocab: &[u8], merges: &[u8], settings: &Map<String, Value>) -> Result<Value> {
    let invalid = |reason: String| Error::file("vocab.json", reason);
    check_values(vocab, MOST_WORDS).map_err(invalid)?;
    let vocab: Map<String, Value> =
        serde_json::from_slice(vocab).map_err(|error| invalid(error.to_string()))?;
    let lines = text("merges.txt", merges)?.lines();
    let merges = lines.filter(|line| !line.is_empty() && !line.starts_with("#version"));
    let merges = merges.take(MOST_WORDS).collect::<Vec<_>>();
    let space = switch(settings, "add_prefix_space", false);
    let level = |regex: bool| json!({"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": true, "use_regex": regex});
    let (normalizer, pre_tokenizer) = match class {
        Class::Qwen2 => (
            json!({"type": "NFC"}),
            json!({"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": QWEN2_WORDS}, "behavior": "Isolated", "invert": false},
                level(false)
            ]}),
        ),
        _ => (Value::Null, level(true)),
    };
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": merges
        }
    }))
}

/// The special tokens, and those that were added later, by their ids; a token that is in no vocabulary gets the next one.
fn added_tokens(class: Class, settings: &Map<String, Value>, vocab: &Value) -> Vec<Value> {
    let mut added = Vec::<Value>::new();
    let entry = |id: u64, token: &Value, content: &str, special: bool| {
        let flag = |name: &str| token[name] == true;
        json!({"id": id, "content": content, "single_word": flag("single_word"), "lstrip": flag("lstrip"), "rstrip": flag("rstrip"),
            "normalized": !special && token["normalized"] != false, "special": special})
    };
    let listed = settings
        .get("added_tokens_decoder")
        .and_then(Value::as_object);
    for (id, token) in listed.into_iter().flatten() {
        if let (Ok(id), Some(content)) = (id.parse(), token["content"].as_str()) {
            added.push(entry(id, token, content, token["special"] == true));
        }
    }
    let names =
        ["bos", "eos", "unk", "sep", "pad", "cls", "mask"].map(|name| format!("{name}_token"));
    let named = names.iter().filter_map(|name| token(settings, class, name));
    let more = settings
        .get("additional_special_tokens")
        .and_then(Value::as_array);
    let more = more.into_iter().flatten().filter_map(|token| {
        let text = token.as_str().or_else(|| token["content"].as_str());
        text.map(String::from)
    });
    let largest = vocab
        .as_object()
        .into_iter()
        .flat_map(|vocab| vocab.values());
    let mut next = largest
        .filter_map(Value::as_u64)
        .max()
        .map_or(0, |id| id.saturating_add(1));
    next = added
        .iter()
        .filter_map(|token| token["id"].as_u64())
        .fold(next, |next, id| next.max(id.saturating_add(1)));
    for content in named.chain(more) {
        if added.iter().any(|token| token["content"] == *content) {
            continue;
        }
        let id = vocab[&content].as_u64().unwrap_or(next);
        next = next.max(id.saturating_add(1));
        added.push(entry(id, &Value::Null, &content, true));
    }
    added.sort_by_key(|token| token["id"].as_u64());
    added
}

/// What stands around every text. `id`: of a special token.
///
/// # Errors
/// [`Error::InvalidFile`] for settings that take away a token that must be there.
fn around(
    class: Class,
    settings: &Map<String, Value>,
    id: impl Fn(&str) -> Option<Value>,
) -> Result<Value> {
    let named = |name: &str| {
        let found = token(settings, class, name).and_then(|text| Some((id(&text)?, text)));
        found.ok_or_else(|| {
            Error::file(
                "tokenizer_config.json",
                format!("{name}: expected a token, found none"),
            )
        })
    };
    let template = |before: &(Value, String), after: Option<&(Value, String)>| {
        let special =
            |(_, text): &(Value, String)| json!({"SpecialToken": {"id": text, "type_id": 0}});
        let one = |(id, text): &(Value, String)| {
            (
                text.clone(),
                json!({"id": text, "ids": [id], "tokens": [text]}),
            )
        };
        let single = [
            special(before),
            json!({"Sequence": {"id": "A", "type_id": 0}}),
        ];
        let single = single
            .into_iter()
            .chain(after.map(special))
            .collect::<Vec<_>>();
        let second = [json!({"Sequence": {"id": "B", "type_id": 1}})];
        let ends = after.map(|(_, text)| json!({"SpecialToken": {"id": text, "type_id": 1}}));
        let pair = single
            .iter()
            .cloned()
            .chain(second)
            .chain(ends)
            .collect::<Vec<_>>();
        let tokens = [one(before)]
            .into_iter()
            .chain(after.map(one))
            .collect::<Map<_, _>>();
        json!({"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens})
    };
    Ok(match class {
        Class::Bert => template(&named("cls_token")?, Some(&named("sep_token")?)),
        Class::Roberta => {
            let [(sep_id, sep), (cls_id, cls)] = [named("sep_token")?, named("cls_token")?];
            json!({"type": "RobertaProcessing", "sep": [sep, sep_id], "cls": [cls, cls_id],
                "trim_offsets": switch(settings, "trim_offsets", true), "add_prefix_space": switch(settings, "add_prefix_space", false)})
        }
        Class::Gpt2 | Class::Qwen2 if switch(settings, "add_bos_token", false) => {
            template(&named("bos_token")?, None)
        }
        Class::Gpt2 | Class::Qwen2 => Value::Null,
    })
}
