//! Model folders that cannot be loaded, and runs that cannot start: each with one clear message, before anything is lost.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::tiny;
use common::training::options;
use pollster::block_on;
use serde_json::json;
use webtune::data::Example;
use webtune::device::Compute;
use webtune::formats::MemorySource;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::{ClassifyEvent, ClassifyRun, ClassifyTask, UserOptions};
use webtune::{Error, Result};

fn load(change: impl FnOnce(&mut Vec<MemorySource>)) -> Result<Pretrained> {
    let mut files = tiny::files(7);
    change(&mut files);
    block_on(Pretrained::load("tiny", files, Compute::cpu()))
}

fn file<'a>(files: &'a mut [MemorySource], path: &str) -> &'a mut Vec<u8> {
    &mut files
        .iter_mut()
        .find(|file| file.path == path)
        .unwrap()
        .bytes
}

fn failure(result: Result<Pretrained>) -> Error {
    match result {
        Ok(_) => panic!("it loaded"),
        Err(error) => error,
    }
}

fn config(change: impl Fn(&mut serde_json::Value)) -> Error {
    failure(load(|files| {
        let mut value = tiny::config_json();
        change(&mut value);
        *file(files, "config.json") = value.to_string().into_bytes();
    }))
}

#[test]
fn the_intact_folder_loads_and_other_files_do_not_matter() {
    let model = load(|files| files.push(MemorySource::new("notes.txt", b"x".to_vec()))).unwrap();
    assert_eq!(model.info().layers, 2);
    assert_eq!(model.info().default_head, webtune::models::HeadKind::Cls);
}

#[test]
fn broken_folders_are_named() {
    let error = failure(load(|files| {
        files.retain(|file| file.path != "tokenizer.json")
    }));
    assert_eq!(error.code(), "missingFile");
    assert!(
        error.to_string().starts_with("tokenizer.json is missing"),
        "{error}"
    );
    let error = failure(load(|files| {
        file(files, "model.safetensors").truncate(1000)
    }));
    assert_eq!(error.code(), "invalidFile");
    assert!(
        error.to_string().starts_with("model.safetensors"),
        "{error}"
    );
    let error = config(|config| config["model_type"] = json!("t5"));
    assert_eq!(error.code(), "unsupportedModel");
    let error = config(|config| config["num_hidden_layers"] = json!(3));
    assert_eq!(error.code(), "missingTensor");
    assert!(error.to_string().contains("encoder.layer.2."), "{error}");
    let error = config(|config| config["intermediate_size"] = json!(63));
    let words = "encoder.layer.0.intermediate.dense.weight: expected [63, 32], got [64, 32]";
    assert_eq!(error.to_string(), words);
    let error = config(|config| config["vocab_size"] = json!(100));
    assert_eq!(error.code(), "tokenizerMismatch");
    assert!(
        error
            .to_string()
            .contains("vocab_size of config.json is 100;"),
        "{error}"
    );
}

#[test]
fn a_weight_that_is_not_a_number_is_found() {
    let error = failure(load(|files| {
        let bytes = file(files, "model.safetensors");
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    }));
    assert_eq!(error.code(), "notFinite");
}

#[test]
fn too_little_memory_is_refused_with_the_numbers() {
    let compute = Compute::cpu().with_memory_limit(1 << 16);
    let error = failure(block_on(Pretrained::load("tiny", tiny::files(7), compute)));
    let Error::OutOfMemory {
        needed, available, ..
    } = error
    else {
        panic!("{error}");
    };
    assert!(needed > available && available == 1 << 16);

    let mut model = block_on(tiny::model(&Compute::cpu()));
    model.compute = model.compute.with_memory_limit(1 << 20);
    let given = options(json!({"trainBatchSize": 1024}));
    let error = ClassifyTask::new(&model, &tiny::examples(30), given)
        .err()
        .unwrap();
    assert_eq!(error.code(), "outOfMemory");
    assert!(error.to_string().contains("trainBatchSize"), "{error}");
}

#[test]
fn runs_that_cannot_start_say_why() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let start = |examples: &[Example], given: UserOptions| {
        ClassifyTask::new(&model, examples, given)
            .err()
            .unwrap()
            .to_string()
    };
    let one_label = vec![tiny::examples(1)[0].clone(); 4];
    assert!(start(&one_label, UserOptions::default()).contains("nature"));
    assert!(start(&[], UserOptions::default()).contains("none"));
    let single = start(&tiny::examples(4), UserOptions::default());
    assert!(
        single.contains("food") && single.contains("travel"),
        "{single}"
    );
    let error = start(&tiny::examples(9), options(json!({"maxLength": 65})));
    assert!(error.contains("at most 64"), "{error}");
    let method = json!({"method": {"type": "lora", "targetModules": ["q_proj"]}});
    let error = start(&tiny::examples(9), options(method));
    assert!(
        error.contains("q_proj") || error.contains("attention.self.query"),
        "{error}"
    );
}

#[test]
fn every_methods_memory_is_reckoned_before_the_run() {
    let estimate = |settings: serde_json::Value| {
        let model = block_on(tiny::model(&Compute::cpu()));
        let task = ClassifyTask::new(&model, &tiny::examples(30), options(settings)).unwrap();
        let mut session = ClassifyRun::new(task);
        match block_on(session.next_event()).unwrap() {
            Some(ClassifyEvent::Started {
                memory_estimate, ..
            }) => memory_estimate,
            other => panic!("{other:?}"),
        }
    };
    let method =
        |kind: &str| json!({"method": {"type": kind}, "contrastive": false, "frozenCache": false});
    let probe = estimate(method("probe"));
    for kind in ["lora", "houlsby", "prefix", "full"] {
        assert!(estimate(method(kind)) > probe, "{kind}");
    }
    let lora = estimate(method("lora"));
    // over 80,000 numbers instead of under 5,000 are held four times throughout: value, best value and two moments
    let full = estimate(method("full"));
    assert!(full > lora + 16 * (80_000 - 5_000), "{full} {lora}");
    for more in [
        json!({"method": {"type": "lora", "useDora": true}}),
        json!({"method": {"type": "lora", "loraDropout": 0.1}}),
        json!({"method": {"type": "lora", "r": 64}}),
        json!({"method": {"type": "lora"}, "dropout": 0.1}),
        json!({"method": {"type": "lora"}, "l2Sp": 0.1}),
        json!({"method": {"type": "lora"}, "contrastive": {"batchSize": 64}}),
    ] {
        let mut settings = method("lora");
        settings
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        assert!(estimate(settings) > lora, "{more}");
    }
}
