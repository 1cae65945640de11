//! What draws at random while training: dropout and mixout, in whole runs on the CPU engine natively.
//!
//! burn's CPU engine has one random stream for the whole process, so that these tests take turns and have a process to themselves.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};

use common::matrix::values;
use common::tiny;
use common::training::{finished, losses, run_on, validation_losses};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::tasks::classify::ClassifyEvent;
use webtune::tasks::classify::tuned::Tuned;

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    // a failed test must not fail the others
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn go(base: &Value, more: Value) -> (Vec<ClassifyEvent>, Tuned) {
    let mut settings = base.clone();
    let map = settings.as_object_mut().unwrap();
    map.extend(more.as_object().unwrap().clone());
    let model = block_on(tiny::model(&Compute::cpu()));
    block_on(run_on(&model, 24, settings))
}

/// The three sources, each as an option.
fn sources() -> [(&'static str, Value); 3] {
    [
        ("dropout", json!({"dropout": 0.3})),
        (
            "loraDropout",
            json!({"method": {"type": "lora", "loraDropout": 0.3}}),
        ),
        ("mixout", json!({"method": {"type": "full"}, "mixout": 0.3})),
    ]
}

fn without(source: &str) -> Value {
    match source {
        "mixout" => json!({"method": {"type": "full"}}),
        _ => json!({}),
    }
}

#[test]
fn noise_changes_the_losses_and_follows_from_the_data_seed() {
    let _turn = turn();
    let base = json!({
        "contrastive": false, "numTrainEpochs": 2, "trainBatchSize": 8, "learningRate": 1e-3, "headLearningRate": 1e-2,
        "warmupRatio": 0, "headSeed": 1, "dataSeed": 1
    });
    for (name, option) in sources() {
        let of = |more: Value| losses(&go(&base, more).0);
        let noisy = of(option.clone());
        assert_eq!(noisy, of(option.clone()), "{name}");
        assert_ne!(noisy, of(without(name)), "{name}");
        // one batch of all rows, so that another order changes nothing but rounding
        let first = |seed: u64| {
            let mut more = option.clone();
            more["dataSeed"] = json!(seed);
            more["trainBatchSize"] = json!(64);
            of(more)
        };
        let [a, b] = [first(1), first(2)];
        // what is first mixed is the pretrained weight with itself, so that mixout shows in the second step
        let step = usize::from(name != "dropout");
        assert!((a[step] - b[step]).abs() > 1e-4, "{name}: {a:?} {b:?}");
    }
}

#[test]
fn what_is_dropped_differs_from_step_to_step() {
    let _turn = turn();
    let settings = json!({
        "contrastive": false, "numTrainEpochs": 4, "trainBatchSize": 64, "learningRate": 0, "headLearningRate": 0,
        "dropout": 0.5, "earlyStoppingPatience": 0
    });
    let losses = losses(&go(&settings, json!({})).0);
    assert_eq!(losses.len(), 4);
    for pair in losses.windows(2) {
        assert!((pair[0] - pair[1]).abs() > 1e-3, "{losses:?}");
    }
}

#[test]
fn evaluation_drops_and_mixes_nothing() {
    let _turn = turn();
    let base = json!({
        "contrastive": false, "numTrainEpochs": 2, "learningRate": 0, "headLearningRate": 0, "earlyStoppingPatience": 0
    });
    for (name, option) in sources() {
        let (noisy, tuned) = go(&base, option);
        let (plain, other) = go(&base, without(name));
        let [a, b] = [&noisy, &plain].map(|events| validation_losses(events));
        assert_eq!(a, b, "{name}");
        let scores = [&noisy, &plain].map(|events| finished(events).task.evaluation.tuned.loss);
        assert_eq!(scores[0], scores[1], "{name}");
        let model = block_on(tiny::model(&Compute::cpu()));
        let texts = ["the river again".to_string(), "an oven".to_string()];
        let which = webtune::tasks::classify::tuned::Which::Tuned;
        let [a, b] =
            [&tuned, &other].map(|tuned| block_on(tuned.predict(&model, &texts, which)).unwrap());
        for (a, b) in a.iter().zip(&b) {
            assert_eq!(a.logits, b.logits, "{name}");
        }
    }
}

#[test]
fn mixout_of_an_unmoved_weight_is_the_weight() {
    let _turn = turn();
    let base = json!({
        "contrastive": false, "numTrainEpochs": 1, "trainBatchSize": 8, "learningRate": 0, "headLearningRate": 0,
        "method": {"type": "full"}
    });
    let mixed = losses(&go(&base, json!({"mixout": 0.7})).0);
    let plain = losses(&go(&base, json!({})).0);
    // (1 - m) w / (1 - p) + (m - p) w / (1 - p) rounds
    for (a, b) in mixed.iter().zip(&plain) {
        assert!((a - b).abs() < 1e-4, "{mixed:?} {plain:?}");
    }
}

#[test]
fn mixout_near_one_lets_few_entries_move() {
    let _turn = turn();
    let base = json!({
        "contrastive": false, "numTrainEpochs": 1, "trainBatchSize": 64, "learningRate": 1e-3, "headLearningRate": 1e-3,
        "warmupRatio": 0, "weightDecay": 0, "method": {"type": "full"}, "headInit": "random"
    });
    let model = block_on(tiny::model(&Compute::cpu()));
    let start = block_on(values(&webtune::models::Classifier::new(
        model.encoder.clone(),
        webtune::models::Head::new(
            webtune::models::HeadKind::Cls,
            &webtune::models::classifier::HeadWeights::zeros(3, 32),
            &model.compute.device,
        ),
    )));
    let share = |mixout: f64| {
        let (_, tuned) = go(&base, json!({"mixout": mixout}));
        let after = block_on(values(&tuned.classifier));
        let pairs = start
            .iter()
            .filter(|(path, _)| path.contains(".dense.weight") || path.contains("value.weight"))
            .flat_map(|(path, values)| values.iter().zip(&after[path]));
        let (moved, all) = pairs.fold((0, 0), |(moved, all), (a, b)| {
            (moved + usize::from(a != b), all + 1)
        });
        moved as f64 / f64::from(all)
    };
    assert!(share(0.0) > 0.95, "{}", share(0.0));
    // a share of 0.05 of 15,000 entries has a deviation of 0.002
    let few = share(0.95);
    assert!((few - 0.05).abs() < 0.01, "{few}");
}

#[test]
fn the_frozen_cache_rests_while_hidden_states_are_dropped() {
    let _turn = turn();
    let base = json!({
        "contrastive": false, "numTrainEpochs": 1, "method": {"type": "lora", "layersToTransform": [1]}, "dropout": 0.2
    });
    let (events, _) = go(&base, json!({}));
    let Some(ClassifyEvent::Started { task, .. }) = events.first() else {
        panic!("{events:?}");
    };
    assert_eq!(task.cached_layers, 0);
    let off = go(&base, json!({"frozenCache": false})).0;
    assert_eq!(losses(&events), losses(&off));
}
