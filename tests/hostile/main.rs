//! Hostile inputs of every kind that the engine reads: none may panic, take a second, or more memory than 64 MiB and twenty times its own size.
//!
//! `WEBTUNE_FUZZ_INPUTS` sets how many of each kind are tried, `WEBTUNE_SEED` which, `WEBTUNE_FUZZ_FROM` the first one's number;
//! `cargo test --test hostile -- --nocapture` prints how many, how many of them were not refused,
//! seconds, the slowest one, and findings. `fuzz/` has a target for each kind.

#![cfg(not(target_arch = "wasm32"))]

mod entries;
mod found;
mod good;
mod good_gguf;
mod mutate;
mod watch;

use entries::{files, options, runs, text};
use watch::inputs;
use webtune::rng::Rng;

/// One of the good ones, changed.
fn changed(good: Vec<serde_json::Value>) -> impl Fn(&mut Rng) -> Vec<u8> {
    move |rng| {
        let which = rng.below(good.len());
        mutate::json(rng, &good[which])
    }
}

fn cut(good: &'static [&'static str]) -> impl Fn(&mut Rng) -> Vec<u8> {
    let good = good.iter().map(|text| text.as_bytes()).collect::<Vec<_>>();
    move |rng| mutate::bytes(rng, &good)
}

/// Otherwise hostile ones would only show how they are refused.
#[test]
fn good_inputs_are_read() {
    let json = |name: &str, entry: fn(&[u8]) -> bool, good: Vec<serde_json::Value>| {
        for json in good {
            assert!(entry(json.to_string().as_bytes()), "{name}: {json}");
        }
    };
    json("config", files::config, good::configs());
    json("tokenizer", text::tokenizer, good::tokenizers());
    json(
        "tokenizer_config",
        text::tokenizer_config,
        good::tokenizer_configs(),
    );
    json("index", files::index, good::indexes());
    json(
        "classify_options",
        options::classify,
        good::classify_options(),
    );
    json(
        "language_options",
        options::language,
        good::language_options(),
    );
    json("method", options::method, good::methods());
    json(
        "generation_options",
        options::generation,
        good::generation_options(),
    );
    for (entry, good) in [
        (text::template as fn(&[u8]) -> bool, good::TEMPLATES),
        (files::rows, good::ROWS),
        (options::pattern, good::PATTERNS),
    ] {
        for text in good {
            assert!(entry(text.as_bytes()), "{text}");
        }
    }
    assert!(files::safetensors(&good::safetensors()));
    for file in good_gguf::ggufs() {
        assert!(files::gguf(&good_gguf::encode(&file)), "{file}");
    }
    for (index, left) in runs::left().iter().enumerate() {
        let bytes = &left.files[0].bytes;
        assert!(
            runs::adapter(&[&[index as u8, 0], &bytes[..]].concat()),
            "{index}"
        );
        let bytes = &left.checkpoint;
        assert!(
            runs::checkpoint(&[&[index as u8], &bytes[..]].concat()),
            "{index}"
        );
    }
}

#[test]
fn configurations() {
    inputs("config", 2000, files::config, changed(good::configs()));
}

#[test]
fn tokenizers() {
    inputs(
        "tokenizer",
        2000,
        text::tokenizer,
        changed(good::tokenizers()),
    );
}

#[test]
fn chat_templates() {
    inputs("template", 2000, text::template, cut(good::TEMPLATES));
}

#[test]
fn tokenizer_configurations() {
    let good = changed(good::tokenizer_configs());
    inputs("tokenizer_config", 2000, text::tokenizer_config, good);
}

#[test]
fn indexes_of_shards() {
    inputs("index", 3000, files::index, changed(good::indexes()));
}

#[test]
fn safetensors() {
    let good = good::safetensors();
    inputs("safetensors", 3000, files::safetensors, |rng| {
        mutate::safetensors(rng, &good)
    });
}

#[test]
fn ggufs() {
    let good = good_gguf::ggufs();
    inputs("gguf", 2000, files::gguf, |rng| {
        let which = rng.below(good.len());
        mutate::gguf(rng, &good[which], good_gguf::encode)
    });
}

#[test]
fn rows() {
    inputs("rows", 2000, files::rows, cut(good::ROWS));
}

#[test]
fn options_of_classifiers() {
    let good = changed(good::classify_options());
    inputs("classify_options", 2000, options::classify, good);
}

#[test]
fn options_of_language_models() {
    let good = changed(good::language_options());
    inputs("language_options", 2000, options::language, good);
}

#[test]
fn methods() {
    inputs("method", 2000, options::method, changed(good::methods()));
}

#[test]
fn patterns() {
    inputs("pattern", 1000, options::pattern, cut(good::PATTERNS));
}

#[test]
fn options_of_writing() {
    let good = changed(good::generation_options());
    inputs("generation_options", 1000, options::generation, good);
}

#[test]
fn adapters() {
    let left = runs::left();
    inputs("adapter", 1000, runs::adapter, |rng| {
        let adapter = rng.below(left.len());
        let files = &left[adapter].files;
        let file = rng.below(files.len());
        let good = &files[file];
        let changed = match serde_json::from_slice(&good.bytes) {
            Ok(json) => mutate::json(rng, &json),
            Err(_) if good.path.ends_with(".safetensors") => mutate::safetensors(rng, &good.bytes),
            Err(_) => mutate::bytes(rng, &[&good.bytes]),
        };
        [vec![adapter as u8, file as u8], changed].concat()
    });
}

#[test]
fn checkpoints() {
    let left = runs::left();
    inputs("checkpoint", 500, runs::checkpoint, |rng| {
        let which = rng.below(left.len());
        let good = &left[which].checkpoint;
        [vec![which as u8], mutate::bytes(rng, &[good])].concat()
    });
}
