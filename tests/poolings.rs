//! What a model's files say of pooling: a BERT without a pooler, and Sentence-Transformers' own ways to one vector of a text.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::collections::BTreeMap;

use common::tiny;
use common::training::run_on;
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::export::{files, import, own_format};
use webtune::formats::{Header, MemorySource, read_tensor, write};
use webtune::models::{HeadKind, SentencePooling};
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::{Tuned, Which, encode};

/// The same folder without the tensors of that name.
fn without(mut files: Vec<MemorySource>, name: &str) -> Vec<MemorySource> {
    let file = files
        .iter_mut()
        .find(|file| file.path == "model.safetensors")
        .unwrap();
    let header = block_on(Header::read(file)).unwrap();
    let kept = header
        .tensors()
        .iter()
        .filter(|info| !info.name.contains(name));
    let kept = kept.map(|info| {
        let (shape, values) = block_on(read_tensor(file, &header, &info.name)).unwrap();
        (info.name.clone(), shape, values)
    });
    let kept = kept.collect::<Vec<_>>();
    let tensors = kept
        .iter()
        .map(|(name, shape, values)| (name.as_str(), &shape[..], &values[..]));
    file.bytes = write(tensors, &BTreeMap::new()).unwrap();
    files
}

fn load(files: Vec<MemorySource>) -> Pretrained {
    block_on(Pretrained::load("tiny", files, Compute::cpu())).unwrap()
}

fn logits(model: &Pretrained, tuned: &Tuned) -> Vec<f32> {
    let texts = ["number 3 is about the river again".to_string()];
    block_on(tuned.predict(model, &texts, Which::Tuned))
        .unwrap()
        .remove(0)
        .logits
}

#[test]
fn a_bert_without_a_pooler_starts_one_afresh() {
    let model = load(without(tiny::files(7), "pooler"));
    assert_eq!(model.default_head, HeadKind::Cls);
    assert!(
        model.default_head_reason.contains("starts afresh"),
        "{}",
        model.default_head_reason
    );
    for (method, pooler) in [
        ("lora", "base_model.model.bert.pooler.dense.weight"),
        ("prefix", "base_model.bert.pooler.dense.weight"),
        ("full", "bert.pooler.dense.weight"),
        ("probe", "bert.pooler.dense.weight"),
        ("houlsby", "bert.pooler.dense.weight"),
    ] {
        let options = json!({"numTrainEpochs": 1, "method": {"type": method}});
        let (_, tuned) = block_on(run_on(&model, 24, options));
        let exported =
            block_on(files(&model, &tuned, own_format(&model, &tuned).unwrap())).unwrap();
        // the fresh layer is nowhere but in these files
        let weights = exported
            .iter()
            .filter(|file| file.path.ends_with(".safetensors"));
        let held = weights.flat_map(|file| {
            let source = MemorySource::new(file.path.clone(), file.bytes.clone());
            let header = block_on(Header::read(&source)).unwrap();
            header
                .tensors()
                .iter()
                .map(|info| info.name.clone())
                .collect::<Vec<_>>()
        });
        let held = held.collect::<Vec<_>>();
        assert!(held.iter().any(|name| name == pooler), "{method}: {held:?}");
        if ["lora", "prefix"].contains(&method) {
            let file = exported
                .iter()
                .find(|file| file.path == "adapter_config.json")
                .unwrap();
            let settings: Value = serde_json::from_slice(&file.bytes).unwrap();
            assert_eq!(
                settings["modules_to_save"],
                json!(["classifier", "pooler", "score"])
            );
        }
        let found = block_on(import(&model, exported)).unwrap();
        assert_eq!(logits(&model, &found), logits(&model, &tuned), "{method}");
    }
    // LoRA's `all-linear` leaves it to the head
    let options =
        json!({"numTrainEpochs": 1, "method": {"type": "lora", "targetModules": "all-linear"}});
    let (_, tuned) = block_on(run_on(&model, 24, options));
    assert!(
        !tuned
            .trainable
            .paths()
            .any(|path| path.contains("pooler") && path.contains("lora"))
    );
    // a mean head reads none and leaves none
    let options = json!({"head": "mean", "numTrainEpochs": 1, "method": {"type": "full"}});
    let (_, tuned) = block_on(run_on(&model, 24, options));
    assert!(!tuned.trainable.paths().any(|path| path.contains("pooler")));
}

#[test]
fn baselines_compare_texts_by_the_models_own_pooling() {
    let pooled = |settings: Value| {
        let mut files = tiny::files(7);
        let modules = json!([{"type": "sentence_transformers.models.Transformer", "path": ""},
            {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]);
        files.push(MemorySource::new(
            "modules.json",
            modules.to_string().into_bytes(),
        ));
        files.push(MemorySource::new(
            "1_Pooling/config.json",
            settings.to_string().into_bytes(),
        ));
        load(files)
    };
    let mut seen = Vec::new();
    for (settings, pooling, head) in [
        (
            json!({"pooling_mode_mean_tokens": true}),
            SentencePooling::Mean,
            HeadKind::Mean,
        ),
        (
            json!({"pooling_mode_cls_token": true}),
            SentencePooling::Cls,
            HeadKind::Cls,
        ),
        (
            json!({"pooling_mode": "max"}),
            SentencePooling::Max,
            HeadKind::Mean,
        ),
        (
            json!({"pooling_mode_lasttoken": true}),
            SentencePooling::LastToken,
            HeadKind::Mean,
        ),
    ] {
        let model = pooled(settings);
        assert_eq!((model.pooling, model.default_head), (pooling, head));
        let (_, tuned) = block_on(run_on(
            &model,
            24,
            json!({"numTrainEpochs": 1, "method": {"type": "lora"}}),
        ));
        let labels = tuned.labels.names().iter().map(String::as_str);
        let encodings = encode(&model, HeadKind::Mean, labels, 64).unwrap();
        let vectors = block_on(model.vectors(&model.encoder, &encodings)).unwrap();
        let zero_shot = &tuned.baselines.as_ref().unwrap().zero_shot;
        for (weight, value) in zero_shot.weight.iter().zip(&vectors) {
            assert!((weight - 20.0 * value).abs() < 1e-4, "{pooling:?}");
        }
        let centroid = &tuned.baselines.as_ref().unwrap().centroid.weight;
        assert!(!seen.contains(centroid), "{pooling:?}");
        seen.push(centroid.clone());
    }
}
