//! One matrix over all methods in all their settings, under both heads, on the CPU engine natively.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::golden::relative_error;
use common::matrix::{
    Case, HEADS, cases, differentiates, merge, output, ready, recomputes, starts, steps, thaws,
    trains, values,
};
use common::tiny;
use common::training::{finished, losses, run_on, short};
use pollster::block_on;
use serde_json::json;
use webtune::device::Compute;
use webtune::models::HeadKind;
use webtune::peft::freeze::activate;
use webtune::tasks::classify::ClassifyEvent;
use webtune::tasks::classify::event::KeptStage;
use webtune::tasks::classify::model::Pretrained;

fn each(body: impl Fn(&Pretrained, &Case, HeadKind)) {
    let model = block_on(tiny::model(&Compute::cpu()));
    for case in cases() {
        for head in HEADS {
            body(&model, &case, head);
        }
    }
}

#[test]
fn a_fresh_method_changes_what_it_should() {
    each(|model, case, head| block_on(starts(model, case, head)));
}

#[test]
fn gradients_exist_and_values_move_exactly_where_a_method_trains() {
    each(|model, case, head| block_on(trains(model, case, head)));
}

#[test]
fn gradients_exist_only_in_thawed_groups() {
    each(|model, case, head| block_on(thaws(model, case, head)));
}

#[test]
fn gradient_checkpointing_changes_no_gradient() {
    each(|model, case, head| block_on(recomputes(model, case, head)));
}

#[test]
fn gradients_equal_finite_differences() {
    each(|model, case, head| block_on(differentiates(model, case, head)));
}

#[test]
fn merged_equals_unmerged() {
    let model = block_on(tiny::model(&Compute::cpu()));
    for case in cases().iter().filter(|case| case.is_lora()) {
        for head in HEADS {
            let mut ready = block_on(ready(&model, case, head));
            let fresh = block_on(output(&ready.classifier, &ready.batch));
            ready.classifier = steps(&ready, 5, 1e-2);
            let unmerged = block_on(output(&ready.classifier, &ready.batch));
            assert!(relative_error(&unmerged, &fresh) > 1e-2, "{}", case.name);
            let merged = merge(&ready.classifier);
            let paths = block_on(values(&merged));
            assert!(paths.keys().all(|path| !path.contains(".delta.")));
            // nothing of it trains
            let off = activate(merged.clone(), |_| false);
            assert_eq!(
                block_on(output(&merged, &ready.batch)),
                block_on(output(&off, &ready.batch))
            );
            let error = relative_error(&block_on(output(&merged, &ready.batch)), &unmerged);
            // x (W + s A B) and x W + s (x A) B round differently, in twelve layers one after the other
            assert!(error < 2e-5, "{} {head:?}: {error:e}", case.name);
        }
    }
}

#[test]
fn a_run_repeats_bit_for_bit() {
    let model = block_on(tiny::model(&Compute::cpu()));
    // mixout draws from burn's one stream, which other tests draw from too: see noise.rs
    for case in cases().iter().filter(|case| case.mixout == 0.0) {
        let once = || block_on(run_on(&model, 24, short(case, "mean", json!({}))));
        let [(first, a), (second, b)] = [once(), once()];
        assert_eq!(losses(&first), losses(&second), "{}", case.name);
        assert_eq!(
            block_on(values(&a.classifier)),
            block_on(values(&b.classifier)),
            "{}",
            case.name
        );
        assert_eq!(finished(&first).task.kept_stage, KeptStage::Classify);
    }
}

/// The rates of the groups in every step, with whether each is frozen.
fn groups(events: &[ClassifyEvent]) -> Vec<Vec<(String, f64, bool)>> {
    events
        .iter()
        .filter_map(|event| match event {
            ClassifyEvent::Step { groups, .. } => Some(
                groups
                    .iter()
                    .map(|group| (group.name.clone(), group.learning_rate, group.frozen))
                    .collect(),
            ),
            _ => None,
        })
        .collect()
}

#[test]
fn frozen_groups_do_not_move() {
    let model = block_on(tiny::model(&Compute::cpu()));
    for (index, case) in cases().iter().enumerate() {
        // every layer trains something, or there is nothing to unfreeze
        if ["probe", "lora top layer"].contains(&case.name) {
            continue;
        }
        // heads take turns: `thaws` tells of the gradients under both
        let head = ["cls", "mean"][index % 2];

        // four steps: two of the head alone, two with the top layer
        let settings = short(
            case,
            head,
            json!({"unfreezeEverySteps": 2, "trainBatchSize": 5, "validationSplit": 0.15}),
        );
        let (events, tuned) = block_on(run_on(&model, 21, settings.clone()));
        let name = format!("{} {head}", case.name);
        let reported = groups(&events);
        assert_eq!(reported.len(), 4, "{name}");
        for (step, groups) in reported.iter().enumerate() {
            for (group, rate, frozen) in groups {
                let expected = match group.as_str() {
                    "head" => false,
                    "layer 1" => step < 2,
                    _ => true,
                };
                assert_eq!(*frozen, expected, "{name} step {step}: {group}");
                assert_eq!(*rate == 0.0, expected, "{name} step {step}: {group}");
            }
        }
        // the same run with rates of zero ends where both began
        let mut still = settings;
        still["learningRate"] = json!(0);
        still["headLearningRate"] = json!(0);
        let (_, start) = block_on(run_on(&model, 21, still));
        let [before, after] =
            [&start.classifier, &tuned.classifier].map(|state| block_on(values(state)));
        for path in tuned.trainable.paths() {
            let frozen = path.contains(".layer.0.") || path.contains(".embeddings.");
            if path.ends_with(".key.bias") {
                continue;
            }
            // a delta's A has no gradient in the first step of its B; the second one moves it
            assert_eq!(before[path] == after[path], frozen, "{name}: {path}");
        }
    }
}

#[test]
fn lower_layers_have_the_rates_that_the_decay_gives() {
    let model = block_on(tiny::model(&Compute::cpu()));
    for case in &cases() {
        if case.name == "probe" {
            continue;
        }
        let settings = short(case, "mean", json!({"layerLrDecay": 0.5}));
        let (events, _) = block_on(run_on(&model, 24, settings));
        for event in &events {
            let ClassifyEvent::Step {
                groups,
                learning_rate,
                head_learning_rate,
                ..
            } = event
            else {
                continue;
            };
            for group in groups {
                let expected = match group.name.as_str() {
                    "head" => *head_learning_rate,
                    "layer 1" => learning_rate * 0.5,
                    "layer 0" => learning_rate * 0.25,
                    "embeddings" => learning_rate * 0.125,
                    other => panic!("{}: {other}", case.name),
                };
                assert!((group.learning_rate - expected).abs() < 1e-15);
                assert!(!group.frozen);
            }
        }
    }
}
