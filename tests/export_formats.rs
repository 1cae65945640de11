//! Which formats a result can leave in, what no exported file may hold, and what an import refuses: both tasks, on the CPU engine natively.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::collections::BTreeMap;

use common::files::export;
use common::golden::relative_error;
use common::matrix::{cases, family_cases};
use common::training::{run_on, short};
use common::{tiny, tiny_language};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::export::{ExportedFile, Format, Model, files, formats, import};
use webtune::formats::MemorySource;
use webtune::layers::Storage;
use webtune::models::{Family, decoder};
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::{Tuned, Which};
use webtune::tasks::language::model::LanguageModel;
use webtune::tasks::language::tuned::TunedLanguage;

const MARK: &str = "My patient Jane Doe";

fn classifier(method: Value, head: &str, more: Value) -> (Pretrained, Tuned) {
    let model = block_on(tiny::model(&Compute::cpu()));
    let mut settings = json!({
        "method": method, "head": head, "numTrainEpochs": 1, "learningRate": 1e-2, "contrastive": false
    });
    let map = settings.as_object_mut().unwrap();
    map.extend(more.as_object().unwrap().clone());
    let (_, tuned) = block_on(run_on(&model, 24, settings));
    (model, tuned)
}

async fn language(method: Value, storage: Storage, more: Value) -> (LanguageModel, TunedLanguage) {
    let model = tiny_language::model(&Compute::cpu(), storage).await;
    let mut options =
        json!({"method": method, "numTrainEpochs": 1, "sampleTokens": 0, "maxLength": 64});
    let map = options.as_object_mut().unwrap();
    map.extend(more.as_object().unwrap().clone());
    let (_, tuned) = tiny_language::run(&model, &tiny_language::rows(12), options).await;
    (model, tuned)
}

fn find<'a>(files: &'a [ExportedFile], path: &str) -> &'a [u8] {
    let file = files.iter().find(|file| file.path == path);
    &file.unwrap_or_else(|| panic!("{path}")).bytes
}

/// The files with one of them changed.
fn changed(files: &[ExportedFile], path: &str, change: impl Fn(&mut Value)) -> Vec<ExportedFile> {
    let mut files = files.to_vec();
    for file in files.iter_mut().filter(|file| file.path == path) {
        let mut json = serde_json::from_slice(&file.bytes).unwrap();
        change(&mut json);
        file.bytes = json.to_string().into_bytes();
    }
    files
}

fn assert_no_mark(files: &[ExportedFile], format: Format) {
    for file in files {
        let found = file
            .bytes
            .windows(MARK.len())
            .any(|part| part == MARK.as_bytes());
        assert!(!found, "{format}: {} has a text of a person", file.path);
    }
}

#[test]
fn no_file_holds_a_text_that_a_person_wrote() {
    block_on(async {
        for (method, head) in [
            ("lora", "cls"),
            ("lora", "mean"),
            ("full", "cls"),
            ("probe", "cls"),
        ] {
            let words = json!({"food": MARK, "nature": MARK, "travel": MARK});
            let more = json!({"labelDescriptions": words});
            let (model, tuned) = classifier(json!({"type": method}), head, more);
            for format in formats(&model, &tuned).unwrap() {
                let files = files(&model, &tuned, format).await.unwrap();
                assert_no_mark(&files, format);
                let card = String::from_utf8_lossy(find(&files, "README.md"));
                assert!(card.contains("neither are prompts and descriptions"));
                assert!(card.contains("names of the labels are in these files"));
                assert!(card.contains("\"learningRate\": 0.01"), "{card}");
            }
        }
        for method in ["lora", "prefix", "full"] {
            let more = json!({"samplePrompts": [MARK], "sampleTokens": 2});
            let (model, tuned) = language(json!({"type": method}), Storage::F32, more).await;
            for format in formats(&model, &tuned).unwrap() {
                assert_no_mark(&files(&model, &tuned, format).await.unwrap(), format);
            }
            if method == "full" {
                continue;
            }
            let files = export(&model, &tuned).await.unwrap();
            let card = String::from_utf8_lossy(find(&files, "README.md"));
            for part in ["\"sampleTokens\": 2", "PeftModel", "neither are prompts"] {
                assert!(card.contains(part), "{part} is not in\n{card}");
            }
        }
    });
}

#[test]
fn every_result_says_which_formats_it_can_have() {
    use Format::*;
    let lora = json!({"type": "lora"});
    for (method, head, expected) in [
        (lora.clone(), "cls", vec![Peft, Merged, Onnx, OnnxFp16]),
        (
            lora.clone(),
            "mean",
            vec![SentenceTransformers, Merged, Onnx, OnnxFp16],
        ),
        (json!({"type": "prefix"}), "mean", vec![Peft]),
        (json!({"type": "houlsby"}), "cls", vec![Adapterhub]),
        (
            json!({"type": "full"}),
            "cls",
            vec![Transformers, Merged, Onnx, OnnxFp16],
        ),
        (
            json!({"type": "full"}),
            "mean",
            vec![SentenceTransformers, Merged, Onnx, OnnxFp16],
        ),
        (
            json!({"type": "probe"}),
            "cls",
            vec![Transformers, Merged, Onnx, OnnxFp16],
        ),
    ] {
        let (model, tuned) = classifier(method.clone(), head, json!({"warmupRatio": 0}));
        let name = format!("{method} {head}");
        let found = formats(&model, &tuned).unwrap();
        if found[0] == Transformers && method["type"] != "full" && method["type"] != "probe" {
            // the probe was never beaten
            continue;
        }
        assert_eq!(found, expected, "{name}");
        for format in Format::ALL {
            let files = block_on(files(&model, &tuned, format));
            if expected.contains(&format) {
                files.unwrap();
                continue;
            }
            let error = files.unwrap_err();
            assert_eq!(error.code(), "invalidOption");
            let error = error.to_string();
            assert!(error.starts_with(&format!("format: {format} ")), "{error}");
            let words = expected.iter().map(|format| format.as_str());
            let words = words.collect::<Vec<_>>().join(", ");
            assert!(error.ends_with(&format!("one of: {words}")), "{error}");
        }
    }
    block_on(async {
        for (method, storage, expected) in [
            (lora.clone(), Storage::F32, vec![Peft, Merged, Gguf]),
            (lora.clone(), Storage::Int8, vec![Peft, Gguf]),
            (
                json!({"type": "lora", "useDora": true}),
                Storage::F32,
                vec![Peft, Merged],
            ),
            (json!({"type": "prefix"}), Storage::F32, vec![Peft]),
            (json!({"type": "full"}), Storage::F32, vec![Merged]),
        ] {
            let (model, tuned) = language(method.clone(), storage, json!({})).await;
            assert_eq!(formats(&model, &tuned).unwrap(), expected, "{method}");
            for format in Format::ALL {
                let found = files(&model, &tuned, format).await;
                assert_eq!(
                    found.is_ok(),
                    expected.contains(&format),
                    "{method} {format}"
                );
            }
        }
    });
    let error = "coreml".parse::<Format>().unwrap_err().to_string();
    assert_eq!(
        error,
        "format: expected one of peft, sentence-transformers, transformers, adapterhub, merged, gguf, onnx, onnx-fp16, got coreml"
    );
    assert_eq!("gguf".parse::<Format>().unwrap(), Gguf);
}

#[test]
fn a_merged_classifier_is_a_model_of_its_own() {
    let texts = ["the boat on the river".to_string(), "an oven".to_string()];
    let decoder = Family::Decoder(decoder::DecoderFamily::Gpt2);
    for family in [Family::Bert, Family::Roberta, Family::Modernbert, decoder] {
        let model = block_on(tiny::family_model(&Compute::cpu(), family));
        let cases = if family == Family::Bert {
            cases()
        } else {
            family_cases(family)
        };
        let merges = ["lora", "lora dora", "lora bias all", "full", "probe"];
        for case in cases.iter().filter(|case| merges.contains(&case.name)) {
            for head in ["cls", "mean"] {
                let name = format!("{family:?} {} {head}", case.name);
                let (_, tuned) = block_on(run_on(&model, 24, short(case, head, json!({}))));
                let files = block_on(files(&model, &tuned, Format::Merged)).unwrap();
                let sources = files.iter();
                let sources = sources.map(|file| MemorySource::new(&file.path, file.bytes.clone()));
                let own = Pretrained::load("own", sources.collect(), Compute::cpu());
                let own = block_on(own).unwrap();
                let config: Value = serde_json::from_slice(find(&files, "config.json")).unwrap();
                let architecture = config["architectures"][0].as_str().unwrap();
                assert_eq!(
                    architecture.contains("Classification"),
                    head == "cls",
                    "{name}"
                );
                let back = block_on(import(&own, files)).unwrap();
                let answers = [(&model, &tuned), (&own, &back)].map(|(model, tuned)| {
                    let found = block_on(tuned.predict(model, &texts, Which::Tuned)).unwrap();
                    found
                        .into_iter()
                        .flat_map(|answer| answer.logits)
                        .collect::<Vec<_>>()
                });
                // x (W + s A B) and x W + s (x A) B round differently
                let error = relative_error(&answers[1], &answers[0]);
                assert!(error < 2e-5, "{name}: {error:e}");
            }
        }
    }
}

#[test]
fn an_adapter_without_labels_or_with_too_many_is_refused() {
    let (model, tuned) = classifier(json!({"type": "lora"}), "mean", json!({}));
    let files = block_on(export(&model, &tuned)).unwrap();
    let many = (0..1001).map(|index| index.to_string()).collect::<Vec<_>>();
    for (labels, words) in [
        (json!([]), "labels: expected 2 to 1000 of them, got 0"),
        (json!(["food"]), "labels: expected 2 to 1000 of them, got 1"),
        (json!(many), "labels: expected 2 to 1000 of them, got 1001"),
        (
            json!(["food", "food", "travel"]),
            "expected 3 different names",
        ),
    ] {
        let wrong = changed(&files, "labels.json", |json| {
            json["labels"] = labels.clone()
        });
        let error = block_on(import(&model, wrong)).unwrap_err();
        assert_eq!(error.code(), "invalidFile");
        let error = error.to_string();
        assert!(error.starts_with("labels.json: "), "{error}");
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_prefix_that_takes_all_positions_is_refused_with_both_numbers() {
    block_on(async {
        let method = json!({"type": "prefix", "numVirtualTokens": 5});
        let (model, tuned) = language(method.clone(), Storage::F32, json!({})).await;
        let files = export(&model, &tuned).await.unwrap();
        let with = |tokens: usize| {
            changed(&files, "adapter_config.json", |json| {
                json["num_virtual_tokens"] = json!(tokens);
            })
        };
        for tokens in [255, 256, 400] {
            let error = import(&model, with(tokens)).await.unwrap_err();
            assert_eq!(error.code(), "invalidFile");
            assert_eq!(
                error.to_string(),
                format!(
                    "adapter_config.json: num_virtual_tokens is {tokens}, expected at most 254, because this model knows 256 positions and a \
                     text needs 2"
                )
            );
        }
        // what fits is only of another shape than the file's tensor
        let error = import(&model, with(254)).await.unwrap_err();
        assert_eq!(error.code(), "wrongShape");

        let (model, tuned) = classifier(method, "cls", json!({"learningRate": 1e-3}));
        let files = block_on(export(&model, &tuned)).unwrap();
        if files.iter().any(|file| file.path == "adapter_config.json") {
            let wrong = changed(&files, "adapter_config.json", |json| {
                json["num_virtual_tokens"] = json!(62);
            });
            let error = import(&model, wrong).await.unwrap_err().to_string();
            assert!(
                error.contains("64 positions, 62 of which the prefix takes"),
                "{error}"
            );
        }
    });
}

/// The files with other tensors in one of them.
fn with_tensors(
    files: &[ExportedFile],
    path: &str,
    change: impl Fn(&mut BTreeMap<String, (Vec<usize>, Vec<f32>)>),
) -> Vec<ExportedFile> {
    let mut files = files.to_vec();
    for file in files.iter_mut().filter(|file| file.path == path) {
        let golden = block_on(common::golden::Golden::read(&file.bytes));
        let mut tensors = golden.floats.into_iter().collect();
        change(&mut tensors);
        let views = tensors
            .iter()
            .map(|(key, (shape, values))| (key.as_str(), shape.as_slice(), values.as_slice()));
        file.bytes = webtune::formats::write(views, &BTreeMap::new()).unwrap();
    }
    files
}

#[test]
fn what_is_wrong_with_a_tensor_names_the_file_and_the_tensor() {
    const PATH: &str = "adapter_model.safetensors";
    const KEY: &str = "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight";
    block_on(async {
        let (model, tuned) = language(json!({"type": "lora"}), Storage::F32, json!({})).await;
        let files = export(&model, &tuned).await.unwrap();
        let refused = async |wrong: Vec<ExportedFile>| {
            let report = import(&model, wrong).await.unwrap_err().report();
            assert_eq!(report.file.as_deref(), Some(PATH), "{}", report.message);
            assert!(report.message.starts_with(PATH), "{}", report.message);
            assert!(report.message.contains(KEY), "{}", report.message);
            serde_json::to_value(report.code).unwrap()
        };
        let gone = with_tensors(&files, PATH, |tensors| {
            tensors.remove(KEY).unwrap();
        });
        assert_eq!(refused(gone).await, "missingTensor");
        let short = with_tensors(&files, PATH, |tensors| {
            tensors.insert(KEY.into(), (vec![2], vec![1.0, 2.0]));
        });
        assert_eq!(refused(short).await, "wrongShape");
        let strange = with_tensors(&files, PATH, |tensors| {
            let moved = tensors[KEY].clone();
            tensors.insert(format!("{KEY}.more"), moved);
        });
        assert_eq!(refused(strange).await, "invalidFile");
        // a value that is no number: the last four bytes of the file
        let mut broken = files.clone();
        for file in broken.iter_mut().filter(|file| file.path == PATH) {
            let end = file.bytes.len() - 4;
            file.bytes[end..].copy_from_slice(&f32::NAN.to_le_bytes());
        }
        let report = import(&model, broken).await.unwrap_err().report();
        assert_eq!(report.file.as_deref(), Some(PATH), "{}", report.message);
        assert!(report.tensor.is_some());

        // settings that fit no layer are the settings file's fault
        let other = changed(&files, "adapter_config.json", |json| {
            json["target_modules"] = json!(["query"]);
        });
        let error = import(&model, other).await.unwrap_err();
        assert_eq!(error.code(), "invalidFile");
        assert!(
            error
                .to_string()
                .starts_with("adapter_config.json: targetModules"),
            "{error}"
        );
    });
}

#[test]
fn a_card_says_what_to_edit_where_the_base_has_only_a_local_name() {
    block_on(async {
        let cards = [
            ("lora", "mean", "this file, adapter_config.json."),
            ("houlsby", "cls", "this file, adapter_config.json."),
            ("probe", "cls", "this file."),
        ];
        for (method, head, places) in cards {
            let (mut model, tuned) = classifier(json!({"type": method}), head, json!({}));
            model.config_json["_name_or_path"] = json!("somebody/parent");
            let local = card_of(&model, &tuned).await;
            for part in [places, "\"tiny\"", "names somebody/parent"] {
                assert!(local.contains(part), "{method}: {part} is not in\n{local}");
            }
            model.name = "somebody/tiny".into();
            let named = card_of(&model, &tuned).await;
            assert!(!named.contains("Before use"), "{method}:\n{named}");
        }
        let (mut model, tuned) = language(json!({"type": "lora"}), Storage::F32, json!({})).await;
        let local = card_of(&model, &tuned).await;
        let places = "this file, adapter_config.json, continue.json.";
        assert!(local.contains(places), "{local}");
        assert!(!local.contains("Its config.json names"), "{local}");
        model.name = "folder/with/parts".into();
        let path = card_of(&model, &tuned).await;
        assert!(path.contains("\"folder/with/parts\""), "{path}");
        // a whole model needs no base
        let (model, tuned) = classifier(json!({"type": "full"}), "cls", json!({}));
        let whole = card_of(&model, &tuned).await;
        assert!(!whole.contains("Before use"), "{whole}");
    });
}

async fn card_of<M: Model>(model: &M, tuned: &M::Tuned) -> String {
    let files = export(model, tuned).await.unwrap();
    String::from_utf8_lossy(find(&files, "README.md")).into_owned()
}
