//! What classifiers' methods do on language models of every family, on the CPU engine natively.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use burn::module::Module;
use common::causal::{Fixture, base, fixtures};
use common::golden::relative_error;
use common::matrix::values;
use pollster::block_on;
use serde_json::json;
use webtune::device::Compute;
use webtune::eval::generate::last_logits;
use webtune::layers::Storage;
use webtune::models::CausalLm;
use webtune::models::names::is_delta;
use webtune::peft::freeze::{activate, replace};
use webtune::peft::{Method, attach, check_storage, full, lora, pissa};

/// One a family.
fn families() -> impl Iterator<Item = Fixture> {
    fixtures()
        .into_iter()
        .filter(|fixture| !fixture.name.starts_with("llama_"))
}

async fn logits(model: &CausalLm) -> Vec<f32> {
    last_logits(model, &[3, 14, 15, 9], 0, None).await.unwrap()
}

fn method(settings: serde_json::Value, model: &CausalLm) -> Method {
    let method: Method = serde_json::from_value(settings).unwrap();
    match method {
        Method::Lora(config) => Method::Lora(lora::resolve(model, &config)),
        other => other,
    }
}

#[test]
fn pissa_starts_without_effect_and_leaves_as_plain_lora_of_twice_the_rank() {
    block_on(async {
        for fixture in families() {
            let name = fixture.name;
            let base = base(&fixture, &Compute::cpu()).await;
            let fresh = logits(&base).await;
            for dora in [false, true] {
                let settings = json!({"type": "lora", "r": 2, "initLoraWeights": "pissa", "useDora": dora, "targetModules": "all-linear"});
                let method = method(settings, &base);
                let mut model = base.clone();
                let trainable = attach(&mut model, &method, 1).unwrap();
                let start = pissa::start(&mut model).await.unwrap();
                let error = relative_error(&logits(&model).await, &fresh);
                // rest + s A B rounds differently from the weight, once a layer
                assert!(error < 1e-5, "{name}: {error:e}");
                let [before, after] = [values(&base).await, values(&model).await];
                assert!(before.iter().any(|(path, value)| after[path] != *value));

                let tuned = replace(model, |path, value| {
                    trainable.contains(path).then(|| value * 1.25)
                });
                let expected = logits(&tuned).await;
                assert!(relative_error(&expected, &fresh) > 1e-3, "{name}");
                let plain = pissa::plain(&tuned, &start);
                let error = relative_error(&logits(&plain).await, &expected);
                assert!(error < 1e-5, "{name}: {error:e}");
                // nothing but the adapter differs from the model that was loaded
                let left = values(&plain).await;
                for (path, value) in &before {
                    assert!(left[path] == *value, "{name}: {path}");
                }
                // and its settings describe it
                let Method::Lora(config) = &method else {
                    panic!("it is LoRA");
                };
                let mut described = base.clone();
                attach(&mut described, &Method::Lora(config.doubled()), 1).unwrap();
                let described = replace(described, |path, _| {
                    let values = left.get(path).filter(|_| is_delta(path))?;
                    let data = burn::tensor::TensorData::new(values.clone(), [values.len()]);
                    Some(burn::tensor::Tensor::from_data(data, &base.device()))
                });
                let error = relative_error(&logits(&described).await, &logits(&plain).await);
                assert!(error == 0.0, "{name}: {error:e}");
            }
        }
    });
}

#[test]
fn mixout_mixes_every_linear_layer_while_training_only() {
    block_on(async {
        for fixture in families() {
            let name = fixture.name;
            let base = base(&fixture, &Compute::cpu()).await;
            let fresh = logits(&base).await;
            let mut model = base.clone();
            let method = method(json!({"type": "full"}), &model);
            let trainable = attach(&mut model, &method, 1).unwrap();
            full::mix(&mut model, 0.5);
            let model = activate(model, |path| trainable.contains(path));
            // an unmoved weight mixed with itself is itself, up to rounding
            let error = relative_error(&logits(&model).await, &fresh);
            assert!(error < 1e-5, "{name}: {error:e}");
            let move_all = |model: CausalLm| replace(model, |_, value| Some(value * 1.1));
            let moved = move_all(model);
            let unmixed = logits(&move_all(base)).await;
            assert_eq!(logits(&moved.valid()).await, unmixed, "{name}");
            let error = relative_error(&logits(&moved).await, &unmixed);
            assert!(error > 1e-3, "{name}: {error:e}");
        }
    });
}

#[test]
fn what_changes_weights_needs_them_in_float32() {
    for (settings, words) in [
        (json!({"type": "full"}), Some("full trains the weights")),
        (
            json!({"type": "lora", "initLoraWeights": "pissa"}),
            Some("pissa moves a part of the weights"),
        ),
        (json!({"type": "lora"}), None),
        (json!({"type": "prefix"}), None),
    ] {
        let method: Method = serde_json::from_value(settings).unwrap();
        check_storage(&method, Storage::F32).unwrap();
        for storage in [Storage::F16, Storage::Int8, Storage::Int4] {
            let found = check_storage(&method, storage).map_err(|error| error.to_string());
            match words {
                None => found.unwrap(),
                Some(words) => {
                    let error = found.unwrap_err();
                    assert!(error.starts_with("method: ") && error.contains(words));
                    assert!(error.contains("storage f32"), "{error}");
                }
            }
        }
    }
}
