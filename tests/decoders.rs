//! Language models as text classifiers: what of their files is read, which tokens count, and what leaves. Training, names and ways back that
//! all families share: `families.rs`.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::collections::BTreeSet;

use common::files::export;
use common::golden::Golden;
use common::matrix::{Case, family_cases};
use common::tiny;
use common::training::{refusal, run_on, short};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::export::{ExportedFile, import};
use webtune::formats::MemorySource;
use webtune::models::decoder::DecoderFamily as Decoder;
use webtune::models::{BackboneConfig, Family, HeadKind};
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::Which;

const LLAMA: Family = Family::Decoder(Decoder::Llama);
const GPT2: Family = Family::Decoder(Decoder::Gpt2);

fn load(files: Vec<MemorySource>) -> webtune::Result<Pretrained> {
    block_on(Pretrained::load("tiny", files, Compute::cpu()))
}

fn model(family: Family) -> Pretrained {
    load(tiny::family_files(family)).unwrap()
}

/// The tiny model's files with another config.json and tokenizer_config.json.
fn changed(family: Family, config: Value, tokenizer: Value) -> Vec<MemorySource> {
    let mut json = tiny::family_config(family);
    for (key, value) in config.as_object().unwrap() {
        json[key] = value.clone();
    }
    let mut files = tiny::family_files(family);
    files.retain(|file| !["config.json", "tokenizer_config.json"].contains(&file.path.as_str()));
    files.push(MemorySource::new(
        "config.json",
        json.to_string().into_bytes(),
    ));
    let bytes = tokenizer.to_string().into_bytes();
    files.push(MemorySource::new("tokenizer_config.json", bytes));
    files
}

fn case(family: Family, name: &str) -> Case {
    let mut cases = family_cases(family).into_iter();
    cases.find(|case| case.name == name).unwrap()
}

fn exported(model: &Pretrained, method: &str, head: &str) -> Vec<ExportedFile> {
    let settings = short(&case(model.config.family, method), head, json!({}));
    let (_, tuned) = block_on(run_on(model, 24, settings));
    block_on(export(model, &tuned)).unwrap()
}

fn find<'a>(files: &'a [ExportedFile], path: &str) -> &'a [u8] {
    let file = files.iter().find(|file| file.path == path);
    &file.unwrap_or_else(|| panic!("{path}")).bytes
}

fn settings(files: &[ExportedFile], path: &str) -> Value {
    serde_json::from_slice(find(files, path)).unwrap()
}

fn shapes(files: &[ExportedFile], path: &str) -> Vec<(String, Vec<usize>)> {
    let tensors = block_on(Golden::read(find(files, path))).floats;
    let mut shapes = tensors
        .into_iter()
        .map(|(key, (shape, _))| (key, shape))
        .collect::<Vec<_>>();
    shapes.sort();
    shapes
}

#[test]
fn the_padding_token_is_what_the_files_name() {
    let pad = |config: Value, tokenizer: Value| {
        load(changed(LLAMA, config, tokenizer)).map(|model| model.tokenizer.pad_id())
    };
    let named = json!({"pad_token": "[MASK]"});
    assert_eq!(pad(json!({"pad_token_id": 7}), named.clone()).unwrap(), 7);
    assert_eq!(pad(json!({}), named).unwrap(), 4);
    let described = json!({"pad_token": {"content": "[MASK]", "lstrip": false}});
    assert_eq!(pad(json!({}), described).unwrap(), 4);
    // a model without any is padded with what ends a text, the first of several
    assert_eq!(pad(json!({}), json!({"pad_token": null})).unwrap(), 3);
    let ends = json!({"eos_token_id": [9, 3]});
    assert_eq!(pad(ends, json!({})).unwrap(), 9);
    let none = json!({"eos_token_id": null});
    assert_eq!(pad(none, json!({})).unwrap(), 0);
    // one that the model has no vector for
    assert_eq!(pad(json!({"pad_token_id": 2000}), json!({})).unwrap(), 3);
}

#[test]
fn the_last_token_that_is_no_padding_is_read_whoever_wrote_it() {
    // the tokenizer itself ends every text with [SEP], its token 3
    let settings = short(&case(LLAMA, "lora"), "cls", json!({}));
    let separator = load(changed(LLAMA, json!({"pad_token_id": 3}), json!({}))).unwrap();
    let (_, tuned) = block_on(run_on(&separator, 24, settings.clone()));
    let logits = |model: &Pretrained, text: &str| {
        let texts = [text.to_string()];
        let found = block_on(tuned.predict(model, &texts, Which::Tuned)).unwrap();
        found[0].logits.clone()
    };
    let plain = logits(&separator, "the boat");
    assert_eq!(plain, logits(&separator, "the boat [SEP] [SEP]"));
    assert_ne!(plain, logits(&separator, "the boat [SEP] the"));
    // where another token pads, the separator is read
    assert_ne!(plain, logits(&model(LLAMA), "the boat"));
}

#[test]
fn a_folder_asks_for_its_head() {
    let config = |pooling: Option<Value>| {
        let json = tiny::family_config(LLAMA).to_string().into_bytes();
        let config = BackboneConfig::parse(&json).unwrap();
        let pooling = pooling.map(|json| json.to_string().into_bytes());
        let modules = pooling.as_ref().map(|_| b"[]".as_slice());
        config.default_head(modules, pooling.as_deref()).unwrap().0
    };
    assert_eq!(config(None), HeadKind::Cls);
    let last = json!({"pooling_mode_lasttoken": true, "pooling_mode_mean_tokens": false});
    assert_eq!(config(Some(last)), HeadKind::Cls);
    let last = json!({"pooling_mode": "lasttoken"});
    assert_eq!(config(Some(last)), HeadKind::Cls);
    let mean = json!({"pooling_mode_mean_tokens": true});
    assert_eq!(config(Some(mean)), HeadKind::Mean);
}

#[test]
fn adapters_are_pefts_for_sequence_classification() {
    for (family, first, conv1d) in [
        (LLAMA, "model.layers.0.mlp.down_proj", false),
        (GPT2, "transformer.h.0.attn.c_attn", true),
    ] {
        let model = model(family);
        let files = exported(&model, "lora", "cls");
        let config = settings(&files, "adapter_config.json");
        assert_eq!(config["task_type"], "SEQ_CLS");
        assert_eq!(config["modules_to_save"], json!(["classifier", "score"]));
        assert_eq!(config["fan_in_fan_out"], conv1d);
        let found = shapes(&files, "adapter_model.safetensors");
        let score = ("base_model.model.score.weight".to_string(), vec![3, 32]);
        assert!(found.contains(&score), "{found:?}");
        let key = format!("base_model.model.{first}.lora_A.weight");
        let shape = found.iter().find(|(name, _)| *name == key);
        assert_eq!(shape.unwrap().1[0], 4, "{found:?}");
        assert!(!found.iter().any(|(name, _)| name.ends_with(".bias")));
        let card = String::from_utf8(find(&files, "README.md").to_vec()).unwrap();
        assert!(
            card.contains("num_labels=len(labels), pad_token_id=0"),
            "{card}"
        );

        // keys and values of the heads that have their own
        let files = exported(&model, "prefix", "cls");
        let config = settings(&files, "adapter_config.json");
        let (heads, width) = if conv1d { (2, 32) } else { (2, 16) };
        assert_eq!(config["num_attention_heads"], heads);
        assert_eq!(config["token_dim"], width);
        let expected = vec![
            ("base_model.score.weight".to_string(), vec![3, 32]),
            ("prompt_embeddings".into(), vec![5, 2 * 2 * width]),
        ];
        assert_eq!(shapes(&files, "adapter_model.safetensors"), expected);

        // upon the bare decoder the names have no prefix
        let files = exported(&model, "lora", "mean");
        let config = settings(&files, "adapter_config.json");
        assert_eq!(config["task_type"], "FEATURE_EXTRACTION");
        let bare = first.split_once('.').unwrap().1;
        let key = format!("base_model.model.{bare}.lora_A.weight");
        let found = shapes(&files, "adapter_model.safetensors");
        assert!(found.iter().any(|(name, _)| *name == key), "{found:?}");

        let files = exported(&model, "probe", "cls");
        let expected = vec![("score.weight".to_string(), vec![3, 32])];
        assert_eq!(shapes(&files, "head.safetensors"), expected);
    }
}

#[test]
fn a_whole_network_leaves_as_transformers_class() {
    for (family, class) in [(LLAMA, "Llama"), (GPT2, "GPT2")] {
        let plain = json!({"pad_token": null});
        let model = load(changed(family, json!({}), plain)).unwrap();
        let files = exported(&model, "full", "cls");
        let config = settings(&files, "config.json");
        let name = format!("{class}ForSequenceClassification");
        assert_eq!(config["architectures"], json!([name]));
        assert_eq!(config["pad_token_id"], 3);
        let tokenizer = settings(&files, "tokenizer_config.json");
        assert_eq!(tokenizer["pad_token"], "[SEP]");
        // all of the checkpoint in its own shapes but the language model's head, and the classifier's
        let stored = tiny::family_files(family);
        let stored = stored.iter().find(|file| file.path == "model.safetensors");
        let stored = block_on(Golden::read(&stored.unwrap().bytes)).floats;
        let mut expected = stored
            .into_iter()
            .filter(|(key, _)| key != "lm_head.weight")
            .map(|(key, (shape, _))| (key, shape))
            .collect::<BTreeSet<_>>();
        expected.insert(("score.weight".into(), vec![3, 32]));
        let found = shapes(&files, "model.safetensors");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

#[test]
fn an_adapter_of_another_kind_of_model_is_refused() {
    let files = exported(&model(GPT2), "lora", "cls");
    let error = block_on(import(&model(LLAMA), files)).unwrap_err();
    assert!(error.to_string().contains("targetModules"), "{error}");
    let files = exported(&model(LLAMA), "lora", "cls");
    let error = block_on(import(&model(GPT2), files)).unwrap_err();
    assert!(error.to_string().contains("targetModules"), "{error}");
}

#[test]
fn what_a_decoder_does_not_have_is_refused_by_name() {
    for (options, words) in [
        (json!({"method": {"type": "houlsby"}}), ["houlsby", "llama"]),
        (json!({"dropout": 0.1}), ["dropout", "loraDropout"]),
    ] {
        let error = refusal(&model(LLAMA), options);
        assert_eq!(error.code(), "invalidOption");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}
