//! Tokens that a model's table has no row for, and the token that pads its rows.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::words::{WORDS, config, files, language, tokenizer};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::data::{Example, ParsedText, TextOptions, parse_text_rows};
use webtune::device::Compute;
use webtune::export::{files as exported, own_format};
use webtune::formats::MemorySource;
use webtune::models::{BackboneConfig, DecoderConfig};
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::{Tuned, Which};
use webtune::tasks::classify::{ClassifyRun, ClassifyTask, UserOptions};
use webtune::tasks::language::model::{LanguageModel, Prompt};
use webtune::tasks::language::score::score;
use webtune::tasks::language::tuned::next_logits;
use webtune::tasks::language::{LanguageOptions, LanguageTask};

fn classifier(files: Vec<MemorySource>) -> webtune::Result<Pretrained> {
    block_on(Pretrained::load("m", files, Compute::cpu()))
}

fn with(mut files: Vec<MemorySource>, path: &str, json: &Value) -> Vec<MemorySource> {
    files.retain(|file| file.path != path);
    files.push(MemorySource::new(path, json.to_string().into_bytes()));
    files
}

fn rows(text: &str) -> Vec<ParsedText> {
    let lines = [text, "the card was great"].map(|text| json!({"text": text}).to_string());
    parse_text_rows(
        "rows.jsonl",
        lines.join("\n").as_bytes(),
        &TextOptions::default(),
    )
    .unwrap()
    .rows
}

fn logits(model: &LanguageModel, text: &str) -> webtune::Result<Vec<f32>> {
    let prompt = Prompt::Text(text.into());
    block_on(next_logits(model, &model.model, &prompt))
}

/// Examples of two labels, and one text that may be anything.
fn examples(text: &str) -> Vec<Example> {
    let texts = [
        "the card",
        "great !",
        "the card was charged",
        "great",
        "charged twice",
        "great great",
    ];
    let labelled = texts.iter().chain([&text]).zip(["a", "b"].iter().cycle());
    let labelled = labelled.map(|(text, label)| Example::new(*text, *label));
    labelled.collect()
}

fn tuned(model: &Pretrained) -> Tuned {
    let options = json!({"head": "cls", "numTrainEpochs": 1, "method": {"type": "full"}, "learningRate": 1e-3});
    let task = ClassifyTask::new(
        model,
        &examples("was great"),
        UserOptions::parse(options).unwrap(),
    );
    let mut session = ClassifyRun::new(task.unwrap());
    block_on(async { while session.next_event().await.unwrap().is_some() {} });
    session.take_tuned().unwrap()
}

#[test]
fn tokens_beyond_the_table_are_fine_while_no_text_holds_them() {
    for family in ["gemma3_text", "llama", "qwen2", "gpt2"] {
        let plain = language(files(&config(family), &tokenizer(&[]))).unwrap();
        let more = tokenizer(&["<image>", "<audio>"]);
        let model = language(files(&config(family), &more)).unwrap();
        let found = logits(&model, "the card was charged").unwrap();
        assert_eq!(
            found,
            logits(&plain, "the card was charged").unwrap(),
            "{family}"
        );
        let error = logits(&model, "the <audio> card").unwrap_err();
        assert_eq!(error.code(), "invalidData");
        for word in ["<audio>", "13", "12 rows"] {
            assert!(error.to_string().contains(word), "{family}: {error}");
        }
    }
}

#[test]
fn the_row_that_holds_such_a_token_is_named() {
    let model = language(files(&config("llama"), &tokenizer(&["<image>"]))).unwrap();
    let options =
        || LanguageOptions::parse(json!({"method": {"type": "lora"}, "maxLength": 16})).unwrap();
    let bad = rows("the <image> card");
    let run = LanguageTask::new(&model, "rows.jsonl", &bad, options())
        .err()
        .unwrap();
    let judged = block_on(score(&model, &model.model, "rows.jsonl", &bad, &options())).unwrap_err();
    for error in [run, judged] {
        assert!(
            error.to_string().starts_with("rows.jsonl, row 1: "),
            "{error}"
        );
        assert!(error.to_string().contains("<image>"), "{error}");
    }
    assert!(LanguageTask::new(&model, "rows.jsonl", &rows("the card"), options()).is_ok());

    let model = classifier(files(&config("llama"), &tokenizer(&["<image>"]))).unwrap();
    let options = json!({"head": "mean", "numTrainEpochs": 1, "method": {"type": "lora"}});
    let options = UserOptions::parse(options).unwrap();
    let error = ClassifyTask::new(&model, &examples("the <image>"), options);
    let error = error.err().unwrap();
    assert_eq!(error.code(), "invalidData");
    let error = error.to_string();
    assert!(
        error.starts_with("examples, row 7: ") && error.contains("<image>"),
        "{error}"
    );
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let mut small = config("llama");
    small["vocab_size"] = json!(8);
    let mut every = tokenizer(&["<start>"]);
    every["post_processor"] = json!({"type": "TemplateProcessing", "pair": [],
        "single": [{"SpecialToken": {"id": "<start>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {"<start>": {"id": "<start>", "ids": [12], "tokens": ["<start>"]}}});
    for files in [
        files(&small, &tokenizer(&[])),
        files(&config("llama"), &every),
    ] {
        let error = language(files).unwrap_err();
        assert_eq!(error.code(), "tokenizerMismatch", "{error}");
    }
}

#[test]
fn a_padding_token_beyond_the_table_is_replaced() {
    let mut named = config("llama");
    named["pad_token_id"] = json!(12);
    let own = json!({"pad_token": "[PAD]"});
    for (config, settings) in [
        (config("llama"), &own),
        (named, &own),
        (config("llama"), &json!({})),
    ] {
        let files = with(
            files(&config, &tokenizer(&["[PAD]"])),
            "tokenizer_config.json",
            settings,
        );
        let model = language(files.clone()).unwrap();
        assert!((model.tokenizer.pad_id() as usize) < WORDS.len());
        let model = classifier(files).unwrap();
        // the end of a text, as for models without a padding token
        assert_eq!(model.tokenizer.pad_token(), Some(3));
        let tuned = tuned(&model);
        let export = whole(&model, &tuned);
        assert_eq!(export["config.json"]["pad_token_id"], 3);
        assert_eq!(export["tokenizer_config.json"]["pad_token"], "</s>");
    }
}

/// The JSON files of an export of all weights.
fn whole(model: &Pretrained, tuned: &Tuned) -> Value {
    let format = own_format(model, tuned).unwrap();
    let files = block_on(exported(model, tuned, format)).unwrap();
    let json = files
        .into_iter()
        .filter(|file| file.path.ends_with(".json"));
    json.map(|file| (file.path, serde_json::from_slice(&file.bytes).unwrap()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// GPT-2's own token that ends texts is its last of 50257, and the words here are fewer.
#[test]
fn padding_is_no_word_of_a_text() {
    let ended = tokenizer(&["<|endoftext|>"]);
    let mut larger = config("gpt2");
    larger["vocab_size"] = json!(WORDS.len() + 1);
    let mut null = config("llama");
    null["eos_token_id"] = Value::Null;
    for (config, tokenizer, pad) in [
        (config("gpt2"), tokenizer(&[]), None),
        (larger, ended, Some(12)),
        (null, tokenizer(&[]), None),
    ] {
        let model = classifier(files(&config, &tokenizer)).unwrap();
        assert_eq!(model.tokenizer.pad_token(), pad);
        let tuned = tuned(&model);
        let texts = ["great", "great !"].map(String::from);
        let found = block_on(tuned.predict(&model, &texts, Which::Tuned)).unwrap();
        assert_ne!(found[0].logits, found[1].logits);
        // and a text is alone what it is beside a longer one
        let alone = block_on(tuned.predict(&model, &texts[..1], Which::Tuned)).unwrap();
        for (one, other) in alone[0].logits.iter().zip(&found[0].logits) {
            assert!((one - other).abs() < 1e-6);
        }
        let export = whole(&model, &tuned);
        assert_eq!(export["config.json"]["pad_token_id"], json!(pad));
    }
}

#[test]
fn fields_that_are_left_out_are_the_familys_own() {
    let read = |config: Value| DecoderConfig::parse(config.to_string().as_bytes()).unwrap();
    for (family, ends, pad, positions) in [
        ("gpt2", vec![50256], None, 1024),
        ("llama", vec![2], None, 2048),
        ("qwen2", vec![], None, 32768),
        ("qwen3", vec![], None, 32768),
        ("gemma3_text", vec![1], Some(0), 131_072),
    ] {
        let config = read(json!({"model_type": family}));
        assert_eq!(config.eos_token_ids, ends, "{family}");
        assert_eq!(config.pad_token_id, pad, "{family}");
        assert_eq!(config.max_position_embeddings, positions, "{family}");
        let none = json!({"model_type": family, "eos_token_id": null, "pad_token_id": null});
        let none = read(none);
        assert_eq!(
            (none.eos_token_ids, none.pad_token_id),
            (vec![], None),
            "{family}"
        );
    }
    let heads = |more: Value| {
        let mut config =
            json!({"hidden_size": 128, "num_attention_heads": 64, "num_hidden_layers": 1});
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        let found = read(config);
        (found.num_key_value_heads, found.head_dim)
    };
    assert_eq!(heads(json!({"model_type": "llama"})), (64, 2));
    assert_eq!(heads(json!({"model_type": "qwen2"})), (32, 2));
    assert_eq!(heads(json!({"model_type": "qwen3"})), (32, 128));
    assert_eq!(
        heads(json!({"model_type": "qwen3", "num_key_value_heads": null})),
        (64, 128)
    );
    assert_eq!(heads(json!({"model_type": "gemma3_text"})), (4, 256));
    for (family, words, positions) in [
        ("bert", 30522, 512),
        ("roberta", 50265, 510),
        ("distilbert", 30522, 512),
        ("modernbert", 50368, 8192),
    ] {
        let config = json!({"model_type": family}).to_string();
        let config = BackboneConfig::parse(config.as_bytes()).unwrap();
        assert_eq!(
            (config.vocab_size, config.max_tokens),
            (words, positions),
            "{family}"
        );
        assert_eq!(config.hidden_size, 768);
    }
}

#[test]
fn gpt2_without_an_end_learns_the_familys_own() {
    let mut config = config("gpt2");
    config["vocab_size"] = json!(50257);
    let model = language(files(&config, &tokenizer(&[]))).unwrap();
    assert_eq!((model.eos_id, model.ends), (Some(50256), vec![50256]));
}
