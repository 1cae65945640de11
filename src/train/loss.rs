//! Cross-entropy of logits and true labels.

use burn::tensor::{
    Int, Tensor,
    activation::{log_sigmoid, log_softmax},
};

/// Sum of the rows' cross-entropies in nats: `[batch, labels]` and `[batch]` to `[1]`.
///
/// A sum, so that accumulated batches of unequal size can be divided by all their rows together.
pub fn cross_entropy_sum(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let picked = log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)); // [batch, 1]
    picked.sum().neg()
}

/// Sum over the rows of the mean of their labels' binary cross-entropies, in nats: logits and targets of 0 and 1, both `[batch, labels]`, to
/// `[1]`. Divided by the rows it is torch's `BCEWithLogitsLoss`.
pub fn binary_cross_entropy_sum(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let labels = logits.dims()[1] as f64;
    // ln(1 - sigmoid(x)) is ln(sigmoid(x)) - x
    let losses = logits.clone() * (targets.neg() + 1.0) - log_sigmoid(logits); // [batch, labels]
    losses.sum() / labels
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use serde::Deserialize;

    use super::*;
    use crate::device::read;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        shape: [usize; 2],
        logits: Vec<f32>,
        targets: Vec<f32>,
        loss: f64,
        gradient: Vec<f32>,
    }

    #[test]
    fn binary_cross_entropy_and_its_gradient_equal_torchs() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/metrics/losses.json"
        );
        let cases: Vec<Case> =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(cases.len() >= 3);
        let device = Device::flex().autodiff();
        for case in cases {
            let tensor = |values: &[f32]| -> Tensor<2> {
                Tensor::from_data(TensorData::new(values.to_vec(), case.shape), &device)
            };
            let logits = tensor(&case.logits).require_grad();
            let sum = binary_cross_entropy_sum(logits.clone(), tensor(&case.targets));
            let loss = sum / case.shape[0] as f64;
            let mut tape = loss.backward();
            let gradient = logits.grad_remove(&mut tape).unwrap();
            let found = pollster::block_on(read(loss.inner())).unwrap()[0];
            // a sum of at most 24 terms in f32, against f64
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs().max(1.0);
            assert!(close(f64::from(found), case.loss), "{}: {found}", case.name);
            for (a, b) in pollster::block_on(read(gradient))
                .unwrap()
                .iter()
                .zip(&case.gradient)
            {
                assert!(
                    close(f64::from(*a), f64::from(*b)),
                    "{}: {a}, {b}",
                    case.name
                );
            }
        }
    }
}
