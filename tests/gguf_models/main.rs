//! GGUF files as base models, against what Transformers, gguf and sentencepiece say of the same files (tests/fixtures/generate_gguf.py), and
//! files that are refused.

#![cfg(not(target_arch = "wasm32"))]

mod blocks;
#[path = "../common/mod.rs"]
mod common;
mod lora;
mod refused;

use common::golden::Golden;
use common::tiny_language::{rows, run};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::{Compute, read};
use webtune::export::{Format, files as exported};
use webtune::formats::gguf::{Kind, Value as Entry};
use webtune::formats::{Checkpoint, GgufHead, GgufTensors, MemorySource, Undo};
use webtune::layers::Storage;
use webtune::models::decoder::Layout;
use webtune::models::{CausalBatch, DecoderConfig, GgufModel};
use webtune::tasks::language::model::LanguageModel;
use webtune::text::Message;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/gguf_models");
const CASES: [&str; 7] = [
    "llama", "smollm", "llama3", "qwen2", "qwen3", "gemma3", "gpt2",
];

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(format!("{FOLDER}/{name}")).unwrap()
}

fn cases() -> Value {
    serde_json::from_slice(&bytes("cases.json")).unwrap()
}

fn source(name: &str) -> MemorySource {
    MemorySource::new(format!("{name}.gguf"), bytes(&format!("{name}.gguf")))
}

fn load(files: Vec<MemorySource>, storage: Storage) -> webtune::Result<LanguageModel> {
    block_on(LanguageModel::load("", files, Compute::cpu(), storage))
}

fn model(name: &str) -> LanguageModel {
    load(vec![source(name)], Storage::F32).unwrap()
}

/// Logits of every position.
fn logits(model: &LanguageModel, ids: &[i64]) -> Vec<f32> {
    let ids = ids.iter().map(|id| *id as i32).collect::<Vec<_>>();
    let width = ids.len();
    let targets = vec![true; width];
    let device = &model.compute.device;
    let batch = CausalBatch::new(ids, &targets, Layout::plain(1, width), device);
    let hidden = model.model.model.forward(batch.ids, &batch.layout, None);
    let size = hidden.dims()[2];
    let logits = model.model.logits(hidden.reshape([width, size]));
    block_on(read(logits)).unwrap()
}

fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    let differences = pairs.map(|(found, expected)| (found - expected).abs());
    // a NaN must not vanish in a maximum
    differences.fold(0.0, |largest, one| {
        if one > largest || one.is_nan() {
            one
        } else {
            largest
        }
    })
}

#[test]
fn logits_are_those_of_transformers() {
    let golden = block_on(Golden::read(&bytes("golden.safetensors")));
    for name in CASES {
        let found = logits(&model(name), &golden.ints[&format!("{name}.ids")].1);
        let error = largest_difference(&found, golden.float(&format!("{name}.logits")));
        println!("{name}: {error:.1e}");
        // logits of up to 10 in float32
        assert!(error < 2e-5, "{name}: {error}");
    }
}

#[test]
fn the_configuration_is_the_one_that_transformers_would_write() {
    let cases = cases();
    for name in CASES {
        let gguf = block_on(GgufModel::open(source(name))).unwrap();
        let found = DecoderConfig::parse(&gguf.config_json()).unwrap();
        let expected = cases[name]["config"].to_string();
        let expected = DecoderConfig::parse(expected.as_bytes()).unwrap();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn token_ids_are_those_of_the_models_own_tokenizer() {
    let cases = cases();
    for name in CASES {
        let model = model(name);
        let texts = cases[name]["texts"].as_array().unwrap();
        assert!(texts.len() >= 9, "{name}");
        for text in texts {
            let words = text[0].as_str().unwrap();
            let pieces = model.tokenizer.pieces(words).unwrap();
            let found = pieces.iter().map(|piece| piece.id).collect::<Vec<_>>();
            assert_eq!(json!(found), text[1], "{name}: {words:?}");
            let back = model.tokenizer.decode(&found, false).unwrap();
            if name == "qwen2" || name == "qwen3" {
                assert_eq!(back, words.replace("e\u{301}", "\u{e9}"), "{name}");
            } else if !words.contains("<s>") {
                assert_eq!(
                    back,
                    words.replace(
                        '\u{2581}',
                        if name == "llama" || name == "gemma3" {
                            " "
                        } else {
                            "\u{2581}"
                        }
                    ),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn what_begins_and_ends_texts_is_what_the_metadata_say() {
    let begins = |name: &str| model(name).tokenizer.prefix_ids().unwrap();
    for (name, expected) in [
        ("llama", vec![1]),
        ("smollm", vec![]),
        ("llama3", vec![317]),
        ("qwen2", vec![]),
        ("gemma3", vec![1]),
        ("gpt2", vec![]),
    ] {
        assert_eq!(begins(name), expected, "{name}");
    }
    let ends = |name: &str| model(name).ends;
    assert_eq!(ends("llama"), [2]);
    assert_eq!(ends("smollm"), [316, 318]);
    // <|end_of_text|> and, because llama.cpp stops there too, <|eot_id|>
    assert_eq!(ends("llama3"), [318, 319]);
    let gemma = model("gemma3");
    let turn = gemma.tokenizer.token_to_id("<end_of_turn>").unwrap();
    assert_eq!(gemma.ends, [2, turn]);
    assert_eq!(gemma.eos_id, Some(2));
    assert_eq!(model("smollm").tokenizer.largest_id(), 320);
}

#[test]
fn a_files_own_chat_template_is_used() {
    let messages = [Message::new("user", "hi")];
    let smollm = model("smollm");
    assert!(smollm.info().own_template);
    let text = smollm.template.render(&messages, true).unwrap();
    assert_eq!(
        text,
        "<|im_start|><|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    );
    assert!(!model("qwen2").info().own_template);
}

#[test]
fn a_name_is_given_only_by_the_very_models_repository() {
    let info = model("llama").info();
    assert_eq!(info.name, "org/tiny-llama");
    assert_eq!(info.base_name.as_deref(), Some("org/tiny-llama"));
    // what the model was tuned from is another model
    let info = model("smollm").info();
    assert_eq!((info.name.as_str(), info.base_name), ("smollm", None));
    let mut same = source("smollm");
    replace(&mut same.bytes, "Tiny smollm", "Tiny - BASE");
    let info = load(vec![same], Storage::F32).unwrap().info();
    assert_eq!(info.name, "org/tiny-base");
    let named = LanguageModel::load("mine", vec![source("llama")], Compute::cpu(), Storage::F32);
    assert_eq!(block_on(named).unwrap().info().name, "mine");
}

#[test]
fn every_type_of_block_is_widened_as_by_gguf() {
    let source = source("types");
    let head = block_on(GgufHead::read(&source)).unwrap();
    let golden = block_on(Golden::read(&bytes("types.safetensors")));
    assert_eq!(golden.floats.len(), Kind::READ.len());
    for kind in Kind::READ {
        let mut tensors = GgufTensors::new("types.gguf");
        let stored = &head.tensors[kind.name()];
        tensors.add("w".into(), stored, Undo::Nothing).unwrap();
        assert_eq!((stored.kind, &stored.shape[..]), (kind, &[2, 256][..]));
        let expected = golden.float(kind.name());
        let values = |start, end| block_on(tensors.values(&source, "w", start..end)).unwrap();
        assert_eq!(values(0, 512), expected, "{kind}");
        for (start, end) in [(0, 0), (3, 4), (30, 35), (255, 300), (256, 512), (511, 512)] {
            assert_eq!(values(start, end), expected[start as usize..end as usize]);
        }
        assert!(block_on(tensors.values(&source, "w", 0..513)).is_err());
    }
    let mut tensors = GgufTensors::new("types.gguf");
    let other = tensors.add("w".into(), &head.tensors["IQ4_NL"], Undo::Nothing);
    let error = other.unwrap_err();
    assert_eq!(error.code(), "unsupportedModel");
    assert!(
        error
            .to_string()
            .starts_with("types.gguf: w is stored as IQ4_NL; supported are F32, F16, BF16, Q8_0"),
        "{error}"
    );
}

#[test]
fn metadata_of_every_type_is_read() {
    let head = block_on(GgufHead::read(&source("types"))).unwrap();
    let texts = ["a", "", "\u{e4}"].map(String::from).to_vec();
    for (key, expected) in [
        ("u8", Entry::Unsigned(200)),
        ("i8", Entry::Signed(-3)),
        ("u16", Entry::Unsigned(65535)),
        ("i16", Entry::Signed(-300)),
        ("i32", Entry::Signed(-70000)),
        ("u64", Entry::Unsigned(1 << 40)),
        ("i64", Entry::Signed(-(1 << 40))),
        ("f32", Entry::F32(1e-5)),
        ("f64", Entry::F64(1e-7)),
        ("bool", Entry::Bool(true)),
        ("texts", Entry::Strings(texts)),
        ("floats", Entry::Numbers(vec![0.5, -1.5])),
        ("bools", Entry::Numbers(vec![1.0, 0.0])),
        (
            "lists",
            Entry::Lists(vec![
                Entry::Numbers(vec![1.0, 2.0]),
                Entry::Numbers(vec![3.0]),
            ]),
        ),
    ] {
        assert_eq!(
            head.metadata.get(&format!("test.{key}")),
            Some(&expected),
            "{key}"
        );
    }
    // as a decimal, and not as the double that is nearest to the single float
    assert_eq!(head.metadata.number("test.f32"), Ok(Some(1e-5)));
    let error = head.metadata.whole("test.i8").unwrap_err();
    assert_eq!(
        error.to_string(),
        "types.gguf: test.i8: expected a whole number of at least 0, got a negative number"
    );
}

#[test]
fn a_tensor_read_in_ranges_is_the_tensor_read_whole() {
    for name in ["llama", "gpt2", "gemma3"] {
        let gguf = block_on(GgufModel::open(source(name))).unwrap();
        let checkpoint = gguf.into_checkpoint();
        let names = checkpoint.names().map(str::to_owned).collect::<Vec<_>>();
        for tensor in names {
            let (shape, whole) = block_on(checkpoint.tensor(&tensor)).unwrap();
            assert_eq!(shape.iter().product::<usize>(), whole.len(), "{tensor}");
            let all = whole.len();
            for step in [1 + all / 3, 37] {
                let mut found = Vec::new();
                for start in (0..all).step_by(step) {
                    let range = start as u64..all.min(start + step) as u64;
                    found.extend(block_on(checkpoint.values(&tensor, range)).unwrap());
                }
                assert!(found == whole, "{name}: {tensor} in steps of {step}");
            }
        }
    }
}

#[test]
fn a_model_of_a_gguf_file_trains_and_leaves_as_a_folder() {
    block_on(async {
        let model = model("smollm");
        let options = json!({
            "method": {"type": "lora"}, "numTrainEpochs": 1, "learningRate": 1e-2, "sampleTokens": 0, "maxLength": 64
        });
        let (_, tuned) = run(&model, &rows(12), options).await;
        let files = exported(&model, &tuned, Format::Merged).await.unwrap();
        let sources = files
            .iter()
            .map(|file| MemorySource::new(&file.path, file.bytes.clone()));
        let folder = load(sources.collect(), Storage::F32).unwrap();
        let merged = LanguageModel {
            model: tuned.model.clone(),
            ..model.clone()
        };
        let ids = [317, 5, 60, 7, 300, 318];
        // the merged weights are rounded once more
        let error = largest_difference(&logits(&folder, &ids), &logits(&merged, &ids));
        assert!(error < 1e-4, "{error}");
        assert_eq!(folder.ends, model.ends);
        assert_eq!(folder.config, model.config);
        let text = "at 10:30 in 2024<|im_end|>";
        assert_eq!(folder.tokenizer.pieces(text), model.tokenizer.pieces(text));
        let files = exported(&model, &tuned, Format::Peft).await.unwrap();
        let config = files
            .iter()
            .find(|file| file.path == "adapter_config.json")
            .unwrap();
        let config: Value = serde_json::from_slice(&config.bytes).unwrap();
        assert_eq!(config["base_model_name_or_path"], "smollm");
    });
}

#[test]
fn safetensors_come_before_a_gguf_file() {
    let other = block_on(Checkpoint::open(vec![MemorySource::new("a.gguf", vec![])]));
    assert!(other.unwrap_err().to_string().contains("model.safetensors"));
    let files = vec![
        source("llama"),
        MemorySource::new("model.safetensors", vec![]),
    ];
    let error = load(files, Storage::F32).unwrap_err().to_string();
    assert!(error.starts_with("config.json is missing"), "{error}");
    let files = vec![source("llama"), MemorySource::new("config.json", vec![])];
    assert!(load(files, Storage::F32).is_ok());
}

/// Puts other bytes of the same length in the place of the first such text.
fn replace(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let place = bytes
        .windows(from.len())
        .position(|part| part == from.as_bytes());
    let place = place.unwrap_or_else(|| panic!("{from}"));
    bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
}
