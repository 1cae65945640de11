//! Which modules get a delta, of which rank and scaling: the same as PEFT, by the settings and by the file that PEFT writes of them.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::collections::BTreeMap;

use common::tiny;
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::formats::{Checkpoint, MemorySource};
use webtune::models::classifier::{Head, HeadWeights};
use webtune::models::random::random_checkpoint;
use webtune::models::{Backbone, BackboneConfig, Classifier, HeadKind, Loader, Network};
use webtune::peft::lora::{attach, resolve};
use webtune::peft::{BaseModel, LoraConfig, TaskType};

/// Rank and scaling by the module's name.
type Deltas = BTreeMap<String, (usize, f64)>;

/// The generator's model: eleven layers, so that layer 1 and layer 10 can be mixed up.
fn encoder(compute: &Compute) -> Backbone {
    let mut json = tiny::config_json();
    for (key, value) in [
        ("num_hidden_layers", 11),
        ("hidden_size", 16),
        ("intermediate_size", 16),
        ("vocab_size", 8),
    ] {
        json[key] = value.into();
    }
    let config = BackboneConfig::parse(json.to_string().as_bytes()).unwrap();
    let bytes = random_checkpoint(&config, 1).unwrap();
    block_on(async {
        let source = MemorySource::new("model.safetensors", bytes);
        let checkpoint = Checkpoint::open(vec![source]).await.unwrap();
        let loader = Loader::new(&checkpoint, "bert.", compute);
        Backbone::load(&config, &loader).await.unwrap()
    })
}

fn base(task: TaskType) -> BaseModel<'static> {
    BaseModel {
        name: "tiny",
        task,
        modules_to_save: None,
        conv1d: false,
        layers: 2,
        key_heads: 2,
        key_width: 16,
    }
}

fn deltas(groups: &Value) -> Deltas {
    let mut deltas = Deltas::new();
    for group in groups.as_array().unwrap() {
        let rank = group["r"].as_u64().unwrap() as usize;
        let scaling = group["scaling"].as_f64().unwrap();
        for name in group["modules"].as_array().unwrap() {
            deltas.insert(name.as_str().unwrap().into(), (rank, scaling));
        }
    }
    deltas
}

fn attached(encoder: &Backbone, kind: HeadKind, config: &LoraConfig, compute: &Compute) -> Deltas {
    let head = Head::new(kind, &HeadWeights::zeros(3, 16), &compute.device);
    let mut classifier = Classifier::new(encoder.clone(), head);
    let config = resolve(&classifier, config);
    attach(&mut classifier, &config, 1).unwrap();
    let linears = classifier.linears_mut().into_iter();
    linears
        .filter_map(|(name, linear)| {
            let delta = linear.delta.as_ref()?;
            let rank = delta.lora_a.val().dims()[1];
            assert_eq!(delta.lora_b.val().dims()[0], rank);
            Some((name, (rank, delta.scaling)))
        })
        .collect()
}

#[test]
fn modules_ranks_and_scalings_equal_peft() {
    let compute = Compute::cpu();
    let encoder = encoder(&compute);
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("fixtures/patterns/cases.json")).unwrap();
    for case in &cases {
        let kind: HeadKind = serde_json::from_value(case["head"].clone()).unwrap();
        let mut expected = deltas(&case["deltas"]);
        let file = case["file"].to_string();
        let (config, task) = LoraConfig::from_adapter_config(file.as_bytes()).unwrap();
        let task = task.unwrap();
        assert_eq!(task, TaskType::of_head(kind));
        let name = format!("{kind:?} {}", case["settings"]);
        let found = attached(&encoder, kind, &config, &compute);
        if case["fileDeltas"].is_null() {
            assert_eq!(found, expected, "file of {name}")
        } else {
            assert_eq!(found, deltas(&case["fileDeltas"]), "file of {name}")
        }

        // as JavaScript hands settings over, and as our own file has them
        let config: LoraConfig = serde_json::from_value(case["settings"].clone()).unwrap();
        let found = attached(&encoder, kind, &config, &compute);
        // the pooler of a bare encoder feeds nothing: the one module that PEFT takes and `all-linear` here does not
        if kind == HeadKind::Mean && case["settings"]["targetModules"] == json!("all-linear") {
            expected.remove("pooler.dense").unwrap();
        }
        assert_eq!(found, expected, "{name}");
        let head = Head::new(kind, &HeadWeights::zeros(3, 16), &compute.device);
        let written = resolve(&Classifier::new(encoder.clone(), head), &config)
            .adapter_config(&base(task))
            .to_string();
        let (config, _) = LoraConfig::from_adapter_config(written.as_bytes()).unwrap();
        let found = attached(&encoder, kind, &config, &compute);
        assert_eq!(found, expected, "our own file of {name}");
    }
}

#[test]
fn an_empty_list_of_layers_in_a_file_means_all_of_them() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("fixtures/patterns/cases.json")).unwrap();
    let mut file = cases[0]["file"].clone();
    file["layers_to_transform"] = json!([]);
    let (config, _) = LoraConfig::from_adapter_config(file.to_string().as_bytes()).unwrap();
    assert_eq!(config.layers_to_transform, None);
}
