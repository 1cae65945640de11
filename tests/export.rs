//! Exported files: keys and shapes as PEFT has them, settings it reads, and an import with the same predictions.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::files::export;
use common::matrix::{Case, Start, cases, values};
use common::parity::{Fixture, load, methods};
use common::tiny;
use common::training::{finished, run, run_on, short};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::export::{ExportedFile, import};
use webtune::formats::{Header, MemorySource};
use webtune::models::HeadKind;
use webtune::peft::store::named_values;
use webtune::peft::{BaseModel, HoulsbyConfig, LoraConfig, MethodType, PrefixConfig, TaskType};
use webtune::tasks::classify::event::KeptStage;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::Which;

fn shapes(bytes: &[u8]) -> BTreeMap<String, Vec<usize>> {
    let source = MemorySource::new("file", bytes.to_vec());
    let header = block_on(Header::read(&source)).unwrap();
    header
        .tensors()
        .iter()
        .map(|info| (info.name.clone(), info.shape.clone()))
        .collect()
}

fn find<'a>(files: &'a [ExportedFile], path: &str) -> &'a [u8] {
    &files
        .iter()
        .find(|file| file.path == path)
        .unwrap_or_else(|| panic!("{path}"))
        .bytes
}

fn tuned_files(head: &str) -> (Vec<ExportedFile>, webtune::tasks::classify::tuned::Tuned) {
    let settings =
        json!({"head": head, "numTrainEpochs": 2, "learningRate": 1e-2, "contrastive": false});
    let (_, tuned) = block_on(run(&Compute::cpu(), 24, settings));
    let model = block_on(tiny::model(&Compute::cpu()));
    (block_on(export(&model, &tuned)).unwrap(), tuned)
}

/// Methods whose files other tools wrote, prefixes apart: no path of ours names their one tensor alone.
fn fixtures() -> Vec<Fixture> {
    let mut fixtures = methods();
    fixtures.retain(|fixture| !fixture.weights.is_empty());
    fixtures
}

#[test]
fn keys_and_shapes_are_those_of_peft_and_adapterhub() {
    let mut compared = 0;
    for fixture in fixtures() {
        if fixture.method == MethodType::Prefix {
            continue;
        }
        let loaded = block_on(load(&fixture, &Compute::cpu()));
        let mut expected = BTreeMap::new();
        for file in fixture.weights {
            expected.extend(shapes(file));
        }
        let found = named_values(&loaded.classifier, &loaded.trainable, fixture.method);
        let found = block_on(found)
            .unwrap()
            .into_iter()
            .map(|(_, (key, shape, _))| (key, shape))
            .collect::<BTreeMap<_, _>>();
        assert_eq!(found, expected, "{}", fixture.name);
        compared += 1;
    }
    assert!(compared >= 5);
}

#[test]
fn settings_say_what_peft_and_adapterhub_say() {
    for fixture in fixtures() {
        let theirs: Value = serde_json::from_slice(fixture.settings).unwrap();
        let (name, file) = (fixture.name, fixture.settings);
        let config = webtune::models::BackboneConfig::parse(fixture.config).unwrap();
        let loaded = block_on(load(&fixture, &Compute::cpu()));
        let base = BaseModel {
            name,
            task: TaskType::of_head(fixture.kind),
            modules_to_save: loaded.classifier.modules_to_save(),
            conv1d: false,
            layers: config.num_hidden_layers,
            key_heads: config.num_attention_heads,
            key_width: config.hidden_size,
        };
        let ours = match fixture.method {
            MethodType::Lora => {
                let (lora, task) = LoraConfig::from_adapter_config(file).unwrap();
                assert_eq!(task, Some(base.task));
                lora.adapter_config(&base)
            }
            MethodType::Prefix => {
                let (prefix, task) = PrefixConfig::from_adapter_config(file).unwrap();
                assert_eq!(task, Some(base.task));
                prefix.adapter_config(&base)
            }
            _ => {
                let hidden = theirs["hidden_size"].as_u64().unwrap() as usize;
                let houlsby = HoulsbyConfig::from_adapter_config(file).unwrap();
                houlsby.adapter_config(name, config.family, HeadKind::Cls, hidden)
            }
        };
        for (key, value) in ours.as_object().unwrap() {
            // names of model and adapter are the writer's own
            if ["base_model_name_or_path", "model_name", "name"].contains(&key.as_str()) {
                continue;
            }
            let mut expected = theirs[key].clone();
            if let (Some(list), "modules_to_save") = (expected.as_array_mut(), key.as_str()) {
                // PEFT adds its own words to those that are there already
                list.dedup();
            }
            assert_eq!(value, &expected, "{name}: {key}");
        }
    }
}

#[test]
fn an_import_gives_the_same_predictions() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let texts = [
        "the boat on the river".to_string(),
        "an oven".to_string(),
        "".to_string(),
    ];
    for head in ["mean", "cls"] {
        let (files, tuned) = tuned_files(head);
        // a zip may hold everything in one folder
        let nested = files
            .into_iter()
            .map(|file| ExportedFile {
                path: format!("adapter/{}", file.path),
                ..file
            })
            .collect::<Vec<_>>();
        let card = find(&nested, "adapter/README.md").to_vec();
        let back = block_on(import(&model, nested)).unwrap();
        let again = block_on(export(&model, &back)).unwrap();
        assert_eq!(
            find(&again, "README.md"),
            card,
            "the card goes on with the adapter"
        );
        for which in [Which::Tuned, Which::Baseline] {
            let before = block_on(tuned.predict(&model, &texts, which)).unwrap();
            let after = block_on(back.predict(&model, &texts, which)).unwrap();
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(before.logits, after.logits, "{head} {which:?}");
            }
        }
    }
}

#[test]
fn a_mean_head_leaves_as_a_sentence_transformers_folder() {
    let (files, _) = tuned_files("mean");
    let modules: Value = serde_json::from_slice(find(&files, "modules.json")).unwrap();
    let kinds = modules
        .as_array()
        .unwrap()
        .iter()
        .map(|module| module["type"].as_str().unwrap());
    let kinds = kinds
        .map(|kind| kind.rsplit('.').next().unwrap())
        .collect::<Vec<_>>();
    assert_eq!(kinds, ["Transformer", "Pooling", "Normalize", "Dense"]);
    assert_eq!(
        shapes(find(&files, "3_Dense/model.safetensors"))["linear.weight"],
        [3, 32]
    );
    let labels: Value = serde_json::from_slice(find(&files, "labels.json")).unwrap();
    assert_eq!(labels["labels"], json!(["food", "nature", "travel"]));
}

#[test]
fn the_model_card_holds_settings_counts_and_scores_but_no_text() {
    let (files, _) = tuned_files("cls");
    let card = String::from_utf8(find(&files, "README.md").to_vec()).unwrap();
    for part in [
        "base_model: \"tiny\"",
        "| food | 8 |",
        "\"learningRate\": 0.01",
        "macro F1",
        "PeftModel",
    ] {
        assert!(card.contains(part), "{part} is not in\n{card}");
    }
    assert!(!card.contains("again"), "a training text is in the card");
}

#[test]
fn a_foreign_adapter_is_refused_with_its_name() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let (files, _) = tuned_files("mean");
    let without = |path: &str| {
        files
            .iter()
            .filter(|file| file.path != path)
            .cloned()
            .collect::<Vec<_>>()
    };
    let error = block_on(import(&model, without("labels.json"))).unwrap_err();
    assert_eq!(error.code(), "invalidFile");
    assert!(error.to_string().contains("labels.json"), "{error}");
    let mut wrong = files.clone();
    for file in &mut wrong {
        if file.path == "adapter_config.json" {
            file.bytes = String::from_utf8(file.bytes.clone())
                .unwrap()
                .replace("\"r\": 4", "\"r\": 8")
                .into_bytes();
        }
    }
    let error = block_on(import(&model, wrong)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("lora_A.weight: expected [8, 32], got [4, 32]"),
        "{error}"
    );
}

#[test]
fn all_linear_leaves_written_out_and_without_the_unread_pooler() {
    let model = block_on(tiny::model(&Compute::cpu()));
    for (head, count) in [("mean", 12), ("cls", 13)] {
        let method = json!({"type": "lora", "targetModules": "all-linear"});
        let settings =
            json!({"head": head, "numTrainEpochs": 1, "method": method, "contrastive": false});
        let (_, tuned) = block_on(run(&Compute::cpu(), 24, settings));
        let files = block_on(export(&model, &tuned)).unwrap();
        let config: Value = serde_json::from_slice(find(&files, "adapter_config.json")).unwrap();
        let targets = config["target_modules"].as_array().unwrap();
        assert_eq!(targets.len(), count, "{targets:?}");
        let pooler = targets
            .iter()
            .any(|name| name.as_str().unwrap().contains("pooler"));
        assert_eq!(pooler, head == "cls");
    }
}

/// The tensors that a method's own files should hold, by the names that PEFT, AdapterHub and Transformers read, put together from the
/// layers' names here and nowhere else.
fn expected_keys(case: &Case, head: &str) -> BTreeSet<String> {
    let cls = head == "cls";
    let dense = [
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ];
    let linears = [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ]
    .iter()
    .chain(&dense)
    .map(|name| name.to_string())
    .collect::<Vec<_>>();
    let layers = |names: &[String]| {
        (0..2)
            .flat_map(|layer| {
                names
                    .iter()
                    .map(move |name| format!("encoder.layer.{layer}.{name}"))
            })
            .collect::<Vec<_>>()
    };
    let norms = ["attention.output.LayerNorm", "output.LayerNorm"].map(String::from);
    let bert = if cls { "bert." } else { "" };
    let kind = case.method["type"].as_str().unwrap();
    let mut keys = BTreeSet::new();
    match kind {
        "lora" => {
            let root = format!("base_model.model.{bert}");
            let mut targets = layers(&linears);
            if case.name == "lora bias lora_only" {
                targets.retain(|name| name.ends_with("query") || name.ends_with("value"));
            }
            if case.name == "lora top layer" {
                targets.retain(|name| name.contains(".1."));
            }
            if case.name == "lora all-linear" && cls {
                targets.push("pooler.dense".into());
            }
            let bias = case.method["bias"].as_str();
            for target in &targets {
                keys.insert(format!("{root}{target}.lora_A.weight"));
                keys.insert(format!("{root}{target}.lora_B.weight"));
                if case.method["useDora"] == true {
                    // Sentence-Transformers reads adapters through transformers, which knows this name alone
                    let suffix = if cls { "" } else { ".weight" };
                    keys.insert(format!("{root}{target}.lora_magnitude_vector{suffix}"));
                }
                if bias.is_some() {
                    keys.insert(format!("{root}{target}.base_layer.bias"));
                }
            }
            if bias == Some("all") {
                for norm in layers(&norms) {
                    keys.insert(format!("{root}{norm}.bias"));
                }
                keys.insert(format!("{root}embeddings.LayerNorm.bias"));
                if cls {
                    keys.insert(format!("{root}pooler.dense.bias"));
                }
            }
            if cls {
                keys.insert("base_model.model.classifier.weight".into());
                keys.insert("base_model.model.classifier.bias".into());
            }
        }
        "full" => {
            for name in layers(&linears)
                .into_iter()
                .chain(layers(&norms))
                .chain(["embeddings.LayerNorm".into(), "pooler.dense".into()])
            {
                keys.insert(format!("{bert}{name}.weight"));
                keys.insert(format!("{bert}{name}.bias"));
            }
            for name in ["word", "position", "token_type"] {
                keys.insert(format!("{bert}embeddings.{name}_embeddings.weight"));
            }
            if cls {
                keys.extend(["classifier.weight", "classifier.bias"].map(String::from));
            }
        }
        "probe" => keys.extend(["weight", "bias"].map(String::from)),
        "houlsby" => {
            for name in layers(&["attention.output".into(), "output".into()]) {
                for part in ["adapter_down.0", "adapter_up"] {
                    keys.insert(format!("{bert}{name}.adapters.tune.{part}.weight"));
                    keys.insert(format!("{bert}{name}.adapters.tune.{part}.bias"));
                }
            }
        }
        "prefix" => {
            keys.insert("prompt_embeddings".into());
            if cls {
                keys.insert("base_model.classifier.weight".into());
                keys.insert("base_model.classifier.bias".into());
            }
        }
        other => panic!("{other}"),
    }
    keys
}

/// The documented files of a method under a head.
fn expected_files(case: &Case, head: &str) -> BTreeSet<String> {
    let sentence = [
        "modules.json",
        "sentence_bert_config.json",
        "1_Pooling/config.json",
        "2_Normalize/config.json",
        "3_Dense/config.json",
        "3_Dense/model.safetensors",
        "tokenizer.json",
    ];
    let dense = ["3_Dense/config.json", "3_Dense/model.safetensors"];
    let mut files = vec!["README.md", "labels.json", "baseline_head.safetensors"];
    match (case.method["type"].as_str().unwrap(), head) {
        ("probe", _) => files.push("head.safetensors"),
        ("lora" | "prefix", "cls") => {
            files.extend(["adapter_config.json", "adapter_model.safetensors"]);
        }
        ("lora", _) => {
            files.extend(["adapter_config.json", "adapter_model.safetensors"]);
            files.extend(sentence);
        }
        ("prefix", _) => {
            files.extend(["adapter_config.json", "adapter_model.safetensors"]);
            files.extend(dense);
        }
        ("full", "cls") => files.extend(["model.safetensors", "config.json", "tokenizer.json"]),
        ("full", _) => {
            files.extend(["model.safetensors", "config.json"]);
            files.extend(sentence);
        }
        ("houlsby", "cls") => files.extend([
            "adapter_config.json",
            "adapter.safetensors",
            "head_config.json",
            "model_head.safetensors",
        ]),
        ("houlsby", _) => {
            files.extend(["adapter_config.json", "adapter.safetensors"]);
            files.extend(dense);
        }
        other => panic!("{other:?}"),
    }
    files.into_iter().map(String::from).collect()
}

fn weight_file(case: &Case) -> &'static str {
    match case.method["type"].as_str().unwrap() {
        "full" => "model.safetensors",
        "probe" => "head.safetensors",
        "houlsby" => "adapter.safetensors",
        _ => "adapter_model.safetensors",
    }
}

/// Every case, and LoRA with dropout, which must not drop anything once it is back.
fn all_cases() -> Vec<Case> {
    let mut all = cases();
    all.push(Case {
        name: "lora dropout",
        method: json!({"type": "lora", "loraDropout": 0.2}),
        mixout: 0.0,
        trained: [26, 26],
        start: Start::Same,
    });
    all
}

#[test]
fn every_method_comes_back_from_its_files_exactly() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let texts = [
        "the boat on the river".to_string(),
        "an oven".to_string(),
        "".to_string(),
        "number 7 is about the ticket again and again and again".to_string(),
    ];
    for case in &all_cases() {
        for head in ["mean", "cls"] {
            let name = format!("{} {head}", case.name);
            let (events, tuned) = block_on(run_on(&model, 24, short(case, head, json!({}))));
            assert_eq!(
                finished(&events).task.kept_stage,
                KeptStage::Classify,
                "{name}"
            );
            let files = block_on(export(&model, &tuned)).unwrap();
            let paths = files
                .iter()
                .map(|file| file.path.clone())
                .collect::<BTreeSet<_>>();
            assert_eq!(paths, expected_files(case, head), "{name}");
            let weights = find(&files, weight_file(case));
            let shapes = shapes(weights);
            let keys = shapes.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(keys, expected_keys(case, head), "{name}");
            // the reported bytes are what the values take, here and in the head's own file
            let reported = finished(&events).export_bytes;
            let numbers = |shapes: &BTreeMap<String, Vec<usize>>| {
                shapes
                    .values()
                    .map(|shape| shape.iter().product::<usize>())
                    .sum::<usize>() as u64
            };
            let own_head = if keys.iter().any(|key| key.contains("classifier"))
                || case.method["type"] == "probe"
            {
                0
            } else {
                3 * 32 + 3
            };
            assert_eq!(4 * (numbers(&shapes) + own_head), reported, "{name}");

            let back = block_on(import(&model, files.clone())).unwrap();
            for which in [Which::Tuned, Which::Baseline] {
                let before = block_on(tuned.predict(&model, &texts, which)).unwrap();
                let after = block_on(back.predict(&model, &texts, which)).unwrap();
                for (before, after) in before.iter().zip(&after) {
                    assert_eq!(before.logits, after.logits, "{name} {which:?}");
                    assert_eq!(before.label, after.label, "{name} {which:?}");
                }
            }
            let tuned_answer = block_on(tuned.predict(&model, &texts, Which::Tuned)).unwrap();
            let base_answer = block_on(tuned.predict(&model, &texts, Which::Baseline)).unwrap();
            assert_ne!(tuned_answer[0].logits, base_answer[0].logits, "{name}");
            // and out again, file by file
            let again = block_on(export(&model, &back)).unwrap();
            for (first, second) in files.iter().zip(&again) {
                assert_eq!(first.path, second.path, "{name}");
                if first.path == "adapter_config.json" {
                    // how factors once started is not kept
                    let settings = |file: &ExportedFile| {
                        let mut json: Value = serde_json::from_slice(&file.bytes).unwrap();
                        json["init_lora_weights"].take();
                        json
                    };
                    assert_eq!(settings(first), settings(second), "{name}");
                } else {
                    assert!(first.bytes == second.bytes, "{name}: {}", first.path);
                }
            }
        }
    }
}

fn json_of(files: &[ExportedFile], path: &str) -> Value {
    serde_json::from_slice(find(files, path)).unwrap()
}

#[test]
fn settings_files_say_what_was_trained() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let settings = |name: &str, head: &str| {
        let case = cases().into_iter().find(|case| case.name == name).unwrap();
        let (_, tuned) = block_on(run_on(&model, 24, short(&case, head, json!({}))));
        let files = block_on(export(&model, &tuned)).unwrap();
        let config = match case.method["type"].as_str().unwrap() {
            "full" => "config.json",
            _ => "adapter_config.json",
        };
        (json_of(&files, config), files)
    };
    let (dora, _) = settings("lora dora", "cls");
    assert_eq!(
        (&dora["use_dora"], &dora["task_type"]),
        (&json!(true), &json!("SEQ_CLS"))
    );
    let (top, _) = settings("lora top layer", "mean");
    assert_eq!(top["layers_to_transform"], json!([1]));
    assert_eq!(top["layers_pattern"], Value::Null);
    assert!(
        top["target_modules"].is_array(),
        "PEFT takes layers beside a list alone"
    );
    assert_eq!(settings("lora bias all", "cls").0["bias"], "all");
    assert_eq!(
        settings("lora bias lora_only", "cls").0["bias"],
        "lora_only"
    );
    let (patterns, files) = settings("lora patterns", "cls");
    assert_eq!(
        patterns["rank_pattern"],
        json!({"query": 2, "layer.1.output.dense": 3})
    );
    assert_eq!(patterns["alpha_pattern"], json!({"query": 3.5, "value": 8}));
    let shapes = shapes(find(&files, "adapter_model.safetensors"));
    let rank = |name: &str| {
        shapes[&format!("base_model.model.bert.encoder.layer.{name}.lora_A.weight")][0]
    };
    // a key is the whole name or its end from a dot on: the attention's output in layer 1 ends in `output.dense` and not in the key
    assert_eq!(
        [
            "0.attention.self.query",
            "1.output.dense",
            "0.output.dense",
            "1.attention.output.dense"
        ]
        .map(rank),
        [2, 3, 4, 4]
    );

    // PiSSA leaves as plain LoRA of twice the rank over the untouched weights
    let (pissa, _) = settings("lora pissa", "cls");
    assert_eq!(
        [
            &pissa["r"],
            &pissa["lora_alpha"],
            &pissa["init_lora_weights"]
        ],
        [&json!(8), &json!(32), &json!(true)]
    );
    let (pissa, _) = settings("lora pissa rslora patterns", "mean");
    assert_eq!(
        pissa["rank_pattern"],
        json!({"query": 4, "layer.1.output.dense": 6})
    );
    let alpha = pissa["lora_alpha"].as_f64().unwrap();
    assert!((alpha - 16.0 * 2.0_f64.sqrt()).abs() < 1e-12);
    assert_eq!(pissa["use_rslora"], true);

    let (prefix, files) = settings("prefix", "mean");
    for (key, value) in [
        ("peft_type", json!("PREFIX_TUNING")),
        ("num_virtual_tokens", json!(5)),
        ("num_layers", json!(2)),
        ("token_dim", json!(32)),
        ("num_attention_heads", json!(2)),
        ("num_transformer_submodules", json!(1)),
        ("encoder_hidden_size", json!(32)),
        ("prefix_projection", json!(false)),
        ("task_type", json!("FEATURE_EXTRACTION")),
    ] {
        assert_eq!(prefix[key], value, "{key}");
    }
    let prompts = shapes_of(find(&files, "adapter_model.safetensors"));
    assert_eq!(prompts["prompt_embeddings"], [5, 2 * 2 * 32]);

    let (houlsby, files) = settings("houlsby relu", "cls");
    assert_eq!(houlsby["name"], "tune");
    assert_eq!(houlsby["model_class"], "BertForSequenceClassification");
    assert_eq!(houlsby["config"]["non_linearity"], "relu");
    assert_eq!(houlsby["config"]["reduction_factor"], 4);
    let head = json_of(&files, "head_config.json");
    assert_eq!(
        head["label2id"],
        json!({"food": 0, "nature": 1, "travel": 2})
    );
    assert_eq!(
        settings("houlsby relu", "mean").0["model_class"],
        "BertModel"
    );

    let (full, _) = settings("full", "cls");
    assert_eq!(
        full["architectures"],
        json!(["BertForSequenceClassification"])
    );
    assert_eq!(
        full["id2label"],
        json!({"0": "food", "1": "nature", "2": "travel"})
    );
    assert_eq!(full["hidden_size"], 32);
    assert_eq!(
        settings("full", "mean").0["architectures"],
        json!(["BertModel"])
    );
}

fn shapes_of(bytes: &[u8]) -> BTreeMap<String, Vec<usize>> {
    shapes(bytes)
}

#[test]
fn a_whole_network_loads_as_a_model_of_its_own() {
    let model = block_on(tiny::model(&Compute::cpu()));
    for head in ["cls", "mean"] {
        let case = cases()
            .into_iter()
            .find(|case| case.name == "full")
            .unwrap();
        let (_, tuned) = block_on(run_on(&model, 24, short(&case, head, json!({}))));
        let files = block_on(export(&model, &tuned)).unwrap();
        let sources = files
            .iter()
            .map(|file| MemorySource::new(&file.path, file.bytes.clone()))
            .collect::<Vec<_>>();
        let own = block_on(Pretrained::load("own", sources, Compute::cpu())).unwrap();
        let state = block_on(values(&tuned.classifier));
        let mut reloaded = tuned.classifier.clone();
        reloaded.encoder = own.encoder;
        assert_eq!(block_on(values(&reloaded)), state, "{head}");
    }
}

#[test]
fn the_probe_is_what_leaves_where_no_epoch_of_a_bottleneck_or_prefix_beat_it() {
    let model = block_on(tiny::model(&Compute::cpu()));
    for kind in ["houlsby", "prefix"] {
        let settings = json!({
            "method": {"type": kind}, "contrastive": false, "numTrainEpochs": 1, "learningRate": 10.0,
            "headLearningRate": 10.0, "warmupRatio": 0
        });
        let (events, tuned) = block_on(run_on(&model, 24, settings));
        assert_eq!(
            finished(&events).task.kept_stage,
            KeptStage::Probe,
            "{kind}"
        );
        let files = block_on(export(&model, &tuned)).unwrap();
        assert!(!find(&files, "head.safetensors").is_empty());
        let labels = json_of(&files, "labels.json");
        assert_eq!(labels["method"], "probe");
        let back = block_on(import(&model, files)).unwrap();
        let texts = ["the boat".to_string()];
        let [a, b] = [&tuned, &back]
            .map(|tuned| block_on(tuned.predict(&model, &texts, Which::Tuned)).unwrap());
        assert_eq!(a[0].logits, b[0].logits);
    }
}

#[test]
fn both_names_of_a_magnitude_are_read() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let case = cases()
        .into_iter()
        .find(|case| case.name == "lora dora")
        .unwrap();
    for head in ["cls", "mean"] {
        let (_, tuned) = block_on(run_on(&model, 24, short(&case, head, json!({}))));
        let mut files = block_on(export(&model, &tuned)).unwrap();
        for file in &mut files {
            if file.path != "adapter_model.safetensors" {
                continue;
            }
            let tensors = block_on(common::golden::Golden::read(&file.bytes));
            let renamed = tensors
                .floats
                .iter()
                .map(|(key, (shape, values))| {
                    let key = match (
                        key.strip_suffix("magnitude_vector.weight"),
                        key.strip_suffix("magnitude_vector"),
                    ) {
                        (Some(start), _) => format!("{start}magnitude_vector"),
                        (_, Some(_)) => format!("{key}.weight"),
                        _ => key.clone(),
                    };
                    (key, shape, values)
                })
                .collect::<Vec<_>>();
            let views = renamed
                .iter()
                .map(|(key, shape, values)| (key.as_str(), shape.as_slice(), values.as_slice()));
            file.bytes = webtune::formats::write(views, &BTreeMap::new()).unwrap();
        }
        let back = block_on(import(&model, files)).unwrap();
        let texts = ["the boat".to_string()];
        let [a, b] = [&tuned, &back]
            .map(|tuned| block_on(tuned.predict(&model, &texts, Which::Tuned)).unwrap());
        assert_eq!(a[0].logits, b[0].logits, "{head}");
    }
}
