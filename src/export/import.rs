//! Enters: the files of an export. Leaves: the tuned classifier they describe, with the same predictions.

use std::collections::{HashMap, HashSet};

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::files::{
    ADAPTER, ADAPTER_CONFIG, ADAPTER_MODEL, BASELINE_HEADS, CARD, DENSE, ExportedFile, HEAD,
    LABELS, LabelsFile, MODEL, MODEL_HEAD, Tensors, key,
};
use crate::data::LabelMap;
use crate::eval::evaluation::BaselineHeads;
use crate::models::classifier::HeadWeights;
use crate::models::load::transpose;
use crate::models::names::{is_prefix, is_table_part, is_transposed};
use crate::models::{Backbone, Classifier, Head, HeadKind};
use crate::peft::config::modules_to_save;
use crate::peft::freeze::{replace, trained};
use crate::peft::keys::other_key;
use crate::peft::{HoulsbyConfig, LoraConfig, Method, MethodType, PrefixConfig, Trainable, attach};
use crate::tasks::classify::model::Pretrained;
use crate::tasks::classify::tuned::{Card, Tuned};
use crate::{Error, Result};

/// PEFT's name of a whole prefix.
const PROMPTS: &str = "prompt_embeddings";

/// Reads an export back onto the model that is loaded.
///
/// # Errors
/// Missing or broken files, tensors of other shapes than the loaded model has, labels that do not fit.
pub async fn import(model: &Pretrained, files: Vec<ExportedFile>) -> Result<Tuned> {
    let files = Files::new(files, LABELS);
    let labels: LabelsFile =
        serde_json::from_slice(files.bytes(LABELS)?).map_err(|error| Error::file(LABELS, error))?;
    let head = labels.head;
    let conv1d = model.config.family.is_conv1d();
    let method = read_method(&files, labels.method, head, conv1d)?;
    model.check_head(head)?;
    let prefix = match &method {
        Method::Prefix(config) => config.num_virtual_tokens,
        _ => 0,
    };
    let positions = model.config.max_tokens.saturating_sub(prefix);
    if !(3..=positions).contains(&labels.max_length) {
        return Err(Error::file(
            LABELS,
            format!(
                "maxLength: expected 3 to {positions}, got {}",
                labels.max_length
            ),
        ));
    }
    let map = LabelMap::from_names(labels.labels)?;
    let hidden = model.config.hidden_size;
    let mut tensors = files.tensors(weights(labels.method)).await?;
    match (labels.method, head) {
        // the other families' heads have names
        (MethodType::Probe, HeadKind::Cls) if model.config.family.names_head() => {}
        (MethodType::Probe, _) => tensors = tensors.renamed(head),
        (_, HeadKind::Mean) => tensors.extend(files.tensors(DENSE).await?),
        (MethodType::Houlsby, HeadKind::Cls) => tensors.extend(files.tensors(MODEL_HEAD).await?),
        _ => {}
    }
    let baselines = baselines(&files.tensors(BASELINE_HEADS).await?, map.len(), hidden)?;
    let mut encoder = model.encoder.clone();
    if matches!(method, Method::Lora(_) | Method::Prefix(_)) {
        encoder.match_modules_to_save(&modules_to_save(files.bytes(ADAPTER_CONFIG)?)?);
    }
    let (classifier, trainable) = restore(&encoder, &method, head, &tensors, map.len())?;
    Ok(Tuned {
        classifier: classifier.valid(),
        method,
        trainable,
        baselines,
        labels: map,
        max_length: labels.max_length,
        // the run is over and known only by its card, which goes on with the adapter
        card: Card::Imported(match files.bytes(CARD) {
            Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Err(_) => format!("# Text classifier for {}\n", model.name),
        }),
    })
}

/// The file that holds a method's weights.
fn weights(method: MethodType) -> &'static str {
    match method {
        MethodType::Lora | MethodType::Prefix => ADAPTER_MODEL,
        MethodType::Houlsby => ADAPTER,
        MethodType::Full => MODEL,
        MethodType::Probe => HEAD,
    }
}

fn read_method(files: &Files, method: MethodType, head: HeadKind, conv1d: bool) -> Result<Method> {
    let settings = || files.bytes(ADAPTER_CONFIG);
    let same_head = |found: HeadKind| match found == head {
        true => Ok(()),
        false => Err(Error::file(
            LABELS,
            format!("its head is {head:?}, but the adapter's task type means {found:?}"),
        )),
    };
    match method {
        MethodType::Full => Ok(Method::Full(Default::default())),
        MethodType::Probe => Ok(Method::Probe(Default::default())),
        MethodType::Houlsby => Ok(Method::Houlsby(HoulsbyConfig::from_adapter_config(
            settings()?,
        )?)),
        MethodType::Lora => {
            let (config, found) = LoraConfig::from_adapter_config(settings()?, conv1d)?;
            same_head(found)?;
            Ok(Method::Lora(config))
        }
        MethodType::Prefix => {
            let (config, found) = PrefixConfig::from_adapter_config(settings()?)?;
            same_head(found)?;
            Ok(Method::Prefix(config))
        }
    }
}

/// A classifier with a method's values from its files, without gradients, and what of it the method trains.
///
/// # Errors
/// [`Error::MissingTensor`], [`Error::WrongShape`], or settings that do not fit the model.
pub fn restore(
    encoder: &Backbone,
    method: &Method,
    head: HeadKind,
    tensors: &Tensors,
    labels: usize,
) -> Result<(Classifier, Trainable)> {
    let device = encoder.device();
    let hidden = encoder.hidden_size();
    let blank = HeadWeights::zeros(labels, hidden);
    let mut classifier = Classifier::new(encoder.clone(), Head::new(head, &blank, &device));
    let trainable = attach(&mut classifier, method, 0)?;
    let kind = method.kind();
    let mut values = HashMap::new();
    let mut known = HashSet::new();
    let prompts = match method {
        Method::Prefix(config) => {
            let layers = encoder.num_layers();
            let shape = [config.num_virtual_tokens, 2 * layers * encoder.key_width()];
            known.insert(PROMPTS.to_string());
            Some(tensors.get(PROMPTS, &shape)?)
        }
        _ => None,
    };
    let mut part = 0;
    let mut row = 0;
    let tensors_of = trained(&classifier, &trainable);
    let parts = tensors_of
        .iter()
        .filter(|tensor| is_table_part(&tensor.path));
    let words = parts.map(|tensor| tensor.shape[0]).sum::<usize>();
    for tensor in tensors_of {
        let stored = match prompts {
            // keys and values come in the order of the modules, which is PEFT's
            Some(prompts) if is_prefix(&tensor.path) => {
                let width = prompts.len() / tensor.shape[0];
                let columns = part * tensor.shape[1]..(part + 1) * tensor.shape[1];
                part += 1;
                prompts
                    .chunks(width)
                    .flat_map(|row| &row[columns.clone()])
                    .copied()
                    .collect()
            }
            _ => {
                let mut key = key(&tensor.path, kind, &classifier, &trainable);
                if let Some(other) = other_key(&key)
                    && tensors.has(&other)
                {
                    key = other;
                }
                let stored = match tensor.shape[..] {
                    [rows, columns] if is_transposed(&tensor.path, 2) => {
                        transpose(tensors.get(&key, &[columns, rows])?, columns, rows)
                    }
                    [rows, width] if is_table_part(&tensor.path) => {
                        let start = row * width;
                        row += rows;
                        tensors.get(&key, &[words, width])?[start..row * width].to_vec()
                    }
                    _ => tensors.get(&key, &tensor.shape)?.to_vec(),
                };
                known.insert(key);
                stored
            }
        };
        values.insert(tensor.path, stored);
    }
    // a pooler that a `mean` head does not read lies in a whole network's file all the same
    tensors.refuse_strangers(|key| {
        known.contains(key) || (kind == MethodType::Full && key.starts_with("pooler."))
    })?;
    let restored = replace(classifier, |path, _| {
        let values = values.remove(path)?;
        let count = values.len();
        Some(Tensor::from_data(TensorData::new(values, [count]), &device))
    });
    Ok((restored, trainable))
}

fn baselines(tensors: &Tensors, labels: usize, hidden: usize) -> Result<BaselineHeads> {
    let head = |prefix: &str| -> Result<HeadWeights> {
        let weight = tensors.get(&format!("{prefix}weight"), &[labels, hidden])?;
        let bias = tensors.get(&format!("{prefix}bias"), &[labels])?;
        Ok(HeadWeights {
            weight: weight.to_vec(),
            bias: bias.to_vec(),
        })
    };
    Ok(BaselineHeads {
        probe: head("")?,
        centroid: head("centroid.")?,
        zero_shot: head("zero_shot.")?,
    })
}

/// The files of an export, wherever its folder begins.
pub(super) struct Files(Vec<ExportedFile>);

impl Files {
    /// A zip or a folder may put everything into one folder more; `mark` is a file of the export itself.
    pub(super) fn new(mut files: Vec<ExportedFile>, mark: &str) -> Self {
        let root = files
            .iter()
            .find_map(|file| file.path.strip_suffix(mark))
            .unwrap_or_default()
            .to_string();
        for file in &mut files {
            if let Some(rest) = file.path.strip_prefix(&root) {
                file.path = rest.into();
            }
        }
        Self(files)
    }

    pub(super) fn bytes(&self, path: &str) -> Result<&[u8]> {
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

    pub(super) async fn tensors(&self, path: &str) -> Result<Tensors> {
        Tensors::read(path, self.bytes(path)?.to_vec()).await
    }
}
