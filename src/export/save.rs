//! Enters: a tuned classifier. Leaves: its method's own files, with all that a later import needs beside them.

use serde_json::{Value, json};

use super::files::{
    ADAPTER, ADAPTER_CONFIG, ADAPTER_MODEL, BASELINE_HEADS, CARD, DENSE, ExportedFile, HEAD,
    LABELS, LabelsFile, MODEL, MODEL_HEAD, NamedValues, file, json_file, named_values, safetensors,
};
use super::{card, sentence};
use crate::Result;
use crate::device::read;
use crate::models::classifier::HeadWeights;
use crate::models::names::{is_head, is_pooler, is_prefix};
use crate::models::{Family, HeadKind};
use crate::peft::prefix::prompt_embeddings;
use crate::peft::{Method, MethodType, Trainable};
use crate::tasks::classify::model::Pretrained;
use crate::tasks::classify::tuned::Tuned;

/// Everything that leaves with "Export".
///
/// # Errors
/// [`crate::Error::NotFinite`] where a trained value is no number; failures of the device.
pub async fn export(model: &Pretrained, tuned: &Tuned) -> Result<Vec<ExportedFile>> {
    let kind = tuned.method.kind();
    let head_kind = tuned.head();
    let whole = kind == MethodType::Full;
    let family = tuned.classifier.encoder.family();
    // of BERT alone the layer below the last one belongs to the encoder
    let headed = family.names_head();
    // untouched parts too, where the file is the whole network's
    let paths = match whole {
        true => Trainable::of(&tuned.classifier, |_| true),
        false => tuned.trainable.clone(),
    };
    let (head, mut body): (Vec<_>, Vec<_>) = named_values(&tuned.classifier, &paths, kind)
        .await?
        .into_iter()
        .partition(|(path, _)| is_head(path) || (headed && is_pooler(path)));
    let head = head
        .into_iter()
        .map(|(_, values)| values)
        .collect::<Vec<_>>();
    if kind == MethodType::Prefix {
        body.retain(|(path, _)| !is_prefix(path));
        if let Some(prompts) = prompt_embeddings(&tuned.classifier.encoder) {
            let shape = prompts.dims().to_vec();
            let values = read(prompts).await?;
            body.push((String::new(), ("prompt_embeddings".into(), shape, values)));
        }
    }
    let body = body
        .into_iter()
        .map(|(_, values)| values)
        .collect::<Vec<_>>();

    let mut files = Vec::new();
    match (&tuned.method, head_kind) {
        (Method::Probe(_), HeadKind::Cls) if headed => files.push(safetensors(HEAD, &head)?),
        (Method::Probe(_), _) => files.push(safetensors(HEAD, &bare_names(head))?),
        // PEFT and Transformers keep the classifier in the same file
        (Method::Lora(_) | Method::Prefix(_) | Method::Full(_), HeadKind::Cls) => {
            let path = if whole { MODEL } else { ADAPTER_MODEL };
            files.push(safetensors(path, body.iter().chain(&head))?);
        }
        (Method::Lora(_) | Method::Full(_), HeadKind::Mean) => {
            let path = if whole { MODEL } else { ADAPTER_MODEL };
            files.push(safetensors(path, &body)?);
            files.extend(sentence::folder(model, tuned)?);
            files.push(safetensors(DENSE, &head)?);
        }
        (Method::Prefix(_), HeadKind::Mean) => {
            files.push(safetensors(ADAPTER_MODEL, &body)?);
            files.push(sentence::dense_config(model, tuned)?);
            files.push(safetensors(DENSE, &head)?);
        }
        (Method::Houlsby(_), _) => {
            files.push(safetensors(ADAPTER, &body)?);
            match head_kind {
                HeadKind::Cls => {
                    files.push(json_file("head_config.json", &head_config(model, tuned))?);
                    files.push(safetensors(MODEL_HEAD, &head)?);
                }
                HeadKind::Mean => {
                    files.push(sentence::dense_config(model, tuned)?);
                    files.push(safetensors(DENSE, &head)?);
                }
            }
        }
    }
    let saved = tuned.classifier.modules_to_save();
    let settings = match &tuned.method {
        Method::Lora(config) => {
            let conv1d = family.is_conv1d();
            Some(config.adapter_config(&model.name, head_kind, saved, conv1d))
        }
        Method::Prefix(config) => {
            Some(config.adapter_config(&model.name, head_kind, saved, &model.config))
        }
        Method::Houlsby(config) => {
            let hidden = model.config.hidden_size;
            Some(config.adapter_config(&model.name, family, head_kind, hidden))
        }
        Method::Full(_) | Method::Probe(_) => None,
    };
    if let Some(settings) = settings {
        files.push(json_file(ADAPTER_CONFIG, &settings)?);
    }
    if whole {
        files.push(json_file("config.json", &config(model, tuned))?);
        if head_kind == HeadKind::Cls {
            files.extend(sentence::tokenizer(model)?);
        }
    }
    let labels = LabelsFile {
        labels: tuned.labels.names().to_vec(),
        head: head_kind,
        max_length: tuned.max_length,
        method: kind,
    };
    files.push(json_file(LABELS, &json!(labels))?);
    files.push(baseline_heads(tuned)?);
    files.push(file(CARD, card::card(model, tuned).into_bytes()));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
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

fn baseline_heads(tuned: &Tuned) -> Result<ExportedFile> {
    let heads = &tuned.baselines;
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

fn label_ids(tuned: &Tuned) -> Value {
    let names = tuned.labels.names().iter().enumerate();
    names
        .map(|(id, name)| (name.clone(), json!(id)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The model's own config.json, told what its weights are now.
fn config(model: &Pretrained, tuned: &Tuned) -> Value {
    let mut config = model.config_json.clone();
    if let Some(map) = config.as_object_mut() {
        map.remove("torch_dtype");
        map.insert("dtype".into(), json!("float32"));
        if tuned.head() == HeadKind::Cls {
            let names = tuned.labels.names().iter().enumerate();
            let id2label = names.map(|(id, name)| (id.to_string(), json!(name)));
            let id2label = id2label.collect::<serde_json::Map<_, _>>();
            map.insert("id2label".into(), id2label.into());
            map.insert("label2id".into(), label_ids(tuned));
            map.insert("problem_type".into(), json!("single_label_classification"));
        }
        if let Family::Decoder(_) = model.config.family {
            // by which transformers tells a text's last token
            let pad = model.tokenizer.pad_id();
            map.insert("pad_token_id".into(), json!(pad));
        }
        let architecture = model.config.family.model_class(tuned.head());
        map.insert("architectures".into(), json!([architecture]));
    }
    config
}

/// `head_config.json` as `adapters` 1.3 writes it.
fn head_config(model: &Pretrained, tuned: &Tuned) -> Value {
    json!({
        "config": null,
        "hidden_size": model.config.hidden_size,
        "label2id": label_ids(tuned),
        "model_class": model.config.family.model_class(HeadKind::Cls),
        "model_name": model.name,
        "model_type": model.config.family.model_type(),
        "name": null,
        "num_labels": tuned.labels.len(),
        "version": "adapters.1.3.0"
    })
}
