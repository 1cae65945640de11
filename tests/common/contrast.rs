//! Compares the contrastive loss and its gradient on a device with pytorch-metric-learning's, as the largest relative error.

use burn::tensor::{Tensor, TensorData};
use serde_json::Value;
use webtune::device::{Compute, read};
use webtune::tasks::classify::contrast::Pairs;

use super::golden::relative_error;
use super::safeguards::{flat, ints};

/// Mean loss of the anchors, as a training step forms it, and what it says about the features.
pub async fn errors(compute: &Compute) -> f64 {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../fixtures/contrastive/cases.json")).unwrap();
    let mut worst = 0.0_f64;
    for case in &cases {
        let labels = (ints(&case["labels"]).into_iter())
            .map(|label| label as usize)
            .collect::<Vec<_>>();
        let shape = [labels.len(), case["width"].as_u64().unwrap() as usize];
        let data = TensorData::new(flat(&case["features"]), shape);
        let features = Tensor::<2>::from_data(data, &compute.device)
            .autodiff()
            .require_grad();
        let temperature = case["temperature"].as_f64().unwrap();
        let pairs = Pairs::new(&labels, temperature, &compute.device);
        assert_eq!(pairs.anchors as u64, case["anchors"].as_u64().unwrap());
        let loss = pairs.loss_sum(features.clone()) / pairs.anchors as f64;
        let mut tape = loss.backward();
        let gradient = features.grad_remove(&mut tape).unwrap();
        let found = read(loss.inner()).await.unwrap();
        worst = worst.max(relative_error(&found, &flat(&case["loss"])));
        let found = read(gradient).await.unwrap();
        worst = worst.max(relative_error(&found, &flat(&case["gradient"])));
    }
    worst
}
