//! Enters: a seed. Leaves: a tiny random model with a real tokenizer, and examples it can learn.

use webtune::data::Example;
use webtune::device::Compute;
use webtune::formats::MemorySource;
use webtune::models::EncoderConfig;
use webtune::models::random::random_checkpoint;
use webtune::pretrained::Pretrained;

const TOKENIZER: &[u8] = include_bytes!("../fixtures/tokenizer_wordpiece/tokenizer.json");

/// config.json of the tiny model.
pub fn config_json() -> serde_json::Value {
    serde_json::json!({
        "model_type": "bert", "vocab_size": 2000, "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 64,
        "initializer_range": 0.2
    })
}

/// The files of the tiny model's folder.
pub fn files(seed: u64) -> Vec<MemorySource> {
    let json = config_json().to_string().into_bytes();
    let config = EncoderConfig::parse(&json).unwrap();
    vec![
        MemorySource::new("config.json", json),
        MemorySource::new("tokenizer.json", TOKENIZER.to_vec()),
        MemorySource::new(
            "model.safetensors",
            random_checkpoint(&config, seed).unwrap(),
        ),
    ]
}

/// The tiny model.
pub async fn model(compute: &Compute) -> Pretrained {
    Pretrained::load("tiny", files(7), compute.clone())
        .await
        .unwrap()
}

/// Texts whose label follows from one of their words.
pub fn examples(count: usize) -> Vec<Example> {
    let words = [
        ["river", "water", "boat"],
        ["bread", "kitchen", "oven"],
        ["train", "ticket", "station"],
    ];
    let labels = ["nature", "food", "travel"];
    (0..count)
        .map(|index| {
            let class = index % 3;
            let word = words[class][(index / 3) % 3];
            Example {
                text: format!("number {index} is about the {word} again"),
                label: labels[class].into(),
            }
        })
        .collect()
}
