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
            (json!(r"lm_head|model\.layers\.0\..*"), "lm_head"),
            (json!(".*"), "model.embed_tokens"),
            (json!(["all-linear", "lm_head"]), "lm_head"),
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
fn tables_of_a_classifier_on_a_language_model_are_refused_by_name() {
    let llama = Family::Decoder(webtune::models::decoder::DecoderFamily::Llama);
    let model = block_on(tiny::family_model(&Compute::cpu(), llama));
    let refused = |targets: Value| {
        let method = json!({"type": "lora", "targetModules": targets});
        training::refusal(&model, json!({"method": method})).to_string()
    };
    for targets in [
        json!(["q_proj", "embed_tokens"]),
        json!(".*(q_proj|tokens)"),
    ] {
        let error = refused(targets);
        let words = "targetModules: model.embed_tokens is a table of words or positions";
        assert!(error.starts_with(words), "{error}");
    }
    // a classifier has none
    for targets in [json!(["lm_head"]), json!("lm_head")] {
        let error = refused(targets);
        let words = "targetModules: no linear layer matches; the layers are: model.layers.0.";
        assert!(error.starts_with(words), "{error}");
    }
}

#[test]
fn every_linear_layer_is_none_of_the_tables() {
    let all = || json!({"type": "lora", "r": 2, "targetModules": "all-linear"});
    block_on(async {
        let model = model(&Compute::cpu(), Storage::F32).await;
        let (_, tuned) = run(&model, &rows(8), options(all())).await;
        let own = own_format(&model, &tuned).unwrap();
        let names =
            settings(&exported(&model, &tuned, own).await.unwrap())["target_modules"].clone();
        let names = names.as_array().unwrap();
        assert!(names.contains(&json!("q_proj")) && names.contains(&json!("down_proj")));
        assert!(!names.contains(&json!("lm_head")) && !names.contains(&json!("embed_tokens")));
        let llama = Family::Decoder(webtune::models::decoder::DecoderFamily::Llama);
        let model = tiny::family_model(&Compute::cpu(), llama).await;
        run_on(&model, 24, json!({"numTrainEpochs": 1, "method": all()})).await;
    });
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
