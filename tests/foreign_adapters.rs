//! Adapters that PEFT made elsewhere: what is taken as PEFT takes it, and what is refused by name.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::tiny_language::{model, rows, run};
use common::training::run_on;
use common::{tiny, tiny_language};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::Error;
use webtune::data::{Example, Label};
use webtune::device::Compute;
use webtune::export::{ExportedFile, files, import, own_format};
use webtune::layers::Storage;
use webtune::models::Family;
use webtune::models::decoder::DecoderFamily;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::{Tuned, Which};
use webtune::tasks::language::model::{LanguageModel, Prompt};
use webtune::tasks::language::tuned::{TunedLanguage, next_logits};

const CONFIG: &str = "adapter_config.json";

/// The files with another adapter_config.json.
fn changed(files: &[ExportedFile], change: &Value) -> Vec<ExportedFile> {
    let mut files = files.to_vec();
    let file = files.iter_mut().find(|file| file.path == CONFIG).unwrap();
    let mut json: Value = serde_json::from_slice(&file.bytes).unwrap();
    for (key, value) in change.as_object().unwrap() {
        json[key] = value.clone();
    }
    file.bytes = json.to_string().into_bytes();
    files
}

fn logits(model: &LanguageModel, tuned: &TunedLanguage) -> Vec<f32> {
    let prompt = Prompt::Text("the cat".into());
    block_on(next_logits(model, &tuned.model, &prompt)).unwrap()
}

async fn trained() -> (LanguageModel, TunedLanguage, Vec<ExportedFile>) {
    let model = model(&Compute::cpu(), Storage::F32).await;
    let options = json!({"numTrainEpochs": 1, "learningRate": 1e-2, "maxLength": 32,
        "method": {"type": "lora", "r": 4, "targetModules": ["q_proj", "v_proj"]}});
    let (_, tuned) = run(&model, &rows(8), options).await;
    let own = own_format(&model, &tuned).unwrap();
    let adapter = files(&model, &tuned, own).await.unwrap();
    (model, tuned, adapter)
}

#[test]
fn what_changes_nothing_at_inference_is_taken() {
    block_on(async {
        let (model, tuned, adapter) = trained().await;
        let expected = logits(&model, &tuned);
        assert_ne!(expected, {
            let prompt = Prompt::Text("the cat".into());
            next_logits(&model, &model.model, &prompt).await.unwrap()
        });
        for change in [
            json!({"init_lora_weights": "eva", "eva_config": {"rho": 2.0, "tau": 0.99},
                "rank_pattern": {"model.layers.0.self_attn.q_proj": 4}}),
            json!({"init_lora_weights": "orthogonal"}),
            json!({"init_lora_weights": "MiCA"}),
            json!({"init_lora_weights": false}),
            json!({"exclude_modules": ".*(vision_tower|audio_tower).*"}),
            json!({"exclude_modules": ["vision_tower", "lm_head"]}),
            json!({"target_modules": ["q_proj", "v_proj", "k_proj"], "exclude_modules": ["k_proj"]}),
            json!({"target_modules": ".*_proj", "exclude_modules": ".*(k_proj|o_proj|gate_proj|up_proj|down_proj)"}),
            json!({"fan_in_fan_out": true}),
            json!({"task_type": null}),
            json!({"alora_invocation_tokens": null, "use_qalora": false, "qalora_group_size": 16, "ensure_weight_tying": false,
                "velora_config": null, "corda_config": {}, "loftq_config": {}, "megatron_core": "megatron.core", "peft_version": "0.99.0",
                "a_key_of_the_future": 3}),
        ] {
            let found = import(&model, changed(&adapter, &change)).await;
            let found = found.unwrap_or_else(|error| panic!("{change}: {error}"));
            assert_eq!(logits(&model, &found), expected, "{change}");
            // and it leaves as it came
            let again = files(&model, &found, own_format(&model, &found).unwrap());
            let again = import(&model, again.await.unwrap()).await.unwrap();
            assert_eq!(logits(&model, &again), expected, "{change}");
        }
    });
}

/// Keys of PEFT's settings with values that change what an adapter does, and what the error says of them.
fn changes() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("alora_invocation_tokens", json!([28, 27]), "activated LoRA"),
        (
            "trainable_token_indices",
            json!([1, 2]),
            "vectors of single words",
        ),
        (
            "trainable_token_indices",
            json!({"embed_tokens": [1]}),
            "vectors of single words",
        ),
        (
            "target_parameters",
            json!(["experts.gate"]),
            "no linear layer",
        ),
        (
            "layer_replication",
            json!([[0, 1], [0, 2]]),
            "more than once",
        ),
        ("layers_pattern", json!("blocks"), "another list"),
        ("lora_bias", json!(true), "a bias"),
        ("use_qalora", json!(true), "pooled"),
        ("use_bdlora", json!({"nblocks": 2}), "blocks"),
        ("arrow_config", json!({"top_k": 2}), "mixed"),
        ("kasa_config", json!({"beta": 0.1}), "cut"),
        ("monteclora_config", json!({"num_samples": 2}), "random"),
        (
            "init_lora_weights",
            json!("pissa"),
            "changed when training began",
        ),
        (
            "init_lora_weights",
            json!("pissa_niter_4"),
            "changed when training began",
        ),
        (
            "init_lora_weights",
            json!("olora"),
            "changed when training began",
        ),
        (
            "init_lora_weights",
            json!("corda"),
            "changed when training began",
        ),
        (
            "init_lora_weights",
            json!("loftq"),
            "changed when training began",
        ),
        (
            "init_lora_weights",
            json!("lora_ga"),
            "changed when training began",
        ),
    ]
}

fn assert_refused<T>(found: Result<T, Error>, key: &str, words: &str) {
    let error = found
        .err()
        .unwrap_or_else(|| panic!("{key}: it should be refused"));
    assert_eq!(error.code(), "invalidFile");
    let advice = match key {
        "alora_invocation_tokens" | "arrow_config" => "PEFT itself",
        _ => "merge_and_unload",
    };
    for words in [CONFIG, key, words, advice] {
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
}

#[test]
fn what_changes_the_meaning_is_refused_by_name() {
    block_on(async {
        let (model, _, adapter) = trained().await;
        let whole = (
            "modules_to_save",
            json!(["lm_head", "embed_tokens"]),
            "saved whole",
        );
        for (key, value, words) in changes().into_iter().chain([whole]) {
            let found = import(&model, changed(&adapter, &json!({key: value}))).await;
            assert_refused(found, key, words);
        }
        let everything = json!({"exclude_modules": ["q_proj", "v_proj"]});
        let error = import(&model, changed(&adapter, &everything))
            .await
            .err()
            .unwrap();
        assert!(
            error.to_string().contains("no linear layer matches"),
            "{error}"
        );
    });
}

/// PEFT's own files of a classifier, without what only webtune writes.
fn of_peft(files: &[ExportedFile]) -> Vec<ExportedFile> {
    let own = [CONFIG, "adapter_model.safetensors"];
    let files = files
        .iter()
        .filter(|file| own.contains(&file.path.as_str()));
    files
        .cloned()
        .map(|file| ExportedFile {
            path: format!("checkpoint-12/{}", file.path),
            ..file
        })
        .collect()
}

async fn predict(model: &Pretrained, tuned: &Tuned) -> Vec<Vec<f32>> {
    let texts = ["number 3 is about the river again", "bread"].map(String::from);
    let found = tuned.predict(model, &texts, Which::Tuned).await.unwrap();
    found.into_iter().map(|one| one.logits).collect()
}

#[test]
fn a_classifier_without_our_label_file_is_taken() {
    block_on(async {
        let llama = Family::Decoder(DecoderFamily::Llama);
        for family in [
            Family::Bert,
            Family::Roberta,
            Family::Distilbert,
            Family::Modernbert,
            llama,
        ] {
            for method in ["lora", "prefix"] {
                if method == "prefix" && matches!(family, Family::Distilbert | Family::Modernbert) {
                    continue;
                }
                let model = tiny::family_model(&Compute::cpu(), family).await;
                let options =
                    json!({"head": "cls", "numTrainEpochs": 1, "method": {"type": method}});
                let (_, tuned) = run_on(&model, 24, options).await;
                let own = own_format(&model, &tuned).unwrap();
                let adapter = of_peft(&files(&model, &tuned, own).await.unwrap());
                let found = import(&model, adapter.clone()).await;
                let found = found.unwrap_or_else(|error| panic!("{family:?}: {error}"));
                assert_eq!(found.labels.names(), ["LABEL_0", "LABEL_1", "LABEL_2"]);
                assert_eq!(
                    predict(&model, &found).await,
                    predict(&model, &tuned).await,
                    "{family:?}"
                );
                let texts = ["bread".to_string()];
                let error = found
                    .predict(&model, &texts, Which::Baseline)
                    .await
                    .unwrap_err();
                assert_eq!(error.code(), "invalidState", "{error}");
                let unnamed = |label: &Label| {
                    let id = tuned.labels.id(&label.to_string()).unwrap();
                    Label::One(format!("LABEL_{id}"))
                };
                let named = tiny::examples(9).into_iter().map(|one| Example {
                    label: unnamed(&one.label),
                    ..one
                });
                let named = named.collect::<Vec<_>>();
                let error = found.evaluate(&model, &named).await.unwrap_err();
                assert!(
                    error.to_string().contains("`score` scores it alone"),
                    "{error}"
                );
                // alone it scores as our own next to its baselines
                let alone = found.score(&model, &named).await.unwrap();
                let ours = tuned.evaluate(&model, &tiny::examples(9)).await.unwrap();
                assert_eq!(alone.tuned.confusion, ours.tuned.confusion);
                assert_eq!(alone.tuned.loss, ours.tuned.loss);
                let rows = alone.rows.iter().zip(&ours.rows);
                for (alone, ours) in rows {
                    assert_eq!((&alone.text, &alone.logits), (&ours.text, &ours.logits));
                    assert_eq!(alone.label, unnamed(&ours.label));
                }
                let error = found.score(&model, &tiny::examples(9)).await.unwrap_err();
                assert!(
                    error
                        .to_string()
                        .contains("not among the trained ones: LABEL_0"),
                    "{error}"
                );
                // it leaves, and comes back as ours
                let again = files(&model, &found, own_format(&model, &found).unwrap());
                let again = again.await.unwrap();
                assert!(
                    again
                        .iter()
                        .all(|file| file.path != "baseline_head.safetensors")
                );
                let again = import(&model, again).await.unwrap();
                assert_eq!(predict(&model, &again).await, predict(&model, &tuned).await);
            }
        }
    });
}

/// As of a language model's adapter, whichever the classifier's method.
#[test]
fn what_changes_the_meaning_of_a_classifier_is_refused_by_name() {
    block_on(async {
        let model = tiny::model(&Compute::cpu()).await;
        let options = json!({"head": "cls", "numTrainEpochs": 1, "method": {"type": "lora"}});
        let (_, tuned) = run_on(&model, 24, options).await;
        let own = own_format(&model, &tuned).unwrap();
        let mut adapter = of_peft(&files(&model, &tuned, own).await.unwrap());
        for file in &mut adapter {
            file.path = file.path.replace("checkpoint-12/", "");
        }
        assert!(import(&model, adapter.clone()).await.is_ok());
        for start in ["eva", "orthogonal", "MiCA", "gaussian"] {
            let files = changed(&adapter, &json!({"init_lora_weights": start}));
            assert!(import(&model, files).await.is_ok(), "{start}");
        }
        for (key, value, words) in changes() {
            let found = import(&model, changed(&adapter, &json!({key: value}))).await;
            assert_refused(found, key, words);
        }
        for peft_type in ["IA3", "ADALORA", "P_TUNING"] {
            let error = import(&model, changed(&adapter, &json!({"peft_type": peft_type}))).await;
            let words = format!("peft_type is {peft_type}, expected LORA");
            let error = error.err().unwrap().to_string();
            assert!(error.contains(&words), "{error}");
        }
        // PEFT's name for the head's own module, and one that is saved whole besides
        let files = changed(
            &adapter,
            &json!({"modules_to_save": ["classifier", "word_embeddings"]}),
        );
        let error = import(
            &model,
            with_tensor(
                &files,
                "base_model.model.bert.embeddings.word_embeddings.weight",
            ),
        )
        .await;
        let error = error.err().unwrap().to_string();
        for words in ["word_embeddings", "modules_to_save", "merge_and_unload"] {
            assert!(error.contains(words), "{words}: {error}");
        }
    });
}

/// The files with one more tensor, of a single number, among the adapter's.
fn with_tensor(files: &[ExportedFile], name: &str) -> Vec<ExportedFile> {
    let mut files = files.to_vec();
    let weights = files
        .iter_mut()
        .find(|file| file.path.ends_with("adapter_model.safetensors"));
    let bytes = &mut weights.unwrap().bytes;
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let end = bytes.len() - 8 - length;
    header[name] = json!({"dtype": "F32", "shape": [1], "data_offsets": [end, end + 4]});
    let header = header.to_string().into_bytes();
    let mut all = (header.len() as u64).to_le_bytes().to_vec();
    all.extend(header);
    all.extend(&bytes[8 + length..]);
    all.extend([0; 4]);
    *bytes = all;
    files
}

#[test]
fn labels_come_from_the_model_or_from_the_caller() {
    block_on(async {
        let mut config = tiny::config_json();
        config["id2label"] = json!({"0": "no", "1": "maybe", "2": "yes"});
        let named = Pretrained::load("tiny", tiny::files_of(&config, 7), Compute::cpu());
        let named = named.await.unwrap();
        let model = tiny::model(&Compute::cpu()).await;
        let options = json!({"head": "cls", "numTrainEpochs": 1, "method": {"type": "lora"}});
        let (_, tuned) = run_on(&model, 24, options).await;
        let adapter = of_peft(
            &files(&model, &tuned, own_format(&model, &tuned).unwrap())
                .await
                .unwrap(),
        );
        let found = import(&named, adapter.clone()).await.unwrap();
        assert_eq!(found.labels.names(), ["no", "maybe", "yes"]);
        let with = |labels: Value| {
            let mut files = adapter.clone();
            let bytes = json!({"labels": labels}).to_string().into_bytes();
            files.push(ExportedFile {
                path: "checkpoint-12/labels.json".into(),
                bytes,
            });
            files
        };
        let found = import(&named, with(json!(["a", "b", "c"]))).await.unwrap();
        assert_eq!(found.labels.names(), ["a", "b", "c"]);
        let error = import(&named, with(json!(["a", "b"]))).await.err().unwrap();
        assert!(error.to_string().contains("expected 3 names"), "{error}");
        for (change, words) in [
            (json!({"task_type": "FEATURE_EXTRACTION"}), "has no labels"),
            (
                json!({"task_type": "CAUSAL_LM", "modules_to_save": null}),
                "expected SEQ_CLS",
            ),
        ] {
            let mut files = adapter.clone();
            for file in &mut files {
                file.path = file.path.replace("checkpoint-12/", "");
            }
            let error = import(&named, changed(&files, &change))
                .await
                .err()
                .unwrap();
            assert!(error.to_string().contains(words), "{error}");
        }
        // an adapter of a language model has no head
        let tiny = tiny_language::files(&tiny_language::config_json(), 5);
        let llama = Pretrained::load("tiny", tiny, Compute::cpu())
            .await
            .unwrap();
        let (_, _, other) = trained().await;
        let error = import(&llama, other).await.err().unwrap();
        assert!(error.to_string().contains("no score.weight"), "{error}");
    });
}
