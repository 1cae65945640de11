//! Whole runs natively: learning, sameness, stopping, divergence, and never worse than the probe.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use burn::module::Module;
use common::training::{losses, options, run};
use common::{tiny, training};
use pollster::block_on;
use serde_json::json;
use webtune::device::Compute;
use webtune::peft::freeze::{total_parameters, trained, trained_parameters};
use webtune::train::event::FinishReason;
use webtune::train::{Session, TrainEvent, TrainOptions};

#[test]
fn learns_from_a_fresh_head() {
    block_on(training::learns(&Compute::cpu()));
}

#[test]
fn loss_falls_in_few_steps() {
    block_on(training::falls(&Compute::cpu()));
}

#[test]
fn same_seed_same_run_bit_for_bit() {
    let once = |seed: u64, dropout: f64| {
        let method = json!({"type": "lora", "loraDropout": dropout});
        let settings = options(json!({"numTrainEpochs": 2, "seed": seed, "method": method}));
        losses(&block_on(run(&Compute::cpu(), 24, settings)).0)
    };
    assert_eq!(once(1, 0.0), once(1, 0.0));
    assert_ne!(once(1, 0.0), once(2, 0.0));
    assert_ne!(once(1, 0.0), once(1, 0.3), "dropout changes the losses");
    assert_eq!(once(1, 0.3), once(1, 0.3), "dropout follows from the seed");
}

#[test]
fn accumulated_batches_equal_one_batch() {
    let once = |batch: usize, accumulate: usize| {
        let settings = options(json!({
            "trainBatchSize": batch, "gradientAccumulationSteps": accumulate, "numTrainEpochs": 3
        }));
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
    let (events, tuned) = block_on(run(
        &Compute::cpu(),
        24,
        options(json!({"numTrainEpochs": 1})),
    ));
    let Some(TrainEvent::Started {
        trained_parameters: told,
        total_parameters: all,
        ..
    }) = events.first()
    else {
        panic!("{events:?}");
    };
    let classifier = tuned.classifier.train();
    // two layers of four linear layers [32, 32], one [32, 64] and one [64, 32], rank 4; a head of 3 labels
    assert_eq!(*told, 2 * 4 * (4 * (32 + 32) + 2 * (32 + 64)) + 3 * 32 + 3);
    assert_eq!(*told, trained_parameters(&classifier));
    assert_eq!(*all, total_parameters(&classifier));
    for tensor in trained(&classifier) {
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
    let settings =
        options(json!({"learningRate": 0.5, "headLearningRate": 5.0, "numTrainEpochs": 3}));
    let (events, _) = block_on(run(&Compute::cpu(), 60, settings));
    let probe = events.iter().find_map(|event| match event {
        TrainEvent::Probe { validation } => Some(validation.accuracy),
        _ => None,
    });
    let Some(TrainEvent::Finished { evaluation, .. }) = events.last() else {
        panic!("the last event is not finished");
    };
    assert!(evaluation.tuned.accuracy >= probe.unwrap());
    assert_eq!(evaluation.baseline.accuracy, probe.unwrap());
}

#[test]
fn a_diverged_run_stops_and_keeps_the_last_good_state() {
    let settings = options(json!({
        "learningRate": 1e30, "headLearningRate": 1e30, "maxGradNorm": 0, "warmupRatio": 0, "trainBatchSize": 4
    }));
    let (events, tuned) = block_on(run(&Compute::cpu(), 60, settings));
    let Some(TrainEvent::Finished {
        reason,
        message,
        evaluation,
        ..
    }) = events.last()
    else {
        panic!("the last event is not finished");
    };
    assert_eq!(*reason, FinishReason::Diverged);
    assert!(
        message.contains("learningRate") && message.contains("untuned model"),
        "{message}"
    );
    assert!(evaluation.tuned.loss.is_finite());
    let model = block_on(tiny::model(&Compute::cpu()));
    let scores = block_on(tuned.evaluate(&model, &tiny::examples(9))).unwrap();
    assert!(scores.tuned.loss.is_finite());
}

#[test]
fn stopping_keeps_the_best_so_far() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let mut session = Session::new(&model, &tiny::examples(60), TrainOptions::default()).unwrap();
    let mut steps = 0;
    let mut last = None;
    while let Some(event) = block_on(session.next_event()).unwrap() {
        if matches!(event, TrainEvent::Step { .. }) {
            steps += 1;
            if steps == 3 {
                session.stop();
            }
        }
        last = Some(event);
    }
    let Some(TrainEvent::Finished {
        reason,
        steps: done,
        ..
    }) = last
    else {
        panic!("{last:?}");
    };
    assert_eq!((reason, done, steps), (FinishReason::Stopped, 3, 3));
    assert!(session.take_tuned().is_some());
}

#[test]
fn early_stopping_ends_the_run() {
    let settings = options(json!({
        "learningRate": 0, "headLearningRate": 0, "numTrainEpochs": 50, "earlyStoppingPatience": 2, "weightDecay": 0
    }));
    let (events, _) = block_on(run(&Compute::cpu(), 24, settings));
    let Some(TrainEvent::Finished {
        reason, kept_epoch, ..
    }) = events.last()
    else {
        panic!("the last event is not finished");
    };
    assert_eq!((*reason, *kept_epoch), (FinishReason::EarlyStopping, 0));
}

#[test]
fn a_last_step_that_diverges_is_noticed() {
    let settings = options(json!({
        "learningRate": 1e30, "headLearningRate": 1e30, "maxGradNorm": 0, "warmupRatio": 0,
        "trainBatchSize": 64, "numTrainEpochs": 1
    }));
    let (events, _) = block_on(run(&Compute::cpu(), 24, settings));
    assert!(losses(&events).iter().all(|loss| loss.is_finite()));
    let Some(TrainEvent::Finished {
        reason, kept_epoch, ..
    }) = events.last()
    else {
        panic!("the last event is not finished");
    };
    assert_eq!((*reason, *kept_epoch), (FinishReason::Diverged, 0));
}

#[test]
fn a_stop_before_the_probe_keeps_the_probe() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let mut session = Session::new(&model, &tiny::examples(60), TrainOptions::default()).unwrap();
    session.stop();
    let mut last = None;
    while let Some(event) = block_on(session.next_event()).unwrap() {
        last = Some(event);
    }
    let Some(TrainEvent::Finished { reason, steps, .. }) = last else {
        panic!("{last:?}");
    };
    assert_eq!((reason, steps), (FinishReason::Stopped, 0));
}
