//! Writes exports of short runs to target/tmp/exports, for the checks in tests/exports: there the libraries that they are meant for load them.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::path::{Path, PathBuf};

use common::training::run_on;
use common::{tiny, tiny_language};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::export::{Export, ExportedFile, Format, Piece, files as exported, own_format};
use webtune::formats::MemorySource;
use webtune::layers::Storage;
use webtune::models::Family;
use webtune::models::decoder::DecoderFamily;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::Which;
use webtune::tasks::language::model::{LanguageModel, Prompt};
use webtune::tasks::language::tuned::{TunedLanguage, next_logits};

const LLAMA: Family = Family::Decoder(DecoderFamily::Llama);
const GPT2: Family = Family::Decoder(DecoderFamily::Gpt2);

/// An empty folder for one case.
fn folder(task: &str, name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exports");
    let path = path.join(task).join(name);
    std::fs::remove_dir_all(&path).ok();
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn write(folder: &Path, files: &[ExportedFile]) {
    for file in files {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.bytes).unwrap();
    }
}

/// A base model's own files.
fn write_base(folder: &Path, sources: &[MemorySource]) {
    let files = sources.iter().map(|source| ExportedFile {
        path: source.path.clone(),
        bytes: source.bytes.clone(),
    });
    write(&folder.join("base"), &files.collect::<Vec<_>>());
}

/// Family, method and head; AdapterHub's bottlenecks need a library of their own, whose transformers is older.
fn classifiers() -> Vec<(Family, &'static str, &'static str)> {
    let bert = ["lora", "prefix", "full", "probe"].map(|method| (Family::Bert, method));
    let others = [
        (Family::Roberta, "lora"),
        (Family::Distilbert, "full"),
        (Family::Modernbert, "lora"),
        (LLAMA, "lora"),
        (LLAMA, "prefix"),
        (GPT2, "lora"),
    ];
    let all = bert.into_iter().chain(others);
    all.flat_map(|(family, method)| ["cls", "mean"].map(|head| (family, method, head)))
        .collect()
}

#[test]
fn classifiers_leave() {
    let texts = tiny::examples(9).into_iter().map(|example| example.text);
    let texts = texts.chain(["".into()]).collect::<Vec<_>>();
    for (family, method, head) in classifiers() {
        let name = format!("{family:?}-{method}-{head}").to_lowercase();
        let name = name.replace(['(', ')'], "-");
        let base = tiny::family_files(family);
        let model = Pretrained::load("tiny", base.clone(), Compute::cpu());
        let model = block_on(model).unwrap();
        let settings = json!({
            "head": head, "method": {"type": method}, "headInit": "random", "contrastive": false, "numTrainEpochs": 1,
            "trainBatchSize": 8, "learningRate": 1e-2, "headLearningRate": 0.1
        });
        let (_, tuned) = block_on(run_on(&model, 24, settings));
        let found = block_on(tuned.predict(&model, &texts, Which::Tuned)).unwrap();
        let found = serde_json::to_value(&found).unwrap();
        let rows = texts.iter().zip(found.as_array().unwrap());
        let rows =
            rows.map(|(text, row)| json!({"text": text, "logits": row["logits"]}).to_string());
        let rows = rows.collect::<Vec<_>>().join("\n");
        let mut formats = vec![(name.clone(), own_format(&model, &tuned).unwrap())];
        if method == "lora" {
            formats.push((format!("{name}-merged"), Format::Merged));
        }
        for (name, format) in formats {
            let folder = folder("classifiers", &name);
            write_base(&folder, &base);
            let files = block_on(exported(&model, &tuned, format)).unwrap();
            write(&folder.join("adapter"), &files);
            std::fs::write(folder.join("predictions.jsonl"), &rows).unwrap();
            let run = json!({"run": {"model": folder.join("base")}}).to_string();
            std::fs::write(folder.join("metrics.json"), run).unwrap();
        }
    }
}

async fn merged(model: &LanguageModel, tuned: &TunedLanguage) -> Vec<ExportedFile> {
    let export = Export::new(model, tuned, Format::Merged, Some(20_000));
    let mut export = export.await.unwrap();
    let mut files: Vec<ExportedFile> = Vec::new();
    while let Some(piece) = export.next_piece(model, tuned).await.unwrap() {
        match piece {
            Piece::Open { file, .. } => files.push(ExportedFile {
                path: file,
                bytes: Vec::new(),
            }),
            Piece::Bytes(bytes) => files.last_mut().unwrap().bytes.extend(bytes),
            Piece::Close => {}
        }
    }
    files
}

/// The base model's files, with what keeps transformers from choosing another tokenizer by the model's type.
fn language_files() -> Vec<MemorySource> {
    let tokenizer =
        json!({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"});
    let bytes = tokenizer.to_string().into_bytes();
    let mut files = tiny_language::files(&tiny_language::config_json(), 5);
    files.push(MemorySource::new("tokenizer_config.json", bytes));
    files
}

#[test]
fn language_models_leave() {
    block_on(async {
        let dora =
            json!({"type": "lora", "useDora": true, "targetModules": ["q_proj", "down_proj"]});
        for (name, method) in [
            ("lora", json!({"type": "lora"})),
            ("dora", dora),
            ("rslora", json!({"type": "lora", "useRslora": true})),
            ("prefix", json!({"type": "prefix", "numVirtualTokens": 5})),
            ("full", json!({"type": "full"})),
        ] {
            let folder = folder("language", name);
            write_base(&folder, &language_files());
            let model = LanguageModel::load("tiny", language_files(), Compute::cpu(), Storage::F32);
            let model = model.await.unwrap();
            let options = json!({
                "method": method, "numTrainEpochs": 2, "learningRate": 1e-2, "sampleTokens": 0, "maxLength": 64
            });
            let rows = tiny_language::rows(12);
            let (_, tuned) = tiny_language::run(&model, &rows, options).await;
            if name != "full" {
                let files = exported(&model, &tuned, Format::Peft).await.unwrap();
                write(&folder.join("adapter"), &files);
            }
            if name != "prefix" {
                write(&folder.join("merged"), &merged(&model, &tuned).await);
            }
            if name == "lora" {
                let files = exported(&model, &tuned, Format::Gguf).await.unwrap();
                write(&folder, &files);
            }
            let text = "what does the cow say?";
            let prompt = Prompt::Text(text.into());
            let ids = model.prompt_ids(&prompt).unwrap();
            let logits = next_logits(&model, &tuned.model, &prompt).await.unwrap();
            let expected: Value = json!({"text": text, "ids": ids, "logits": logits});
            std::fs::write(folder.join("logits.json"), expected.to_string()).unwrap();
        }
    });
}
