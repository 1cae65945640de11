//! A classifier whose frozen weights are kept in fewer bits, and one that computes its layers twice: both train, leave and come back.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};

use common::golden::relative_error;
use common::tiny;
use common::training::{finished, losses, refusal, run_on};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::export::{export, import};
use webtune::layers::Storage;
use webtune::models::Family;
use webtune::models::decoder::DecoderFamily;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::Which;

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
            // the order in which gradients are summed, over some steps of Adam
            let error = relative_error(&again, &plain);
            assert!(error < 1e-3, "{family:?} {method} {head}: {error:.1e}");
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
