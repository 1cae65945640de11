//! Checks that every method, in every setting, starts, trains and differentiates on a model as it should.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use serde_json::{Value, json};
use webtune::data::{Batch, LabelMap};
use webtune::device::read;
use webtune::models::TokenBatch;
use webtune::models::classifier::HeadWeights;
use webtune::models::load::frozen;
use webtune::models::network::layer_of;
use webtune::models::{Classifier, Family, Head, HeadKind, Inputs, Network, decoder};
use webtune::peft::freeze::{activate, replace, trained};
use webtune::peft::merge::merged_weight;
use webtune::peft::{InitLoraWeights, Method, Trainable, attach, full, pissa};
use webtune::rng::Rng;
use webtune::tasks::classify::batch::{Target, TrainBatch, upload_labels};
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::encode;
use webtune::train::gradients::{PassSettings, gradients};
use webtune::train::optimizer::{AdamW, AdamWConfig};
use webtune::train::step::{Rules, train_step};
use webtune::train::unfreeze::Groups;

use super::golden::relative_error;
use super::tiny;

pub const HEADS: [HeadKind; 2] = [HeadKind::Cls, HeadKind::Mean];

/// What a fresh method does to the output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// Nothing, to the last bit.
    Same,
    /// Nothing but rounding.
    Rounded,
    /// A little: a bottleneck's weights are small and not zero.
    Near,
    /// Something: every text attends to the prefix.
    Other,
}

/// One setting of a method.
pub struct Case {
    pub name: &'static str,
    pub method: Value,
    pub mixout: f64,
    /// Tensors that train under a `cls` and under a `mean` head, counted by hand.
    pub trained: [usize; 2],
    pub start: Start,
}

impl Case {
    fn new(name: &'static str, method: Value, trained: [usize; 2], start: Start) -> Self {
        Self {
            name,
            method,
            mixout: 0.0,
            trained,
            start,
        }
    }

    pub fn is_lora(&self) -> bool {
        self.method["type"] == "lora"
    }

    pub fn method(&self) -> Method {
        serde_json::from_value(self.method.clone()).unwrap()
    }
}

/// Every method in every setting, for the tiny model: two layers of six linear layers each.
pub fn cases() -> Vec<Case> {
    use Start::{Near, Other, Rounded, Same};
    let lora = |settings: Value| {
        let mut method = json!({"type": "lora"});
        let map = method.as_object_mut().unwrap();
        map.extend(settings.as_object().unwrap().clone());
        method
    };
    let patterns = json!({"query": 2, "layer.1.output.dense": 3});
    let mut cases = vec![
        // a head of two; twelve layers with A and B
        Case::new("lora", lora(json!({})), [26, 26], Same),
        Case::new(
            "lora rslora",
            lora(json!({"useRslora": true})),
            [26, 26],
            Same,
        ),
        Case::new(
            "lora gaussian",
            lora(json!({"initLoraWeights": "gaussian"})),
            [26, 26],
            Same,
        ),
        Case::new(
            "lora dora",
            lora(json!({"useDora": true})),
            [38, 38],
            Rounded,
        ),
        Case::new(
            "lora pissa",
            lora(json!({"initLoraWeights": "pissa"})),
            [26, 26],
            Rounded,
        ),
        Case::new(
            "lora pissa dora",
            lora(json!({"initLoraWeights": "pissa", "useDora": true})),
            [38, 38],
            Rounded,
        ),
        Case::new(
            "lora patterns",
            lora(json!({"rankPattern": patterns, "alphaPattern": {"value": 8, "query": 3.5}})),
            [26, 26],
            Same,
        ),
        Case::new(
            "lora pissa rslora patterns",
            lora(json!({
                "initLoraWeights": "pissa", "useRslora": true, "rankPattern": patterns,
                "alphaPattern": {"value": 8}
            })),
            [26, 26],
            Rounded,
        ),
        // the embeddings' norm, six linear layers and two norms a layer, and the pooler under a cls head
        Case::new(
            "lora bias all",
            lora(json!({"bias": "all"})),
            [26 + 1 + 16 + 1, 26 + 1 + 16],
            Same,
        ),
        Case::new(
            "lora bias lora_only",
            lora(json!({"bias": "lora_only", "targetModules": ["query", "value"]})),
            [2 + 4 * 3, 2 + 4 * 3],
            Same,
        ),
        Case::new(
            "lora dora bias all",
            lora(json!({"useDora": true, "bias": "all"})),
            [38 + 18, 38 + 17],
            Rounded,
        ),
        Case::new(
            "lora top layer",
            lora(json!({"layersToTransform": [1]})),
            [14, 14],
            Same,
        ),
        Case::new(
            "lora all-linear",
            lora(json!({"targetModules": "all-linear"})),
            [28, 26],
            Same,
        ),
        // five in the embeddings, sixteen a layer, the pooler's two under a cls head
        Case::new(
            "full",
            json!({"type": "full"}),
            [2 + 5 + 32 + 2, 2 + 5 + 32],
            Same,
        ),
        Case {
            mixout: 0.3,
            ..Case::new(
                "full mixout",
                json!({"type": "full"}),
                [2 + 5 + 32 + 2, 2 + 5 + 32],
                Same,
            )
        },
        Case::new("probe", json!({"type": "probe"}), [2, 2], Same),
    ];
    for (name, word) in [
        ("houlsby swish", "swish"),
        ("houlsby gelu", "gelu"),
        ("houlsby relu", "relu"),
        ("houlsby tanh", "tanh"),
    ] {
        // two bottlenecks a layer, of four tensors each
        let method = json!({"type": "houlsby", "nonLinearity": word, "reductionFactor": 4});
        cases.push(Case::new(name, method, [18, 18], Near));
    }
    let method = json!({"type": "prefix", "numVirtualTokens": 5});
    cases.push(Case::new("prefix", method, [6, 6], Other));
    cases
}

/// One setting of each method that fits a family other than BERT, for its tiny model of two layers. That model was only pretrained, so
/// that the hidden layer of an encoder's `cls` head is fresh and trains with every method.
pub fn family_cases(family: Family) -> Vec<Case> {
    use Start::{Near, Other, Rounded, Same};
    let lora = json!({"type": "lora"});
    let dora = json!({"type": "lora", "useDora": true});
    let pissa = json!({"type": "lora", "initLoraWeights": "pissa"});
    let biases = json!({"type": "lora", "bias": "all"});
    let top = json!({"type": "lora", "layersToTransform": [1]});
    let full = json!({"type": "full"});
    let probe = json!({"type": "probe"});
    let houlsby = json!({"type": "houlsby", "nonLinearity": "gelu", "reductionFactor": 4});
    let prefix = json!({"type": "prefix", "numVirtualTokens": 5});
    // a head of two and its hidden layer of two; six linear layers a layer, or four
    let mut cases = match family {
        Family::Modernbert => vec![
            Case::new("lora", lora, [4 + 16, 2 + 16], Same),
            Case::new("lora dora", dora, [4 + 24, 2 + 24], Rounded),
            Case::new("lora pissa", pissa, [4 + 16, 2 + 16], Rounded),
            // there are none
            Case::new("lora bias all", biases, [4 + 16, 2 + 16], Same),
            Case::new("lora top layer", top, [4 + 8, 2 + 8], Same),
            // words and their norm, five and six in the layers, the last norm
            Case::new("full", full, [4 + 14, 2 + 14], Same),
        ],
        Family::Decoder(decoder::DecoderFamily::Gpt2) => vec![
            // a head of a weight alone; four linear layers a layer
            Case::new("lora", lora, [1 + 16, 2 + 16], Same),
            Case::new("lora dora", dora, [1 + 24, 2 + 24], Rounded),
            Case::new("lora pissa", pissa, [1 + 16, 2 + 16], Rounded),
            // six a layer, and the last norm's
            Case::new("lora bias all", biases, [1 + 16 + 13, 2 + 16 + 13], Same),
            Case::new("lora top layer", top, [1 + 8, 2 + 8], Same),
            // words, positions, twelve a layer, the last norm's two
            Case::new("full", full, [1 + 28, 2 + 28], Same),
        ],
        Family::Decoder(_) => vec![
            // seven linear layers a layer
            Case::new("lora", lora, [1 + 28, 2 + 28], Same),
            Case::new("lora dora", dora, [1 + 42, 2 + 42], Rounded),
            Case::new("lora pissa", pissa, [1 + 28, 2 + 28], Rounded),
            // there are none
            Case::new("lora bias all", biases, [1 + 28, 2 + 28], Same),
            Case::new("lora top layer", top, [1 + 14, 2 + 14], Same),
            // words, nine a layer, the last norm
            Case::new("full", full, [1 + 20, 2 + 20], Same),
        ],
        _ => {
            // words, positions, their norm's two, and RoBERTa's token types
            let tables = if family == Family::Distilbert { 4 } else { 5 };
            vec![
                Case::new("lora", lora, [4 + 24, 2 + 24], Same),
                Case::new("lora dora", dora, [4 + 36, 2 + 36], Rounded),
                Case::new("lora pissa", pissa, [4 + 24, 2 + 24], Rounded),
                Case::new(
                    "lora bias all",
                    biases,
                    [4 + 24 + 1 + 16, 2 + 24 + 1 + 16],
                    Same,
                ),
                Case::new("lora top layer", top, [4 + 12, 2 + 12], Same),
                Case::new("full", full, [4 + tables + 32, 2 + tables + 32], Same),
                Case::new("houlsby gelu", houlsby, [4 + 16, 2 + 16], Near),
            ]
        }
    };
    let head = match family {
        Family::Decoder(_) => 1,
        _ => 4,
    };
    if matches!(family, Family::Roberta | Family::Decoder(_)) {
        cases.push(Case::new("prefix", prefix, [head + 4, 2 + 4], Other));
    }
    cases.push(Case::new("probe", probe, [head, 2], Same));
    cases
}

/// A tiny model with a method in it, ready to train.
pub struct Ready {
    /// Gradients are on where the method trains.
    pub classifier: Classifier,
    pub trainable: Trainable,
    /// The same head on the untouched encoder.
    pub base: Classifier,
    pub batch: TrainBatch,
}

/// Puts a case into a model under a random head.
pub async fn ready(model: &Pretrained, case: &Case, head: HeadKind) -> Ready {
    let hidden = model.config.hidden_size;
    let mut rng = Rng::stream(3, "test head");
    // the vector of a decoder's last token is of length sqrt(hidden), which would take the losses far from 1
    let scale = match (model.config.family, head) {
        (Family::Decoder(_), HeadKind::Cls) => 1.0 / (hidden as f64).sqrt(),
        _ => 1.0,
    };
    let weights = HeadWeights {
        weight: (0..3 * hidden)
            .map(|_| (scale * rng.normal()) as f32)
            .collect(),
        bias: vec![0.1, -0.2, 0.3],
    };
    let head = Head::new(head, &weights, &model.compute.device);
    let base = Classifier::new(model.encoder.clone(), head);
    let mut classifier = base.clone();
    let method = case.method().resolve(&classifier);
    let trainable = attach(&mut classifier, &method, 5).unwrap();
    if let Method::Lora(lora) = &method
        && lora.init_lora_weights == InitLoraWeights::Pissa
    {
        pissa::start(&mut classifier).await.unwrap();
    }
    if case.mixout > 0.0 {
        full::mix(&mut classifier, case.mixout);
    }
    Ready {
        classifier: activate(classifier, |path| trainable.contains(path)),
        trainable,
        base,
        batch: batch(model),
    }
}

/// Six labelled texts, of different lengths.
pub fn batch(model: &Pretrained) -> TrainBatch {
    let examples = tiny::examples(6);
    let labels =
        LabelMap::from_names(vec!["food".into(), "nature".into(), "travel".into()]).unwrap();
    let mut texts = examples
        .iter()
        .map(|example| example.text.as_str())
        .collect::<Vec<_>>();
    texts[0] = "river";
    let encodings = encode(model, HeadKind::Mean, texts.into_iter(), 64).unwrap();
    let rows = encodings.iter().collect::<Vec<_>>();
    let device = &model.compute.device;
    let padded = Batch::pad(&rows, model.tokenizer.pad_id()).unwrap();
    let ids = examples
        .iter()
        .map(|example| labels.id(&example.label.names()[0]).unwrap())
        .collect::<Vec<_>>();
    TrainBatch {
        inputs: Inputs::Tokens(Box::new(TokenBatch::upload(&padded, device))),
        target: Target::Labels(Box::new(upload_labels(&ids, device))),
        rows: 6,
    }
}

/// What a validation snapshot gives.
pub async fn output(classifier: &Classifier, batch: &TrainBatch) -> Vec<f32> {
    read(classifier.valid().forward(&batch.inputs))
        .await
        .unwrap()
}

/// Optimiser steps on one batch, without decay, so that what moves has a gradient.
pub fn steps(ready: &Ready, count: usize, rate: f64) -> Classifier {
    let mut optimizer = AdamW::new(AdamWConfig {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.0,
        decay_bias_and_norm: false,
    });
    let rules = Rules {
        trainable: &ready.trainable,
        penalty: None,
        max_grad_norm: 1.0,
        pass: PassSettings::default(),
    };
    let mut classifier = ready.classifier.clone();
    for _ in 0..count {
        let batch = std::slice::from_ref(&ready.batch);
        let found = gradients(&classifier, batch, &rules.pass);
        (classifier, _) = train_step(classifier, &mut optimizer, found, &rules, |_| rate);
    }
    classifier
}

/// All values by path.
pub async fn values(network: &impl Module) -> BTreeMap<String, Vec<f32>> {
    let mut out = BTreeMap::new();
    for tensor in trained(network, &Trainable::of(network, |_| true)) {
        out.insert(tensor.path, read(tensor.value).await.unwrap());
    }
    out
}

/// The classifier with every delta folded into its weight.
pub fn merge(classifier: &Classifier) -> Classifier {
    let mut merged = classifier.clone();
    for (_, linear) in merged.linears_mut() {
        linear.weight = frozen(merged_weight(linear));
        linear.delta = None;
    }
    merged
}

/// A fresh method changes as much of the output as its papers say.
pub async fn starts(model: &Pretrained, case: &Case, head: HeadKind) {
    let ready = ready(model, case, head).await;
    let base = output(&ready.base, &ready.batch).await;
    let fresh = output(&ready.classifier, &ready.batch).await;
    assert!(fresh.iter().all(|value| value.is_finite()), "{}", case.name);
    let error = relative_error(&fresh, &base);
    let label = format!("{} {head:?}: {error:e}", case.name);
    match case.start {
        Start::Same => assert_eq!(fresh, base, "{label}"),
        // a weight is taken apart and put together in float32, twelve times over
        Start::Rounded => assert!(error < 2e-5, "{label}"),
        // 0.02 * sqrt(32) going down and 0.02 * sqrt(8) coming up: under a hundredth a sublayer
        Start::Near => assert!(error > 1e-6 && error < 0.1, "{label}"),
        Start::Other => assert!(error > 1e-3, "{label}"),
    }
}

/// Gradients exist exactly where the method trains, there the values move, and nowhere else.
pub async fn trains(model: &Pretrained, case: &Case, head: HeadKind) {
    let ready = ready(model, case, head).await;
    let name = format!("{} {head:?}", case.name);
    let [cls, mean] = case.trained;
    let count = match head {
        HeadKind::Cls => cls,
        HeadKind::Mean => mean,
    };
    let trained = ready
        .trainable
        .paths()
        .map(String::from)
        .collect::<BTreeSet<_>>();
    assert_eq!(trained.len(), count, "{name}: {trained:?}");
    let (found, loss) = gradients(
        &ready.classifier,
        std::slice::from_ref(&ready.batch),
        &PassSettings::default(),
    );
    assert!(read(loss).await.unwrap()[0].is_finite(), "{name}");
    let found = found
        .into_iter()
        .map(|(path, _)| path)
        .collect::<BTreeSet<_>>();
    assert_eq!(found, trained, "{name}");
    let before = values(&ready.classifier).await;
    let after = values(&steps(&ready, 3, 1e-2)).await;
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    for (path, old) in &before {
        // softmax does not see what is added to all of a row's scores: a key's bias has no gradient but rounding
        if path.ends_with(".key.bias") && trained.contains(path) {
            continue;
        }
        let moved = *old != after[path];
        assert_eq!(moved, trained.contains(path), "{name}: {path}");
    }
}

/// With only the topmost groups thawed, gradients exist in these alone.
pub async fn thaws(model: &Pretrained, case: &Case, head: HeadKind) {
    let Ready {
        classifier,
        trainable,
        batch,
        ..
    } = ready(model, case, head).await;
    let groups = Groups::new(&trainable, &classifier);
    let mut last = BTreeSet::new();
    for active in 1..=groups.len() {
        let thawed = activate(classifier.clone(), |path| {
            trainable.contains(path) && groups.is_active(path, active)
        });
        let (found, _) = gradients(
            &thawed,
            std::slice::from_ref(&batch),
            &PassSettings::default(),
        );
        let found = found
            .into_iter()
            .map(|(path, _)| path)
            .collect::<BTreeSet<_>>();
        let in_tables = |path: &str| {
            ["embeddings.", "embed_tokens."]
                .iter()
                .any(|table| path.contains(table))
        };
        let expected = |path: &&str| match active {
            1 => path.starts_with("head.") || path.contains(".pooler."),
            2 => layer_of(path) != Some(0) && !in_tables(path),
            3 => !in_tables(path),
            _ => true,
        };
        let expected = trainable
            .paths()
            .filter(expected)
            .map(String::from)
            .collect();
        assert_eq!(found, expected, "{} {head:?} {active}", case.name);
        assert!(found.is_superset(&last) && found.len() > last.len());
        last = found;
    }
    assert_eq!(last.len(), trainable.paths().count());
}

/// With gradient checkpointing the loss is the same to the last bit and every gradient but for rounding, however much is thawed and whatever is drawn.
pub async fn recomputes(model: &Pretrained, case: &Case, head: HeadKind) {
    let ready = ready(model, case, head).await;
    let batches = std::slice::from_ref(&ready.batch);
    let groups = Groups::new(&ready.trainable, &ready.classifier);
    for active in 1..=groups.len() {
        let thawed = activate(ready.classifier.clone(), |path| {
            ready.trainable.contains(path) && groups.is_active(path, active)
        });
        let of = |checkpointing: bool| {
            let pass = PassSettings {
                checkpointing,
                noise: Some(7),
            };
            gradients(&thawed, batches, &pass)
        };
        let ((plain, loss), (again, same)) = (of(false), of(true));
        let name = format!("{} {head:?} {active}", case.name);
        assert_eq!(read(loss).await, read(same).await, "{name}");
        assert_eq!(plain.len(), again.len(), "{name}");
        for ((path, plain), (other, again)) in plain.into_iter().zip(again) {
            assert_eq!(path, other, "{name}");
            let [plain, again] = [read(plain).await.unwrap(), read(again).await.unwrap()];
            // a layer's input feeds several products, whose gradients burn sums in another order once the layer is a graph of its own
            let error = relative_error(&again, &plain);
            assert!(error <= 1e-5, "{name}: {path}: {error:.1e}");
        }
    }
}

/// A central difference of float32 losses near 1: their rounding (1e-7) over twice this step gives 3e-5.
const STEP: f32 = 2e-3;
/// That rounding, a few times over.
const ROUNDING: f64 = 2e-4;
/// The third derivative's share of a gradient.
const CURVATURE: f64 = 5e-3;

async fn loss(classifier: &Classifier, batch: &TrainBatch) -> f64 {
    let sum = read(batch.loss_sum(classifier).inner()).await.unwrap()[0];
    f64::from(sum) / batch.rows as f64
}

/// The same with one number of a tensor moved; `values` are all of that tensor.
fn shifted(
    classifier: &Classifier,
    path: &str,
    values: &[f32],
    index: usize,
    by: f32,
) -> Classifier {
    let mut values = values.to_vec();
    values[index] += by;
    let mut moved = replace(classifier.clone(), |other, value| {
        (other == path).then(|| {
            let data = TensorData::new(values.clone(), [values.len()]);
            Tensor::from_data(data, &value.device())
        })
    });
    // DoRA's norm is a constant to its gradient: a magnitude that grows with the norm makes it one here too
    let mut old = classifier.clone();
    let old = old.encoder.linears_mut();
    for ((_, new), (_, old)) in moved.encoder.linears_mut().into_iter().zip(old) {
        let weight = old.weight.val();
        if let (Some(new), Some(old)) = (&mut new.delta, &old.delta)
            && path.contains(".delta.lora_")
        {
            let ratio = new.norm(&weight) / old.norm(&weight);
            new.magnitude = new
                .magnitude
                .take()
                .map(|magnitude| magnitude.map(|value| value.inner() * ratio));
        }
    }
    moved
}

/// A path without its layer's number: what may be differentiated by one code only.
fn kind(path: &str) -> String {
    path.replace(".0.", ".").replace(".1.", ".")
}

/// Analytic gradients equal finite differences, on two entries of each kind of tensor: the two largest gradients.
pub async fn differentiates(model: &Pretrained, case: &Case, head: HeadKind) {
    let mut ready = ready(model, case, head).await;
    // a fresh B has no gradient in front of it; a snapshot mixes nothing
    let trainable = ready.trainable.clone();
    // all weights together learn the batch by heart at once, and then nothing has a gradient
    let rate = if case.method["type"] == "full" {
        1e-3
    } else {
        1e-2
    };
    ready.classifier = activate(steps(&ready, 3, rate).valid(), |path| {
        trainable.contains(path)
    });
    let (found, _) = gradients(
        &ready.classifier,
        std::slice::from_ref(&ready.batch),
        &PassSettings::default(),
    );
    let snapshot = ready.classifier.valid();
    let state = values(&snapshot).await;
    let mut seen = BTreeSet::new();
    let mut largest = 0.0_f64;
    for (path, gradient) in found {
        if !seen.insert(kind(&path)) {
            continue;
        }
        let gradient = read(gradient).await.unwrap();
        let mut order = (0..gradient.len()).collect::<Vec<_>>();
        order.sort_by(|a, b| gradient[*b].abs().total_cmp(&gradient[*a].abs()));
        for index in order.into_iter().take(2) {
            let at = async |by: f32| {
                let moved = shifted(&snapshot, &path, &state[&path], index, by);
                loss(&moved, &ready.batch).await
            };
            let [up, down] = [at(STEP).await, at(-STEP).await];
            let numeric = (up - down) / (2.0 * f64::from(STEP));
            let analytic = f64::from(gradient[index]);
            largest = largest.max(analytic.abs());
            assert!(
                (numeric - analytic).abs() <= ROUNDING + CURVATURE * analytic.abs(),
                "{} {head:?} {path}[{index}]: {numeric} by differences, {analytic} by autodiff",
                case.name
            );
        }
    }
    assert!(largest > 0.01, "{}: no gradient to compare", case.name);
}
