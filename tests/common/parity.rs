//! Compares a device with transformers, PEFT and AdapterHub: the largest relative error of every golden group.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};
use webtune::device::{Compute, read};
use webtune::formats::{Checkpoint, MemorySource, write};
use webtune::layers::masked_mean;
use webtune::models::TokenBatch;
use webtune::models::classifier::{HeadWeights, features};
use webtune::models::load::transpose;
use webtune::models::names::{is_prefix, is_transposed};
use webtune::models::{Backbone, BackboneConfig, Classifier, Head, HeadKind, Inputs, Loader};
use webtune::peft::freeze::{activate, trained};
use webtune::peft::store::{Tensors, key, named_values, restore};
use webtune::peft::{HoulsbyConfig, LoraConfig, Method, MethodType, PrefixConfig, Trainable};
use webtune::tasks::classify::batch::{Target, TrainBatch};
use webtune::train::gradients::{PassSettings, gradients};
use webtune::train::optimizer::{AdamW, AdamWConfig};
use webtune::train::step::{Rules, train_step};

use super::golden::{Golden, movement_error, relative_error};

/// float32 on another machine, in another order of sums; tanh in place of erf GELU would give 4e-5 in the logits alone,
/// which the gradients multiply.
pub const TOLERANCE: f64 = 1e-4;

/// Of the length of a movement. Adam divides a gradient by its own size: a few entries whose gradient is mere rounding move by whole steps either
/// way, and PyTorch's float32 is up to 2e-4 from its float64. A missing decay is 5e-2 and more, a step a tenth too long 1e-1.
pub const MOVEMENT_TOLERANCE: f64 = 1e-3;

/// PyTorch's AdamW and its learning rate as a fixture's record names them; everything decays.
pub fn adamw(record: &serde_json::Value) -> (AdamWConfig, f64) {
    let settings = &record["adamw"];
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let config = AdamWConfig {
        beta1: number(&settings["betas"][0]),
        beta2: number(&settings["betas"][1]),
        eps: number(&settings["eps"]),
        weight_decay: number(&settings["weight_decay"]),
        decay_bias_and_norm: true,
    };
    (config, number(&settings["lr"]))
}

/// A fixture folder.
pub struct Fixture {
    pub name: &'static str,
    pub config: &'static [u8],
    pub model: &'static [u8],
    pub golden: &'static [u8],
    pub meta: &'static [u8],
    pub method: MethodType,
    /// The settings' file, of methods that have one.
    pub settings: &'static [u8],
    /// The files of what trains, where the model's own does not hold it.
    pub weights: Vec<&'static [u8]>,
    pub kind: HeadKind,
}

macro_rules! fixture {
    ($name:literal, $method:expr, $kind:expr, $settings:expr, $weights:expr) => {
        Fixture {
            name: $name,
            config: include_bytes!(concat!("../fixtures/", $name, "/config.json")),
            model: include_bytes!(concat!("../fixtures/", $name, "/model.safetensors")),
            golden: include_bytes!(concat!("../fixtures/", $name, "/golden.safetensors")),
            meta: include_bytes!(concat!("../fixtures/", $name, "/meta.json")),
            method: $method,
            settings: $settings,
            weights: $weights,
            kind: $kind,
        }
    };
}

macro_rules! adapter {
    ($name:literal, $file:literal) => {
        include_bytes!(concat!("../fixtures/", $name, "/adapter/", $file)).as_slice()
    };
}

/// The adapter and the golden values of a folder, with the model of another.
macro_rules! upon {
    ($base:literal, $name:literal, $method:expr) => {
        Fixture {
            name: $name,
            config: include_bytes!(concat!("../fixtures/", $base, "/config.json")),
            model: include_bytes!(concat!("../fixtures/", $base, "/model.safetensors")),
            golden: include_bytes!(concat!("../fixtures/", $name, "/golden.safetensors")),
            meta: include_bytes!(concat!("../fixtures/", $name, "/meta.json")),
            method: $method,
            settings: adapter!($name, "adapter_config.json"),
            weights: vec![adapter!($name, "adapter_model.safetensors")],
            kind: HeadKind::Cls,
        }
    };
}

/// transformers' `BertForSequenceClassification` with PEFT's LoRA.
pub fn bert_cls() -> Fixture {
    let settings = adapter!("bert", "adapter_config.json");
    let weights = vec![adapter!("bert", "adapter_model.safetensors")];
    fixture!("bert", MethodType::Lora, HeadKind::Cls, settings, weights)
}

/// `BertModel` without a name prefix, PEFT's LoRA, mean pooling, normalisation and a Sentence-Transformers Dense head.
pub fn bert_mean() -> Fixture {
    let settings = adapter!("bert_mean_head", "adapter_config.json");
    let weights = vec![
        adapter!("bert_mean_head", "adapter_model.safetensors"),
        include_bytes!("../fixtures/bert_mean_head/head/model.safetensors").as_slice(),
    ];
    fixture!(
        "bert_mean_head",
        MethodType::Lora,
        HeadKind::Mean,
        settings,
        weights
    )
}

/// PEFT's DoRA.
pub fn bert_dora() -> Fixture {
    let settings = adapter!("bert_dora", "adapter_config.json");
    let weights = vec![adapter!("bert_dora", "adapter_model.safetensors")];
    fixture!(
        "bert_dora",
        MethodType::Lora,
        HeadKind::Cls,
        settings,
        weights
    )
}

/// Every weight of `BertForSequenceClassification`.
pub fn bert_full() -> Fixture {
    fixture!("bert_full", MethodType::Full, HeadKind::Cls, &[], vec![])
}

/// Its classifier alone.
pub fn bert_probe() -> Fixture {
    fixture!("bert_probe", MethodType::Probe, HeadKind::Cls, &[], vec![])
}

/// PEFT's prefix tuning.
pub fn bert_prefix() -> Fixture {
    let settings = adapter!("bert_prefix", "adapter_config.json");
    let weights = vec![adapter!("bert_prefix", "adapter_model.safetensors")];
    fixture!(
        "bert_prefix",
        MethodType::Prefix,
        HeadKind::Cls,
        settings,
        weights
    )
}

/// AdapterHub's Houlsby adapter with GELU.
pub fn bert_houlsby() -> Fixture {
    let settings = adapter!("bert_houlsby", "adapter_config.json");
    let weights = vec![
        adapter!("bert_houlsby", "adapter.safetensors"),
        adapter!("bert_houlsby", "model_head.safetensors"),
    ];
    fixture!(
        "bert_houlsby",
        MethodType::Houlsby,
        HeadKind::Cls,
        settings,
        weights
    )
}

/// The same with swish.
pub fn bert_houlsby_swish() -> Fixture {
    let settings = adapter!("bert_houlsby_swish", "adapter_config.json");
    let weights = vec![
        adapter!("bert_houlsby_swish", "adapter.safetensors"),
        adapter!("bert_houlsby_swish", "model_head.safetensors"),
    ];
    fixture!(
        "bert_houlsby_swish",
        MethodType::Houlsby,
        HeadKind::Cls,
        settings,
        weights
    )
}

/// LoRA on pairs of sentences, whose tokens have two types.
pub fn bert_nli() -> Fixture {
    let settings = adapter!("bert_nli", "adapter_config.json");
    let weights = vec![adapter!("bert_nli", "adapter_model.safetensors")];
    fixture!(
        "bert_nli",
        MethodType::Lora,
        HeadKind::Cls,
        settings,
        weights
    )
}

/// `RobertaForSequenceClassification`, whose head PEFT saves whole.
pub fn roberta() -> Fixture {
    let settings = adapter!("roberta", "adapter_config.json");
    let weights = vec![adapter!("roberta", "adapter_model.safetensors")];
    fixture!(
        "roberta",
        MethodType::Lora,
        HeadKind::Cls,
        settings,
        weights
    )
}

/// `DistilBertForSequenceClassification`, whose head PEFT saves whole.
pub fn distilbert() -> Fixture {
    let settings = adapter!("distilbert", "adapter_config.json");
    let weights = vec![adapter!("distilbert", "adapter_model.safetensors")];
    fixture!(
        "distilbert",
        MethodType::Lora,
        HeadKind::Cls,
        settings,
        weights
    )
}

/// `ModernBertForSequenceClassification` with windows and mean pooling; its head's hidden layer stays as it is.
pub fn modernbert() -> Fixture {
    let settings = adapter!("modernbert", "adapter_config.json");
    let weights = vec![adapter!("modernbert", "adapter_model.safetensors")];
    fixture!(
        "modernbert",
        MethodType::Lora,
        HeadKind::Cls,
        settings,
        weights
    )
}

/// transformers' `...ForSequenceClassification` of language models: the last token under PEFT's `score`.
pub fn decoders() -> Vec<Fixture> {
    vec![
        upon!("llama", "llama_cls", MethodType::Lora),
        upon!("qwen3", "qwen3_cls", MethodType::Lora),
        upon!("gemma3", "gemma3_cls", MethodType::Lora),
        upon!("gpt2", "gpt2_cls", MethodType::Lora),
        upon!("llama", "llama_cls_prefix", MethodType::Prefix),
    ]
}

/// One fixture per method, and one per family.
pub fn methods() -> Vec<Fixture> {
    vec![
        bert_cls(),
        bert_mean(),
        bert_dora(),
        bert_full(),
        bert_probe(),
        bert_prefix(),
        bert_houlsby(),
        bert_houlsby_swish(),
        bert_nli(),
        roberta(),
        distilbert(),
        modernbert(),
    ]
}

/// How the groups are called that compare movements.
pub const MOVEMENT: &str = "AdamW step";

/// Errors by golden group.
pub type Errors = BTreeMap<String, f64>;

pub struct Loaded {
    /// Gradients are on where the method trains.
    pub classifier: Classifier,
    pub trainable: Trainable,
    pub encoder: Backbone,
    pub batch: TrainBatch,
    pub golden: Golden,
}

pub async fn load(fixture: &Fixture, compute: &Compute) -> Loaded {
    let golden = Golden::read(fixture.golden).await;
    let config = BackboneConfig::parse(fixture.config).unwrap();
    let source = MemorySource::new("model.safetensors", fixture.model.to_vec());
    let checkpoint = Checkpoint::open(vec![source]).await.unwrap();
    let loader = Loader::new(&checkpoint, config.family.prefix(), compute);
    let encoder = Backbone::load(&config, &loader).await.unwrap();
    let method = match fixture.method {
        MethodType::Full => Method::Full(Default::default()),
        MethodType::Probe => Method::Probe(Default::default()),
        MethodType::Lora => {
            Method::Lora(LoraConfig::from_adapter_config(fixture.settings).unwrap().0)
        }
        MethodType::Prefix => Method::Prefix(
            PrefixConfig::from_adapter_config(fixture.settings)
                .unwrap()
                .0,
        ),
        MethodType::Houlsby => {
            Method::Houlsby(HoulsbyConfig::from_adapter_config(fixture.settings).unwrap())
        }
    };
    let tensors = match fixture.method {
        MethodType::Full => tensors(fixture.model).await,
        MethodType::Probe => tensors(&classifier_only(fixture.model).await).await,
        _ => {
            let mut all = tensors(fixture.weights[0]).await;
            for more in &fixture.weights[1..] {
                all.extend(tensors(more).await);
            }
            all
        }
    };
    let zeros = HeadWeights::zeros(3, encoder.hidden_size());
    let head = Head::new(fixture.kind, &zeros, &compute.device);
    let blank = Classifier::new(encoder.clone(), head);
    let (classifier, trainable) = restore(blank, &method, &tensors).unwrap();
    let classifier = activate(classifier, |path| trainable.contains(path));
    let ints = |name: &str| golden.ints[name].1.clone();
    let shape = &golden.ints["input_ids"].0;
    let mut batch = batch(
        [shape[0], shape[1]],
        &ints("input_ids"),
        &ints("attention_mask"),
        &ints("labels"),
        compute,
    );
    if let (Some((shape, types)), Inputs::Tokens(tokens)) =
        (golden.ints.get("token_type_ids"), &mut batch.inputs)
    {
        let types = types.iter().map(|id| *id as i32).collect::<Vec<_>>();
        assert!(types.contains(&1), "the second sentence has its own type");
        let data = TensorData::new(types, [shape[0], shape[1]]);
        tokens.types = Tensor::from_data(data, &compute.device);
    }
    Loaded {
        classifier,
        trainable,
        encoder,
        batch,
        golden,
    }
}

async fn tensors(bytes: &[u8]) -> Tensors {
    Tensors::read("fixture", bytes.to_vec()).await.unwrap()
}

/// A file with the classifier of a whole model's file.
async fn classifier_only(model: &[u8]) -> Vec<u8> {
    let all = Golden::read(model).await;
    let parts = ["classifier.weight", "classifier.bias"].map(|name| (name, &all.floats[name]));
    let views = parts.map(|(name, (shape, values))| (name, shape.as_slice(), values.as_slice()));
    write(views, &BTreeMap::new()).unwrap()
}

/// A labelled batch as the generators write it.
pub fn batch(
    shape: [usize; 2],
    ids: &[i64],
    mask: &[i64],
    labels: &[i64],
    compute: &Compute,
) -> TrainBatch {
    let device = &compute.device;
    let ints = |values: &[i64]| values.iter().map(|value| *value as i32).collect::<Vec<_>>();
    let mask = mask.iter().map(|one| *one as f32).collect::<Vec<_>>();
    let labels = Tensor::from_data(TensorData::new(ints(labels), [shape[0]]), device);
    TrainBatch {
        rows: shape[0],
        inputs: Inputs::Tokens(Box::new(TokenBatch {
            types: Tensor::<2, Int>::zeros(shape, device),
            ids: Tensor::from_data(TensorData::new(ints(ids), shape), device),
            mask: Tensor::from_data(TensorData::new(mask, shape), device),
        })),
        target: Target::Labels(Box::new(labels)),
    }
}

/// Tensors by the keys of the method's files: transposed as there, the parts of a prefix put together.
pub async fn by_key(
    tensors: Vec<(String, Tensor<1>)>,
    loaded: &Loaded,
    fixture: &Fixture,
) -> BTreeMap<String, Vec<f32>> {
    let shapes = trained(&loaded.classifier, &loaded.trainable)
        .into_iter()
        .map(|tensor| (tensor.path, tensor.shape))
        .collect::<BTreeMap<_, _>>();
    let mut out = BTreeMap::new();
    let mut prefix: Vec<Vec<f32>> = Vec::new();
    for (path, tensor) in tensors {
        let values = read(tensor).await.unwrap();
        if is_prefix(&path) {
            prefix.push(values);
            continue;
        }
        let stored = match shapes[&path][..] {
            [rows, columns] if is_transposed(&path, 2) => transpose(&values, rows, columns),
            _ => values,
        };
        out.insert(
            key(&loaded.classifier, &path, fixture.method, &loaded.trainable),
            stored,
        );
    }
    if !prefix.is_empty() {
        let hidden = loaded.encoder.key_width();
        let tokens = prefix[0].len() / hidden;
        let rows = (0..tokens).flat_map(|token| {
            prefix
                .iter()
                .flat_map(move |part| part[token * hidden..(token + 1) * hidden].to_vec())
        });
        out.insert("prompt_embeddings".into(), rows.collect());
    }
    out
}

/// What a classifier trains, by the keys of the method's files.
pub async fn values(
    loaded: &Loaded,
    fixture: &Fixture,
    classifier: &Classifier,
) -> BTreeMap<String, Vec<f32>> {
    let values = trained(classifier, &loaded.trainable).into_iter();
    let values = values.map(|tensor| (tensor.path, tensor.value)).collect();
    by_key(values, loaded, fixture).await
}

/// All golden groups of a fixture: forward, loss, every gradient, how far 1 and 5 AdamW steps move the parameters.
pub async fn errors(fixture: &Fixture, compute: &Compute) -> Errors {
    let loaded = load(fixture, compute).await;
    let Loaded {
        classifier,
        trainable,
        encoder,
        batch,
        golden,
    } = &loaded;
    let meta: serde_json::Value = serde_json::from_slice(fixture.meta).unwrap();
    // tensors whose true gradient is zero: Adam makes steps of their rounding noise
    let unstable = meta["adam_unstable"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let state = if golden.floats.contains_key("logits.adapter") {
        "adapter"
    } else {
        "base"
    };
    let mut errors = Errors::new();
    let start = values(&loaded, fixture, classifier).await;
    let mut note = |group: &str, found: &[f32], key: &str| {
        let expected = golden.float(key);
        let error = match key.split_once('.') {
            Some(("adam1" | "adam5", name)) => movement_error(&start[name], found, expected),
            _ => relative_error(found, expected),
        };
        let worst = errors.entry(group.to_string()).or_insert(0.0);
        *worst = worst.max(error);
    };

    let tuned = classifier.valid();
    let logits = read(tuned.forward(&batch.inputs)).await.unwrap();
    note("logits", &logits, &format!("logits.{state}"));
    let Inputs::Tokens(tokens) = &batch.inputs else {
        panic!("a fixture starts from tokens");
    };
    let found = read(tuned.features(&batch.inputs)).await.unwrap();
    if golden.floats.contains_key("features.base") {
        note("features", &found, "features.base");
    }
    if golden.floats.contains_key("pooled.base") {
        note("features", &found, "embedding.adapter");
        let pooled = masked_mean(encoder.forward(tokens), tokens.mask.clone());
        note("features", &read(pooled).await.unwrap(), "pooled.base");
        let normal = features(encoder, fixture.kind, tokens);
        note("features", &read(normal).await.unwrap(), "embedding.base");
    }
    let loss_key = format!("loss.{state}");
    let loss = batch.loss_sum(&tuned) / 3.0;
    note("loss", &read(loss).await.unwrap(), &loss_key);

    let (found, loss) = gradients(
        classifier,
        std::slice::from_ref(batch),
        &PassSettings::default(),
    );
    note("loss", &read(loss).await.unwrap(), &loss_key);
    let found = by_key(found, &loaded, fixture).await;
    let expected = golden
        .floats
        .keys()
        .filter(|key| key.starts_with("grad."))
        .count();
    assert_eq!(found.len(), expected, "every trained tensor has a gradient");
    for (key, values) in found {
        // the gradient of a key's bias is zero but for rounding, which has no relative error
        if !unstable.contains(&key.as_str().into()) {
            note("gradients", &values, &format!("grad.{key}"));
        }
    }

    let (settings, rate) = adamw(&meta);
    let mut optimizer = AdamW::new(settings);
    let rules = Rules {
        trainable,
        penalty: None,
        max_grad_norm: 0.0,
        pass: PassSettings::default(),
    };
    let mut moving = classifier.clone();
    let mut losses = Vec::new();
    for step in 1..=5 {
        let batches = std::slice::from_ref(batch);
        let found = gradients(&moving, batches, &rules.pass);
        let (next, loss) = train_step(moving, &mut optimizer, found, &rules, |_| rate);
        moving = next;
        losses.extend(read(loss).await.unwrap());
        if step == 1 || step == 5 {
            for (key, values) in values(&loaded, fixture, &moving).await {
                if !unstable.contains(&key.as_str().into()) {
                    note(
                        &format!("{MOVEMENT} {step}"),
                        &values,
                        &format!("adam{step}.{key}"),
                    );
                }
            }
        }
    }
    let last = batch.loss_sum(&moving.valid()) / 3.0;
    losses.extend(read(last).await.unwrap());
    note("AdamW losses", &losses, "adam.losses");
    // the export's own walk gives the same tensors under the same keys
    let exported = named_values(classifier, trainable, fixture.method)
        .await
        .unwrap();
    for (path, (key, _, values)) in exported {
        if !is_prefix(&path) {
            assert!(golden.floats.contains_key(&format!("grad.{key}")), "{key}");
            assert_eq!(golden.float(&format!("grad.{key}")).len(), values.len());
        }
    }
    errors
}

/// Fails with all groups named if one is too far off; gives lines for a log if none is.
pub fn check(name: &str, engine: &str, errors: &Errors) -> String {
    let lines = errors
        .iter()
        .map(|(group, error)| format!("parity {name} | {engine} | {group} | {error:.1e}"))
        .collect::<Vec<_>>()
        .join("\n");
    let within = |(group, error): (&String, &f64)| {
        let movement = group.starts_with(MOVEMENT);
        let limit = if movement {
            MOVEMENT_TOLERANCE
        } else {
            TOLERANCE
        };
        *error <= limit
    };
    assert!(errors.iter().all(within), "\n{lines}");
    lines
}
