//! Enters: a device. Leaves: for every golden group the largest relative error against transformers and PEFT.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};
use webtune::device::Compute;
use webtune::eval::evaluate::read;
use webtune::export::adapter::named_values;
use webtune::export::import::{Tensors, restore};
use webtune::formats::{Checkpoint, MemorySource};
use webtune::models::bert::TokenBatch;
use webtune::models::heads::{features, masked_mean};
use webtune::models::load::transpose;
use webtune::models::names::adapter_key;
use webtune::models::{Bert, BertConfig, Classifier, HeadKind, Loader};
use webtune::peft::LoraConfig;
use webtune::peft::freeze::trained;
use webtune::train::loss::cross_entropy_sum;
use webtune::train::optimizer::{AdamW, AdamWConfig};
use webtune::train::step::{LabelledBatch, gradients, train_step};

use super::golden::{Golden, relative_error};

/// float32 on another machine, in another order of sums; tanh in place of erf GELU would give 4e-5 in the logits alone,
/// which the gradients multiply.
pub const TOLERANCE: f64 = 1e-4;

/// A fixture folder.
pub struct Fixture {
    pub name: &'static str,
    pub config: &'static [u8],
    pub model: &'static [u8],
    pub golden: &'static [u8],
    pub adapter_config: &'static [u8],
    pub adapter: &'static [u8],
    /// The head's own file, where the adapter does not hold it.
    pub head: Option<&'static [u8]>,
    pub kind: HeadKind,
}

macro_rules! fixture {
    ($name:literal, $kind:expr, $head:expr) => {
        Fixture {
            name: $name,
            config: include_bytes!(concat!("../fixtures/", $name, "/config.json")),
            model: include_bytes!(concat!("../fixtures/", $name, "/model.safetensors")),
            golden: include_bytes!(concat!("../fixtures/", $name, "/golden.safetensors")),
            adapter_config: include_bytes!(concat!(
                "../fixtures/",
                $name,
                "/adapter/adapter_config.json"
            )),
            adapter: include_bytes!(concat!(
                "../fixtures/",
                $name,
                "/adapter/adapter_model.safetensors"
            )),
            head: $head,
            kind: $kind,
        }
    };
}

/// transformers' `BertForSequenceClassification` with PEFT's LoRA.
pub fn bert_cls() -> Fixture {
    fixture!("bert", HeadKind::Cls, None)
}

/// `BertModel` without a name prefix, PEFT's LoRA, mean pooling, normalisation and a Sentence-Transformers Dense head.
pub fn bert_mean() -> Fixture {
    let head = include_bytes!("../fixtures/bert_mean_head/head/model.safetensors");
    fixture!("bert_mean_head", HeadKind::Mean, Some(head))
}

/// Errors by golden group.
pub type Errors = BTreeMap<String, f64>;

pub struct Loaded {
    pub classifier: Classifier,
    pub bert: Bert,
    pub batch: LabelledBatch,
    pub golden: Golden,
}

pub async fn load(fixture: &Fixture, compute: &Compute) -> Loaded {
    let golden = Golden::read(fixture.golden).await;
    let config = BertConfig::parse(fixture.config).unwrap();
    let source = MemorySource::new("model.safetensors", fixture.model.to_vec());
    let checkpoint = Checkpoint::open(vec![source]).await.unwrap();
    let loader = Loader::new(&checkpoint, "bert.", compute);
    let bert = Bert::load(&config, &loader, true).await.unwrap();
    let (lora, _) = LoraConfig::from_adapter_config(fixture.adapter_config).unwrap();
    let mut tensors = Tensors::read("adapter_model.safetensors", fixture.adapter.to_vec())
        .await
        .unwrap();
    if let Some(head) = fixture.head {
        tensors.extend(Tensors::read("head", head.to_vec()).await.unwrap());
    }
    let classifier = restore(&bert, &lora, fixture.kind, &tensors, 3).unwrap();
    let batch = upload(&golden, compute);
    Loaded {
        classifier,
        bert,
        batch,
        golden,
    }
}

fn upload(golden: &Golden, compute: &Compute) -> LabelledBatch {
    let device = &compute.device;
    let (shape, ids) = &golden.ints["input_ids"];
    let shape = [shape[0], shape[1]];
    let ids = ids.iter().map(|id| *id as i32).collect::<Vec<_>>();
    let mask = golden.ints["attention_mask"]
        .1
        .iter()
        .map(|one| *one as f32)
        .collect::<Vec<_>>();
    let labels = golden.ints["labels"]
        .1
        .iter()
        .map(|label| *label as i32)
        .collect::<Vec<_>>();
    LabelledBatch {
        rows: shape[0],
        tokens: TokenBatch {
            types: Tensor::<2, Int>::zeros(shape, device),
            ids: Tensor::from_data(TensorData::new(ids, shape), device),
            mask: Tensor::from_data(TensorData::new(mask, shape), device),
        },
        labels: Tensor::from_data(TensorData::new(labels, [shape[0]]), device),
    }
}

/// All golden groups of a fixture: forward, loss, every gradient, the parameters after 1 and 5 AdamW steps.
pub async fn errors(fixture: &Fixture, compute: &Compute) -> Errors {
    let Loaded {
        classifier,
        bert,
        batch,
        golden,
    } = load(fixture, compute).await;
    let mut errors = Errors::new();
    let mut note = |group: &str, found: &[f32], key: &str| {
        let error = relative_error(found, golden.float(key));
        let worst = errors.entry(group.to_string()).or_insert(0.0);
        *worst = worst.max(error);
    };

    let tuned = classifier.valid();
    note(
        "logits",
        &read(tuned.forward(&batch.tokens)).await.unwrap(),
        "logits.adapter",
    );
    if golden.floats.contains_key("pooled.base") {
        let pooled = masked_mean(bert.forward(&batch.tokens), batch.tokens.mask.clone());
        note("features", &read(pooled).await.unwrap(), "pooled.base");
        let normal = features(&bert, fixture.kind, &batch.tokens);
        note("features", &read(normal).await.unwrap(), "embedding.base");
        note(
            "features",
            &read(tuned.features(&batch.tokens)).await.unwrap(),
            "embedding.adapter",
        );
    }
    let loss = cross_entropy_sum(tuned.forward(&batch.tokens), batch.labels.clone()) / 3.0;
    note("loss", &read(loss).await.unwrap(), "loss.adapter");

    let (found, loss) = gradients(&classifier, std::slice::from_ref(&batch));
    note("loss", &read(loss).await.unwrap(), "loss.adapter");
    let shapes = trained(&classifier)
        .into_iter()
        .map(|tensor| (tensor.path, tensor.shape))
        .collect::<BTreeMap<_, _>>();
    assert_eq!(
        found.len(),
        shapes.len(),
        "every trained tensor has a gradient"
    );
    for (path, gradient) in found {
        let values = read(gradient).await.unwrap();
        let stored = match shapes[&path][..] {
            [rows, columns] => transpose(&values, rows, columns),
            _ => values,
        };
        note(
            "gradients",
            &stored,
            &format!("grad.{}", adapter_key(&path, fixture.kind)),
        );
    }

    let mut optimizer = AdamW::new(AdamWConfig {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.01,
    });
    let mut moving = classifier;
    let mut losses = Vec::new();
    for step in 1..=5 {
        let (next, loss) = train_step(
            moving,
            &mut optimizer,
            std::slice::from_ref(&batch),
            0.0,
            |_| 1e-3,
        );
        moving = next;
        losses.extend(read(loss).await.unwrap());
        if step == 1 || step == 5 {
            for (_, (key, _, values)) in named_values(&moving).await.unwrap() {
                note(
                    &format!("AdamW step {step}"),
                    &values,
                    &format!("adam{step}.{key}"),
                );
            }
        }
    }
    let last = cross_entropy_sum(moving.valid().forward(&batch.tokens), batch.labels.clone()) / 3.0;
    losses.extend(read(last).await.unwrap());
    note("AdamW losses", &losses, "adam.losses");
    errors
}

/// Fails with all groups named where one is too far off; gives lines for a log otherwise.
pub fn check(name: &str, engine: &str, errors: &Errors) -> String {
    let lines = errors
        .iter()
        .map(|(group, error)| format!("parity {name} | {engine} | {group} | {error:.1e}"))
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        errors.values().all(|error| *error <= TOLERANCE),
        "\n{lines}"
    );
    lines
}
