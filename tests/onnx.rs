//! Classifiers that leave as ONNX: what is in the folder, and what is refused. The folders stay in target/tmp/exports/onnx for the checks in
//! tests/exports, where onnxruntime and transformers.js run them.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::path::{Path, PathBuf};

use common::training::run_on;
use common::{tiny, tiny_language};
use pollster::block_on;
use prost::Message;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::export::{Export, ExportedFile, Format, Piece, files as exported, formats};
use webtune::formats::MemorySource;
use webtune::formats::onnx::{ElementType, ModelProto};
use webtune::layers::Storage;
use webtune::models::decoder::DecoderFamily;
use webtune::models::{Family, HeadKind};
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::{Tuned, Which, encode};

/// Name, family, method.
fn cases() -> Vec<(&'static str, Family, Value)> {
    let lora = json!({"type": "lora"});
    let dora = json!({"type": "lora", "useDora": true, "initLoraWeights": "pissa", "bias": "all"});
    vec![
        ("bert-lora", Family::Bert, lora.clone()),
        ("bert-dora", Family::Bert, dora),
        ("bert-full", Family::Bert, json!({"type": "full"})),
        ("bert-probe", Family::Bert, json!({"type": "probe"})),
        ("roberta-lora", Family::Roberta, lora.clone()),
        ("distilbert-lora", Family::Distilbert, lora.clone()),
        ("modernbert-lora", Family::Modernbert, lora),
    ]
}

/// A tiny model of that family. RoBERTa's positions count from 2, as in its published checkpoints; the id that its configuration takes for
/// padding is one that texts here have too.
fn model(family: Family) -> Pretrained {
    if family != Family::Roberta {
        return block_on(tiny::family_model(&Compute::cpu(), family));
    }
    let mut config = tiny::family_config(family);
    config["pad_token_id"] = json!(1);
    config["max_position_embeddings"] = json!(66);
    let files = tiny::files_of(&config, 7);
    block_on(Pretrained::load("tiny", files, Compute::cpu())).unwrap()
}

/// A short run under a head that is not the one it began with.
fn tuned(model: &Pretrained, method: &Value, head: HeadKind) -> Tuned {
    let settings = json!({
        "head": head, "method": method, "headInit": "random", "contrastive": false, "numTrainEpochs": 1, "trainBatchSize": 8,
        "learningRate": 1e-2, "headLearningRate": 0.1, "maxLength": 24
    });
    block_on(run_on(model, 24, settings)).1
}

/// Of several lengths, one of them longer than what is kept of it.
fn texts() -> Vec<String> {
    let mut texts = tiny::examples(9)
        .into_iter()
        .map(|example| example.text)
        .collect::<Vec<_>>();
    texts.push(String::new());
    texts.push("boat".into());
    // a token that is not known
    texts.push("a \u{1f6f6} boat".into());
    texts.push("The river's water carries a boat past the old mill again.".into());
    texts
}

fn write(folder: &Path, files: &[ExportedFile]) {
    for file in files {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.bytes).unwrap();
    }
}

fn paths(files: &[ExportedFile]) -> Vec<&str> {
    files.iter().map(|file| file.path.as_str()).collect()
}

fn json_of(files: &[ExportedFile], path: &str) -> Value {
    let file = files.iter().find(|file| file.path == path);
    serde_json::from_slice(&file.unwrap_or_else(|| panic!("{path}")).bytes).unwrap()
}

/// What webtune itself answers, one line a text.
fn answers(model: &Pretrained, tuned: &Tuned) -> String {
    let texts = texts();
    let found = block_on(tuned.predict(model, &texts, Which::Tuned)).unwrap();
    let words = texts.iter().map(String::as_str);
    let encodings = encode(model, tuned.head(), words, tuned.max_length).unwrap();
    let rows = texts.iter().zip(found).zip(encodings);
    rows.map(|((text, answer), encoding)| {
        let line = json!({
            "text": text, "ids": encoding.ids, "truncated": encoding.truncated_from.is_some(), "logits": answer.logits, "label": answer.label,
            "probabilities": answer.probabilities, "labels": answer.labels
        });
        format!("{line}\n")
    })
    .collect()
}

/// The graph of a folder, read with the messages that wrote it; onnx.checker reads it with its own.
fn graph(files: &[ExportedFile], path: &str) -> ModelProto {
    let file = files.iter().find(|file| file.path == path).unwrap();
    ModelProto::decode(file.bytes.as_slice()).unwrap()
}

fn inputs(model: &ModelProto) -> Vec<&str> {
    let graph = model.graph.as_ref().unwrap();
    graph
        .input
        .iter()
        .map(|input| input.name.as_str())
        .collect()
}

#[test]
fn classifiers_leave_as_graphs() {
    for (name, family, method) in cases() {
        let model = model(family);
        for head in [HeadKind::Cls, HeadKind::Mean] {
            let tuned = tuned(&model, &method, head);
            let name = format!("{name}-{}", format!("{head:?}").to_lowercase());
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exports/onnx");
            let folder: PathBuf = folder.join(&name);
            std::fs::remove_dir_all(&folder).ok();
            let mut sizes = Vec::new();
            for (format, file, words) in [
                (Format::Onnx, "onnx/model.onnx", "fp32"),
                (Format::OnnxFp16, "onnx/model_fp16.onnx", "fp16"),
            ] {
                let files = block_on(exported(&model, &tuned, format)).unwrap();
                let expected = [
                    "README.md",
                    "config.json",
                    file,
                    "tokenizer.json",
                    "tokenizer_config.json",
                ];
                assert_eq!(paths(&files), expected, "{name}");
                let config = json_of(&files, "config.json");
                assert_eq!(config["id2label"]["2"], "travel", "{name}");
                assert_eq!(config["transformers.js_config"]["dtype"], words);
                let class = config["architectures"][0].as_str().unwrap();
                assert!(class.ends_with("ForSequenceClassification"), "{class}");
                let settings = json_of(&files, "tokenizer_config.json");
                assert_eq!(settings["model_max_length"], 24, "{name}");
                let graph = graph(&files, file);
                let types = family == Family::Bert;
                let expected = ["input_ids", "attention_mask", "token_type_ids"];
                assert_eq!(
                    inputs(&graph),
                    expected[..if types { 3 } else { 2 }],
                    "{name}"
                );
                let found = files.iter().find(|found| found.path == file).unwrap();
                sizes.push(found.bytes.len() as f64);
                write(&folder.join(words), &files);
            }
            // tables and layers are half as large, head and graph are not
            assert!(
                (0.5..0.75).contains(&(sizes[1] / sizes[0])),
                "{name}: {sizes:?}"
            );
            std::fs::write(folder.join("predictions.jsonl"), answers(&model, &tuned)).unwrap();
        }
    }
}

#[test]
fn weights_come_one_after_the_other_and_the_file_is_as_long_as_it_says() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let tuned = tuned(&model, &json!({"type": "lora"}), HeadKind::Mean);
    for format in [Format::Onnx, Format::OnnxFp16] {
        let mut export = block_on(Export::new(&model, &tuned, format, None)).unwrap();
        let mut open: Option<(String, u64)> = None;
        let mut largest = 0;
        while let Some(piece) = block_on(export.next_piece(&model, &tuned)).unwrap() {
            match piece {
                Piece::Open { file, bytes } => assert_eq!(open.replace((file, bytes)), None),
                Piece::Bytes(bytes) => {
                    let (file, left) = open.as_mut().unwrap();
                    if file.ends_with(".onnx") {
                        largest = largest.max(bytes.len());
                    }
                    *left -= bytes.len() as u64;
                }
                Piece::Close => assert_eq!(open.take().unwrap().1, 0),
            }
        }
        assert_eq!(open, None);
        // the table of words, 2000 of them 32 wide
        let bytes = if format == Format::Onnx { 4 } else { 2 };
        assert_eq!(largest, 2000 * 32 * bytes);
    }
}

#[test]
fn a_folder_without_tokenizer_settings_gets_them() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let tuned = tuned(&model, &json!({"type": "probe"}), HeadKind::Cls);
    let files = block_on(exported(&model, &tuned, Format::Onnx)).unwrap();
    assert_eq!(
        json_of(&files, "tokenizer_config.json"),
        json!({"model_max_length": 24, "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"})
    );
    let card = files.iter().find(|file| file.path == "README.md").unwrap();
    let card = String::from_utf8_lossy(&card.bytes);
    for part in [
        "library_name: transformers.js",
        "# ONNX graph for tiny",
        "```js",
        "pipeline(\"text-classification\"",
    ] {
        assert!(card.contains(part), "{part} is not in\n{card}");
    }
}

#[test]
fn what_has_no_graph_is_refused_by_name() {
    let mean = HeadKind::Mean;
    let plain = block_on(tiny::model(&Compute::cpu()));
    let decoder = Family::Decoder(DecoderFamily::Gpt2);
    let decoder = block_on(tiny::family_model(&Compute::cpu(), decoder));
    let rounded = Pretrained::load_stored("tiny", tiny::files(7), Compute::cpu(), Storage::Int8);
    let rounded = block_on(rounded).unwrap();
    let lora = json!({"type": "lora"});
    for (model, method, words) in [
        (
            &plain,
            json!({"type": "prefix", "numVirtualTokens": 3}),
            "prefix is no change of the weights and cannot be merged",
        ),
        (
            &plain,
            json!({"type": "houlsby"}),
            "houlsby is no change of the weights and cannot be merged",
        ),
        (&rounded, lora.clone(), "rounded to integers"),
        (&decoder, lora, "of the family gpt2"),
    ] {
        let tuned = tuned(model, &method, mean);
        for format in [Format::Onnx, Format::OnnxFp16] {
            assert!(!formats(model, &tuned).unwrap().contains(&format));
            let error = block_on(exported(model, &tuned, format)).unwrap_err();
            assert_eq!(error.code(), "invalidOption");
            let error = error.to_string();
            assert!(error.starts_with(&format!("format: {format} ")), "{error}");
            assert!(error.contains(words), "{error}");
        }
    }
    block_on(async {
        let model = tiny_language::model(&Compute::cpu(), Storage::F32).await;
        let options = json!({"method": {"type": "full"}, "numTrainEpochs": 1, "sampleTokens": 0, "maxLength": 64});
        let (_, tuned) = tiny_language::run(&model, &tiny_language::rows(12), options).await;
        let error = exported(&model, &tuned, Format::Onnx).await.unwrap_err();
        let family = model.config.family.model_type();
        assert!(error.to_string().contains(family), "{error}");
    });
}

#[test]
fn a_value_beyond_float16_is_refused_by_name_and_leaves_in_float32() {
    let mut sources = tiny::files(7);
    let checkpoint = sources
        .iter_mut()
        .find(|source| source.path == "model.safetensors");
    let checkpoint = checkpoint.unwrap();
    let golden = block_on(common::golden::Golden::read(&checkpoint.bytes));
    let mut tensors = golden.floats.into_iter().collect::<Vec<_>>();
    let name = "embeddings.word_embeddings.weight";
    let (name, (_, values)) = tensors
        .iter_mut()
        .find(|(other, _)| other.ends_with(name))
        .unwrap();
    values[33] = 70_000.0;
    let name = name.clone();
    let views = tensors
        .iter()
        .map(|(key, (shape, values))| (key.as_str(), shape.as_slice(), values.as_slice()));
    let bytes = webtune::formats::write(views, &Default::default()).unwrap();
    *checkpoint = MemorySource::new("model.safetensors", bytes);
    let model = block_on(Pretrained::load("tiny", sources, Compute::cpu())).unwrap();
    let tuned = tuned(&model, &json!({"type": "lora"}), HeadKind::Mean);
    let error = block_on(exported(&model, &tuned, Format::OnnxFp16)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot write the ONNX file: tensor {}: its value 70000 at index 33 is too large for F16; export it as onnx in float32",
            name.trim_start_matches("bert.")
        )
    );
    let files = block_on(exported(&model, &tuned, Format::Onnx)).unwrap();
    let model = graph(&files, "onnx/model.onnx");
    let all = model.graph.unwrap().initializer;
    let table = all.iter().find(|tensor| tensor.dims == [2000, 32]).unwrap();
    assert_eq!(table.data_type, ElementType::Float as i32);
    assert_eq!(table.raw_data[33 * 4..34 * 4], 70_000_f32.to_le_bytes());
}
