//! Runs of either task through the one training loop.

use pollster::block_on;
use serde_json::{Value, json};
use webtune::data::ParsedText;
use webtune::device::Compute;
use webtune::layers::Storage;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::{ClassifyTask, UserOptions};
use webtune::tasks::language::model::LanguageModel;
use webtune::tasks::language::{LanguageOptions, LanguageTask};
use webtune::train::event::Event;
use webtune::train::run::Run;
use webtune::train::task::{EventOf, FinishedOf, Task};

use super::{tiny, tiny_language};

pub fn classify(model: &Pretrained, rows: usize, options: Value) -> ClassifyTask {
    let given = UserOptions::parse(options).unwrap();
    ClassifyTask::new(model, &tiny::examples(rows), given).unwrap()
}

pub fn language(model: &LanguageModel, rows: &[ParsedText], options: Value) -> LanguageTask {
    let options = LanguageOptions::parse(options).unwrap();
    LanguageTask::new(model, "rows.jsonl", rows, options).unwrap()
}

pub fn classifier() -> Pretrained {
    block_on(tiny::model(&Compute::cpu()))
}

pub fn language_model() -> LanguageModel {
    block_on(tiny_language::model(&Compute::cpu(), Storage::F32))
}

/// All events of a run; `stop` says after which of them it is stopped.
pub fn events<T: Task>(
    task: T,
    stop: impl Fn(&EventOf<T>) -> bool,
) -> (Vec<EventOf<T>>, Option<T::Tuned>) {
    let mut run = Run::new(task);
    let mut events = Vec::new();
    while let Some(event) = block_on(run.next_event()).unwrap() {
        if stop(&event) {
            run.stop();
        }
        events.push(event);
    }
    (events, run.take_tuned())
}

pub fn finished<T: Task>(events: &[EventOf<T>]) -> &FinishedOf<T> {
    match events.last() {
        Some(Event::Finished(finished)) => finished,
        other => panic!("the last event is {other:?}"),
    }
}

pub fn losses<T: Task>(events: &[EventOf<T>]) -> Vec<f32> {
    let losses = events.iter().filter_map(|event| match event {
        Event::Step { loss, .. } => Some(*loss),
        _ => None,
    });
    losses.collect()
}

/// The steps after which the validation rows were scored.
pub fn scored_at<T: Task>(events: &[EventOf<T>]) -> Vec<usize> {
    let steps = events.iter().filter_map(|event| match event {
        Event::Evaluation { step, .. } => Some(*step),
        _ => None,
    });
    steps.collect()
}

pub fn at_step<T: Task>(wanted: usize) -> impl Fn(&EventOf<T>) -> bool {
    move |event| matches!(event, Event::Step { step, .. } if *step == wanted)
}

/// Options under which a tiny classifier learns from its first steps on.
pub fn quick() -> Value {
    json!({
        "headInit": "random", "contrastive": false, "learningRate": 2e-2, "headLearningRate": 0.3, "warmupRatio": 0,
        "head": "mean", "numTrainEpochs": 4, "trainBatchSize": 8
    })
}

/// The same for a language model.
pub fn quick_language() -> Value {
    json!({
        "learningRate": 2e-2, "warmupRatio": 0, "numTrainEpochs": 1, "maxLength": 64, "sampleTokens": 0,
        "fewShotExamples": 0
    })
}

pub fn with(base: Value, more: Value) -> Value {
    let mut options = base;
    let map = options.as_object_mut().unwrap();
    map.extend(more.as_object().unwrap().clone());
    options
}
