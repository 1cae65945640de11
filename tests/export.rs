//! What leaves: keys and shapes as PEFT has them, settings it reads, and an import with the same predictions.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::collections::BTreeMap;

use common::parity::{bert_cls, bert_mean, load};
use common::tiny;
use common::training::{options, run};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::export::adapter::named_values;
use webtune::export::{ExportedFile, export, import};
use webtune::formats::{Header, MemorySource};
use webtune::tuned::Which;

fn shapes(bytes: &[u8]) -> BTreeMap<String, Vec<usize>> {
    let source = MemorySource::new("file", bytes.to_vec());
    let header = block_on(Header::read(&source)).unwrap();
    header
        .tensors()
        .iter()
        .map(|info| (info.name.clone(), info.shape.clone()))
        .collect()
}

fn find<'a>(files: &'a [ExportedFile], path: &str) -> &'a [u8] {
    &files
        .iter()
        .find(|file| file.path == path)
        .unwrap_or_else(|| panic!("{path}"))
        .bytes
}

fn tuned_files(head: &str) -> (Vec<ExportedFile>, webtune::tuned::Tuned) {
    let settings = options(json!({"head": head, "numTrainEpochs": 2, "learningRate": 1e-2}));
    let (_, tuned) = block_on(run(&Compute::cpu(), 24, settings));
    let model = block_on(tiny::model(&Compute::cpu()));
    (block_on(export(&model, &tuned)).unwrap(), tuned)
}

#[test]
fn keys_and_shapes_are_pefts() {
    for fixture in [bert_cls(), bert_mean()] {
        let loaded = block_on(load(&fixture, &Compute::cpu()));
        let mut expected = shapes(fixture.adapter);
        expected.extend(fixture.head.map(shapes).unwrap_or_default());
        let found = block_on(named_values(&loaded.classifier)).unwrap();
        let found = found
            .into_iter()
            .map(|(_, (key, shape, _))| (key, shape))
            .collect::<BTreeMap<_, _>>();
        assert_eq!(found, expected);
    }
}

#[test]
fn adapter_config_says_what_pefts_says() {
    for fixture in [bert_cls(), bert_mean()] {
        let theirs: Value = serde_json::from_slice(fixture.adapter_config).unwrap();
        let (lora, head) =
            webtune::peft::LoraConfig::from_adapter_config(fixture.adapter_config).unwrap();
        let ours = lora.adapter_config(fixture.name, head);
        for (key, value) in ours.as_object().unwrap() {
            assert_eq!(value, &theirs[key], "{key}");
        }
    }
}

#[test]
fn an_import_gives_the_same_predictions() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let texts = [
        "the boat on the river".to_string(),
        "an oven".to_string(),
        "".to_string(),
    ];
    for head in ["mean", "cls"] {
        let (files, tuned) = tuned_files(head);
        // a zip may hold everything in one folder
        let nested = files
            .into_iter()
            .map(|file| ExportedFile {
                path: format!("adapter/{}", file.path),
                ..file
            })
            .collect::<Vec<_>>();
        let card = find(&nested, "adapter/README.md").to_vec();
        let back = block_on(import(&model, nested)).unwrap();
        let again = block_on(export(&model, &back)).unwrap();
        assert_eq!(
            find(&again, "README.md"),
            card,
            "the card goes on with the adapter"
        );
        for which in [Which::Tuned, Which::Baseline] {
            let before = block_on(tuned.predict(&model, &texts, which)).unwrap();
            let after = block_on(back.predict(&model, &texts, which)).unwrap();
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(before.logits, after.logits, "{head} {which:?}");
            }
        }
    }
}

#[test]
fn a_mean_head_leaves_as_a_sentence_transformers_folder() {
    let (files, _) = tuned_files("mean");
    let modules: Value = serde_json::from_slice(find(&files, "modules.json")).unwrap();
    let kinds = modules
        .as_array()
        .unwrap()
        .iter()
        .map(|module| module["type"].as_str().unwrap());
    let kinds = kinds
        .map(|kind| kind.rsplit('.').next().unwrap())
        .collect::<Vec<_>>();
    assert_eq!(kinds, ["Transformer", "Pooling", "Normalize", "Dense"]);
    assert_eq!(
        shapes(find(&files, "3_Dense/model.safetensors"))["linear.weight"],
        [3, 32]
    );
    let labels: Value = serde_json::from_slice(find(&files, "labels.json")).unwrap();
    assert_eq!(labels["labels"], json!(["food", "nature", "travel"]));
}

#[test]
fn the_model_card_holds_settings_counts_and_scores_but_no_text() {
    let (files, _) = tuned_files("cls");
    let card = String::from_utf8(find(&files, "README.md").to_vec()).unwrap();
    for part in [
        "base_model: \"tiny\"",
        "| food | 8 |",
        "\"learningRate\": 0.01",
        "macro F1",
        "PeftModel",
    ] {
        assert!(card.contains(part), "{part} is not in\n{card}");
    }
    assert!(!card.contains("again"), "a training text is in the card");
}

#[test]
fn a_foreign_adapter_is_refused_with_its_name() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let (files, _) = tuned_files("mean");
    let without = |path: &str| {
        files
            .iter()
            .filter(|file| file.path != path)
            .cloned()
            .collect::<Vec<_>>()
    };
    let error = block_on(import(&model, without("labels.json"))).unwrap_err();
    assert_eq!(error.code(), "missingFile");
    let mut wrong = files.clone();
    for file in &mut wrong {
        if file.path == "adapter_config.json" {
            file.bytes = String::from_utf8(file.bytes.clone())
                .unwrap()
                .replace("\"r\": 4", "\"r\": 8")
                .into_bytes();
        }
    }
    let error = block_on(import(&model, wrong)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("lora_A.weight: expected [8, 32], got [4, 32]"),
        "{error}"
    );
}

#[test]
fn all_linear_leaves_written_out_and_without_the_unread_pooler() {
    let model = block_on(tiny::model(&Compute::cpu()));
    for (head, count) in [("mean", 12), ("cls", 13)] {
        let method = json!({"type": "lora", "targetModules": "all-linear"});
        let settings = options(json!({"head": head, "numTrainEpochs": 1, "method": method}));
        let (_, tuned) = block_on(run(&Compute::cpu(), 24, settings));
        let files = block_on(export(&model, &tuned)).unwrap();
        let config: Value = serde_json::from_slice(find(&files, "adapter_config.json")).unwrap();
        let targets = config["target_modules"].as_array().unwrap();
        assert_eq!(targets.len(), count, "{targets:?}");
        let pooler = targets
            .iter()
            .any(|name| name.as_str().unwrap().contains("pooler"));
        assert_eq!(pooler, head == "cls");
    }
}
