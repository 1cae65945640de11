//! The linear probe against scikit-learn's logistic regression.

#![cfg(not(target_arch = "wasm32"))]

use pollster::block_on;
use serde_json::Value;
use webtune::eval::probe::{ProbeData, fit, head_logits};

const CASES: &str = include_str!("fixtures/probe/cases.json");

/// Both stop where the gradient is small, not at the optimum itself, and ours sums in float32.
const TOLERANCE: f64 = 2e-3;

fn floats(value: &Value) -> Vec<f32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap() as f32)
        .collect()
}

#[test]
fn equals_scikit_learn() {
    let file: Value = serde_json::from_str(CASES).unwrap();
    let labels = file["labels"].as_array().unwrap();
    let mut data = ProbeData {
        bias: true,
        features: floats(&file["features"]),
        labels: labels
            .iter()
            .map(|label| label.as_u64().unwrap() as usize)
            .collect(),
    };
    for case in file["cases"].as_array().unwrap() {
        let c = case["c"].as_f64().unwrap();
        data.bias = case["intercept"].as_bool().unwrap();
        let head = block_on(fit(&data, 3, c, None)).unwrap();
        assert_eq!(head.bias.iter().any(|bias| *bias != 0.0), data.bias);
        for (found, expected) in [
            (head.weight.clone(), floats(&case["weight"])),
            (head_logits(&head, &data.features), floats(&case["logits"])),
        ] {
            let scale = expected
                .iter()
                .fold(0.0_f64, |max, value| max.max(f64::from(value.abs())));
            for (a, b) in found.iter().zip(&expected) {
                assert!(
                    f64::from((a - b).abs()) <= TOLERANCE * scale,
                    "C {c}: {a} for {b}"
                );
            }
        }
    }
}
