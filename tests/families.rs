//! RoBERTa, DistilBERT, ModernBERT and language models as classifiers under every method that fits them: what starts, trains, thaws,
//! leaves and comes back.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::collections::BTreeSet;

use common::files::export;
use common::golden::{Golden, relative_error};
use common::matrix::{
    HEADS, Start, differentiates, family_cases, merge, output, ready, recomputes, starts, steps,
    thaws, trains, values,
};
use common::tiny;
use common::training::{finished, losses, refusal, run_on, short};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::export::{ExportedFile, import};
use webtune::formats::MemorySource;
use webtune::models::{Family, HeadKind, decoder};
use webtune::tasks::classify::event::KeptStage;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::Which;

const FAMILIES: [Family; 5] = [
    Family::Roberta,
    Family::Distilbert,
    Family::Modernbert,
    Family::Decoder(decoder::DecoderFamily::Llama),
    Family::Decoder(decoder::DecoderFamily::Gpt2),
];

fn model(family: Family) -> Pretrained {
    block_on(tiny::family_model(&Compute::cpu(), family))
}

fn word(head: HeadKind) -> &'static str {
    match head {
        HeadKind::Cls => "cls",
        HeadKind::Mean => "mean",
    }
}

fn find<'a>(files: &'a [ExportedFile], path: &str) -> &'a [u8] {
    let file = files.iter().find(|file| file.path == path);
    &file.unwrap_or_else(|| panic!("{path}")).bytes
}

#[test]
fn every_method_starts_trains_thaws_and_differentiates() {
    for family in FAMILIES {
        let model = model(family);
        for case in family_cases(family) {
            for head in HEADS {
                block_on(starts(&model, &case, head));
                block_on(trains(&model, &case, head));
                block_on(thaws(&model, &case, head));
                block_on(recomputes(&model, &case, head));
                block_on(differentiates(&model, &case, head));
            }
        }
    }
}

#[test]
fn merged_equals_unmerged() {
    for family in FAMILIES {
        let model = model(family);
        for case in family_cases(family).iter().filter(|case| case.is_lora()) {
            let mut ready = block_on(ready(&model, case, HeadKind::Cls));
            ready.classifier = steps(&ready, 5, 1e-2);
            let unmerged = block_on(output(&ready.classifier, &ready.batch));
            let merged = block_on(output(&merge(&ready.classifier), &ready.batch));
            let error = relative_error(&merged, &unmerged);
            // x (W + s A B) and x W + s (x A) B round differently
            assert!(error < 2e-5, "{family:?} {}: {error:e}", case.name);
        }
    }
}

#[test]
fn padding_changes_nothing() {
    for family in FAMILIES {
        let model = model(family);
        let case = &family_cases(family)[0];
        let (_, tuned) = block_on(run_on(&model, 24, short(case, "cls", json!({}))));
        let predict = |texts: &[String]| {
            let found = block_on(tuned.predict(&model, texts, Which::Tuned)).unwrap();
            found[0].logits.clone()
        };
        let text = "the boat on the river".to_string();
        let long = "number 7 is about the ticket again and again and again".to_string();
        let error = relative_error(&predict(&[text.clone(), long]), &predict(&[text]));
        // sums over more terms, of which all but the first are zeros
        assert!(error < 1e-5, "{family:?}: {error:e}");
    }
}

#[test]
fn every_method_comes_back_from_its_files_exactly() {
    let texts = [
        "the boat on the river".to_string(),
        "".to_string(),
        "number 7 is about the ticket again and again and again".to_string(),
    ];
    for family in FAMILIES {
        let model = model(family);
        for case in family_cases(family) {
            for head in HEADS {
                let name = format!("{family:?} {} {head:?}", case.name);
                let settings = short(&case, word(head), json!({}));
                let (events, tuned) = block_on(run_on(&model, 24, settings));
                assert_eq!(
                    finished(&events).task.kept_stage,
                    KeptStage::Classify,
                    "{name}"
                );
                let files = block_on(export(&model, &tuned)).unwrap();
                let back = block_on(import(&model, files.clone())).unwrap();
                for which in [Which::Tuned, Which::Baseline] {
                    let before = block_on(tuned.predict(&model, &texts, which)).unwrap();
                    let after = block_on(back.predict(&model, &texts, which)).unwrap();
                    for (before, after) in before.iter().zip(&after) {
                        assert_eq!(before.logits, after.logits, "{name} {which:?}");
                    }
                }
                let again = block_on(export(&model, &back)).unwrap();
                for (first, second) in files.iter().zip(&again) {
                    assert_eq!(first.path, second.path, "{name}");
                    // how factors once started is not kept
                    if first.path != "adapter_config.json" {
                        assert!(first.bytes == second.bytes, "{name}: {}", first.path);
                    }
                }
            }
        }
    }
}

#[test]
fn files_name_the_family_and_what_of_the_head_was_trained() {
    for (family, class, saved, hidden) in [
        (
            Family::Roberta,
            "Roberta",
            json!(["classifier", "score"]),
            vec!["classifier.dense.bias", "classifier.dense.weight"],
        ),
        (
            Family::Distilbert,
            "DistilBert",
            json!(["classifier", "pre_classifier", "score"]),
            vec!["pre_classifier.bias", "pre_classifier.weight"],
        ),
        (
            Family::Modernbert,
            "ModernBert",
            json!(["classifier", "head", "score"]),
            vec!["head.dense.weight", "head.norm.weight"],
        ),
    ] {
        let model = model(family);
        let files = |method: &str, head: &str| {
            let case = family_cases(family)
                .into_iter()
                .find(|case| case.name == method)
                .unwrap();
            let (_, tuned) = block_on(run_on(&model, 24, short(&case, head, json!({}))));
            block_on(export(&model, &tuned)).unwrap()
        };
        let keys = |bytes: &[u8]| {
            let tensors = block_on(Golden::read(bytes));
            tensors.floats.into_keys().collect::<BTreeSet<_>>()
        };
        let settings = |files: &[ExportedFile], path: &str| -> Value {
            serde_json::from_slice(find(files, path)).unwrap()
        };
        let last = family.last_layer();

        let lora = files("lora", "cls");
        let config = settings(&lora, "adapter_config.json");
        assert_eq!(config["modules_to_save"], saved, "{family:?}");
        assert_eq!(config["target_modules"], json!(family.default_targets()));
        let found = keys(find(&lora, "adapter_model.safetensors"));
        for name in hidden
            .iter()
            .map(|name| name.to_string())
            .chain([format!("{last}.weight"), format!("{last}.bias")])
        {
            let key = format!("base_model.model.{name}");
            assert!(found.contains(&key), "{family:?}: {key} not in {found:?}");
        }
        let mean = files("lora", "mean");
        let config = settings(&mean, "adapter_config.json");
        assert_eq!(config["modules_to_save"], Value::Null);
        let found = keys(find(&mean, "adapter_model.safetensors"));
        assert!(found.iter().all(|key| key.contains(".lora_")), "{found:?}");

        // PEFT finds no layer's number in the bare ModernBERT's names, but takes them whole
        let top = files("lora top layer", "mean");
        let config = settings(&top, "adapter_config.json");
        match family {
            Family::Modernbert => {
                let names = ["attn.Wqkv", "attn.Wo", "mlp.Wi", "mlp.Wo"];
                let names = names.map(|name| format!("layers.1.{name}"));
                assert_eq!(config["target_modules"], json!(names));
                assert_eq!(config["layers_to_transform"], Value::Null);
            }
            _ => assert_eq!(config["layers_to_transform"], json!([1])),
        }

        // the head alone: by its own names, so that it loads into the family's class
        let probe = files("probe", "cls");
        let mut expected = hidden
            .iter()
            .map(|name| name.to_string())
            .collect::<BTreeSet<_>>();
        expected.extend([format!("{last}.weight"), format!("{last}.bias")]);
        assert_eq!(keys(find(&probe, "head.safetensors")), expected);
        let probe = files("probe", "mean");
        let bare = ["bias", "weight"].map(String::from);
        assert_eq!(keys(find(&probe, "head.safetensors")), bare.into());

        // a whole network: every name of the checkpoint, after the family's prefix, and the head's
        let stored = tiny::family_files(family);
        let stored = stored.iter().find(|file| file.path == "model.safetensors");
        let stored = keys(&stored.unwrap().bytes);
        let full = files("full", "cls");
        let prefixed = stored.iter().map(|key| format!("{}{key}", family.prefix()));
        expected.extend(prefixed);
        assert_eq!(
            keys(find(&full, "model.safetensors")),
            expected,
            "{family:?}"
        );
        let class_of =
            |files: &[ExportedFile]| settings(files, "config.json")["architectures"].clone();
        assert_eq!(
            class_of(&full),
            json!([format!("{class}ForSequenceClassification")])
        );
        let full = files("full", "mean");
        assert_eq!(keys(find(&full, "model.safetensors")), stored, "{family:?}");
        assert_eq!(class_of(&full), json!([format!("{class}Model")]));
    }
}

#[test]
fn a_whole_network_loads_as_a_model_of_its_own() {
    for family in FAMILIES {
        let model = model(family);
        let cases = family_cases(family);
        let case = cases.iter().find(|case| case.name == "full").unwrap();
        let (_, tuned) = block_on(run_on(&model, 24, short(case, "cls", json!({}))));
        let files = block_on(export(&model, &tuned)).unwrap();
        let sources = files
            .iter()
            .map(|file| MemorySource::new(&file.path, file.bytes.clone()))
            .collect::<Vec<_>>();
        let own = block_on(Pretrained::load("own", sources, Compute::cpu())).unwrap();
        let state = block_on(values(&tuned.classifier));
        let mut reloaded = tuned.classifier.clone();
        reloaded.encoder = own.encoder;
        assert_eq!(block_on(values(&reloaded)), state, "{family:?}");
    }
}

#[test]
fn a_head_that_was_there_already_stays_frozen_where_peft_would_not_save_it() {
    let settings = json!({
        "head": "cls", "headInit": "random", "contrastive": false, "numTrainEpochs": 1, "learningRate": 1e-2
    });
    let case = &family_cases(Family::Modernbert)[5];
    assert_eq!((case.name, case.start), ("full", Start::Same));
    // a classifier of our own has a hidden layer
    let (_, tuned) = block_on(run_on(
        &model(Family::Modernbert),
        24,
        short(case, "cls", json!({})),
    ));
    let files = block_on(export(&model(Family::Modernbert), &tuned)).unwrap();
    let sources = files
        .iter()
        .map(|file| MemorySource::new(&file.path, file.bytes.clone()))
        .collect::<Vec<_>>();
    let own = block_on(Pretrained::load("own", sources, Compute::cpu())).unwrap();
    let (_, tuned) = block_on(run_on(&own, 24, settings));
    assert!(!tuned.trainable.paths().any(|path| path.contains("pooler")));
    let files = block_on(export(&own, &tuned)).unwrap();
    let config: Value = serde_json::from_slice(find(&files, "adapter_config.json")).unwrap();
    assert_eq!(config["modules_to_save"], json!(["classifier", "score"]));

    // an adapter that says something else is followed
    let mut asked = files.clone();
    for file in &mut asked {
        if file.path == "adapter_config.json" {
            let mut config = config.clone();
            config["modules_to_save"] = json!(["classifier", "head", "score"]);
            file.bytes = config.to_string().into_bytes();
        }
    }
    let error = block_on(import(&own, asked)).unwrap_err();
    assert!(error.to_string().contains("head.dense.weight"), "{error}");
}

#[test]
fn methods_that_other_tools_do_not_have_for_a_family_are_refused() {
    for (family, method, word) in [
        (Family::Distilbert, "prefix", "distilbert"),
        (Family::Modernbert, "prefix", "modernbert"),
        (Family::Modernbert, "houlsby", "modernbert"),
    ] {
        let error = refusal(&model(family), json!({"method": {"type": method}}));
        assert_eq!(error.code(), "invalidOption");
        let text = error.to_string();
        assert!(text.contains(method) && text.contains(word), "{text}");
    }
}

#[test]
fn the_frozen_part_is_computed_once_and_gives_the_same_numbers() {
    for family in FAMILIES {
        let model = model(family);
        for case in family_cases(family) {
            if !["lora top layer", "probe"].contains(&case.name) {
                continue;
            }
            for head in HEADS {
                let run = |cache: bool| {
                    let more = json!({"frozenCache": cache, "numTrainEpochs": 2});
                    block_on(run_on(&model, 24, short(&case, word(head), more)))
                };
                let [(with, a), (without, b)] = [run(true), run(false)];
                let name = format!("{family:?} {} {head:?}", case.name);
                for (a, b) in losses(&with).iter().zip(losses(&without)) {
                    // batches of other lengths pad, and round, differently
                    assert!((a - b).abs() < 1e-4 * b.abs().max(1.0), "{name}: {a} {b}");
                }
                let [a, b] = [a, b].map(|tuned| block_on(values(&tuned.classifier)));
                assert_eq!(a.len(), b.len(), "{name}");
            }
        }
    }
}

#[test]
fn dropout_drops_while_training_alone() {
    for family in FAMILIES {
        if matches!(family, Family::Decoder(_)) {
            continue;
        }
        let model = model(family);
        let case = &family_cases(family)[0];
        let run = |dropout: f64| {
            let more = json!({"dropout": dropout, "numTrainEpochs": 2});
            block_on(run_on(&model, 24, short(case, "cls", more)))
        };
        let [(dropped, tuned), (whole, _)] = [run(0.4), run(0.0)];
        assert_ne!(losses(&dropped), losses(&whole), "{family:?}");
        let texts = ["the boat".to_string()];
        let once = || block_on(tuned.predict(&model, &texts, Which::Tuned)).unwrap();
        assert_eq!(once()[0].logits, once()[0].logits, "{family:?}");
    }
}
