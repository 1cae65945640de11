//! What the one training loop promises, tried with both tasks: stops and errors lose nothing, scores come when asked for.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::time::Duration;

use common::failing::{Failing, WORDS};
use common::loops::{
    at_step, classifier, classify, events, finished, language, language_model, quick,
    quick_language, scored_at, with,
};
use common::{tiny, tiny_language};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::error::ErrorCode;
use webtune::tasks::classify::event::KeptStage;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::{ClassifyEvent, ClassifyTask, UserOptions};
use webtune::tasks::language::LanguageTask;
use webtune::train::event::{Event, FinishReason, Finished};
use webtune::train::run::Run;
use webtune::train::task::{FinishedOf, Task};

#[test]
fn a_stop_scores_what_was_learnt_and_keeps_it() {
    let gentle = json!({"learningRate": 5e-3, "headLearningRate": 3e-2});
    let task = classify(&classifier(), 60, with(quick(), gentle));
    let (seen, tuned) = events(task, at_step::<ClassifyTask>(5));
    let done = finished::<ClassifyTask>(&seen);
    assert_eq!((done.reason, done.steps), (FinishReason::Stopped, 5));
    // amid the first epoch, after which nothing had been scored yet
    assert_eq!(scored_at::<ClassifyTask>(&seen), [5]);
    assert_eq!(done.kept_step, 5);
    assert_eq!(done.task.kept_stage, KeptStage::Classify);
    // a fresh head of three labels is at ln 3
    assert!(done.task.evaluation.tuned.loss < 3_f64.ln());
    assert!(tuned.is_some());

    let rows = tiny_language::rows(48);
    let task = language(&language_model(), &rows, quick_language());
    let (seen, tuned) = events(task, at_step::<LanguageTask>(8));
    let done = finished::<LanguageTask>(&seen);
    assert_eq!((done.reason, done.steps), (FinishReason::Stopped, 8));
    assert_eq!(done.kept_step, 8);
    let [base, found] = [done.task.base, done.task.tuned].map(|score| score.unwrap().loss);
    assert!(found < base, "{found} after {base}");
    assert!(tuned.is_some());
}

#[test]
fn a_stop_amid_the_contrastive_stage_fits_a_head_on_what_it_has_learnt() {
    let options = json!({"contrastive": {"steps": 20, "learningRate": 1e-2}, "head": "mean"});
    let task = classify(&classifier(), 24, options);
    let (seen, _) = events(task, at_step::<ClassifyTask>(6));
    assert_eq!(scored_at::<ClassifyTask>(&seen), [6]);
    let done = finished::<ClassifyTask>(&seen);
    assert_eq!((done.reason, done.steps), (FinishReason::Stopped, 6));
}

/// Ends as `failed` with what the last evaluation before the error kept.
fn fails<T: Task>(task: T, batches: usize, epoch: usize) -> FinishedOf<T>
where
    FinishedOf<T>: Clone,
{
    let task = Failing { task, batches };
    let (seen, tuned) = events(task, |_| false);
    assert!(tuned.is_some());
    let done: &Finished<_, _> = finished::<Failing<T>>(&seen);
    assert_eq!(done.reason, FinishReason::Failed);
    assert_eq!(done.error_code, Some(ErrorCode::DeviceFailed));
    assert_eq!(done.steps, batches);
    assert_eq!(done.kept_epoch, epoch, "{}", done.message);
    assert!(done.message.contains(WORDS), "{}", done.message);
    assert!(
        done.error
            .as_ref()
            .is_some_and(|words| words.contains(WORDS))
    );
    done.clone()
}

#[test]
fn an_error_in_a_step_ends_the_run_with_the_best_state_kept() {
    // 51 rows train in 7 steps an epoch
    let done = fails(classify(&classifier(), 60, quick()), 9, 1);
    assert_eq!(done.task.kept_stage, KeptStage::Classify);
    assert!(done.task.evaluation.tuned.loss.is_finite());
    // before anything was scored the state before training is kept
    let probe = with(quick(), json!({"headInit": "probe"}));
    let done = fails(classify(&classifier(), 60, probe), 3, 0);
    assert_eq!(done.task.kept_stage, KeptStage::Probe);

    let rows = tiny_language::rows(48);
    let two = with(quick_language(), json!({"numTrainEpochs": 2}));
    let done = fails(language(&language_model(), &rows, two), 15, 1);
    assert!(done.task.tuned.unwrap().loss < done.task.base.unwrap().loss);
}

#[test]
fn an_error_in_a_later_seed_keeps_the_earlier_ones_result() {
    let options = with(quick(), json!({"seeds": 3, "numTrainEpochs": 1}));
    let task = Failing {
        task: classify(&classifier(), 60, options),
        batches: 10,
    };
    let (seen, tuned) = events(task, |_| false);
    assert!(tuned.is_some());
    let done = finished::<Failing<ClassifyTask>>(&seen);
    assert_eq!(done.reason, FinishReason::Failed);
    let seeds = done.seeds.as_ref().unwrap();
    assert_eq!((seeds.runs.len(), seeds.best), (2, 0));
    // what was never scored counts as no accuracy at all
    assert_eq!(seeds.runs[1].value, None);
    assert_eq!(Some(seeds.mean), seeds.runs[0].value);
    assert_eq!(seeds.deviation, 0.0);
}

#[test]
fn both_tasks_are_scored_every_so_many_steps() {
    let options = with(quick(), json!({"evalSteps": 3, "numTrainEpochs": 1}));
    let (seen, _) = events(classify(&classifier(), 60, options), |_| false);
    // 7 steps, and the last one too
    assert_eq!(scored_at::<ClassifyTask>(&seen), [3, 6, 7]);

    let rows = tiny_language::rows(48);
    let options = with(quick_language(), json!({"evalSteps": 4}));
    let (seen, _) = events(language(&language_model(), &rows, options), |_| false);
    assert_eq!(scored_at::<LanguageTask>(&seen), [4, 8, 11]);
}

#[test]
fn a_validation_loss_that_is_no_number_ends_both_tasks_as_diverged() {
    let wild = json!({
        "learningRate": 1e30, "maxGradNorm": 0, "warmupRatio": 0, "trainBatchSize": 64, "numTrainEpochs": 3
    });
    let more = json!({"contrastive": false, "headLearningRate": 1e30});
    let (seen, _) = events(
        classify(&classifier(), 60, with(wild.clone(), more)),
        |_| false,
    );
    let done = finished::<ClassifyTask>(&seen);
    assert_eq!((done.reason, done.steps), (FinishReason::Diverged, 1));

    let rows = tiny_language::rows(48);
    let options = with(quick_language(), wild);
    let (seen, _) = events(language(&language_model(), &rows, options), |_| false);
    let done = finished::<LanguageTask>(&seen);
    assert_eq!((done.reason, done.steps), (FinishReason::Diverged, 1));
    assert_eq!(done.kept_step, 0);
}

#[test]
fn a_pause_while_features_are_read_changes_no_recipe() {
    let recipe = |pause: bool| {
        let options = json!({"recipe": "fast", "contrastive": false});
        let mut run = Run::new(classify(&classifier(), 240, options));
        while let Some(event) = block_on(run.next_event()).unwrap() {
            match event {
                // more than the minute that "fast" may take, at three passes an epoch
                ClassifyEvent::Progress { .. } if pause => {
                    std::thread::sleep(Duration::from_secs(3));
                }
                ClassifyEvent::Recipe { options, .. } => return options.common.num_train_epochs,
                _ => {}
            }
        }
        panic!("no recipe");
    };
    assert_eq!([recipe(false), recipe(true)], [4, 4]);
}

#[test]
fn a_classifier_computes_layers_twice_if_there_is_no_room_otherwise() {
    let model = classifier();
    let options = |more: Value| with(quick(), more);
    let memory = |model: &Pretrained, more: Value| {
        let given = UserOptions::parse(options(more)).unwrap();
        let task = ClassifyTask::new(model, &tiny::examples(60), given);
        let mut run = Run::new(task?);
        let mut found = (0, None);
        while found.1.is_none() {
            match block_on(run.next_event()).unwrap().unwrap() {
                Event::Started {
                    memory_estimate, ..
                } => found.0 = memory_estimate,
                Event::Recipe { options, .. } => {
                    found.1 = options.common.gradient_checkpointing;
                }
                _ => {}
            }
        }
        Ok::<_, webtune::Error>((found.0, found.1.unwrap()))
    };
    let given =
        |checkpointing: bool| json!({"gradientCheckpointing": checkpointing, "trainBatchSize": 64});
    let [(plain, _), (twice, _)] = [false, true].map(|on| memory(&model, given(on)).unwrap());
    assert!(twice < plain, "{twice} {plain}");
    let open = json!({"trainBatchSize": 64});
    assert!(!memory(&model, open.clone()).unwrap().1);
    let mut small = model.clone();
    small.compute = small.compute.with_memory_limit((plain + twice) / 2);
    assert!(memory(&small, open.clone()).unwrap().1);
    assert!(memory(&small, given(false)).is_err());
    small.compute = small.compute.with_memory_limit(twice - 1);
    assert!(memory(&small, open).is_err());
}
