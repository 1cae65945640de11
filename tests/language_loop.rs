//! What language models have of the one training loop: every safeguard, seeds, honest baselines.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::loops::{
    classifier, events, finished, language, language_model, losses, quick, quick_language, with,
};
use common::{tiny, tiny_language};
use serde_json::{Value, json};
use webtune::tasks::classify::{ClassifyTask, UserOptions};
use webtune::tasks::language::{LanguageEvent, LanguageTask};
use webtune::train::event::{Event, FinishReason};

#[test]
fn a_stop_while_the_untuned_model_is_scored_ends_at_once() {
    let rows = tiny_language::rows(48);
    let options = with(
        quick_language(),
        json!({"validationSplit": 0.5, "fewShotExamples": 2}),
    );
    let task = language(&language_model(), &rows, options);
    let stop = |event: &LanguageEvent| matches!(event, Event::Progress { done: 1, .. });
    let (seen, tuned) = events(task, stop);
    let progress = seen
        .iter()
        .filter(|event| matches!(event, Event::Progress { .. }));
    assert_eq!(progress.count(), 1);
    assert!(losses::<LanguageTask>(&seen).is_empty());
    let done = finished::<LanguageTask>(&seen);
    assert_eq!((done.reason, done.kept_step), (FinishReason::Stopped, 0));
    assert!(done.task.base.is_none() && done.task.tuned.is_none());
    assert!(done.verdict.contains("stopped"), "{}", done.verdict);
    assert!(tuned.is_some());
}

#[test]
fn micro_batches_of_a_step_drop_different_entries() {
    let model = language_model();
    let row = tiny_language::rows(1).remove(0);
    let rows = vec![row; 24];
    let run = |accumulated: usize| {
        let options = with(
            quick_language(),
            json!({
                "method": {"type": "lora", "loraDropout": 0.5, "initLoraWeights": "gaussian"}, "trainBatchSize": 1,
                "gradientAccumulationSteps": accumulated, "numTrainEpochs": 2
            }),
        );
        let (seen, _) = events(language(&model, &rows, options), |_| false);
        losses::<LanguageTask>(&seen)
    };
    // all rows are the same: with one mask for all batches of a step, accumulating them would change no loss
    let [one, four] = [run(1), run(4)];
    assert_ne!(one[1..4], four[1..4]);

    let example = tiny::examples(1).remove(0);
    let mut examples = tiny::examples(24);
    for other in &mut examples {
        other.text.clone_from(&example.text);
    }
    let model = classifier();
    let run = |accumulated: usize, checkpointing: bool| {
        let given = UserOptions::parse(with(
            quick(),
            json!({
                "method": {"type": "lora", "loraDropout": 0.5, "initLoraWeights": "gaussian"}, "trainBatchSize": 1,
                "gradientAccumulationSteps": accumulated, "gradientCheckpointing": checkpointing, "numTrainEpochs": 1
            }),
        ));
        let task = ClassifyTask::new(&model, &examples, given.unwrap()).unwrap();
        losses::<ClassifyTask>(&events(task, |_| false).0)
    };
    assert_ne!(run(1, true)[1], run(2, true)[1]);
    // checkpointing changes no stream
    assert_eq!(run(2, false)[0], run(2, true)[0]);
}

/// Every safeguard of the loop changes what a language model learns, and a run with it learns.
#[test]
fn language_models_have_the_safeguards_of_classifiers() {
    let model = language_model();
    let rows = tiny_language::rows(48);
    let run = |more: Value| {
        let options = with(quick_language(), more);
        let (seen, _) = events(language(&model, &rows, options), |_| false);
        let done = finished::<LanguageTask>(&seen);
        let [base, found] = [done.task.base, done.task.tuned].map(|score| score.unwrap().loss);
        assert!(found < base, "{found} after {base}");
        losses::<LanguageTask>(&seen)
    };
    let plain = run(json!({}));
    for more in [
        json!({"l2Sp": 10.0}),
        json!({"layerLrDecay": 0.5}),
        json!({"unfreezeEverySteps": 4}),
        json!({"warmupRatio": null, "warmupSteps": 3}),
        json!({"weightDecay": 0.5, "decayBiasAndNorm": true}),
        json!({"headSeed": 7}),
        json!({"method": {"type": "lora", "initLoraWeights": "pissa"}, "learningRate": 2e-3}),
    ] {
        let other = run(more.clone());
        assert_eq!(other.len(), plain.len(), "{more}");
        assert_ne!(other, plain, "{more}");
    }
    let full = json!({"method": {"type": "full"}, "learningRate": 2e-3});
    let whole = run(full.clone());
    let mixed = run(with(full, json!({"mixout": 0.5})));
    assert_ne!(whole, mixed);
    // another order of the rows
    assert_ne!(plain[0], run(json!({"dataSeed": 7}))[0]);
}

#[test]
fn language_models_unfreeze_from_the_top() {
    let rows = tiny_language::rows(48);
    let options = with(quick_language(), json!({"unfreezeEverySteps": 4}));
    let (seen, _) = events(language(&language_model(), &rows, options), |_| false);
    let active = seen.iter().filter_map(|event| match event {
        Event::Step { groups, step, .. } => {
            let frozen = groups.iter().map(|group| group.frozen).collect::<Vec<_>>();
            Some((*step, frozen))
        }
        _ => None,
    });
    for (step, frozen) in active {
        // two layers, bottom to top
        assert_eq!(frozen, [step <= 4, false], "{step}");
    }
}

#[test]
fn the_best_of_several_seeds_of_a_language_model_is_kept() {
    let model = language_model();
    let rows = tiny_language::rows(48);
    let options = |more: Value| with(quick_language(), more);
    let (seen, _) = events(
        language(&model, &rows, options(json!({"seeds": 3, "seed": 5}))),
        |_| false,
    );
    let done = finished::<LanguageTask>(&seen);
    let seeds = done.seeds.as_ref().unwrap();
    assert_eq!(seeds.runs.len(), 3);
    let alone = [5, 6, 7].map(|seed| {
        let more = json!({"seed": 5, "headSeed": seed, "dataSeed": seed});
        let (seen, _) = events(language(&model, &rows, options(more)), |_| false);
        finished::<LanguageTask>(&seen).task.tuned.unwrap().loss
    });
    for (run, alone) in seeds.runs.iter().zip(alone) {
        assert_eq!(run.loss, Some(alone));
    }
    let lowest = alone.iter().copied().fold(f64::MAX, f64::min);
    assert_eq!(done.task.tuned.unwrap().loss, lowest);
    assert_eq!(done.options.common.head_seed, Some(5 + seeds.best as u64));
}

#[test]
fn base_few_shot_and_tuned_are_scored_on_the_same_tokens() {
    let model = language_model();
    let turns = |index: usize| {
        let lines = (0..2).flat_map(|turn| {
            [
                json!({"role": "user", "content": format!("{index}: what of {turn}?")}),
                json!({"role": "assistant", "content": format!("The answer is {turn}.")}),
            ]
        });
        json!({"messages": lines.collect::<Vec<_>>()}).to_string()
    };
    let text = (0..16).map(turns).collect::<Vec<_>>().join("\n");
    let rows = webtune::data::parse_text_rows("rows.jsonl", text.as_bytes(), &Default::default())
        .unwrap()
        .rows;
    for whole in [false, true] {
        let options = with(
            quick_language(),
            json!({"fewShotExamples": 1, "completionOnlyLoss": !whole, "maxLength": 128}),
        );
        let (seen, _) = events(language(&model, &rows, options), |_| false);
        let found = &finished::<LanguageTask>(&seen).task;
        let few_shot = found.few_shot.as_ref().unwrap();
        let tokens = [
            found.base.unwrap(),
            found.tuned.unwrap(),
            few_shot.likelihood,
        ];
        let tokens = tokens.map(|score| score.tokens);
        assert!(
            tokens[0] > 0 && tokens.iter().all(|count| *count == tokens[0]),
            "{tokens:?}"
        );
    }
}

#[test]
fn texts_that_repeat_are_reported() {
    let mut rows = tiny_language::rows(12);
    rows.push(rows[0].clone());
    let task = language(&language_model(), &rows, quick_language());
    let (seen, _) = events(task, |_| false);
    let Some(Event::Started { warnings, .. }) = seen.first() else {
        panic!("{seen:?}");
    };
    assert!(
        warnings.iter().any(|text| text.contains("1 text repeats")),
        "{warnings:?}"
    );
}

#[test]
fn sample_prompts_are_cut_as_the_texts_are() {
    let model = language_model();
    let rows = tiny_language::rows(16);
    let long = "what does the cat say? ".repeat(40);
    let options = with(
        quick_language(),
        json!({"sampleTokens": 4, "samplePrompts": [long]}),
    );
    let (seen, _) = events(language(&model, &rows, options), |_| false);
    let completions = seen.iter().find_map(|event| match event {
        Event::Baselines(found) => Some(found.completions.clone()),
        _ => None,
    });
    // 256 positions would not hold it whole
    assert_eq!(completions.unwrap().len(), 1);
}
