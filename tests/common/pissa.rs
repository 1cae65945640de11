//! Compares PiSSA's start, and its conversion to plain LoRA, with PEFT's on a device, as the largest relative errors.

use burn::tensor::{Tensor, TensorData};
use serde_json::Value;
use webtune::device::{Compute, read};
use webtune::peft::LoraConfig;
use webtune::peft::pissa::{difference, split};

use super::golden::relative_error;
use super::parity::Errors;
use super::safeguards::flat;

/// Products are compared, not factors: the signs of singular vectors are free. PEFT finds them in float32, whose rounding a gap of 2%
/// between singular values multiplies by 50, and the file has six decimals: 1e-5, of which the parity tolerance leaves ten times.
pub async fn errors(compute: &Compute) -> Errors {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../fixtures/pissa/cases.json")).unwrap();
    let mut errors = Errors::new();
    for case in &cases {
        let number = |key: &str| case[key].as_f64().unwrap();
        let [input, output] = ["in", "out"].map(|key| number(key) as usize);
        // files hold [out, in]; the layer holds the transpose
        let matrix = |values: Vec<f32>| {
            let data = TensorData::new(values, [output, input]);
            Tensor::<2>::from_data(data, &compute.device).transpose()
        };
        let mut note = |group: &str, found: &[f32], expected: &[f32]| {
            let worst = errors.entry(group.to_string()).or_insert(0.0);
            *worst = worst.max(relative_error(found, expected));
        };
        let config = LoraConfig {
            r: number("r") as usize,
            lora_alpha: number("alpha"),
            use_rslora: case["rslora"].as_bool().unwrap(),
            ..LoraConfig::default()
        };
        let scaling = config.scaling_of("layer");
        note(
            "PiSSA scaling",
            &[scaling as f32],
            &[number("scaling") as f32],
        );

        let weight = flat(&case["weight"]);
        let full = matrix(weight.clone());
        let [rest, a, b] = split(full.clone(), config.r, scaling).await.unwrap();
        let product = a.clone().matmul(b.clone()) * scaling; // [in, out]
        let in_file_order = async |tensor: Tensor<2>| read(tensor.transpose() + 0.0).await.unwrap();
        let found = in_file_order(product.clone()).await;
        let expected = flat(&case["product"]);
        note("PiSSA start", &found, &expected);
        note(
            "PiSSA sum",
            &in_file_order(rest.clone() + product).await,
            &weight,
        );
        let expected = matrix(expected);
        note("PiSSA rest", &in_file_order(rest + expected).await, &weight);

        if case["converted"].is_null() {
            continue;
        }
        let change = |count: usize, period: usize, middle: f32| {
            (0..count)
                .map(|index| 1.0 + 0.1 * ((index % period) as f32 - middle))
                .collect::<Vec<_>>()
        };
        let rows = TensorData::new(change(input, 7, 3.0), [input, 1]);
        let columns = TensorData::new(change(output, 5, 2.0), [1, output]);
        let tuned = [
            a.clone() * Tensor::from_data(rows, &compute.device),
            b.clone() * Tensor::from_data(columns, &compute.device),
        ];
        let plain = config.doubled();
        let [a, b] = difference(tuned, [a, b]);
        assert_eq!(plain.r, number("convertedR") as usize);
        assert_eq!(a.dims(), [input, plain.r]);
        let scaling = plain.scaling_of("layer");
        note(
            "PiSSA scaling",
            &[scaling as f32],
            &[number("convertedScaling") as f32],
        );
        let found = in_file_order(a.matmul(b) * scaling).await;
        note("PiSSA as LoRA", &found, &flat(&case["converted"]));
    }
    errors
}
