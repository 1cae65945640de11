//! Enters: a tuned classifier. Leaves: PEFT's adapter files, with all that the head and a later import need beside them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{card, sentence};
use crate::eval::evaluate::read;
use crate::formats::write;
use crate::models::heads::HeadWeights;
use crate::models::load::transpose;
use crate::models::names::{adapter_key, is_head, is_transposed};
use crate::models::{Classifier, HeadKind};
use crate::peft::freeze::trained;
use crate::pretrained::Pretrained;
use crate::tuned::Tuned;
use crate::{Error, Result};

/// PEFT's weights.
pub const ADAPTER_MODEL: &str = "adapter_model.safetensors";
/// PEFT's settings.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";
/// Label names and what an import needs beyond PEFT's files.
pub const LABELS: &str = "labels.json";
/// The head that was fitted on the untuned model, so that an import can show both.
pub const BASELINE_HEAD: &str = "baseline_head.safetensors";

/// The model card.
pub const CARD: &str = "README.md";

/// A file of an export; the path uses forward slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFile {
    pub path: String,
    pub bytes: Vec<u8>,
}

/// `labels.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelsFile {
    /// In the order of the logits.
    pub labels: Vec<String>,
    pub head: HeadKind,
    pub max_length: usize,
}

/// A tensor as files hold it: key, shape, values.
pub type NamedValues = (String, Vec<usize>, Vec<f32>);

/// All trained tensors as PEFT and Sentence-Transformers store them.
///
/// # Errors
/// Failures of the device.
pub async fn named_values(classifier: &Classifier) -> Result<Vec<(String, NamedValues)>> {
    let kind = classifier.head.kind();
    let mut out = Vec::new();
    for tensor in trained(classifier) {
        let values = read(tensor.value).await?;
        let key = adapter_key(&tensor.path, kind);
        let stored = match tensor.shape[..] {
            [rows, columns] if is_transposed(&tensor.path, 2) => {
                (key, vec![columns, rows], transpose(&values, rows, columns))
            }
            _ => (key, tensor.shape, values),
        };
        out.push((tensor.path, stored));
    }
    Ok(out)
}

/// Everything that leaves with "Export": see the module's files.
///
/// # Errors
/// [`Error::NotFinite`] where a trained value is no number; failures of the device.
pub async fn export(model: &Pretrained, tuned: &Tuned) -> Result<Vec<ExportedFile>> {
    // a kept classifier is a validation snapshot; what trained is known again after `train`
    let classifier = burn::module::Module::train(tuned.classifier.clone());
    let (head, mut adapter): (Vec<_>, Vec<_>) = named_values(&classifier)
        .await?
        .into_iter()
        .partition(|(path, _)| is_head(path));
    let mut files = Vec::new();
    match tuned.head() {
        // PEFT keeps a trained classifier in the adapter file, under modules_to_save
        HeadKind::Cls => adapter.extend(head),
        HeadKind::Mean => {
            let dense = safetensors(head.iter().map(|(_, values)| values), &[])?;
            files.extend(sentence::files(model, tuned, dense)?);
        }
    }
    let format = [("format", "pt")];
    files.push(file(
        ADAPTER_MODEL,
        safetensors(adapter.iter().map(|(_, values)| values), &format)?,
    ));
    files.push(json_file(
        ADAPTER_CONFIG,
        &tuned.lora.adapter_config(&model.name, tuned.head()),
    )?);
    let labels = LabelsFile {
        labels: tuned.labels.names().to_vec(),
        head: tuned.head(),
        max_length: tuned.max_length,
    };
    files.push(json_file(LABELS, &json!(labels))?);
    files.push(file(BASELINE_HEAD, head_file(&tuned.baseline)?));
    files.push(file(CARD, card::card(model, tuned).into_bytes()));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn head_file(head: &HeadWeights) -> Result<Vec<u8>> {
    let [labels, hidden] = [head.labels(), head.hidden()];
    let weight = (
        "weight".to_string(),
        vec![labels, hidden],
        head.weight.clone(),
    );
    let bias = ("bias".to_string(), vec![labels], head.bias.clone());
    safetensors([&weight, &bias].into_iter(), &[])
}

fn safetensors<'a>(
    tensors: impl Iterator<Item = &'a NamedValues>,
    metadata: &[(&str, &str)],
) -> Result<Vec<u8>> {
    let metadata = metadata
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect::<BTreeMap<_, _>>();
    let tensors =
        tensors.map(|(key, shape, values)| (key.as_str(), shape.as_slice(), values.as_slice()));
    write(tensors, &metadata)
}

pub(super) fn file(path: &str, bytes: Vec<u8>) -> ExportedFile {
    ExportedFile {
        path: path.into(),
        bytes,
    }
}

pub(super) fn json_file(path: &str, value: &serde_json::Value) -> Result<ExportedFile> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::InvalidState(format!("{path}: {error}")))?;
    text.push('\n');
    Ok(file(path, text.into_bytes()))
}
