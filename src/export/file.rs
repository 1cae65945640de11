//! A file of an export, the names that other tools know such files by, and how each kind is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::ProblemType;
use crate::eval::evaluation::OfBaselines;
use crate::formats::write;
use crate::models::HeadKind;
use crate::peft::MethodType;
use crate::peft::store::NamedValues;
use crate::{Error, Result};

/// PEFT's weights.
pub const ADAPTER_MODEL: &str = "adapter_model.safetensors";
/// AdapterHub's weights.
pub const ADAPTER: &str = "adapter.safetensors";
/// The head next to AdapterHub's weights.
pub const MODEL_HEAD: &str = "model_head.safetensors";
/// A whole network.
pub const MODEL: &str = "model.safetensors";
/// The head alone.
pub const HEAD: &str = "head.safetensors";
/// A `mean` head, as a Sentence-Transformers module.
pub const DENSE: &str = "3_Dense/model.safetensors";
/// Label names and what an import needs beyond other tools' files.
pub const LABELS: &str = "labels.json";
/// The heads on the untuned model, so that an import can show both.
pub const BASELINE_HEADS: &str = "baseline_head.safetensors";
/// The model card.
pub const CARD: &str = "README.md";

/// A file of an export; the path uses forward slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFile {
    /// Below the export's folder.
    pub path: String,
    /// The whole content.
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
    pub method: MethodType,
    /// Whether pairs of texts were learnt, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<bool>,
    /// As in config.json, and under its name there.
    #[serde(rename = "problem_type")]
    pub problem: ProblemType,
    /// The probability above which a text is given a label, in the order of the logits; only where texts may have several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Vec<f64>>,
    /// The same of the heads on the untuned model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_thresholds: Option<OfBaselines<Vec<f64>>>,
}

/// The same as it is read: a file that is no more than `{"labels": [...]}` names the labels of an adapter that another tool made.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelsGiven {
    pub labels: Option<Vec<String>>,
    pub head: Option<HeadKind>,
    pub max_length: Option<usize>,
    /// Files of the first version knew LoRA alone.
    pub method: Option<MethodType>,
    /// Files of the first versions did not say it.
    pub pairs: Option<bool>,
    #[serde(rename = "problem_type")]
    pub problem: Option<ProblemType>,
    pub thresholds: Option<Vec<f64>>,
    pub baseline_thresholds: Option<OfBaselines<Vec<f64>>>,
}

/// A safetensors file. `metadata` of `format: pt` is what PyTorch tools expect.
///
/// # Errors
/// [`Error::NotFinite`] for a value that is no number.
pub fn safetensors<'a>(
    path: &str,
    tensors: impl IntoIterator<Item = &'a NamedValues>,
) -> Result<ExportedFile> {
    let metadata = BTreeMap::from([("format".to_string(), "pt".to_string())]);
    let tensors = tensors
        .into_iter()
        .map(|(key, shape, values)| (key.as_str(), shape.as_slice(), values.as_slice()));
    Ok(file(path, write(tensors, &metadata)?))
}

pub fn file(path: &str, bytes: Vec<u8>) -> ExportedFile {
    ExportedFile {
        path: path.into(),
        bytes,
    }
}

/// # Errors
/// None in practice: a JSON value is serialisable.
pub fn json_file(path: &str, value: &Value) -> Result<ExportedFile> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::internal(format!("{path}: {error}")))?;
    text.push('\n');
    Ok(file(path, text.into_bytes()))
}
