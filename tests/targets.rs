//! Names among `targetModules` that have no place for a delta, or that no layer has.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::tiny_language::{config_json, files, model, rows, run};
use common::training::run_on;
use common::{tiny, training};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::export::{ExportedFile, files as exported, import, own_format};
use webtune::layers::Storage;
use webtune::models::Family;
use webtune::peft::adapter_file::ADAPTER_CONFIG;
use webtune::tasks::language::model::LanguageModel;
use webtune::tasks::language::{LanguageOptions, LanguageTask};

/// What adapter_config.json says.
fn settings(files: &[ExportedFile]) -> Value {
    let file = files.iter().find(|file| file.path == ADAPTER_CONFIG);
    serde_json::from_slice(&file.unwrap().bytes).unwrap()
}

fn options(method: Value) -> Value {
    json!({"numTrainEpochs": 1, "maxLength": 32, "method": method})
}

#[test]
fn tables_are_refused_by_name() {
    let mut untied = config_json();
    untied["tie_word_embeddings"] = json!(false);
    for config in [config_json(), untied] {
        let files = files(&config, 5);
        let model = block_on(LanguageModel::load(
            "m",
            files,
            Compute::cpu(),
            Storage::F32,
        ))
        .unwrap();
        for (targets, name) in [
            (json!(["q_proj", "lm_head"]), "lm_head"),
            (json!(["lm_head"]), "lm_head"),
            (json!(["q_proj", "embed_tokens"]), "model.embed_tokens"),
            (json!(".*(q_proj|embed_tokens)"), "model.embed_tokens"),
        ] {
            let options = options(json!({"type": "lora", "targetModules": targets}));
            let options = LanguageOptions::parse(options).unwrap();
            let error = LanguageTask::new(&model, "r", &rows(8), options)
                .err()
                .unwrap();
            assert_eq!(error.code(), "invalidOption");
            let words = format!("targetModules: {name} is a table");
            assert!(error.to_string().contains(&words), "{error}");
        }
    }
    for (family, name) in [
        (Family::Bert, "word_embeddings"),
        (Family::Distilbert, "position_embeddings"),
        (Family::Modernbert, "tok_embeddings"),
        (
            Family::Decoder(webtune::models::decoder::DecoderFamily::Gpt2),
            "wpe",
        ),
    ] {
        let model = block_on(tiny::family_model(&Compute::cpu(), family));
        let linear = family.default_targets()[0];
        let method = json!({"type": "lora", "targetModules": [linear, name]});
        let error = training::refusal(&model, json!({"method": method}));
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn what_leaves_names_no_layer_that_it_does_not_hold() {
    block_on(async {
        let model = model(&Compute::cpu(), Storage::F32).await;
        let method = json!({"type": "lora", "r": 2, "targetModules": ["q_porj", "v_proj", "k_proj"], "excludeModules": ["k_proj"]});
        let (_, tuned) = run(&model, &rows(8), options(method)).await;
        let files = exported(&model, &tuned, own_format(&model, &tuned).unwrap())
            .await
            .unwrap();
        let mut changed = settings(&files);
        assert_eq!(changed["target_modules"], json!(["v_proj", "k_proj"]));
        assert_eq!(changed["exclude_modules"], json!(["k_proj"]));
        // one that another tool wrote may name more, and leaves without
        changed["target_modules"] = json!(["v_proj", "qkv_proj"]);
        changed["exclude_modules"] = Value::Null;
        let mut other = files.clone();
        let file = other
            .iter_mut()
            .find(|file| file.path == ADAPTER_CONFIG)
            .unwrap();
        file.bytes = changed.to_string().into_bytes();
        let found = import(&model, other).await.unwrap();
        let again = exported(&model, &found, own_format(&model, &found).unwrap())
            .await
            .unwrap();
        assert_eq!(settings(&again)["target_modules"], json!(["v_proj"]));

        let model = tiny::model(&Compute::cpu()).await;
        let method = json!({"type": "lora", "targetModules": ["query", "valeu"]});
        let (_, tuned) = run_on(&model, 24, json!({"numTrainEpochs": 1, "method": method})).await;
        let files = exported(&model, &tuned, own_format(&model, &tuned).unwrap())
            .await
            .unwrap();
        assert_eq!(settings(&files)["target_modules"], json!(["query"]));
    });
}
