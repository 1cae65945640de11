//! Analytic gradients of every trained tensor against finite differences, at the golden states of other implementations.
//! `methods.rs` does the same for every setting of a method.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use burn::tensor::{Tensor, TensorData};
use common::parity::{bert_cls, bert_mean, load};
use pollster::block_on;
use webtune::device::{Compute, read};
use webtune::models::Classifier;
use webtune::peft::freeze::replace;
use webtune::tasks::classify::batch::TrainBatch;
use webtune::train::gradients::{PassSettings, gradients};

/// A central difference of float32 losses near 1: their rounding (1e-7) over twice this step gives 3e-5.
const STEP: f32 = 2e-3;
/// That rounding, and the third derivative's share.
const TOLERANCE: f64 = 3e-4;

fn loss(classifier: &Classifier, batch: &TrainBatch) -> f64 {
    let sum = batch.loss_sum(classifier).inner();
    f64::from(block_on(read(sum)).unwrap()[0]) / batch.rows as f64
}

fn moved(classifier: &Classifier, path: &str, index: usize, by: f32) -> Classifier {
    replace(classifier.clone(), |other, value| {
        (other == path).then(|| {
            let device = value.device();
            let mut values = block_on(read(value)).unwrap();
            values[index] += by;
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [count]), &device)
        })
    })
}

#[test]
fn gradients_equal_finite_differences() {
    let compute = Compute::cpu();
    for fixture in [bert_cls(), bert_mean()] {
        let loaded = block_on(load(&fixture, &compute));
        let (analytic, _) = gradients(
            &loaded.classifier,
            std::slice::from_ref(&loaded.batch),
            &PassSettings::default(),
        );
        assert_eq!(analytic.len(), loaded.trainable.paths().count());
        for (path, gradient) in analytic {
            let values = block_on(read(gradient)).unwrap();
            // three entries spread over the tensor
            for index in [0, values.len() / 2, values.len() - 1] {
                let up = loss(
                    &moved(&loaded.classifier, &path, index, STEP),
                    &loaded.batch,
                );
                let down = loss(
                    &moved(&loaded.classifier, &path, index, -STEP),
                    &loaded.batch,
                );
                let numeric = (up - down) / (2.0 * f64::from(STEP));
                let difference = (numeric - f64::from(values[index])).abs();
                assert!(
                    difference <= TOLERANCE,
                    "{} {path}[{index}]: {numeric} by differences, {} by autodiff",
                    fixture.name,
                    values[index]
                );
            }
        }
    }
}
