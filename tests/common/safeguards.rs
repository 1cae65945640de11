//! Compares every safeguard on a device with PyTorch and libraries built on it, as the largest relative error.

use std::collections::HashMap;

use burn::tensor::{Tensor, TensorData};
use serde_json::Value;
use webtune::device::{Compute, read};
use webtune::layers::mixout::mix;
use webtune::peft::freeze::{replace, trained};
use webtune::train::gradients::{PassSettings, gradients};
use webtune::train::optimizer::{AdamW, clip_gradients};
use webtune::train::penalty::Penalty;
use webtune::train::step::{Rules, train_step};

use super::contrast;
use super::golden::{movement_error, relative_error};
use super::parity::{Errors, adamw, batch, bert_full, by_key, load, values};

fn golden() -> Value {
    serde_json::from_str(include_str!("../fixtures/schedules.json")).unwrap()
}

/// All numbers of a nested list, in row order.
pub fn flat(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(parts) => parts.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap() as f32],
    }
}

pub fn ints(value: &Value) -> Vec<i64> {
    match value {
        Value::Array(parts) => parts.iter().flat_map(ints).collect(),
        number => vec![number.as_i64().unwrap()],
    }
}

/// Mixout, clipping, L2-SP and the contrastive loss.
pub async fn errors(compute: &Compute) -> Errors {
    let golden = golden();
    let mut errors = Errors::new();
    errors.insert("mixout".into(), mixout(&golden["mixout"], compute).await);
    errors.insert(
        "clipping".into(),
        clipping(&golden["gradient_clipping"], compute).await,
    );
    errors.insert("L2-SP".into(), l2_sp(&golden["l2_sp"], compute).await);
    errors.insert("contrastive loss".into(), contrast::errors(compute).await);
    errors
}

async fn mixout(golden: &Value, compute: &Compute) -> f64 {
    // files hold [out, in]; the layer holds the transpose
    let matrix = |key: &str, shape: [usize; 2]| {
        let data = TensorData::new(flat(&golden[key]), shape);
        Tensor::<2>::from_data(data, &compute.device)
    };
    let x = matrix("x", [3, 5]).autodiff().require_grad();
    let weight = matrix("w", [4, 5]).transpose().autodiff().require_grad();
    let bias = matrix("bias", [1, 4]).autodiff().require_grad();
    let mixed = mix(
        weight.clone(),
        matrix("w_pre", [4, 5]).transpose(),
        matrix("mask", [4, 5]).transpose(),
        golden["p"].as_f64().unwrap(),
    );
    let output = x.clone().matmul(mixed.clone()) + bias.clone();
    let mut tape = (output.clone() * matrix("upstream", [3, 4]))
        .sum()
        .backward();
    let mut worst = 0.0_f64;
    for (found, key) in [
        (mixed.inner().transpose(), "mixed_weight"),
        (output.inner(), "output"),
        (weight.grad_remove(&mut tape).unwrap().transpose(), "grad_w"),
        (x.grad_remove(&mut tape).unwrap(), "grad_x"),
        (bias.grad_remove(&mut tape).unwrap(), "grad_bias"),
    ] {
        let found = read(found + 0.0).await.unwrap();
        worst = worst.max(relative_error(&found, &flat(&golden[key])));
    }
    worst
}

async fn clipping(golden: &Value, compute: &Compute) -> f64 {
    let limit = golden["max_norm"].as_f64().unwrap();
    let mut worst = 0.0_f64;
    for case in golden["cases"].as_array().unwrap() {
        let gradients = case["grads"].as_array().unwrap().iter().map(|gradient| {
            let values = flat(gradient);
            let shape = [values.len()];
            Tensor::<1>::from_data(TensorData::new(values, shape), &compute.device)
        });
        let named = gradients
            .enumerate()
            .map(|(index, tensor)| (index.to_string(), tensor));
        let clipped = clip_gradients(named.collect(), limit);
        for ((_, found), expected) in clipped.into_iter().zip(case["clipped"].as_array().unwrap()) {
            let found = read(found).await.unwrap();
            worst = worst.max(relative_error(&found, &flat(expected)));
        }
    }
    worst
}

/// The generator's penalty is `strength / 2 * |w - w0|^2`, ours `lambda * |w - w0|^2`.
async fn l2_sp(golden: &Value, compute: &Compute) -> f64 {
    let fixture = bert_full();
    let mut loaded = load(&fixture, compute).await;
    let lambda = golden["lambda"].as_f64().unwrap() / 2.0;
    let penalty = Penalty::new(&loaded.classifier, &loaded.trainable, lambda).unwrap();
    // w = w0 + 0.01 (i mod 7 - 3), i the index in the file's order
    let shapes = trained(&loaded.classifier, &loaded.trainable)
        .into_iter()
        .map(|tensor| (tensor.path, tensor.shape))
        .collect::<HashMap<_, _>>();
    let delta = |index: usize| 0.01 * ((index % 7) as f32 - 3.0);
    loaded.classifier = replace(loaded.classifier.clone(), |path, value| {
        let shape = &shapes[path];
        let count = shape.iter().product::<usize>();
        let moved = (0..count)
            .map(|index| match shape[..] {
                [rows, columns] if !path.contains("embeddings.") => {
                    delta((index % columns) * rows + index / columns)
                }
                _ => delta(index),
            })
            .collect::<Vec<_>>();
        let moved = Tensor::<1>::from_data(TensorData::new(moved, [count]), &compute.device);
        Some(value + moved)
    });
    let part = |key: &str| ints(&golden["batch"][key]);
    let rows = golden["batch"]["labels"].as_array().unwrap().len();
    let ids = part("input_ids");
    let shape = [rows, ids.len() / rows];
    let batch = batch(
        shape,
        &ids,
        &part("attention_mask"),
        &part("labels"),
        compute,
    );

    let start = values(&loaded, &fixture, &loaded.classifier).await;
    let mut worst = 0.0_f64;
    let mut note = |found: &[f32], expected: &Value| {
        worst = worst.max(relative_error(found, &flat(expected)));
    };
    let (found, loss) = gradients(
        &loaded.classifier,
        std::slice::from_ref(&batch),
        &PassSettings::default(),
    );
    note(&read(loss).await.unwrap(), &golden["cross_entropy"]);
    let value = penalty
        .value(&loaded.classifier, &loaded.trainable)
        .unwrap();
    note(&read(value).await.unwrap(), &golden["penalty"]);
    let pulled = penalty.add_to(&loaded.classifier, &loaded.trainable, found);
    let pulled = by_key(pulled, &loaded, &fixture).await;
    for (name, expected) in golden["grad_norm"].as_object().unwrap() {
        let square = pulled[name]
            .iter()
            .map(|value| f64::from(*value).powi(2))
            .sum::<f64>();
        note(&[square.sqrt() as f32], expected);
    }
    for (name, expected) in golden["grad"].as_object().unwrap() {
        note(&pulled[name], expected);
    }
    let (settings, rate) = adamw(golden);
    let mut optimizer = AdamW::new(settings);
    let mut moving = loaded.classifier.clone();
    for step in 1..=3 {
        let rules = Rules {
            trainable: &loaded.trainable,
            penalty: Some(&penalty),
            max_grad_norm: 0.0,
            pass: PassSettings::default(),
        };
        let batches = std::slice::from_ref(&batch);
        let found = gradients(&moving, batches, &rules.pass);
        (moving, _) = train_step(moving, &mut optimizer, found, &rules, |_| rate);
        let Some(expected) = golden[format!("adam{step}")].as_object() else {
            continue;
        };
        let values = values(&loaded, &fixture, &moving).await;
        for (name, expected) in expected {
            let error = movement_error(&start[name], &values[name], &flat(expected));
            worst = worst.max(error);
        }
    }
    worst
}
