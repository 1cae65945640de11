//! Checks on a device that whole runs do what they should.

use serde_json::{Value, json};
use webtune::Error;
use webtune::device::Compute;
use webtune::tasks::classify::event::ClassifyFinished;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::Tuned;
use webtune::tasks::classify::{ClassifyEvent, ClassifyRun, ClassifyTask, UserOptions};

use super::matrix::Case;
use super::tiny;

/// Options as a page would give them.
pub fn options(json: Value) -> UserOptions {
    UserOptions::parse(json).unwrap()
}

/// A session over tiny examples, not yet begun.
pub fn session(model: &Pretrained, rows: usize, json: Value) -> ClassifyRun {
    ClassifyRun::new(ClassifyTask::new(model, &tiny::examples(rows), options(json)).unwrap())
}

/// Why a session does not begin.
pub fn refusal(model: &Pretrained, json: Value) -> Error {
    let examples = tiny::examples(24);
    match UserOptions::parse(json).and_then(|given| ClassifyTask::new(model, &examples, given)) {
        Ok(_) => panic!("it began"),
        Err(error) => error,
    }
}

/// Runs to the end; all events and what was found.
pub async fn run(compute: &Compute, rows: usize, json: Value) -> (Vec<ClassifyEvent>, Tuned) {
    let model = tiny::model(compute).await;
    run_on(&model, rows, json).await
}

/// The same on a model that is loaded.
pub async fn run_on(model: &Pretrained, rows: usize, json: Value) -> (Vec<ClassifyEvent>, Tuned) {
    let mut session = session(model, rows, json);
    let mut events = Vec::new();
    while let Some(event) = session.next_event().await.unwrap() {
        events.push(event);
    }
    (events, session.take_tuned().unwrap())
}

pub fn losses(events: &[ClassifyEvent]) -> Vec<f32> {
    events
        .iter()
        .filter_map(|event| match event {
            ClassifyEvent::Step { loss, .. } => Some(*loss),
            _ => None,
        })
        .collect()
}

/// The losses on the validation rows after each epoch or stage.
pub fn validation_losses(events: &[ClassifyEvent]) -> Vec<f64> {
    events
        .iter()
        .filter_map(|event| match event {
            ClassifyEvent::Evaluation { task, .. } => Some(task.validation.loss),
            _ => None,
        })
        .collect()
}

/// The last event's content.
pub fn finished(events: &[ClassifyEvent]) -> &ClassifyFinished {
    match events.last() {
        Some(ClassifyEvent::Finished(finished)) => finished,
        other => panic!("the last event is {other:?}"),
    }
}

/// From a fresh head, the mean loss of the last epoch is well below the first's, and the labels are learnt.
pub async fn learns(compute: &Compute) {
    let settings = json!({
        "headInit": "random", "learningRate": 2e-2, "headLearningRate": 0.3, "numTrainEpochs": 16,
        "earlyStoppingPatience": 0, "head": "mean", "contrastive": false
    });
    let (events, tuned) = run(compute, 60, settings).await;
    let losses = losses(&events);
    let epoch = losses.len() / 16;
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    let [first, last] = [
        mean(&losses[..epoch]),
        mean(&losses[losses.len() - epoch..]),
    ];
    assert!(
        last < 0.5 * first,
        "mean loss of the first epoch {first}, of the last {last}"
    );
    let model = tiny::model(compute).await;
    let scores = tuned.evaluate(&model, &tiny::examples(30)).await.unwrap();
    assert!(scores.tuned.accuracy > 0.9, "{:?}", scores.tuned);
}

/// A few steps on one batch lower its loss; short, because software WebGPU takes a second a step.
pub async fn falls(compute: &Compute) {
    let settings = json!({
        "headInit": "random", "learningRate": 2e-2, "headLearningRate": 0.3, "numTrainEpochs": 6,
        "trainBatchSize": 32, "warmupRatio": 0, "head": "mean", "contrastive": false
    });
    let (events, _) = run(compute, 12, settings).await;
    let losses = losses(&events);
    assert!(losses[losses.len() - 1] < 0.9 * losses[0], "{losses:?}");
}

/// A short run of a method, from a random head, so that the one epoch there is is kept.
pub fn short(case: &Case, head: &str, more: Value) -> Value {
    let mut settings = json!({
        "head": head, "method": case.method, "mixout": case.mixout, "headInit": "random", "contrastive": false,
        "numTrainEpochs": 1, "trainBatchSize": 8, "warmupRatio": 0, "learningRate": 1e-2, "headLearningRate": 0.1
    });
    let map = settings.as_object_mut().unwrap();
    map.extend(more.as_object().unwrap().clone());
    settings
}

/// One method's run of a single step ends with finite scores.
pub async fn runs_briefly(compute: &Compute, case: &Case) {
    let model = tiny::model(compute).await;
    let settings = short(case, "mean", json!({"trainBatchSize": 32}));
    let (events, _) = run_on(&model, 9, settings).await;
    assert_eq!(losses(&events).len(), 1, "{}", case.name);
    let scores = &finished(&events).task.evaluation.tuned;
    assert!(scores.loss.is_finite(), "{}: {scores:?}", case.name);
}
