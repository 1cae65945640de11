//! A classifier whose frozen weights are kept in fewer bits, and one that computes its layers twice: both train, leave and come back.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};

use common::files::export;
use common::golden::relative_error;
use common::training::{finished, losses, refusal, run_on};
use common::{tiny, tiny_language};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::export::import;
use webtune::formats::{Header, MemorySource};
use webtune::layers::Storage;
use webtune::models::Family;
use webtune::models::decoder::DecoderFamily;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::Which;
use webtune::tasks::language::model::LanguageModel;

const LLAMA: Family = Family::Decoder(DecoderFamily::Llama);
const GPT2: Family = Family::Decoder(DecoderFamily::Gpt2);

/// The CPU engine has one source of dropout for all threads, and every run seeds it.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stored(family: Family, storage: Storage) -> Pretrained {
    let files = tiny::family_files(family);
    block_on(Pretrained::load_stored(
        "tiny",
        files,
        Compute::cpu(),
        storage,
    ))
    .unwrap()
}

fn settings(more: Value) -> Value {
    let mut all = json!({"numTrainEpochs": 3, "contrastive": {"steps": 3, "batchSize": 8}, "recipe": "balanced"});
    let given = more.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(given);
    all
}

#[test]
fn checkpointing_gives_the_same_run() {
    let _turn = turn();
    let methods = [
        json!({"type": "lora"}),
        json!({"type": "lora", "layersToTransform": [1]}),
        json!({"type": "full"}),
        json!({"type": "prefix"}),
        json!({"type": "houlsby"}),
    ];
    let bert = methods.iter().map(|method| (Family::Bert, method));
    // a decoder has no place for bottlenecks
    let llama = methods[..4].iter().map(|method| (LLAMA, method));
    for (family, method) in bert.chain(llama) {
        let model = stored(family, Storage::F32);
        for head in ["cls", "mean"] {
            let run = |checkpointing: bool| {
                let more =
                    json!({"method": method, "head": head, "gradientCheckpointing": checkpointing});
                block_on(run_on(&model, 24, settings(more))).0
            };
            let [plain, again] = [run(false), run(true)].map(|events| losses(&events));
            assert!(plain.len() > 6);
            let error = relative_error(&again, &plain);
            // BERT's layers sum the gradients of queries and values in another order; Adam's steps along a gradient near zero multiply that
            let reordered = family == Family::Bert && *method == methods[0];
            let limit = if reordered { 2e-4 } else { 0.0 };
            assert!(error <= limit, "{family:?} {method} {head}: {error:.1e}");
            assert_eq!(again[..3], plain[..3], "{family:?} {method} {head}");
        }
    }
}

#[test]
fn dropout_and_mixout_drop_the_same_in_the_second_computation() {
    let _turn = turn();
    let model = stored(Family::Bert, Storage::F32);
    let more = json!({
        "method": {"type": "full"}, "mixout": 0.3, "dropout": 0.1, "gradientCheckpointing": true, "contrastive": false,
        "learningRate": 1e-3
    });
    let run = || block_on(run_on(&model, 24, settings(more.clone()))).0;
    let found = losses(&run());
    assert_eq!(found, losses(&run()));
    assert!(found.iter().all(|loss| loss.is_finite()));
}

#[test]
fn every_storage_trains_leaves_and_comes_back() {
    let _turn = turn();
    for family in [
        Family::Bert,
        Family::Roberta,
        Family::Modernbert,
        LLAMA,
        GPT2,
    ] {
        for storage in [Storage::F16, Storage::Int8, Storage::Int4] {
            let model = stored(family, storage);
            assert!(model.info().weight_bytes < stored(family, Storage::F32).info().weight_bytes);
            for method in ["lora", "houlsby", "prefix", "probe"] {
                let fits = match (method, family) {
                    ("houlsby", _) => family == Family::Bert,
                    ("prefix", _) => ![Family::Roberta, Family::Modernbert].contains(&family),
                    _ => true,
                };
                if !fits {
                    continue;
                }
                let more = json!({"method": {"type": method}, "contrastive": false, "head": "cls"});
                let (events, tuned) = block_on(run_on(&model, 24, settings(more)));
                assert!(
                    finished(&events)
                        .train_loss
                        .iter()
                        .all(|loss| loss.is_finite())
                );
                let texts = ["number 3 is about the river again".to_string()];
                let of = |tuned| block_on(async { tuned_logits(&model, tuned, &texts).await });
                let before = of(&tuned);
                let files = block_on(export(&model, &tuned)).unwrap();
                let back = block_on(import(&model, files)).unwrap();
                assert_eq!(before, of(&back), "{family:?} {storage:?} {method}");
            }
        }
    }
}

async fn tuned_logits(
    model: &Pretrained,
    tuned: &webtune::tasks::classify::tuned::Tuned,
    texts: &[String],
) -> Vec<Vec<f64>> {
    let answers = tuned.predict(model, texts, Which::Tuned).await.unwrap();
    let json = serde_json::to_value(&answers).unwrap();
    let rows = json.as_array().unwrap().iter();
    rows.map(|row| {
        let logits = row["logits"].as_array().unwrap().iter();
        logits.map(|logit| logit.as_f64().unwrap()).collect()
    })
    .collect()
}

#[test]
fn what_cannot_be_is_refused() {
    let _turn = turn();
    let model = stored(Family::Bert, Storage::Int8);
    let said = |json: Value| refusal(&model, json).to_string();
    let full = said(json!({"method": {"type": "full"}}));
    assert!(full.contains("storage f32, not int8"), "{full}");
    let pissa = said(json!({"method": {"type": "lora", "initLoraWeights": "pissa"}}));
    assert!(pissa.contains("storage f32, not int8"), "{pissa}");
    let probe = said(json!({"method": {"type": "probe"}, "gradientCheckpointing": true}));
    assert!(probe.starts_with("gradientCheckpointing"), "{probe}");
}

/// Both kinds of models, loaded; only whether it works.
fn load_both(
    classifier: Vec<MemorySource>,
    language: Vec<MemorySource>,
    compute: &Compute,
    storage: Storage,
) -> [Result<(), webtune::Error>; 2] {
    let classifier = Pretrained::load_stored("tiny", classifier, compute.clone(), storage);
    let language = LanguageModel::load("tiny", language, compute.clone(), storage);
    [
        block_on(classifier).map(|_| ()),
        block_on(language).map(|_| ()),
    ]
}

/// On an adapter without `shader-f16` a weight in f16 is a shader that does not compile, after which the device is of no use.
#[test]
fn f16_is_refused_where_the_engine_lacks_it() {
    let without = Compute {
        has_f16: false,
        ..Compute::cpu()
    };
    for storage in [Storage::F32, Storage::F16, Storage::Int8, Storage::Int4] {
        let language = tiny_language::files(&tiny_language::config_json(), 5);
        for loaded in load_both(tiny::files(7), language, &without, storage) {
            if storage == Storage::F16 {
                let error = loaded.unwrap_err();
                assert_eq!(error.code(), "invalidOption");
                assert!(error.to_string().contains("shader-f16"), "{error}");
            } else {
                loaded.unwrap();
            }
        }
    }
}

/// The files with one value of a tensor replaced.
fn with_value(mut files: Vec<MemorySource>, tensor: &str, value: f32) -> Vec<MemorySource> {
    let weights = files
        .iter_mut()
        .find(|file| file.path == "model.safetensors")
        .unwrap();
    let header = block_on(Header::read(&*weights)).unwrap();
    let start = header.info(tensor).unwrap().start as usize + 4 * 40;
    weights.bytes[start..start + 4].copy_from_slice(&value.to_le_bytes());
    files
}

/// Outliers as some bfloat16 checkpoints have them.
#[test]
fn a_weight_beyond_f16_is_refused_by_name() {
    let compute = Compute::cpu();
    for (encoder, decoder) in [
        (
            "encoder.layer.1.output.dense.weight",
            "model.layers.1.mlp.down_proj.weight",
        ),
        (
            "encoder.layer.0.attention.self.query.weight",
            "model.embed_tokens.weight",
        ),
    ] {
        for storage in [Storage::F32, Storage::F16, Storage::Int8] {
            let classifier = with_value(tiny::files(7), encoder, 1e5);
            let language = tiny_language::files(&tiny_language::config_json(), 5);
            let language = with_value(language, decoder, -1e5);
            let loaded = load_both(classifier, language, &compute, storage);
            for (loaded, tensor) in loaded.into_iter().zip([encoder, decoder]) {
                if storage == Storage::F16 {
                    let error = loaded.unwrap_err();
                    assert_eq!(error.code(), "invalidOption");
                    let text = error.to_string();
                    assert!(
                        text.contains(tensor) && text.contains("choose f32"),
                        "{text}"
                    );
                } else {
                    loaded.unwrap();
                }
            }
        }
    }
}
