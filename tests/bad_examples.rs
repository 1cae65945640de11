//! Examples that a classifier cannot learn: told with a way on, or left out and listed.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::tiny;
use common::training::{losses, options};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::Error;
use webtune::data::Example;
use webtune::device::Compute;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::{ClassifyEvent, ClassifyRun, ClassifyTask};

fn example(text: &str, label: &str) -> Example {
    Example::new(text, label)
}

/// In the tiny model's tokenizer.
const WORDS: usize = 1100;

/// The tiny model with a token that it has no vector for.
fn model() -> Pretrained {
    let mut config = tiny::config_json();
    config["vocab_size"] = json!(WORDS);
    let mut files = tiny::files_of(&config, 7);
    let file = files.iter_mut().find(|file| file.path == "tokenizer.json");
    let file = file.unwrap();
    let mut tokenizer: Value = serde_json::from_slice(&file.bytes).unwrap();
    tokenizer["added_tokens"].as_array_mut().unwrap().push(json!({
        "id": WORDS, "content": "<image>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": true
    }));
    file.bytes = tokenizer.to_string().into_bytes();
    block_on(Pretrained::load("tiny", files, Compute::cpu())).unwrap()
}

/// Twelve good examples with bad ones among them, in rows 1, 5, 15 and 16.
fn mixed() -> Vec<Example> {
    let mut examples = tiny::examples(12);
    examples.insert(0, example("  ", "river"));
    examples.insert(4, example("a text without a label", ""));
    examples.push(example("the only one of its kind", "alone"));
    examples.push(example("a boat <image> on water", "nature"));
    examples
}

fn task(model: &Pretrained, examples: &[Example], skip_bad: bool) -> Result<ClassifyTask, Error> {
    ClassifyTask::new(model, examples, options(json!({"skipBad": skip_bad})))
}

fn refused(model: &Pretrained, examples: &[Example], skip_bad: bool) -> Value {
    let error = task(model, examples, skip_bad)
        .err()
        .expect("it is refused");
    serde_json::to_value(error.report()).unwrap()
}

#[test]
fn they_are_left_out_and_listed() {
    let model = model();
    let run = |examples: &[Example]| {
        let given = options(json!({"skipBad": true, "numTrainEpochs": 2, "contrastive": false}));
        let mut run = ClassifyRun::new(ClassifyTask::new(&model, examples, given).unwrap());
        let mut events = Vec::new();
        while let Some(event) = block_on(run.next_event()).unwrap() {
            events.push(event);
        }
        events
    };
    let (mixed, good) = (run(&mixed()), run(&tiny::examples(12)));
    assert_eq!(losses(&mixed), losses(&good));
    let Some(ClassifyEvent::Started { task, warnings, .. }) = mixed.first() else {
        panic!("no start");
    };
    assert_eq!(task.labels, ["food", "nature", "travel"]);
    let skipped = task.skipped_rows.iter();
    let skipped = skipped.map(|one| (one.row, one.reason.as_str()));
    let skipped = skipped.collect::<Vec<_>>();
    let beyond = skipped[3].1;
    assert_eq!(
        skipped,
        [
            (1, "the text is blank"),
            (5, "the label is blank"),
            (15, "the label \"alone\" has only one example"),
            (16, beyond),
        ]
    );
    assert!(beyond.contains("<image>"), "{beyond}");
    let told =
        "4 rows are left out, because they cannot be learnt; the first is row 1: the text is blank";
    assert!(warnings.iter().any(|one| one == told), "{warnings:?}");
    let Some(ClassifyEvent::Started { task, .. }) = good.first() else {
        panic!("no start");
    };
    assert!(task.skipped_rows.is_empty());
}

#[test]
fn without_that_option_the_first_is_told_with_the_way_on() {
    let model = model();
    let found = refused(&model, &mixed(), false);
    assert_eq!(found["row"], 1);
    assert_eq!(found["remedy"], "skipBad");
    let words = "the text is blank; 2 more of 16 rows cannot be used either";
    assert!(
        found["message"].as_str().unwrap().contains(words),
        "{found}"
    );
    let mut single = tiny::examples(12);
    single.push(example("the only one of its kind", "alone"));
    let found = refused(&model, &single, false);
    assert_eq!(found["remedy"], "skipBad");
    let words = "the label \"alone\" has only one example";
    assert!(
        found["message"].as_str().unwrap().contains(words),
        "{found}"
    );
}

/// Rows after those that are left out keep the numbers that a person knows them by.
#[test]
fn warnings_count_all_rows() {
    let model = model();
    let mut examples = mixed();
    examples.push(example(&examples[2].text.clone(), "travel"));
    let given = options(json!({"skipBad": true}));
    let mut run = ClassifyRun::new(ClassifyTask::new(&model, &examples, given).unwrap());
    let Some(ClassifyEvent::Started { warnings, .. }) = block_on(run.next_event()).unwrap() else {
        panic!("no start");
    };
    let found = warnings
        .iter()
        .any(|one| one.contains("(first: example 17)"));
    assert!(found, "{warnings:?}");
}

#[test]
fn what_no_leaving_out_helps_is_told_as_before() {
    let model = model();
    let labelled = |labels: &[&str]| {
        labels
            .iter()
            .map(|label| example("a text", label))
            .collect::<Vec<_>>()
    };
    for (examples, words) in [
        (Vec::new(), "there are none"),
        (
            labelled(&["a", "b", "c"]),
            "has only one example; none of the 3 rows can be used",
        ),
        (labelled(&["a", "a", "b"]), "all have the label \"a\""),
        (
            labelled(&["", " "]),
            "the label is blank; none of the 2 rows can be used",
        ),
    ] {
        let found = refused(&model, &examples, true);
        assert_eq!(found["remedy"], Value::Null, "{found}");
        assert!(
            found["message"].as_str().unwrap().contains(words),
            "{found}"
        );
    }
}
