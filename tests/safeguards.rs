//! What keeps a run from harm, in whole runs on the CPU engine natively: cache, decay, pull to the start, seeds, contrastive stage.
//! What draws at random while training is in `noise.rs`.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::collections::BTreeMap;

use common::matrix::values;
use common::tiny;
use common::training::{finished, losses, run_on, session, validation_losses};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::models::load::transpose;
use webtune::models::names::is_bias_or_norm;
use webtune::tasks::classify::ClassifyEvent;
use webtune::tasks::classify::event::KeptStage;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::Tuned;
use webtune::train::event::{FinishReason, Stage};

fn model() -> Pretrained {
    block_on(tiny::model(&Compute::cpu()))
}

fn with(base: &Value, more: Value) -> Value {
    let mut settings = base.clone();
    let map = settings.as_object_mut().unwrap();
    map.extend(more.as_object().unwrap().clone());
    settings
}

fn go(model: &Pretrained, settings: Value) -> (Vec<ClassifyEvent>, Tuned) {
    block_on(run_on(model, 24, settings))
}

fn cached_layers(events: &[ClassifyEvent]) -> usize {
    match events.first() {
        Some(ClassifyEvent::Started { task, .. }) => task.cached_layers,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_frozen_cache_changes_no_loss() {
    let model = model();
    let top = json!({"type": "lora", "layersToTransform": [1]});
    for (method, more, layers) in [
        (json!({"type": "probe"}), json!({}), 2),
        (top.clone(), json!({}), 1),
        (
            top.clone(),
            json!({"contrastive": {"steps": 4, "batchSize": 12}}),
            1,
        ),
        (top, json!({"unfreezeEveryEpochs": 1}), 1),
        (
            json!({"type": "lora"}),
            json!({"unfreezeEveryEpochs": 1}),
            0,
        ),
        (json!({"type": "full"}), json!({"unfreezeEverySteps": 4}), 0),
        (
            json!({"type": "houlsby"}),
            json!({"unfreezeEveryEpochs": 2}),
            0,
        ),
        (
            json!({"type": "prefix"}),
            json!({"unfreezeEveryEpochs": 1}),
            0,
        ),
        (
            json!({"type": "full"}),
            json!({"unfreezeEveryEpochs": 1, "contrastive": {"steps": 4, "batchSize": 12}}),
            0,
        ),
        (json!({"type": "lora"}), json!({}), 0),
    ] {
        for head in ["cls", "mean"] {
            let base = json!({
                "method": method, "head": head, "numTrainEpochs": 4, "trainBatchSize": 6, "contrastive": false,
                "learningRate": 3e-3, "headLearningRate": 3e-2, "earlyStoppingPatience": 0
            });
            let settings = with(&base, more.clone());
            let (on, tuned) = go(&model, settings.clone());
            let (off, other) = go(&model, with(&settings, json!({"frozenCache": false})));
            let name = format!("{settings}");
            assert_eq!(cached_layers(&on), layers, "{name}");
            assert_eq!(cached_layers(&off), 0, "{name}");
            let [a, b] = [losses(&on), losses(&off)];
            assert_eq!(a.len(), b.len(), "{name}");
            assert!(a.first() != a.last(), "{name}");
            // the cached part was computed in batches of other sizes, whose products may round differently
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() < 2e-4, "{name}: {a} {b}");
            }
            for (a, b) in validation_losses(&on).iter().zip(validation_losses(&off)) {
                assert!((a - b).abs() < 2e-4, "{name}: {a} {b}");
            }
            assert_eq!(
                finished(&on).kept_epoch,
                finished(&off).kept_epoch,
                "{name}"
            );
            let texts = ["the boat on the river".to_string()];
            let which = webtune::tasks::classify::tuned::Which::Tuned;
            let one = block_on(tuned.predict(&model, &texts, which)).unwrap();
            let two = block_on(other.predict(&model, &texts, which)).unwrap();
            for (a, b) in one[0].logits.iter().zip(&two[0].logits) {
                assert!((a - b).abs() < 2e-3 * (1.0 + a.abs()), "{name}: {a} {b}");
            }
        }
    }
}

/// One optimiser step of all rows, from a random head.
fn one_step() -> Value {
    json!({
        "method": {"type": "full"}, "headInit": "random", "contrastive": false, "numTrainEpochs": 1,
        "trainBatchSize": 64, "warmupRatio": 0, "learningRate": 1e-2, "headLearningRate": 1e-2, "weightDecay": 0
    })
}

#[test]
fn decay_spares_biases_and_norms_unless_asked() {
    let model = model();
    let state = |more: Value| {
        let (_, tuned) = go(&model, with(&one_step(), more));
        block_on(values(&tuned.classifier))
    };
    let none = state(json!({}));
    let some = state(json!({"weightDecay": 0.5}));
    let all = state(json!({"weightDecay": 0.5, "decayBiasAndNorm": true}));
    let mut spared = 0;
    for (path, plain) in &none {
        // a cls head reads the pooler, so that everything trains here
        assert_eq!(
            *plain == some[path],
            is_bias_or_norm(path),
            "{path} without decay and with"
        );
        // biases start at zero, of which nothing can be taken: the norms' weights start at one
        if path.contains("layer_norm.weight") {
            assert_ne!(plain, &all[path], "{path}");
            // 1 - 0.01 * 0.5 of what it was, before the same update
            for (plain, decayed) in plain.iter().zip(&all[path]) {
                assert!((plain - decayed - 0.005).abs() < 1e-6);
            }
            spared += 1;
        }
    }
    assert_eq!(spared, 5);
}

/// Length of the way from one state to another, over all paths that `which` names.
fn distance(
    a: &BTreeMap<String, Vec<f32>>,
    b: &BTreeMap<String, Vec<f32>>,
    which: impl Fn(&str) -> bool,
) -> f64 {
    a.iter()
        .filter(|(path, _)| which(path))
        .flat_map(|(path, values)| values.iter().zip(&b[path]))
        .map(|(a, b)| f64::from(a - b).powi(2))
        .sum::<f64>()
        .sqrt()
}

#[test]
fn l2_sp_holds_the_weights_near_their_start() {
    let model = model();
    for method in ["full", "lora", "houlsby", "prefix", "probe"] {
        let base = json!({
            "method": {"type": method}, "contrastive": false, "headInit": "random", "numTrainEpochs": 1,
            "trainBatchSize": 2, "warmupRatio": 0, "learningRate": 1e-2, "headLearningRate": 1e-2, "weightDecay": 0,
            "lrSchedulerType": "linear"
        });
        let run = |more: Value| {
            let (events, tuned) = go(&model, with(&base, more));
            (losses(&events), block_on(values(&tuned.classifier)))
        };
        let (_, start) = run(json!({"learningRate": 0, "headLearningRate": 0}));
        let (free_losses, free) = run(json!({}));
        let (held_losses, held) = run(json!({"l2Sp": 1e4}));
        assert_eq!(
            free_losses[0], held_losses[0],
            "{method}: at the start nothing pulls"
        );
        assert!(
            held_losses[1] > free_losses[1] + 0.1,
            "{method}: the pull is in the loss: {held_losses:?}"
        );
        for (part, head) in [("encoder", false), ("head", true)] {
            if method == "probe" && !head {
                continue;
            }
            let far = |state| distance(&start, state, |path| path.starts_with("head.") == head);
            let [free, held] = [far(&free), far(&held)];
            assert!(
                free > 0.0 && held < 0.6 * free,
                "{method} {part}: {free} free, {held} held"
            );
        }
    }
}

#[test]
fn l2_sp_pulls_a_fitted_head_to_where_it_was_fitted() {
    // after a contrastive stage the head is new: its start is the fit, and not the probe
    let model = model();
    let settings = json!({
        "contrastive": {"steps": 8, "batchSize": 12, "learningRate": 1e-4}, "numTrainEpochs": 1, "l2Sp": 1e3,
        "learningRate": 0, "headLearningRate": 0, "weightDecay": 0, "trainBatchSize": 64
    });
    let (events, tuned) = go(&model, settings.clone());
    let (free, _) = go(&model, with(&settings, json!({"l2Sp": 0})));
    let last = |events: &[ClassifyEvent]| *losses(events).last().unwrap();
    assert_ne!(finished(&events).task.kept_stage, KeptStage::Probe);
    let state = block_on(values(&tuned.classifier));
    let fitted = transpose(&state["head.Cls.classifier.weight"], 32, 3);
    let way = (fitted
        .iter()
        .zip(&tuned.baselines.as_ref().unwrap().probe.weight))
    .map(|(a, b)| f64::from(a - b).powi(2))
    .sum::<f64>();
    // what is left of the penalty is the encoder's short way
    let penalty = f64::from(last(&events) - last(&free));
    let to_probe = 1e3 * way;
    assert!(
        to_probe > 0.1 && penalty < 0.1 * to_probe,
        "{penalty}, and {to_probe} more if it pulled to the probe"
    );
}

#[test]
fn every_schedule_gives_the_rates_of_its_formula() {
    let model = model();
    for (shape, factor) in [
        ("linear", [0.0, 0.5, 1.0, 0.75, 0.5, 0.25]),
        (
            "cosine",
            [
                0.0,
                0.5,
                1.0,
                0.853_553_390_593_273_8,
                0.5,
                0.146_446_609_406_726_2,
            ],
        ),
        ("constant", [0.0, 0.5, 1.0, 1.0, 1.0, 1.0]),
        (
            "slantedTriangular",
            // (1 + p * 31) / 32 for p of 0, 1/2, 1, 3/4, 1/2, 1/4
            [0.03125, 0.515_625, 1.0, 0.757_812_5, 0.515_625, 0.273_437_5],
        ),
    ] {
        let settings = json!({
            "contrastive": false, "numTrainEpochs": 2, "trainBatchSize": 7, "lrSchedulerType": shape, "warmupSteps": 2,
            "learningRate": 2e-3, "headLearningRate": 4e-3
        });
        let (events, _) = block_on(run_on(&model, 24, settings));
        let rates = events
            .iter()
            .filter_map(|event| match event {
                ClassifyEvent::Step {
                    learning_rate,
                    head_learning_rate,
                    ..
                } => Some([*learning_rate, *head_learning_rate]),
                _ => None,
            })
            .collect::<Vec<_>>();
        assert_eq!(rates.len(), 6, "{shape}");
        for ([rate, head_rate], factor) in rates.iter().zip(factor) {
            assert!((rate - 2e-3 * factor).abs() < 1e-15, "{shape}: {rate}");
            assert!((head_rate - 4e-3 * factor).abs() < 1e-15, "{shape}");
        }
    }
}

#[test]
fn seeds_are_told_summed_up_and_the_best_is_kept() {
    let model = model();
    let settings = json!({
        "seeds": 3, "seed": 11, "contrastive": false, "numTrainEpochs": 2, "headInit": "random", "learningRate": 1e-3,
        "headLearningRate": 3e-2
    });
    let (events, tuned) = block_on(run_on(&model, 30, settings.clone()));
    let begun = events
        .iter()
        .filter_map(|event| match event {
            ClassifyEvent::Seed {
                index,
                count,
                head_seed,
                data_seed,
            } => Some((*index, *count, *head_seed, *data_seed)),
            _ => None,
        })
        .collect::<Vec<_>>();
    assert_eq!(begun, [(0, 3, 11, 11), (1, 3, 12, 12), (2, 3, 13, 13)]);
    let ended = events
        .iter()
        .filter_map(|event| match event {
            ClassifyEvent::SeedFinished { index, run } => Some((*index, run.clone())),
            _ => None,
        })
        .collect::<Vec<_>>();
    let finished = finished(&events);
    let summary = finished.seeds.as_ref().unwrap();
    assert_eq!(summary.runs.len(), 3);
    // the last run's end is reported by `finished`
    for (index, run) in ended.iter() {
        assert_eq!(run, &summary.runs[*index]);
    }
    assert!(ended.len() >= 2);

    let accuracies = summary
        .runs
        .iter()
        .filter_map(|run| run.value)
        .collect::<Vec<_>>();
    assert!(
        (summary.runs.iter()).all(|run| run.reason != FinishReason::Unpromising),
        "two epochs are too few to give one up"
    );
    let mean = accuracies.iter().sum::<f64>() / 3.0;
    let squares = accuracies
        .iter()
        .map(|one| (one - mean).powi(2))
        .sum::<f64>();
    assert!((summary.mean - mean).abs() < 1e-12);
    assert!((summary.deviation - (squares / 2.0).sqrt()).abs() < 1e-12);

    // each run alone gives the same, on the same split
    let mut alone = Vec::new();
    for seed in 11..14 {
        let more = json!({"seeds": 1, "headSeed": seed, "dataSeed": seed});
        let (events, tuned) = block_on(run_on(&model, 30, with(&settings, more)));
        alone.push((events, tuned));
    }
    let key = |run: usize| {
        (
            summary.runs[run].value,
            summary.runs[run].loss.map(|loss| -loss),
        )
    };
    let best = (0..3).fold(0, |best, run| if key(run) > key(best) { run } else { best });
    assert_eq!(summary.best, best);
    for (run, (events, _)) in summary.runs.iter().zip(&alone) {
        let single = common::training::finished(events);
        assert!(single.seeds.is_none());
        assert_eq!(run.kept_epoch, single.kept_epoch);
        assert_eq!(run.steps, single.steps);
        assert_eq!(run.value, Some(single.task.evaluation.tuned.accuracy));
    }
    assert_eq!(
        block_on(values(&tuned.classifier)),
        block_on(values(&alone[best].1.classifier))
    );
    assert_eq!(finished.options.common.head_seed, Some(11 + best as u64));
    assert_eq!(finished.kept_epoch, summary.runs[best].kept_epoch);
}

#[test]
fn a_stop_amid_seeds_ends_all() {
    let model = model();
    let settings =
        json!({"seeds": 4, "contrastive": false, "numTrainEpochs": 3, "headInit": "random"});
    let mut session = session(&model, 30, settings);
    let mut events = Vec::new();
    while let Some(event) = block_on(session.next_event()).unwrap() {
        if matches!(&event, ClassifyEvent::Step { step: 2, .. })
            && events
                .iter()
                .any(|event| matches!(event, ClassifyEvent::SeedFinished { .. }))
        {
            session.stop();
        }
        events.push(event);
    }
    let finished = finished(&events);
    let summary = finished.seeds.as_ref().unwrap();
    assert_eq!(summary.runs.len(), 2);
    assert_eq!(summary.runs[0].reason, FinishReason::Completed);
    assert_eq!(
        (summary.runs[1].reason, summary.runs[1].steps),
        (FinishReason::Stopped, 2)
    );
    assert_eq!(summary.best, 0, "an unscored run wins nothing");
    assert!(session.take_tuned().is_some());
}

#[test]
fn the_contrastive_stage_trains_no_head_and_ends_with_a_fitted_one() {
    let model = model();
    for method in ["lora", "full", "houlsby", "prefix"] {
        let settings = json!({
            "contrastive": {"steps": 6, "batchSize": 12, "learningRate": 3e-3}, "numTrainEpochs": 0,
            "method": {"type": method}
        });
        let (events, tuned) = go(&model, settings);
        let mut steps = 0;
        for event in &events {
            match event {
                ClassifyEvent::Step {
                    stage,
                    step,
                    total_steps,
                    epoch,
                    head_learning_rate,
                    groups,
                    ..
                } => {
                    steps += 1;
                    assert_eq!((*step, *total_steps, *epoch), (steps, 6, 0));
                    assert_eq!(*stage, Stage::Contrastive);
                    assert_eq!(*head_learning_rate, 0.0);
                    for group in groups {
                        // the tiny model's head is `cls`, whose pooler full fine-tuning trains
                        let frozen = group.name == "head" && method != "full";
                        assert_eq!(group.frozen, frozen, "{method}: {groups:?}");
                    }
                }
                ClassifyEvent::Evaluation {
                    stage, epoch, step, ..
                } => {
                    assert_eq!((*stage, *epoch, *step), (Stage::Contrastive, 0, 6));
                }
                ClassifyEvent::Recipe {
                    total_steps,
                    epochs,
                    ..
                } => {
                    assert_eq!((*total_steps, *epochs), (6, 0));
                }
                _ => {}
            }
        }
        assert_eq!(steps, 6);
        assert_eq!(validation_losses(&events).len(), 1);
        let finished = finished(&events);
        assert_eq!(finished.reason, FinishReason::Completed);
        assert_eq!((finished.steps, finished.kept_epoch), (6, 0));
        assert!(
            finished
                .message
                .starts_with("The contrastive stage is trained"),
            "{}",
            finished.message
        );
        let state = block_on(values(&tuned.classifier));
        let head = state
            .iter()
            .find(|(path, _)| path.ends_with("classifier.weight"));
        let probe = &tuned.baselines.as_ref().unwrap().probe.weight;
        let fitted = transpose(head.unwrap().1, 32, 3);
        assert_eq!(
            fitted != *probe,
            finished.task.kept_stage == KeptStage::Contrastive,
            "{method}: the head is fitted anew where the stage is kept"
        );
        if method == "lora" {
            assert_eq!(finished.task.kept_stage, KeptStage::Contrastive);
        }
    }
}

#[test]
fn the_contrastive_loss_falls() {
    let model = model();
    let settings = json!({
        "contrastive": {"steps": 40, "batchSize": 24, "learningRate": 1e-2}, "numTrainEpochs": 0, "head": "mean"
    });
    let (events, _) = go(&model, settings);
    let losses = losses(&events);
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    assert!(mean(&losses[35..]) < 0.8 * mean(&losses[..5]), "{losses:?}");
}

#[test]
fn both_stages_count_as_one_run() {
    let model = model();
    let settings = json!({
        "contrastive": {"steps": 3, "batchSize": 12}, "numTrainEpochs": 2, "trainBatchSize": 7
    });
    // 21 rows train in three steps an epoch
    let (events, _) = block_on(run_on(&model, 24, settings));
    let steps = events
        .iter()
        .filter_map(|event| match event {
            ClassifyEvent::Step {
                stage,
                step,
                total_steps,
                epoch,
                ..
            } => Some((*stage, *step, *total_steps, *epoch)),
            _ => None,
        })
        .collect::<Vec<_>>();
    let expected = (1..=9)
        .map(|step| match step {
            1..=3 => (Stage::Contrastive, step, 9, 0),
            _ => (Stage::Classify, step, 9, (step - 1) / 3),
        })
        .collect::<Vec<_>>();
    assert_eq!(steps, expected);
    assert_eq!(finished(&events).steps, 9);
    assert_eq!(finished(&events).train_loss.len(), 9);
}
