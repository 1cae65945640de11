//! Makes a tiny random language model from a seed, with a real tokenizer, and texts that it can learn.

use serde_json::{Value, json};
use webtune::data::{ParsedText, TextOptions, parse_text_rows};
use webtune::device::Compute;
use webtune::formats::MemorySource;
use webtune::layers::Storage;
use webtune::models::DecoderConfig;
use webtune::models::random::random_language_model;
use webtune::tasks::language::model::LanguageModel;
use webtune::tasks::language::tuned::TunedLanguage;
use webtune::tasks::language::{LanguageEvent, LanguageOptions, LanguageRun, LanguageTask};

const TOKENIZER: &[u8] = include_bytes!("../fixtures/tokenizer_bpe/tokenizer.json");

/// config.json of the tiny model.
pub fn config_json() -> Value {
    json!({
        "model_type": "llama", "vocab_size": 704, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 64, "max_position_embeddings": 256, "initializer_range": 0.3,
        "tie_word_embeddings": true, "bos_token_id": 0, "eos_token_id": 2
    })
}

/// The files of the tiny model's folder.
pub fn files(config: &Value, seed: u64) -> Vec<MemorySource> {
    let json = config.to_string().into_bytes();
    let parsed = DecoderConfig::parse(&json).unwrap();
    let weights = random_language_model(&parsed, seed).unwrap();
    vec![
        MemorySource::new("config.json", json),
        MemorySource::new("tokenizer.json", TOKENIZER.to_vec()),
        MemorySource::new("model.safetensors", weights),
    ]
}

/// The tiny model.
pub async fn model(compute: &Compute, storage: Storage) -> LanguageModel {
    let files = files(&config_json(), 5);
    LanguageModel::load("tiny", files, compute.clone(), storage)
        .await
        .unwrap()
}

/// Questions whose answers follow from one of their words.
pub fn rows(count: usize) -> Vec<ParsedText> {
    let pairs = [
        ("cat", "meow"),
        ("dog", "woof"),
        ("cow", "moo"),
        ("duck", "quack"),
    ];
    let lines = (0..count).map(|index| {
        let (animal, sound) = pairs[index % pairs.len()];
        let user = format!("{index}: what does the {animal} say?");
        json!({"messages": [
            {"role": "user", "content": user},
            {"role": "assistant", "content": format!("The {animal} says {sound}.")}
        ]})
        .to_string()
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let found = parse_text_rows("rows.jsonl", text.as_bytes(), &TextOptions::default());
    found.unwrap().rows
}

/// A run to its end; all events and what was found.
pub async fn run(
    model: &LanguageModel,
    rows: &[ParsedText],
    options: Value,
) -> (Vec<LanguageEvent>, TunedLanguage) {
    let options = LanguageOptions::parse(options).unwrap();
    let task = LanguageTask::new(model, "rows.jsonl", rows, options).unwrap();
    let mut session = LanguageRun::new(task);
    let mut events = Vec::new();
    while let Some(event) = session.next_event().await.unwrap() {
        events.push(event);
    }
    (events, session.take_tuned().unwrap())
}

/// The losses of all steps.
pub fn losses(events: &[LanguageEvent]) -> Vec<f32> {
    let steps = events.iter().filter_map(|event| match event {
        LanguageEvent::Step { loss, .. } => Some(*loss),
        _ => None,
    });
    steps.collect()
}
