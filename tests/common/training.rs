//! Enters: a device. Leaves: whether whole runs do what they should on it.

use webtune::device::Compute;
use webtune::train::{Session, TrainEvent, TrainOptions};
use webtune::tuned::Tuned;

use super::tiny;

/// Runs to the end; all events and what was found.
pub async fn run(
    compute: &Compute,
    rows: usize,
    options: TrainOptions,
) -> (Vec<TrainEvent>, Tuned) {
    let model = tiny::model(compute).await;
    let mut session = Session::new(&model, &tiny::examples(rows), options).unwrap();
    let mut events = Vec::new();
    while let Some(event) = session.next_event().await.unwrap() {
        events.push(event);
    }
    (events, session.take_tuned().unwrap())
}

pub fn losses(events: &[TrainEvent]) -> Vec<f32> {
    events
        .iter()
        .filter_map(|event| match event {
            TrainEvent::Step { loss, .. } => Some(*loss),
            _ => None,
        })
        .collect()
}

pub fn options(json: serde_json::Value) -> TrainOptions {
    serde_json::from_value(json).unwrap()
}

/// From a fresh head, the mean loss of the last epoch is well below the first's, and the labels are learnt.
pub async fn learns(compute: &Compute) {
    let settings = serde_json::json!({
        "recipe": "lora", "learningRate": 2e-2, "headLearningRate": 0.3, "numTrainEpochs": 16,
        "earlyStoppingPatience": 0, "head": "mean"
    });
    let (events, tuned) = run(compute, 60, options(settings)).await;
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
    let settings = serde_json::json!({
        "recipe": "lora", "learningRate": 2e-2, "headLearningRate": 0.3, "numTrainEpochs": 6,
        "trainBatchSize": 32, "warmupRatio": 0, "head": "mean"
    });
    let (events, _) = run(compute, 12, options(settings)).await;
    let losses = losses(&events);
    assert!(losses[losses.len() - 1] < 0.9 * losses[0], "{losses:?}");
}
