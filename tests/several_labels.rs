//! Classifiers that give a text any number of labels: a run, its thresholds, its files and the way back.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::files::export;
use common::training::{finished, options};
use common::{tiny, training};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::data::{Example, Label, ProblemType};
use webtune::device::Compute;
use webtune::export::{ExportedFile, Format, files, import};
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::{Tuned, Which};
use webtune::tasks::classify::{ClassifyEvent, ClassifyRun, ClassifyTask, UserOptions};

fn run(model: &Pretrained, rows: &[Example], more: Value) -> (Vec<ClassifyEvent>, Tuned) {
    let mut settings = json!({
        "headInit": "random", "learningRate": 1e-2, "headLearningRate": 0.1, "numTrainEpochs": 16, "earlyStoppingPatience": 0, "head": "mean",
        "trainBatchSize": 16, "validationSplit": 0.3
    });
    let map = settings.as_object_mut().unwrap();
    map.extend(more.as_object().unwrap().clone());
    let task = ClassifyTask::new(model, rows, options(settings)).unwrap();
    let mut session = ClassifyRun::new(task);
    let mut events = Vec::new();
    while let Some(event) = block_on(session.next_event()).unwrap() {
        events.push(event);
    }
    (events, session.take_tuned().unwrap())
}

fn model() -> Pretrained {
    block_on(tiny::model(&Compute::cpu()))
}

fn list(names: &[&str]) -> Label {
    Label::Several(names.iter().map(|name| (*name).into()).collect())
}

fn json_of(files: &[ExportedFile], path: &str) -> Value {
    let file = files.iter().find(|file| file.path == path);
    serde_json::from_slice(&file.unwrap_or_else(|| panic!("{path}")).bytes).unwrap()
}

/// The labels follow from words, so that the best that can be reached is known: every label of every row right.
#[test]
fn learns_every_label_and_knows_thresholds() {
    let model = model();
    let (events, tuned) = run(&model, &tiny::several(100), json!({}));
    let ClassifyEvent::Started { task, .. } = &events[0] else {
        panic!("{:?}", events[0]);
    };
    assert_eq!(task.problem_type, ProblemType::MultiLabel);
    let recipe = events.iter().find_map(|event| match event {
        ClassifyEvent::Recipe { options, .. } => Some(options),
        _ => None,
    });
    assert!(recipe.unwrap().own.contrastive.settings().is_none());
    let losses = training::losses(&events);
    assert!(losses[losses.len() - 1] < 0.2 * losses[0], "{losses:?}");

    let evaluation = &finished(&events).task.evaluation;
    assert_eq!(evaluation.labels, ["food", "nature", "travel"]);
    assert_eq!(evaluation.problem_type, ProblemType::MultiLabel);
    let scores = &evaluation.tuned;
    assert_eq!(
        (scores.micro_f1, scores.macro_f1, scores.accuracy),
        (Some(1.0), 1.0, 1.0)
    );
    assert!(scores.confusion.is_empty() && scores.interval[0] > 0.8);
    assert!(evaluation.rows.iter().all(|row| row.label == row.predicted));
    assert!(evaluation.rows.iter().any(|row| row.label == list(&[])));
    assert!(
        evaluation.verdict().contains("micro F1"),
        "{}",
        evaluation.verdict()
    );
    assert_eq!(tuned.thresholds, scores.thresholds());
    assert_eq!(tuned.problem(), ProblemType::MultiLabel);

    let texts = [
        "number 3 is about bread and train again",
        "number 9 is about again",
    ]
    .map(String::from);
    let found = block_on(tuned.predict(&model, &texts, Which::Tuned)).unwrap();
    assert_eq!(
        [&found[0].label, &found[1].label],
        [&list(&["food", "travel"]), &list(&[])]
    );
    assert_eq!(found[0].thresholds, tuned.thresholds);
    for (probability, logit) in found[0].probabilities.iter().zip(&found[0].logits) {
        assert!((probability - 1.0 / (1.0 + (-f64::from(*logit)).exp())).abs() < 1e-12);
    }
    let found = block_on(tuned.predict(&model, &texts, Which::Baseline)).unwrap();
    assert!(matches!(found[0].label, Label::Several(_)));

    // other rows are scored with the thresholds that were kept, those of the baselines too
    let scored = block_on(tuned.evaluate(&model, &tiny::several(25))).unwrap();
    assert_eq!(scored.tuned.thresholds(), tuned.thresholds);
    let kept = tuned.baselines.as_ref().unwrap().thresholds.clone();
    assert_eq!(scored.baselines.thresholds(), kept);
    assert_eq!(scored.tuned.micro_f1, Some(1.0));
    // a string is a list of one there
    let one = Example::new("number 2 is about bread again", "food");
    let scored = block_on(tuned.evaluate(&model, &[one])).unwrap();
    assert_eq!(scored.rows[0].label, list(&["food"]));
}

#[test]
fn every_method_ends_with_thresholds_and_never_below_the_probe() {
    let model = model();
    for method in [
        json!({"type": "lora", "initLoraWeights": "pissa"}),
        json!({"type": "full"}),
        json!({"type": "houlsby"}),
        json!({"type": "prefix"}),
        json!({"type": "probe"}),
    ] {
        let settings = json!({"headInit": "probe", "method": method, "numTrainEpochs": 2, "head": "cls",
            "learningRate": 1e-3, "headLearningRate": 1e-2});
        let (events, tuned) = run(&model, &tiny::several(40), settings);
        let evaluation = &finished(&events).task.evaluation;
        assert!(
            evaluation.tuned.value() >= evaluation.baselines.probe.value(),
            "{method}"
        );
        assert_eq!(tuned.thresholds.map(|all| all.len()), Some(3), "{method}");
    }
}

#[test]
fn what_has_no_meaning_for_several_labels_is_refused_by_name() {
    let model = model();
    let refused = |rows: &[Example], given: Value| {
        let options = UserOptions::parse(given).unwrap();
        let task = ClassifyTask::new(&model, rows, options);
        task.err().unwrap().to_string()
    };
    let error = refused(&tiny::several(40), json!({"contrastive": {"steps": 2}}));
    assert!(
        error.starts_with("contrastive: this stage pulls texts of one label together"),
        "{error}"
    );
    let (events, _) = run(&model, &tiny::several(20), json!({"numTrainEpochs": 1}));
    let reasons = events.iter().find_map(|event| match event {
        ClassifyEvent::Recipe { reasons, .. } => Some(reasons.join("\n")),
        _ => None,
    });
    assert!(reasons.unwrap().contains("no contrastive stage"));
    let mut rows = tiny::several(20);
    for row in &mut rows {
        row.label = list(&["food"]);
    }
    assert!(refused(&rows, json!({})).contains("the only label"));
}

#[test]
fn files_say_the_problem_and_come_back_with_the_same_answers() {
    let model = model();
    let texts: Vec<String> = tiny::several(7).into_iter().map(|row| row.text).collect();
    for head in ["cls", "mean"] {
        let settings = json!({"head": head, "numTrainEpochs": 2});
        let (_, tuned) = run(&model, &tiny::several(60), settings);
        let adapter = block_on(export(&model, &tuned)).unwrap();
        let merged = block_on(files(&model, &tuned, Format::Merged)).unwrap();
        let labels = json_of(&adapter, "labels.json");
        assert_eq!(labels["problem_type"], "multi_label_classification");
        // the text of a number is read back but for its last bit
        let thresholds = labels["thresholds"].as_array().unwrap().iter();
        for (found, threshold) in thresholds.zip(tuned.thresholds.as_ref().unwrap()) {
            assert!((found.as_f64().unwrap() - threshold).abs() < 1e-15);
        }
        if head == "cls" {
            let config = json_of(&merged, "config.json");
            assert_eq!(config["problem_type"], "multi_label_classification");
            assert_eq!(config["id2label"]["2"], "travel");
        }
        let onnx = block_on(files(&model, &tuned, Format::Onnx)).unwrap();
        assert_eq!(
            json_of(&onnx, "config.json")["problem_type"],
            "multi_label_classification"
        );
        let card = adapter
            .iter()
            .find(|file| file.path == "README.md")
            .unwrap();
        let card = String::from_utf8(card.bytes.clone()).unwrap();
        for words in [
            "any number of 3 labels",
            "| model | micro F1 |",
            "is over that label's threshold: food 0.",
            ".sigmoid()[0]\nprint([label for label, score, least in zip(labels, scores, thresholds) if score > least])",
        ] {
            assert!(card.contains(words), "{card}");
        }
        for exported in [adapter, merged] {
            let back = block_on(import(&model, exported)).unwrap();
            assert_eq!(back.problem(), ProblemType::MultiLabel);
            for which in [Which::Tuned, Which::Baseline] {
                let before = block_on(tuned.predict(&model, &texts, which)).unwrap();
                let after = block_on(back.predict(&model, &texts, which)).unwrap();
                for (before, after) in before.iter().zip(&after) {
                    assert_eq!(before.label, after.label, "{head}");
                    for (a, b) in before
                        .thresholds
                        .iter()
                        .flatten()
                        .zip(after.thresholds.iter().flatten())
                    {
                        // a number as JSON, read back to the last bit but one
                        assert!((a - b).abs() < 1e-15, "{a} {b}");
                    }
                }
            }
        }
    }
}

/// PEFT's files name neither labels nor the kind of classification; the model's config.json may.
#[test]
fn an_adapter_of_another_tool_takes_the_kind_from_the_models_config() {
    let (_, tuned) = run(
        &model(),
        &tiny::several(40),
        json!({"head": "cls", "numTrainEpochs": 1}),
    );
    let mut adapter = block_on(export(&model(), &tuned)).unwrap();
    adapter.retain(|file| file.path.starts_with("adapter_"));
    let back = block_on(import(&model(), adapter.clone())).unwrap();
    assert_eq!(back.problem(), ProblemType::SingleLabel);

    let mut config = tiny::config_json();
    config["problem_type"] = json!("multi_label_classification");
    let model_files = tiny::files_of(&config, 7);
    let model = block_on(Pretrained::load("tiny", model_files, Compute::cpu())).unwrap();
    let back = block_on(import(&model, adapter.clone())).unwrap();
    assert_eq!(back.thresholds, Some(vec![0.5; 3]));
    // what a labels.json says counts more
    let named = |labels: Value| {
        let mut files = adapter.clone();
        files.push(ExportedFile {
            path: "labels.json".into(),
            bytes: labels.to_string().into_bytes(),
        });
        block_on(import(&model, files))
    };
    let one = json!({"labels": ["a", "b", "c"], "problem_type": "single_label_classification"});
    assert_eq!(named(one).unwrap().problem(), ProblemType::SingleLabel);
    let given = json!({"labels": ["a", "b", "c"], "thresholds": [0.1, 0.2, 0.9]});
    assert_eq!(named(given).unwrap().thresholds, Some(vec![0.1, 0.2, 0.9]));
    for thresholds in [json!([0.1, 0.2]), json!([0.1, 0.2, 3])] {
        let given = json!({"labels": ["a", "b", "c"], "thresholds": thresholds});
        let error = named(given).err().unwrap().to_string();
        assert!(
            error.contains("labels.json: thresholds: expected 3 numbers from 0 to 1"),
            "{error}"
        );
    }
}

/// For the checks in tests/exports, where transformers reads the folder.
#[test]
fn several_labels_leave_for_transformers() {
    let model = model();
    let (_, tuned) = run(
        &model,
        &tiny::several(60),
        json!({"head": "cls", "numTrainEpochs": 4}),
    );
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("exports/several-labels");
    for file in block_on(files(&model, &tuned, Format::Merged)).unwrap() {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.bytes).unwrap();
    }
    let texts: Vec<String> = tiny::several(7).into_iter().map(|row| row.text).collect();
    let answers = block_on(tuned.predict(&model, &texts, Which::Tuned)).unwrap();
    let answers: Vec<Value> = texts.iter().zip(&answers).map(|(text, answer)| {
        json!({"text": text, "labels": answer.label, "probabilities": answer.probabilities})
    }).collect();
    std::fs::write(folder.join("answers.json"), json!(answers).to_string()).unwrap();
}
