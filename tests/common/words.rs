//! Tiny language models whose tokenizer knows some words, so that a test can say which ids its texts have.

use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::formats::MemorySource;
use webtune::layers::Storage;
use webtune::models::DecoderConfig;
use webtune::models::random::random_language_model;
use webtune::tasks::language::model::LanguageModel;

/// The words in the order of their ids; the first is one that texts have.
pub const WORDS: [&str; 12] = [
    "!", "<unk>", "<s>", "</s>", "the", "card", "was", "charged", "twice", "great", "user", "ends",
];

/// tokenizer.json of these words and of more tokens behind them.
pub fn tokenizer(added: &[&str]) -> Value {
    let added = (WORDS.len()..).zip(added).map(|(id, content)| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true})
    });
    let words = WORDS
        .iter()
        .zip(0..)
        .map(|(word, id)| ((*word).to_string(), json!(id)));
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": words.collect::<serde_json::Map<_, _>>()}
    })
}

/// config.json of a model with a row for each of these words.
pub fn config(family: &str) -> Value {
    match family {
        "gpt2" => {
            json!({"model_type": "gpt2", "vocab_size": WORDS.len(), "n_embd": 8, "n_head": 2, "n_layer": 1,
            "n_positions": 32, "initializer_range": 0.3})
        }
        family => {
            json!({"model_type": family, "vocab_size": WORDS.len(), "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4, "intermediate_size": 16,
            "max_position_embeddings": 32, "initializer_range": 0.3, "eos_token_id": 3})
        }
    }
}

/// The files of that model's folder.
pub fn files(config: &Value, tokenizer: &Value) -> Vec<MemorySource> {
    let config = config.to_string().into_bytes();
    let parsed = DecoderConfig::parse(&config).unwrap();
    vec![
        MemorySource::new("config.json", config),
        MemorySource::new("tokenizer.json", tokenizer.to_string().into_bytes()),
        MemorySource::new(
            "model.safetensors",
            random_language_model(&parsed, 3).unwrap(),
        ),
    ]
}

/// The model of these files.
pub fn language(files: Vec<MemorySource>) -> webtune::Result<LanguageModel> {
    block_on(LanguageModel::load(
        "m",
        files,
        Compute::cpu(),
        Storage::F32,
    ))
}
