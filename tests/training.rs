//! Whole runs natively: learning, sameness, stopping, divergence, and never worse than the probe.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use burn::module::Module;
use common::training::{finished, losses, run, run_on, session, validation_losses};
use common::{tiny, training};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::models::size::Shape;
use webtune::peft::freeze::{total_parameters, trained, trained_parameters};
use webtune::tasks::classify::ClassifyEvent;
use webtune::tasks::classify::event::KeptStage;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::Which;
use webtune::train::event::FinishReason;

#[test]
fn learns_from_a_fresh_head() {
    block_on(training::learns(&Compute::cpu()));
}

#[test]
fn loss_falls_in_few_steps() {
    block_on(training::falls(&Compute::cpu()));
}

#[test]
fn events_come_in_the_documented_order() {
    let settings = json!({"numTrainEpochs": 2, "contrastive": {"steps": 2}, "seeds": 2});
    let (events, _) = block_on(run(&Compute::cpu(), 24, settings));
    let mut types = events
        .iter()
        .map(|event| {
            let event = serde_json::to_value(event).unwrap();
            event["type"].as_str().unwrap().to_string()
        })
        .collect::<Vec<_>>();
    types.dedup();
    let run = [
        "seed",
        "step",
        "evaluation",
        "step",
        "evaluation",
        "step",
        "evaluation",
    ];
    let mut expected = vec!["started", "progress", "baselines", "recipe"];
    expected.extend(run);
    expected.push("seedFinished");
    expected.extend(run);
    expected.extend(["seedFinished", "finished"]);
    assert_eq!(types, expected);
}

/// Settings under which the losses tell the order of the rows alone: nothing moves.
fn still(more: Value) -> Value {
    let mut settings = json!({
        "numTrainEpochs": 2, "contrastive": false, "learningRate": 0, "headLearningRate": 0, "trainBatchSize": 4
    });
    let map = settings.as_object_mut().unwrap();
    map.extend(more.as_object().unwrap().clone());
    settings
}

#[test]
fn the_head_seed_changes_the_start_and_the_data_seed_the_order() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let of = |settings: Value| losses(&block_on(run_on(&model, 24, settings)).0);
    let order = |head: u64, data: u64| of(still(json!({"headSeed": head, "dataSeed": data})));
    assert_eq!(order(1, 5), order(2, 5), "another start, the same order");
    assert_ne!(order(1, 5), order(1, 6), "another order");

    // one batch of all rows: the order is of no matter but for rounding
    let start = |head: u64, data: u64| {
        of(json!({
            "numTrainEpochs": 1, "contrastive": false, "trainBatchSize": 64, "headInit": "random",
            "headSeed": head, "dataSeed": data
        }))[0]
    };
    assert!((start(1, 5) - start(1, 6)).abs() < 1e-5, "the same start");
    assert!((start(1, 5) - start(2, 5)).abs() > 1e-3, "another start");
    // the adapter's start follows too: its first losses are the probe's, its later ones are not
    let later = |head: u64| {
        of(json!({
            "numTrainEpochs": 2, "contrastive": false, "learningRate": 1e-2, "headLearningRate": 0,
            "warmupRatio": 0, "headSeed": head, "dataSeed": 5
        }))
    };
    let [a, b] = [later(1), later(2)];
    assert_eq!(a[0], b[0]);
    assert_ne!(a.last(), b.last());

    // `seed` is used for both if neither is given
    let both = of(still(json!({"seed": 7})));
    assert_eq!(
        both,
        of(still(json!({"seed": 7, "headSeed": 7, "dataSeed": 7})))
    );
}

#[test]
fn accumulated_batches_equal_one_batch() {
    let once = |batch: usize, accumulate: usize| {
        let settings = json!({
            "trainBatchSize": batch, "gradientAccumulationSteps": accumulate, "numTrainEpochs": 3, "contrastive": false
        });
        losses(&block_on(run(&Compute::cpu(), 24, settings)).0)
    };
    // one optimiser step an epoch either way, over the same rows
    let [whole, parts] = [once(64, 1), once(4, 16)];
    assert_eq!(whole.len(), parts.len());
    for (a, b) in whole.iter().zip(&parts) {
        assert!((a - b).abs() <= 1e-4 * a.abs(), "{whole:?} {parts:?}");
    }
}

#[test]
fn only_deltas_and_head_train() {
    let settings = json!({"numTrainEpochs": 1, "contrastive": false});
    let (events, tuned) = block_on(run(&Compute::cpu(), 24, settings));
    let Some(ClassifyEvent::Started {
        trained_parameters: reported,
        total_parameters: all,
        ..
    }) = events.first()
    else {
        panic!("{events:?}");
    };
    let classifier = tuned.classifier.train();
    // two layers of four linear layers [32, 32], one [32, 64] and one [64, 32], rank 4; a head of 3 labels
    assert_eq!(
        *reported,
        2 * 4 * (4 * (32 + 32) + 2 * (32 + 64)) + 3 * 32 + 3
    );
    assert_eq!(*reported, trained_parameters(&classifier, &tuned.trainable));
    assert_eq!(*reported, finished(&events).trained_parameters);
    assert_eq!(*all, total_parameters(&classifier));
    assert_eq!(finished(&events).export_bytes, 4 * *reported);
    for tensor in trained(&classifier, &tuned.trainable) {
        let known = ["delta.lora_a", "delta.lora_b", "head."];
        assert!(
            known.iter().any(|part| tensor.path.contains(part)),
            "{}",
            tensor.path
        );
    }
}

#[test]
fn what_is_kept_is_never_worse_than_the_probe() {
    // rates that spoil the model without making the loss infinite
    let settings = json!({
        "learningRate": 0.5, "headLearningRate": 5.0, "numTrainEpochs": 3, "contrastive": false
    });
    let (events, _) = block_on(run(&Compute::cpu(), 60, settings));
    let probe = events.iter().find_map(|event| match event {
        ClassifyEvent::Baselines(found) => Some(found.validation.probe.accuracy),
        _ => None,
    });
    let evaluation = &finished(&events).task.evaluation;
    assert!(evaluation.tuned.accuracy >= probe.unwrap());
    assert_eq!(evaluation.baselines.probe.accuracy, probe.unwrap());
}

#[test]
fn a_diverged_run_stops_and_keeps_the_last_good_state() {
    for method in ["lora", "full", "houlsby", "prefix", "probe"] {
        let settings = json!({
            "learningRate": 1e30, "headLearningRate": 1e30, "maxGradNorm": 0, "warmupRatio": 0, "trainBatchSize": 4,
            "contrastive": false, "method": {"type": method}, "weightDecay": 0
        });
        let (events, tuned) = block_on(run(&Compute::cpu(), 60, settings));
        let finished = finished(&events);
        // softmax and norms bound what a prefix does, and a head alone only multiplies: these get worse and not infinite
        if !["prefix", "probe"].contains(&method) {
            assert_eq!(finished.reason, FinishReason::Diverged, "{method}");
            assert!(
                finished.message.contains("learningRate"),
                "{}",
                finished.message
            );
        }
        assert!(
            finished.message.contains("untuned model"),
            "{}",
            finished.message
        );
        assert!(finished.task.evaluation.tuned.loss.is_finite());
        assert_eq!(finished.task.kept_stage, KeptStage::Probe);
        let model = block_on(tiny::model(&Compute::cpu()));
        let scores = block_on(tuned.evaluate(&model, &tiny::examples(9))).unwrap();
        assert!(scores.tuned.loss.is_finite());
        // the probe itself, for methods whose fresh state is not without effect too
        assert_eq!(scores.tuned.accuracy, scores.baselines.probe.accuracy);
        let difference = scores.tuned.loss - scores.baselines.probe.loss;
        assert!(difference.abs() < 1e-5, "{method}: {difference}");
    }
}

#[test]
fn a_contrastive_stage_that_diverges_keeps_the_probe() {
    let settings = json!({
        "contrastive": {"steps": 5, "learningRate": 1e30}, "maxGradNorm": 0, "warmupRatio": 0, "weightDecay": 0
    });
    let (events, tuned) = block_on(run(&Compute::cpu(), 24, settings));
    let finished = finished(&events);
    assert_eq!(finished.reason, FinishReason::Diverged);
    assert_eq!(finished.task.kept_stage, KeptStage::Probe);
    let model = block_on(tiny::model(&Compute::cpu()));
    let scores = block_on(tuned.evaluate(&model, &tiny::examples(9))).unwrap();
    assert!(scores.tuned.loss.is_finite());
}

#[test]
fn stopping_keeps_the_best_so_far() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let mut session = session(&model, 60, json!({"contrastive": false}));
    let mut events = Vec::new();
    let mut steps = 0;
    while let Some(event) = block_on(session.next_event()).unwrap() {
        if matches!(event, ClassifyEvent::Step { .. }) {
            steps += 1;
            if steps == 3 {
                session.stop();
            }
        }
        events.push(event);
    }
    let finished = finished(&events);
    assert_eq!(
        (finished.reason, finished.steps, steps),
        (FinishReason::Stopped, 3, 3)
    );
    assert!(session.take_tuned().is_some());
}

#[test]
fn early_stopping_ends_the_run() {
    let settings = json!({
        "learningRate": 0, "headLearningRate": 0, "numTrainEpochs": 50, "earlyStoppingPatience": 2, "weightDecay": 0,
        "contrastive": false
    });
    let (events, _) = block_on(run(&Compute::cpu(), 24, settings));
    let finished = finished(&events);
    assert_eq!(
        (finished.reason, finished.kept_epoch),
        (FinishReason::EarlyStopping, 0)
    );
    assert!(
        finished.message.contains("2 epochs"),
        "{}",
        finished.message
    );
    // two epochs without gain and no more; rounding may let the first one seem a gain
    let epochs = validation_losses(&events).len();
    assert!((2..=3).contains(&epochs), "{epochs}");
}

#[test]
fn without_patience_no_run_ends_early() {
    let settings = json!({
        "learningRate": 0, "headLearningRate": 0, "numTrainEpochs": 8, "earlyStoppingPatience": 0, "contrastive": false
    });
    let (events, _) = block_on(run(&Compute::cpu(), 24, settings));
    assert_eq!(finished(&events).reason, FinishReason::Completed);
    assert_eq!(validation_losses(&events).len(), 8);
}

#[test]
fn a_last_step_that_diverges_is_noticed() {
    let settings = json!({
        "learningRate": 1e30, "headLearningRate": 1e30, "maxGradNorm": 0, "warmupRatio": 0,
        "trainBatchSize": 64, "numTrainEpochs": 1, "contrastive": false
    });
    let (events, _) = block_on(run(&Compute::cpu(), 24, settings));
    assert!(losses(&events).iter().all(|loss| loss.is_finite()));
    let finished = finished(&events);
    assert_eq!(
        (finished.reason, finished.kept_epoch),
        (FinishReason::Diverged, 0)
    );
}

#[test]
fn a_stop_before_the_probe_keeps_the_probe() {
    let model = block_on(tiny::model(&Compute::cpu()));
    for method in ["lora", "houlsby", "prefix"] {
        let settings = json!({"method": {"type": method}});
        let mut session = session(&model, 60, settings);
        session.stop();
        let mut events = Vec::new();
        while let Some(event) = block_on(session.next_event()).unwrap() {
            events.push(event);
        }
        let finished = finished(&events);
        assert_eq!(
            (finished.reason, finished.steps),
            (FinishReason::Stopped, 0)
        );
        assert_eq!(finished.task.kept_stage, KeptStage::Probe);
        let difference =
            finished.task.evaluation.tuned.loss - finished.task.evaluation.baselines.probe.loss;
        assert!(difference.abs() < 1e-5, "{method}: {difference}");
    }
}

#[test]
fn texts_that_do_not_fit_together_are_classified_in_turn_and_one_that_never_fits_is_refused() {
    let settings = json!({"numTrainEpochs": 1, "contrastive": false});
    let (_, tuned) = block_on(run(&Compute::cpu(), 24, settings));
    let mut model = block_on(tiny::model(&Compute::cpu()));
    let texts = vec!["the river ".repeat(100); 40];
    let ask = |model: &Pretrained, which| block_on(tuned.predict(model, &texts, which));
    let sizes = model.sizes();
    let taken = |rows| {
        let longest = Shape::new(rows, tuned.max_length);
        sizes.weight_bytes() + tuned.export_bytes() + sizes.forward_bytes(longest)
    };
    for which in [Which::Tuned, Which::Baseline] {
        model.compute = Compute::cpu();
        let together = ask(&model, which).unwrap();
        model.compute = Compute::cpu().with_memory_limit(taken(3));
        let in_turn = ask(&model, which).unwrap();
        for (a, b) in together.iter().zip(&in_turn) {
            for (a, b) in a.logits.iter().zip(&b.logits) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
        model.compute = Compute::cpu().with_memory_limit(taken(1) - 1);
        let error = ask(&model, which).unwrap_err();
        assert_eq!(error.code(), "outOfMemory");
        assert!(error.to_string().contains("64 tokens"), "{error}");
    }
}
