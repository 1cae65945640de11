//! The files of a method's own format: PEFT's and AdapterHub's adapters, a Sentence-Transformers folder, a head alone, all weights of a
//! classifier; and what an import needs next to other tools' files.

use serde_json::{Map, Value, json};

use super::card::card;
use super::continue_py::continue_files;
use super::file::{
    ADAPTER, ADAPTER_MODEL, BASELINE_HEADS, CARD, DENSE, ExportedFile, HEAD, LABELS, LabelsFile,
    MODEL, MODEL_HEAD, file, json_file, safetensors,
};
use super::sentence;
use super::subject::{ClassifierFacts, Subject, TaskFacts};
use crate::Result;
use crate::eval::evaluation::BaselineHeads;
use crate::models::classifier::HeadWeights;
use crate::models::names::{is_head, is_pooler};
use crate::models::{Family, HeadKind};
use crate::peft::adapter_file::ADAPTER_CONFIG;
use crate::peft::store::{NamedValues, named_values};
use crate::peft::{Method, MethodType, TaskType, Trainable, Tunable};

/// Everything of the method's own format.
///
/// # Errors
/// [`crate::Error::NotFinite`] for a trained value that is no number; failures of the device.
pub async fn own_files<N: Tunable>(subject: &Subject<'_, N>) -> Result<Vec<ExportedFile>> {
    let kind = subject.method.kind();
    let task = subject.base.task;
    let mut files = weights(subject).await?;
    if let Some(settings) = settings(subject)? {
        files.push(json_file(ADAPTER_CONFIG, &settings)?);
    }
    if kind == MethodType::Full {
        files.push(json_file("config.json", &config(subject))?);
    }
    match (kind, task) {
        (MethodType::Lora | MethodType::Full, TaskType::FeatureExtraction) => {
            files.extend(sentence::folder(subject)?);
        }
        (MethodType::Prefix | MethodType::Houlsby, TaskType::FeatureExtraction) => {
            files.push(sentence::dense_config(subject)?);
        }
        (MethodType::Full, _) | (_, TaskType::CausalLm) => {
            files.extend(subject.tokenizer.iter().cloned());
        }
        _ => (),
    }
    if let TaskFacts::Language { run: Some(run), .. } = &subject.task
        && kind == MethodType::Lora
    {
        files.extend(continue_files(run)?);
    }
    files.extend(companions(subject, kind)?);
    Ok(files)
}

/// The method's values in its files.
async fn weights<N: Tunable>(subject: &Subject<'_, N>) -> Result<Vec<ExportedFile>> {
    let kind = subject.method.kind();
    // untouched parts too, if the file is the whole network's
    let all = Trainable::of(subject.network, |_| true);
    let paths = if kind == MethodType::Full {
        &all
    } else {
        subject.trainable
    };
    // of BERT alone the layer below the last one belongs to the encoder
    let named = subject.classifier().is_some_and(|facts| facts.names_head);
    let (head, body): (Vec<_>, Vec<_>) = named_values(subject.network, paths, kind)
        .await?
        .into_iter()
        .partition(|(path, _)| is_head(path) || (named && is_pooler(path)));
    let [head, body] = [head, body].map(|part| {
        let values = part.into_iter().map(|(_, values)| values);
        values.collect::<Vec<_>>()
    });
    let main = match kind {
        MethodType::Full => MODEL,
        MethodType::Lora | MethodType::Prefix => ADAPTER_MODEL,
        MethodType::Houlsby => ADAPTER,
        MethodType::Probe => HEAD,
    };
    match (kind, subject.base.task) {
        (MethodType::Probe, TaskType::SeqCls) if named => Ok(vec![safetensors(main, &head)?]),
        (MethodType::Probe, _) => Ok(vec![safetensors(main, &bare_names(head))?]),
        (_, TaskType::FeatureExtraction) => {
            Ok(vec![safetensors(main, &body)?, safetensors(DENSE, &head)?])
        }
        (MethodType::Houlsby, _) => Ok(vec![
            safetensors(main, &body)?,
            safetensors(MODEL_HEAD, &head)?,
            json_file("head_config.json", &head_config(subject)?)?,
        ]),
        // PEFT and Transformers hold the classifier in the same file
        _ => Ok(vec![safetensors(main, body.iter().chain(&head))?]),
    }
}

/// `weight` and `bias`, whatever the head's own names are.
fn bare_names(head: Vec<NamedValues>) -> Vec<NamedValues> {
    head.into_iter()
        .map(|(key, shape, values)| {
            let bare = key.rsplit('.').next().unwrap_or_default().to_string();
            (bare, shape, values)
        })
        .collect()
}

/// `adapter_config.json`.
fn settings<N: Tunable>(subject: &Subject<N>) -> Result<Option<Value>> {
    Ok(match subject.method {
        Method::Lora(config) => Some(config.adapter_config(&subject.base)),
        Method::Prefix(config) => Some(config.adapter_config(&subject.base)),
        Method::Houlsby(config) => {
            let facts = subject.of_classifier()?;
            let (name, head) = (subject.base.name, head_kind(subject.base.task));
            Some(config.adapter_config(name, facts.family, head, facts.hidden_size))
        }
        Method::Full(_) | Method::Probe(_) => None,
    })
}

fn head_kind(task: TaskType) -> HeadKind {
    match task {
        TaskType::FeatureExtraction => HeadKind::Mean,
        TaskType::SeqCls | TaskType::CausalLm => HeadKind::Cls,
    }
}

/// The model card, and of a classifier what its import needs besides. `method`: how the files hold what was tuned.
///
/// # Errors
/// [`crate::Error::NotFinite`].
pub fn companions<N>(subject: &Subject<N>, method: MethodType) -> Result<Vec<ExportedFile>> {
    let mut files = vec![file(CARD, card(subject, method).into_bytes())];
    if let Some(facts) = subject.classifier() {
        let labels = LabelsFile {
            labels: facts.labels.names().to_vec(),
            head: head_kind(subject.base.task),
            max_length: facts.max_length,
            method,
            pairs: facts.pairs,
            problem: facts.problem,
            thresholds: facts.thresholds.map(<[f64]>::to_vec),
            baseline_thresholds: facts.baselines.and_then(|heads| heads.thresholds.clone()),
        };
        files.push(json_file(LABELS, &json!(labels))?);
        if let Some(heads) = facts.baselines {
            files.push(baseline_heads(heads)?);
        }
    }
    Ok(files)
}

fn baseline_heads(heads: &BaselineHeads) -> Result<ExportedFile> {
    let parts = |prefix: &str, head: &HeadWeights| {
        let [labels, hidden] = [head.labels(), head.hidden()];
        let weight = (
            format!("{prefix}weight"),
            vec![labels, hidden],
            head.weight.clone(),
        );
        let bias = (format!("{prefix}bias"), vec![labels], head.bias.clone());
        [weight, bias]
    };
    let tensors = [
        parts("", &heads.probe),
        parts("centroid.", &heads.centroid),
        parts("zero_shot.", &heads.zero_shot),
    ]
    .concat();
    safetensors(BASELINE_HEADS, &tensors)
}

/// The model's own config.json, changed to what its weights are now.
pub fn config<N>(subject: &Subject<N>) -> Value {
    let mut config = subject.config_json.clone();
    let Some(map) = config.as_object_mut() else {
        return config;
    };
    map.remove("torch_dtype");
    map.insert("dtype".into(), json!("float32"));
    let Some(facts) = subject.classifier() else {
        return config;
    };
    let head = head_kind(subject.base.task);
    if head == HeadKind::Cls {
        with_labels(map, facts);
    }
    if let Family::Decoder(_) = facts.family {
        // by which transformers finds a text's last token
        map.insert("pad_token_id".into(), json!(facts.pad_token));
    }
    let architecture = facts.family.model_class(head);
    map.insert("architectures".into(), json!([architecture]));
    config
}

/// What config.json says of a head that is in the same file.
pub fn with_labels(config: &mut Map<String, Value>, facts: &ClassifierFacts) {
    let names = facts.labels.names().iter().enumerate();
    let id2label = names.map(|(id, name)| (id.to_string(), json!(name)));
    let id2label = id2label.collect::<Map<_, _>>();
    config.insert("id2label".into(), id2label.into());
    config.insert("label2id".into(), facts.label_ids());
    config.insert("problem_type".into(), json!(facts.problem));
}

/// `head_config.json` as `adapters` 1.3 writes it.
fn head_config<N>(subject: &Subject<N>) -> Result<Value> {
    let facts = subject.of_classifier()?;
    Ok(json!({
        "config": null,
        "hidden_size": facts.hidden_size,
        "label2id": facts.label_ids(),
        "model_class": facts.family.model_class(HeadKind::Cls),
        "model_name": subject.base.name,
        "model_type": facts.family.model_type(),
        "name": null,
        "num_labels": facts.labels.len(),
        "version": "adapters.1.3.0"
    }))
}
