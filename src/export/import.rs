//! Enters: the files of an export. Leaves: the tuned classifier they describe, with the same predictions.

use std::collections::{HashMap, HashSet};

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::adapter::{
    ADAPTER_CONFIG, ADAPTER_MODEL, BASELINE_HEAD, CARD, ExportedFile, LABELS, LabelsFile,
};
use crate::data::LabelMap;
use crate::formats::{Header, MemorySource, read_tensor};
use crate::models::heads::HeadWeights;
use crate::models::load::transpose;
use crate::models::names::{adapter_key, is_transposed};
use crate::models::{Bert, Classifier, Head, HeadKind};
use crate::peft::freeze::{replace_trained, train_head, trained};
use crate::peft::{LoraConfig, attach};
use crate::pretrained::Pretrained;
use crate::tuned::{Card, Tuned};
use crate::{Error, Result};

const DENSE: &str = "3_Dense/model.safetensors";

/// Reads an exported adapter back onto the model that is loaded.
///
/// # Errors
/// Missing or broken files, tensors of other shapes than the loaded model has, labels that do not fit.
pub async fn import(model: &Pretrained, files: Vec<ExportedFile>) -> Result<Tuned> {
    let files = Files::new(files);
    let (lora, head) = LoraConfig::from_adapter_config(files.bytes(ADAPTER_CONFIG)?)?;
    let labels: LabelsFile =
        serde_json::from_slice(files.bytes(LABELS)?).map_err(|error| Error::InvalidFile {
            file: LABELS.into(),
            reason: error.to_string(),
        })?;
    if labels.head != head {
        return Err(Error::InvalidFile {
            file: LABELS.into(),
            reason: format!(
                "its head is {:?}, but the adapter's task type means {head:?}",
                labels.head
            ),
        });
    }
    model.check_head(head)?;
    let positions = model.config.max_position_embeddings;
    if !(3..=positions).contains(&labels.max_length) {
        return Err(Error::InvalidFile {
            file: LABELS.into(),
            reason: format!(
                "maxLength: expected 3 to {positions}, got {}",
                labels.max_length
            ),
        });
    }
    let map = LabelMap::from_names(labels.labels)?;
    let hidden = model.config.hidden_size;
    let mut tensors = files.tensors(ADAPTER_MODEL).await?;
    if head == HeadKind::Mean {
        tensors.extend(files.tensors(DENSE).await?);
    }
    let baseline = baseline(&files.tensors(BASELINE_HEAD).await?, map.len(), hidden)?;
    let classifier = restore(&model.bert, &lora, head, &tensors, map.len())?;
    Ok(Tuned {
        classifier: classifier.valid(),
        baseline,
        labels: map,
        lora,
        max_length: labels.max_length,
        // the run is over and known only by its card, which goes on with the adapter
        card: Card::Imported(match files.bytes(CARD) {
            Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Err(_) => format!("# LoRA adapter for {}\n", model.name),
        }),
    })
}

/// A trainable classifier with an adapter file's values.
///
/// # Errors
/// [`Error::MissingTensor`], [`Error::WrongShape`], or settings that do not fit the model.
pub fn restore(
    bert: &Bert,
    lora: &LoraConfig,
    head: HeadKind,
    tensors: &Tensors,
    labels: usize,
) -> Result<Classifier> {
    let table = bert.embeddings.word_embeddings.weight.val();
    let device = table.device();
    let blank = HeadWeights::zeros(labels, table.dims()[1]);
    let mut classifier = Classifier {
        bert: bert.clone(),
        head: Head::new(head, &blank, &device),
    };
    attach(&mut classifier, lora, 0)?;
    train_head(&mut classifier);
    let mut values = HashMap::new();
    let mut known = HashSet::new();
    for tensor in trained(&classifier) {
        let key = adapter_key(&tensor.path, head);
        let stored = match tensor.shape[..] {
            [rows, columns] if is_transposed(&tensor.path, 2) => {
                transpose(tensors.get(&key, &[columns, rows])?, columns, rows)
            }
            _ => tensors.get(&key, &tensor.shape)?.to_vec(),
        };
        values.insert(tensor.path, stored);
        known.insert(key);
    }
    if let Some(stranger) = tensors.values.keys().find(|key| !known.contains(*key)) {
        return Err(Error::InvalidFile {
            file: tensors.file.clone(),
            reason: format!("tensor {stranger} belongs to no layer that the settings name"),
        });
    }
    Ok(replace_trained(classifier, |path, _| {
        let values = values.remove(path)?;
        let count = values.len();
        Some(Tensor::from_data(TensorData::new(values, [count]), &device))
    }))
}

/// The tensors of a safetensors file, in memory.
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
}

fn baseline(tensors: &Tensors, labels: usize, hidden: usize) -> Result<HeadWeights> {
    Ok(HeadWeights {
        weight: tensors.get("weight", &[labels, hidden])?.to_vec(),
        bias: tensors.get("bias", &[labels])?.to_vec(),
    })
}

struct Files(Vec<ExportedFile>);

impl Files {
    /// A zip or a folder may put everything into one folder more.
    fn new(mut files: Vec<ExportedFile>) -> Self {
        let root = files
            .iter()
            .find_map(|file| file.path.strip_suffix(ADAPTER_CONFIG))
            .unwrap_or_default()
            .to_string();
        for file in &mut files {
            if let Some(rest) = file.path.strip_prefix(&root) {
                file.path = rest.into();
            }
        }
        Self(files)
    }

    fn bytes(&self, path: &str) -> Result<&[u8]> {
        match self.0.iter().find(|file| file.path == path) {
            Some(file) => Ok(&file.bytes),
            None => Err(Error::MissingFile {
                file: path.into(),
                found: self
                    .0
                    .iter()
                    .map(|file| file.path.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    async fn tensors(&self, path: &str) -> Result<Tensors> {
        Tensors::read(path, self.bytes(path)?.to_vec()).await
    }
}
