//! Makes a tiny random model from a seed, with a real tokenizer, and examples that it can learn.

use webtune::data::{Example, Label};
use webtune::device::Compute;
use webtune::formats::MemorySource;
use webtune::models::random::random_checkpoint;
use webtune::models::{BackboneConfig, Family, decoder};
use webtune::tasks::classify::model::Pretrained;

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
    files_of(&config_json(), seed)
}

/// The files of a random encoder with that config.json.
pub fn files_of(config: &serde_json::Value, seed: u64) -> Vec<MemorySource> {
    let json = config.to_string().into_bytes();
    let config = BackboneConfig::parse(&json).unwrap();
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

/// config.json of a tiny model of that family: two layers, 32 wide, ModernBERT's second one with a window of five tokens.
pub fn family_config(family: Family) -> serde_json::Value {
    match family {
        Family::Bert => config_json(),
        Family::Roberta => serde_json::json!({
            "model_type": "roberta", "vocab_size": 2000, "hidden_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 65,
            "type_vocab_size": 1, "pad_token_id": 0, "layer_norm_eps": 1e-5, "initializer_range": 0.2
        }),
        Family::Distilbert => serde_json::json!({
            "model_type": "distilbert", "vocab_size": 2000, "dim": 32, "n_layers": 2, "n_heads": 2,
            "hidden_dim": 64, "max_position_embeddings": 64, "pad_token_id": 0, "initializer_range": 0.2
        }),
        Family::Modernbert => serde_json::json!({
            "model_type": "modernbert", "vocab_size": 2000, "hidden_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "intermediate_size": 48, "max_position_embeddings": 64,
            "local_attention": 4, "global_attn_every_n_layers": 2, "pad_token_id": 0, "bos_token_id": 2,
            "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3, "classifier_pooling": "mean",
            "initializer_range": 0.2
        }),
        Family::Decoder(decoder::DecoderFamily::Gpt2) => serde_json::json!({
            "model_type": "gpt2", "vocab_size": 2000, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_inner": 64,
            "n_positions": 64, "initializer_range": 0.2, "eos_token_id": 3
        }),
        // a Llama with fewer heads for keys than for queries; the others share its layers
        Family::Decoder(decoder) => serde_json::json!({
            "model_type": decoder.model_type(), "vocab_size": 2000, "hidden_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 48,
            "max_position_embeddings": 64, "initializer_range": 0.2, "eos_token_id": 3
        }),
    }
}

/// The files of that model's folder.
pub fn family_files(family: Family) -> Vec<MemorySource> {
    let json = family_config(family).to_string().into_bytes();
    let config = BackboneConfig::parse(&json).unwrap();
    // transformers would choose another tokenizer by the model's type
    let tokenizer = serde_json::json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]",
        "model_input_names": ["input_ids", "attention_mask"]
    });
    vec![
        MemorySource::new("config.json", json),
        MemorySource::new("tokenizer.json", TOKENIZER.to_vec()),
        MemorySource::new("tokenizer_config.json", tokenizer.to_string().into_bytes()),
        MemorySource::new("model.safetensors", random_checkpoint(&config, 7).unwrap()),
    ]
}

/// That model.
pub async fn family_model(compute: &Compute, family: Family) -> Pretrained {
    Pretrained::load("tiny", family_files(family), compute.clone())
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
            Example::new(
                format!("number {index} is about the {word} again"),
                labels[class],
            )
        })
        .collect()
}

/// Texts with up to three labels, each of which follows from one of their words. A fifth of the rows has none.
pub fn several(count: usize) -> Vec<Example> {
    let words = [("river", "nature"), ("bread", "food"), ("train", "travel")];
    let mixtures: [&[usize]; 5] = [&[0], &[1, 2], &[], &[0, 2], &[1]];
    let row = |index: usize| {
        let mixture = mixtures[index % 5].iter().map(|place| words[*place]);
        let (seen, labels): (Vec<_>, Vec<_>) = mixture.unzip();
        Example::new(
            format!("number {} is about {} again", index / 5, seen.join(" and ")),
            Label::Several(labels.into_iter().map(String::from).collect()),
        )
    };
    (0..count).map(row).collect()
}
