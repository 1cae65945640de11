//! Compares the language models on a device with transformers and PEFT: the largest relative error of every golden group.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;
use webtune::device::{Compute, read};
use webtune::formats::{Checkpoint, MemorySource};
use webtune::layers::Storage;
use webtune::models::decoder::Layout;
use webtune::models::{CausalBatch, CausalLm, DecoderConfig, Loader};
use webtune::peft::freeze::{activate, replace};
use webtune::peft::store::{Tensors, named_values, restore};
use webtune::peft::{LoraConfig, Method, MethodType, PrefixConfig, Trainable, attach};
use webtune::train::gradients::{PassSettings, gradients};
use webtune::train::optimizer::AdamW;

use super::golden::{Golden, movement_error, relative_error};
use super::parity::{Errors, MOVEMENT, adamw};

/// A fixture folder of a language model.
pub struct Fixture {
    pub name: &'static str,
    pub config: &'static [u8],
    pub model: &'static [u8],
    pub golden: &'static [u8],
    pub meta: &'static [u8],
    pub method: MethodType,
    /// The settings and the tensors of an adapter; none where the model's own weights train.
    pub adapter: Option<[&'static [u8]; 2]>,
    pub storage: Storage,
}

macro_rules! fixture {
    ($name:literal) => {
        fixture!($name, $name, Storage::F32, MethodType::Lora)
    };
    ($name:literal, $base:literal, $storage:expr) => {
        fixture!($name, $base, $storage, MethodType::Lora)
    };
    ($name:literal, $base:literal, $storage:expr, $method:expr) => {
        Fixture {
            method: $method,
            adapter: Some([
                include_bytes!(concat!(
                    "../fixtures/",
                    $base,
                    "/adapter/adapter_config.json"
                )),
                include_bytes!(concat!(
                    "../fixtures/",
                    $base,
                    "/adapter/adapter_model.safetensors"
                )),
            ]),
            ..full!($name, $base, $storage)
        }
    };
}

macro_rules! prefix {
    ($name:literal) => {
        fixture!($name, $name, Storage::F32, MethodType::Prefix)
    };
}

/// Every weight of the model trains.
macro_rules! full {
    ($name:literal) => {
        full!($name, $name, Storage::F32)
    };
    ($name:literal, $base:literal, $storage:expr) => {
        Fixture {
            name: $name,
            config: include_bytes!(concat!("../fixtures/", $base, "/config.json")),
            model: include_bytes!(concat!("../fixtures/", $base, "/model.safetensors")),
            golden: include_bytes!(concat!("../fixtures/", $name, "/golden.safetensors")),
            meta: include_bytes!(concat!("../fixtures/", $base, "/meta.json")),
            method: MethodType::Full,
            adapter: None,
            storage: $storage,
        }
    };
}

/// One a family, and one a method.
pub fn fixtures() -> Vec<Fixture> {
    vec![
        fixture!("llama"),
        fixture!("smollm"),
        fixture!("qwen2"),
        fixture!("qwen3"),
        fixture!("gemma3"),
        fixture!("gpt2"),
        fixture!("llama_dora"),
        fixture!("llama_rslora"),
        prefix!("llama_prefix"),
        prefix!("gemma3_prefix"),
        full!("smollm_full"),
        full!("gemma3_full"),
    ]
}

/// The same models with frozen weights in fewer bits, against PyTorch on the rounded weights.
pub fn quantized() -> Vec<Fixture> {
    use Storage::{Int4, Int8};
    vec![
        fixture!("llama_int8", "llama", Int8),
        fixture!("llama_int4", "llama", Int4),
        fixture!("smollm_int8", "smollm", Int8),
        fixture!("smollm_int4", "smollm", Int4),
        fixture!("qwen2_int8", "qwen2", Int8),
        fixture!("qwen2_int4", "qwen2", Int4),
        fixture!("qwen3_int8", "qwen3", Int8),
        fixture!("qwen3_int4", "qwen3", Int4),
        fixture!("gemma3_int8", "gemma3", Int8),
        fixture!("gemma3_int4", "gemma3", Int4),
        fixture!("gpt2_int8", "gpt2", Int8),
        fixture!("gpt2_int4", "gpt2", Int4),
    ]
}

/// The frozen model of a fixture.
pub async fn base(fixture: &Fixture, compute: &Compute) -> CausalLm {
    let config = DecoderConfig::parse(fixture.config).unwrap();
    let source = MemorySource::new("model.safetensors", fixture.model.to_vec());
    let checkpoint = Checkpoint::open(vec![source]).await.unwrap();
    let loader = Loader::new(&checkpoint, config.checkpoint_prefix(), compute);
    let loader = loader.with_storage(fixture.storage).unwrap();
    CausalLm::load(&config, &loader).await.unwrap()
}

pub struct Loaded {
    /// Gradients are on where the method trains.
    pub model: CausalLm,
    pub trainable: Trainable,
    pub method: Method,
    pub batch: CausalBatch,
    pub golden: Golden,
}

pub async fn load(fixture: &Fixture, compute: &Compute) -> Loaded {
    let golden = Golden::read(fixture.golden).await;
    let base = base(fixture, compute).await;
    let (method, model, trainable) = match fixture.adapter {
        Some([settings, tensors]) => {
            let method = match fixture.method {
                MethodType::Prefix => {
                    Method::Prefix(PrefixConfig::from_adapter_config(settings).unwrap().0)
                }
                _ => Method::Lora(LoraConfig::from_adapter_config(settings).unwrap().0),
            };
            let tensors = Tensors::read("adapter", tensors.to_vec()).await.unwrap();
            let (model, trainable) = restore(base, &method, &tensors).unwrap();
            (method, model, trainable)
        }
        None => {
            let method = Method::Full(Default::default());
            let mut model = base.clone();
            let trainable = attach(&mut model, &method, 0).unwrap();
            (method, model, trainable)
        }
    };
    Loaded {
        model: activate(model, |path| trainable.contains(path)),
        trainable,
        method,
        batch: batch(&golden, compute),
        golden,
    }
}

/// The fixture's one batch. The padding is on the right, where a decoder's tokens never look.
pub fn batch(golden: &Golden, compute: &Compute) -> CausalBatch {
    let (shape, ids) = &golden.ints["input_ids"];
    let ids = ids.iter().map(|id| *id as i32).collect::<Vec<_>>();
    let labels = &golden.ints["labels"].1;
    let targets = labels
        .iter()
        .map(|label| *label != -100)
        .collect::<Vec<_>>();
    let layout = Layout::plain(shape[0], shape[1]);
    CausalBatch::new(ids, &targets, layout, &compute.device)
}

/// Logits of all positions that are not padding.
async fn logits(model: &CausalLm, loaded: &Loaded) -> Vec<f32> {
    let batch = &loaded.batch;
    let hidden = model.model.forward(batch.ids.clone(), &batch.layout, None);
    let [rows, width, size] = hidden.dims();
    let logits = model.logits(hidden.reshape([rows * width, size]));
    real(&read(logits).await.unwrap(), &loaded.golden)
}

/// The rows of those positions.
fn real(logits: &[f32], golden: &Golden) -> Vec<f32> {
    let mask = &golden.ints["attention_mask"].1;
    let words = logits.len() / mask.len();
    let rows = logits.chunks(words).zip(mask);
    rows.filter(|(_, one)| **one == 1)
        .flat_map(|(row, _)| row.to_vec())
        .collect()
}

/// Flat tensors by the keys of the adapter's file.
pub async fn by_key(
    tensors: Vec<(String, Tensor<1>)>,
    loaded: &Loaded,
) -> BTreeMap<String, Vec<f32>> {
    let mut tensors: BTreeMap<_, _> = tensors.into_iter().collect();
    // the export's own walk writes whatever is in the trained tensors
    let carried = replace(loaded.model.clone(), |path, _| tensors.remove(path));
    assert!(
        tensors.is_empty(),
        "gradients without a parameter: {:?}",
        tensors.keys()
    );
    let values = named_values(&carried, &loaded.trainable, loaded.method.kind());
    let values = values.await.unwrap().into_iter();
    values.map(|(_, (key, _, values))| (key, values)).collect()
}

/// All golden groups: logits, loss, every gradient with and without gradient checkpointing, how far 1 and 5 AdamW steps move the parameters.
pub async fn errors(fixture: &Fixture, compute: &Compute) -> Errors {
    let loaded = load(fixture, compute).await;
    let Loaded {
        model,
        trainable,
        batch,
        golden,
        ..
    } = &loaded;
    let state = if fixture.adapter.is_some() {
        "adapter"
    } else {
        "base"
    };
    let mut errors = Errors::new();
    let mut note_error = |group: &str, error: f64| {
        let worst = errors.entry(group.to_string()).or_insert(0.0);
        *worst = worst.max(error);
    };
    let mut note = |group: &str, found: &[f32], expected: &[f32]| {
        note_error(group, relative_error(found, expected));
    };
    let found = logits(&model.valid(), &loaded).await;
    note(
        "logits",
        &found,
        &real(golden.float(&format!("logits.{state}")), golden),
    );
    // small chunks, so that there are several
    let batch = &batch.clone().with_chunk(7);
    let plain = PassSettings::default();
    let expected = golden.floats.keys().filter(|key| key.starts_with("grad."));
    let expected = expected.count();
    for checkpointing in [false, true] {
        let pass = PassSettings {
            checkpointing,
            ..plain
        };
        let batches = std::slice::from_ref(batch);
        let (found, loss) = gradients(model, batches, &pass);
        note(
            "loss",
            &read(loss).await.unwrap(),
            golden.float(&format!("loss.{state}")),
        );
        let found = by_key(found, &loaded).await;
        assert_eq!(found.len(), expected, "every trained tensor has a gradient");
        for (key, values) in found {
            note("gradients", &values, golden.float(&format!("grad.{key}")));
        }
    }
    if !golden.floats.contains_key("adam.losses") {
        // recorded for the forward and backward pass alone
        return errors;
    }
    let meta = serde_json::from_slice(fixture.meta).unwrap();
    let (settings, rate) = adamw(&meta);
    let start = named_values(model, trainable, loaded.method.kind())
        .await
        .unwrap();
    let mut optimizer = AdamW::new(settings);
    let mut moving = model.clone();
    let mut losses = Vec::new();
    for step in 1..=5 {
        let batches = std::slice::from_ref(batch);
        let (found, loss) = gradients(&moving, batches, &plain);
        losses.extend(read(loss).await.unwrap());
        moving = optimizer.step(moving, found, 0.0, |_| rate);
        if step == 1 || step == 5 {
            let values = named_values(&moving, trainable, loaded.method.kind())
                .await
                .unwrap();
            for ((_, (key, _, values)), (_, (_, _, start))) in values.iter().zip(&start) {
                let expected = golden.float(&format!("adam{step}.{key}"));
                let error = movement_error(start, values, expected);
                note_error(&format!("{MOVEMENT} {step}"), error);
            }
        }
    }
    let (_, loss) = gradients(&moving, std::slice::from_ref(batch), &plain);
    losses.extend(read(loss).await.unwrap());
    note_error(
        "AdamW losses",
        relative_error(&losses, golden.float("adam.losses")),
    );
    errors
}
