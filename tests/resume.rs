//! Runs that are killed at any event and go on from a checkpoint: to the last bit the run that was not killed.
//!
//! `WEBTUNE_KILLS` sets how many kill points are tried in all (150 if it is not set), `WEBTUNE_SEED` which.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::every::{classifiers, exported, facts, language_models, quick};
use common::loops::{classifier, classify, language, language_model};
use common::{tiny, tiny_language};
use pollster::block_on;
use serde_json::{Map, Value, json};
use webtune::export::Model;
use webtune::rng::Rng;
use webtune::tasks::classify::{ClassifyTask, UserOptions};
use webtune::tasks::language::LanguageTask;
use webtune::train::checkpoint::RunCheckpoint;
use webtune::train::event::Event;
use webtune::train::run::Run;
use webtune::train::task::Task;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

fn checkpoint<T: Task>(run: &Run<T>) -> Option<Vec<u8>> {
    let mut writer = run.checkpoint().unwrap()?;
    let mut bytes = Vec::new();
    while let Some(piece) = block_on(run.checkpoint_piece(&mut writer)).unwrap() {
        bytes.extend(piece);
    }
    Some(bytes)
}

struct Whole<T: Task> {
    events: Vec<Value>,
    tuned: T::Tuned,
    /// After each event: its number, and the state.
    checkpoints: Vec<(usize, Vec<u8>)>,
}

/// Goes on to the end, with a checkpoint after each event that has one.
fn whole<T: Task>(mut run: Run<T>) -> Whole<T> {
    let (mut events, mut checkpoints) = (Vec::new(), Vec::new());
    while let Some(event) = block_on(run.next_event()).unwrap() {
        events.push(facts::<T>(&event));
        if let Some(bytes) = checkpoint(&run) {
            checkpoints.push((events.len(), bytes));
        }
    }
    Whole {
        events,
        tuned: run.take_tuned().unwrap(),
        checkpoints,
    }
}

/// Kills a run at some of its events and resumes each, once more from a later checkpoint of its own.
fn kill<M, T>(what: &str, kills: usize, rng: &mut Rng, model: &M, task: impl Fn() -> T) -> usize
where
    M: Model,
    T: Task<Tuned = M::Tuned>,
{
    let resume = |bytes: &[u8]| {
        let checkpoint = RunCheckpoint::read(bytes.to_vec()).unwrap();
        Run::resume(task(), checkpoint).unwrap()
    };
    let reference = whole(Run::new(task()));
    let files = exported(model, &reference.tuned);
    let first = &reference.events[0];
    for _ in 0..kills {
        let (at, bytes) = &reference.checkpoints[rng.below(reference.checkpoints.len())];
        let again = whole(resume(bytes));
        for (index, event) in again.events.iter().enumerate() {
            let expected = &reference.events[index];
            assert_eq!(
                event, expected,
                "{what}, killed after event {at}: event {index}"
            );
        }
        assert_eq!(again.events.len(), reference.events.len(), "{what}, {at}");
        assert!(
            exported(model, &again.tuned) == files,
            "{what}, killed after event {at}"
        );
        // of a run that was resumed, too
        let later = again.checkpoints.iter().filter(|(later, _)| later > at);
        let later = later.collect::<Vec<_>>();
        if !later.is_empty() {
            let (later, bytes) = later[rng.below(later.len())];
            let end = whole(resume(bytes));
            assert_eq!(end.events, reference.events, "{what}, {at} and {later}");
            assert!(
                exported(model, &end.tuned) == files,
                "{what}, {at} and {later}"
            );
        }
    }
    assert_eq!(first["type"], "started");
    reference.checkpoints.len()
}

#[test]
fn a_run_that_is_killed_anywhere_ends_as_if_it_had_not_been() {
    let seed = number("WEBTUNE_SEED", 1);
    let mut rng = Rng::stream(seed, "kills");
    let (classifiers, languages) = (classifiers(), language_models());
    let cases = classifiers.len() + languages.len() + 1;
    let kills = (number("WEBTUNE_KILLS", 150) as usize).div_ceil(cases);
    println!("seed {seed}\n| task | kill points | kills | steps lost | options |");
    let model = classifier();
    for options in classifiers {
        let what = options.to_string();
        let points = kill(&what, kills, &mut rng, &model, || {
            classify(&model, 36, options.clone())
        });
        println!("| classifier | {points} | {kills} | 0 | {what} |");
    }
    let rows = tiny::several(40);
    let options = quick(json!({"method": {"type": "lora", "loraDropout": 0.2}, "seeds": 2}));
    let points = kill("several labels", kills, &mut rng, &model, || {
        let options = UserOptions::parse(options.clone()).unwrap();
        ClassifyTask::new(&model, &rows, options).unwrap()
    });
    println!("| several labels | {points} | {kills} | 0 | {options} |");
    let model = language_model();
    for options in languages {
        let what = options.to_string();
        let rows = tiny_language::rows(24);
        let points = kill(&what, kills, &mut rng, &model, || {
            language(&model, &rows, options.clone())
        });
        println!("| language model | {points} | {kills} | 0 | {what} |");
    }
}

fn some_checkpoint() -> Vec<u8> {
    let options = quick(
        json!({"labelDescriptions": {"food": "what one eats in private"}, "numTrainEpochs": 1}),
    );
    let found = whole(Run::new(classify(&classifier(), 36, options)));
    let (_, bytes) = found.checkpoints.into_iter().next_back().unwrap();
    bytes
}

#[test]
fn a_checkpoint_of_another_run_is_refused_by_what_differs() {
    let bytes = some_checkpoint();
    let read = || RunCheckpoint::<ClassifyTask>::read(bytes.clone()).unwrap();
    let described = json!({"labelDescriptions": {"food": "what one eats in private"}});
    let options = |more: Value| read().options(more.as_object().unwrap().clone());
    let refused = |model, rows, options: &Map<String, Value>| {
        let task = classify(model, rows, Value::Object(options.clone()));
        match Run::resume(task, read()) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    };
    let given = options(described).unwrap();
    assert_eq!(given["trainBatchSize"], 8);
    UserOptions::parse(Value::Object(given.clone())).unwrap();
    let model = classifier();
    assert_eq!(refused(&model, 36, &given), "");
    assert_eq!(
        refused(&model, 39, &given),
        "checkpoint: it is of a run on other rows"
    );
    let files = tiny::files(8);
    let other =
        webtune::tasks::classify::model::Pretrained::load("tiny", files, model.compute.clone());
    let other = block_on(other).unwrap();
    assert_eq!(
        refused(&other, 36, &given),
        "checkpoint: it is of a run on another model"
    );

    let error = options(json!({})).unwrap_err();
    assert_eq!(error.report().option.as_deref(), Some("labelDescriptions"));
    let again = json!({"labelDescriptions": {"food": "x"}, "trainBatchSize": 4});
    let error = options(again).unwrap_err().to_string();
    assert_eq!(
        error,
        "trainBatchSize: the run that is resumed had 8, got 4"
    );
    let error = RunCheckpoint::<LanguageTask>::read(bytes.clone())
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("tunes a language model"),
        "{error}"
    );
}

#[test]
fn a_checkpoint_holds_no_text_that_a_person_wrote() {
    let mut classifier = some_checkpoint();
    let rows = tiny_language::rows(24);
    let options = json!({
        "samplePrompts": ["a private prompt"], "numTrainEpochs": 1, "maxLength": 64, "sampleTokens": 4, "evalSteps": 1
    });
    let found = whole(Run::new(language(&language_model(), &rows, options)));
    let (_, language) = found.checkpoints.into_iter().next_back().unwrap();
    classifier.extend(language);
    let bytes = String::from_utf8_lossy(&classifier);
    for text in [
        "private", "river", "bread", "nature", "food", "meow", "animal", "does the",
    ] {
        assert!(!bytes.contains(text), "{text}");
    }
}

#[test]
fn nothing_is_written_before_training_and_a_run_must_wait() {
    let mut run = Run::new(classify(&classifier(), 36, quick(json!({}))));
    while let Some(event) = block_on(run.next_event()).unwrap() {
        if matches!(event, Event::Step { .. }) {
            break;
        }
        assert!(run.checkpoint().unwrap().is_none(), "{event:?}");
    }
    let mut writer = run.checkpoint().unwrap().unwrap();
    assert!(
        block_on(run.checkpoint_piece(&mut writer))
            .unwrap()
            .is_some()
    );
    block_on(run.next_event()).unwrap();
    let error = block_on(run.checkpoint_piece(&mut writer)).unwrap_err();
    assert_eq!(error.code(), "invalidState");
    while block_on(run.next_event()).unwrap().is_some() {}
    assert!(run.checkpoint().unwrap().is_none());
}
