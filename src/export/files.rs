//! Enters: values and settings. Leaves: the files of an export, and the tensors of files that come back.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::device::read;
use crate::formats::{Header, MemorySource, read_tensor, write};
use crate::models::load::transpose;
use crate::models::names::is_transposed;
use crate::models::{Classifier, HeadKind};
use crate::peft::freeze::trained;
use crate::peft::keys::file_key;
use crate::peft::{MethodType, Trainable};
use crate::{Error, Result};

/// PEFT's weights.
pub const ADAPTER_MODEL: &str = "adapter_model.safetensors";
/// PEFT's and AdapterHub's settings.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";
/// AdapterHub's weights.
pub const ADAPTER: &str = "adapter.safetensors";
/// The head beside AdapterHub's weights.
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
    /// Files of the first version knew LoRA alone.
    #[serde(default = "lora")]
    pub method: MethodType,
}

fn lora() -> MethodType {
    MethodType::Lora
}

/// A tensor as files hold it: key, shape, values.
pub type NamedValues = (String, Vec<usize>, Vec<f32>);

/// The key of a path in the method's weight file.
pub fn key(
    path: &str,
    method: MethodType,
    classifier: &Classifier,
    trainable: &Trainable,
) -> String {
    let has_delta = trainable.has_delta(path);
    let family = classifier.encoder.family();
    file_key(path, method, family, classifier.head.kind(), has_delta)
}

/// The tensors of `paths` as the method's files hold them, each with its path.
///
/// # Errors
/// Failures of the device.
pub async fn named_values(
    classifier: &Classifier,
    paths: &Trainable,
    method: MethodType,
) -> Result<Vec<(String, NamedValues)>> {
    let mut out: Vec<(String, NamedValues)> = Vec::new();
    for tensor in trained(classifier, paths) {
        let values = read(tensor.value).await?;
        let key = key(&tensor.path, method, classifier, paths);
        let stored = match tensor.shape[..] {
            [rows, columns] if is_transposed(&tensor.path, 2) => {
                (key, vec![columns, rows], transpose(&values, rows, columns))
            }
            _ => (key, tensor.shape, values),
        };
        match out.last_mut() {
            // the parts of a table follow one another and are one tensor of a file
            Some((_, (key, shape, values))) if *key == stored.0 => {
                shape[0] += stored.1[0];
                values.extend(stored.2);
            }
            _ => out.push((tensor.path, stored)),
        }
    }
    Ok(out)
}

/// A safetensors file. `metadata` of `format: pt` is what PyTorch tools expect.
///
/// # Errors
/// [`Error::NotFinite`] where a value is no number.
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

/// The tensors of one or more safetensors files, in memory.
#[derive(Debug, Clone)]
pub struct Tensors {
    file: String,
    values: HashMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Tensors {
    /// Reads all of a file.
    ///
    /// # Errors
    /// As [`Header::read`] and [`read_tensor`].
    pub async fn read(file: &str, bytes: Vec<u8>) -> Result<Self> {
        let source = MemorySource::new(file, bytes);
        let header = Header::read(&source).await?;
        let mut values = HashMap::new();
        for info in header.tensors() {
            let tensor = read_tensor(&source, &header, &info.name).await?;
            values.insert(info.name.clone(), tensor);
        }
        Ok(Self {
            file: file.into(),
            values,
        })
    }

    /// Adds another file's tensors.
    pub fn extend(&mut self, other: Self) {
        self.values.extend(other.values);
    }

    /// A head's bare `weight` and `bias` under the names that it has in a file of that kind; BERT's, where it is a `cls` head.
    pub fn renamed(self, head: HeadKind) -> Self {
        let module = match head {
            HeadKind::Cls => "classifier",
            HeadKind::Mean => "linear",
        };
        let values = self.values.into_iter();
        Self {
            file: self.file,
            values: values
                .map(|(key, value)| (format!("{module}.{key}"), value))
                .collect(),
        }
    }

    /// Whether there is a tensor of that key.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// One tensor's values in row order.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] or [`Error::WrongShape`].
    pub fn get(&self, key: &str, shape: &[usize]) -> Result<&[f32]> {
        let (found, values) = self.values.get(key).ok_or_else(|| Error::MissingTensor {
            file: self.file.clone(),
            tensor: key.into(),
        })?;
        if found != shape {
            return Err(Error::WrongShape {
                tensor: key.into(),
                expected: shape.to_vec(),
                found: found.clone(),
            });
        }
        Ok(values)
    }

    /// # Errors
    /// [`Error::InvalidFile`] naming a tensor that `known` does not name.
    pub fn refuse_strangers(&self, known: impl Fn(&str) -> bool) -> Result<()> {
        match self.values.keys().find(|key| !known(key)) {
            None => Ok(()),
            Some(stranger) => Err(Error::file(
                self.file.clone(),
                format!("tensor {stranger} belongs to no layer that the settings name"),
            )),
        }
    }
}
