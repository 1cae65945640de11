//! What leaves of a tuned language model and comes back, on the CPU engine natively.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::tiny_language::{config_json, files, model, rows, run};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::export::{Export, ExportedFile, Format, Piece, files as exported, import};
use webtune::formats::MemorySource;
use webtune::layers::Storage;
use webtune::models::CausalLm;
use webtune::tasks::language::model::{LanguageModel, Prompt};
use webtune::tasks::language::tuned::{TunedLanguage, next_logits};

fn prompt() -> Prompt {
    Prompt::Text("what does the cow say?".into())
}

async fn logits(model: &LanguageModel, network: &CausalLm) -> Vec<u32> {
    let logits = next_logits(model, network, &prompt()).await.unwrap();
    logits.into_iter().map(f32::to_bits).collect()
}

async fn tuned(method: Value, storage: Storage) -> (LanguageModel, TunedLanguage) {
    let model = model(&Compute::cpu(), storage).await;
    let options = json!({
        "method": method, "numTrainEpochs": 2, "learningRate": 1e-2, "sampleTokens": 0, "maxLength": 64
    });
    let (_, tuned) = run(&model, &rows(12), options).await;
    (model, tuned)
}

#[test]
fn every_adapter_comes_back_exactly() {
    block_on(async {
        for method in [
            json!({"type": "lora"}),
            json!({"type": "lora", "r": 2, "useDora": true, "targetModules": ["q_proj", "down_proj"]}),
            json!({"type": "lora", "useRslora": true, "rankPattern": {"v_proj": 3}}),
            json!({"type": "prefix", "numVirtualTokens": 5}),
        ] {
            for storage in [Storage::F32, Storage::Int8] {
                let (model, tuned) = tuned(method.clone(), storage).await;
                let files = exported(&model, &tuned, Format::Peft).await.unwrap();
                let paths = files.iter().map(|file| file.path.as_str());
                let paths = paths.collect::<Vec<_>>();
                assert!(paths.contains(&"adapter_model.safetensors"), "{paths:?}");
                assert!(paths.contains(&"tokenizer.json"), "{paths:?}");
                let back = import(&model, files.clone()).await.unwrap();
                let (expected, found) = (
                    logits(&model, &tuned.model).await,
                    logits(&model, &back.model).await,
                );
                assert_eq!(expected, found, "{method} {storage:?}");
                assert_ne!(expected, logits(&model, &model.model).await, "{method}");
                // and leaves again as the same files but for what only the run knew
                let again = exported(&model, &back, Format::Peft).await.unwrap();
                for name in [
                    "adapter_model.safetensors",
                    "adapter_config.json",
                    "README.md",
                ] {
                    assert_eq!(bytes(&again, name), bytes(&files, name), "{name}");
                }
            }
        }
    });
}

fn bytes<'a>(files: &'a [ExportedFile], path: &str) -> &'a [u8] {
    let found = files.iter().find(|file| file.path == path);
    &found.unwrap_or_else(|| panic!("{path}")).bytes
}

/// The folder that the pieces make.
async fn merged(model: &LanguageModel, tuned: &TunedLanguage, shard: u64) -> Vec<ExportedFile> {
    let export = Export::new(model, tuned, Format::Merged, Some(shard));
    let mut export = export.await.unwrap();
    let mut files: Vec<ExportedFile> = Vec::new();
    let mut size = 0;
    while let Some(piece) = export.next_piece(model, tuned).await.unwrap() {
        match piece {
            Piece::Open { file, bytes } => {
                size = bytes;
                files.push(ExportedFile {
                    path: file,
                    bytes: Vec::new(),
                });
            }
            Piece::Bytes(bytes) => files.last_mut().unwrap().bytes.extend(bytes),
            Piece::Close => assert_eq!(files.last().unwrap().bytes.len() as u64, size),
        }
    }
    files
}

#[test]
fn a_merged_folder_is_a_model_that_gives_the_tuned_logits() {
    block_on(async {
        for method in [
            json!({"type": "lora"}),
            json!({"type": "lora", "useDora": true}),
            json!({"type": "full"}),
        ] {
            let (model, tuned) = tuned(method.clone(), Storage::F32).await;
            for shard in [20_000, 1 << 30] {
                let files = merged(&model, &tuned, shard).await;
                let shards = files
                    .iter()
                    .filter(|file| file.path.ends_with(".safetensors"));
                assert_eq!(shards.count() > 1, shard < 1 << 30);
                let sources = files.into_iter();
                let sources = sources.map(|file| MemorySource::new(file.path, file.bytes));
                let compute = Compute::cpu();
                let sources = sources.collect();
                let back = LanguageModel::load("merged", sources, compute, Storage::F32);
                let back = back.await.unwrap();
                let found = next_logits(&back, &back.model, &prompt()).await.unwrap();
                let expected = next_logits(&model, &tuned.model, &prompt()).await.unwrap();
                let scale = expected.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
                for (a, b) in found.iter().zip(&expected) {
                    assert!((a - b).abs() <= 1e-5 * scale, "{method}: {a} {b}");
                }
            }
        }
    });
}

#[test]
fn gguf_holds_what_it_can_and_says_what_it_cannot() {
    block_on(async {
        let (model, adapter) = tuned(json!({"type": "lora"}), Storage::F32).await;
        let file = exported(&model, &adapter, Format::Gguf).await.unwrap();
        // the number of tensors, after magic and version: seven layers' two factors, twice
        assert_eq!(file[0].bytes[8..16], 28u64.to_le_bytes());
        for (method, words) in [
            (json!({"type": "lora", "useDora": true}), "magnitudes"),
            (json!({"type": "prefix"}), "LoRA alone"),
            (json!({"type": "full"}), "LoRA alone"),
        ] {
            let (model, tuned) = tuned(method.clone(), Storage::F32).await;
            let error = exported(&model, &tuned, Format::Gguf).await.unwrap_err();
            let error = error.to_string();
            assert!(error.contains(words), "{method}: {error}");
        }
    });
}

#[test]
fn what_cannot_be_merged_or_imported_is_told() {
    block_on(async {
        let (model, rounded) = tuned(json!({"type": "lora"}), Storage::Int8).await;
        let error = exported(&model, &rounded, Format::Merged)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("rounded"), "{error}");
        let (model, prefix) = tuned(json!({"type": "prefix"}), Storage::F32).await;
        let error = exported(&model, &prefix, Format::Merged).await.unwrap_err();
        assert!(error.to_string().contains("prefix"), "{error}");

        let (model, tuned) = tuned(json!({"type": "lora"}), Storage::F32).await;
        let files = exported(&model, &tuned, Format::Peft).await.unwrap();
        let mut wider = config_json();
        wider["hidden_size"] = json!(64);
        let other = LanguageModel::load(
            "wider",
            self::files(&wider, 1),
            Compute::cpu(),
            Storage::F32,
        );
        let error = import(&other.await.unwrap(), files.clone())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "wrongShape", "{error}");
        let without = files
            .into_iter()
            .filter(|file| file.path != "adapter_config.json");
        let error = import(&model, without.collect()).await.unwrap_err();
        assert_eq!(error.code(), "missingFile", "{error}");
    });
}

/// Bad files and settings, each with what a person is told.
#[test]
fn bad_input_gets_a_clear_error() {
    block_on(async {
        let load = async |config: &Value, storage: Storage| {
            let made = files(&config_json(), 1);
            let mut made = made.into_iter().collect::<Vec<_>>();
            made[0] = MemorySource::new("config.json", config.to_string().into_bytes());
            LanguageModel::load("bad", made, Compute::cpu(), storage).await
        };
        let with = |key: &str, value: Value| {
            let mut config = config_json();
            config[key] = value;
            config
        };
        for (config, storage, words) in [
            (
                with("rope_scaling", json!({"rope_type": "yarn", "factor": 4.0})),
                Storage::F32,
                "rope_type is \"yarn\"",
            ),
            (
                with(
                    "rope_scaling",
                    json!({"rope_type": "llama3", "factor": 8.0}),
                ),
                Storage::F32,
                "without low_freq_factor",
            ),
            (
                with("hidden_act", json!("relu")),
                Storage::F32,
                "hidden_act is \"relu\"",
            ),
            (
                with("model_type", json!("t5")),
                Storage::F32,
                "model_type is \"t5\"",
            ),
            (
                with("num_key_value_heads", json!(3)),
                Storage::F32,
                "not a multiple of num_key_value_heads",
            ),
            (
                with("vocab_size", json!(500)),
                Storage::F32,
                "belong to different models",
            ),
            (
                with("hidden_size", json!(48)),
                Storage::F32,
                "expected [704, 48]",
            ),
            (
                with("tie_word_embeddings", json!(false)),
                Storage::F32,
                "lm_head.weight is missing",
            ),
        ] {
            let error = load(&config, storage).await.unwrap_err().to_string();
            assert!(error.contains(words), "{words}: {error}");
        }
        let mut odd = config_json();
        odd["hidden_size"] = json!(36);
        odd["intermediate_size"] = json!(50);
        odd["num_attention_heads"] = json!(2);
        let odd = LanguageModel::load("odd", files(&odd, 1), Compute::cpu(), Storage::Int4).await;
        let error = odd.unwrap_err().to_string();
        assert!(
            error.contains("blocks of 32") && error.contains("storage"),
            "{error}"
        );
    });
}

#[test]
fn full_tuning_needs_whole_weights() {
    block_on(async {
        let model = model(&Compute::cpu(), Storage::Int8).await;
        let options = json!({"method": {"type": "full"}});
        let options = webtune::tasks::language::LanguageOptions::parse(options).unwrap();
        let session =
            webtune::tasks::language::LanguageTask::new(&model, "rows", &rows(8), options);
        let Err(error) = session else {
            panic!("it began");
        };
        assert!(error.to_string().contains("storage f32"), "{error}");
    });
}
