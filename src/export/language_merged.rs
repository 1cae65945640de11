//! Enters: a tuned language model. Leaves: a Transformers folder with the adapter folded into the weights, a tensor in memory at a time.

use std::collections::VecDeque;

use burn::tensor::{FloatDType, Tensor};
use serde_json::json;

use super::files::{ExportedFile, file, json_file};
use super::merged::{MAX_SHARD_BYTES, MergedTensor, MergedWriter, Piece, Pieces, ShardPlan};
use crate::device::read;
use crate::formats::Float;
use crate::models::load::transpose;
use crate::models::names::{is_delta, is_prefix, is_transposed};
use crate::models::{CausalLm, Network};
use crate::peft::freeze::trained;
use crate::peft::merge::merged_weight;
use crate::peft::{MethodType, Trainable};
use crate::tasks::language::model::LanguageModel;
use crate::tasks::language::tuned::TunedLanguage;
use crate::{Error, Result};

/// A merged folder that is being written: the small files first, then the weights piece by piece.
#[derive(Debug, Clone)]
pub struct MergedExport {
    writer: MergedWriter,
    /// Each tensor's paths in the modules, several for a table in parts.
    paths: Vec<(String, Vec<String>)>,
    /// Small files, whole.
    queue: VecDeque<Piece>,
    /// The tensor that is being written.
    tensor: Option<Pieces>,
    finished: bool,
}

impl MergedExport {
    /// Plans the folder. `max_bytes`: of a shard.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a prefix, which is no change of a weight, and for weights that are kept in integers: what they lost would
    /// stay lost.
    pub fn new(
        model: &LanguageModel,
        tuned: &TunedLanguage,
        max_bytes: Option<u64>,
    ) -> Result<Self> {
        let refused = |reason: &str| Err(Error::option("formats", reason));
        if tuned.method.kind() == MethodType::Prefix {
            return refused(
                "a prefix is no change of the weights and cannot be merged; export it for PEFT",
            );
        }
        if model.storage.is_quantized() {
            return refused(
                "the loaded weights are rounded to integers, and a merged model would keep what that lost; export for PEFT, and merge there or \
                 after loading the model in f32",
            );
        }
        let network = &tuned.model;
        let mut paths: Vec<(String, Vec<String>)> = Vec::new();
        let mut tensors: Vec<MergedTensor> = Vec::new();
        let all = Trainable::of(network, |path| !is_delta(path) && !is_prefix(path));
        for tensor in trained(network, &all) {
            let shape = match tensor.shape[..] {
                [rows, columns] if is_transposed(&tensor.path, 2) => vec![columns, rows],
                _ => tensor.shape,
            };
            let name = network.module_name(&tensor.path);
            match (paths.last_mut(), tensors.last_mut()) {
                (Some((last, parts)), Some(entry)) if *last == name => {
                    parts.push(tensor.path);
                    entry.shape[0] += shape[0];
                }
                _ => {
                    paths.push((name.clone(), vec![tensor.path]));
                    tensors.push(MergedTensor {
                        name,
                        shape,
                        dtype: Float::F32,
                    });
                }
            }
        }
        let plan = ShardPlan::new(tensors, max_bytes.unwrap_or(MAX_SHARD_BYTES))?;
        let mut queue = VecDeque::new();
        for file in small_files(model)? {
            queue.push_back(Piece::Open {
                bytes: file.bytes.len() as u64,
                file: file.path,
            });
            queue.push_back(Piece::Bytes(file.bytes));
            queue.push_back(Piece::Close);
        }
        Ok(Self {
            writer: plan.writer(),
            paths,
            queue,
            tensor: None,
            finished: false,
        })
    }

    /// What a host does next; `None` at the end.
    ///
    /// # Errors
    /// [`Error::NotFinite`]; failures of the device.
    pub async fn next_piece(&mut self, tuned: &TunedLanguage) -> Result<Option<Piece>> {
        loop {
            let waiting = self.queue.pop_front();
            if let Some(piece) = waiting.or_else(|| self.tensor.as_mut()?.next()) {
                return Ok(Some(piece));
            }
            // what was written goes before what comes next is read
            self.tensor = None;
            if self.finished {
                return Ok(None);
            }
            let Some(next) = self.writer.next().cloned() else {
                self.queue.extend(self.writer.finish()?);
                self.finished = true;
                continue;
            };
            let found = self.paths.iter().find(|(name, _)| *name == next.name);
            let mut values = Vec::new();
            for path in found.map(|(_, paths)| paths.as_slice()).unwrap_or_default() {
                let part = merged_values(&tuned.model, path).await?;
                match values.is_empty() {
                    true => values = part,
                    false => values.extend(part),
                }
            }
            let pieces = self.writer.tensor(&next.name, &next.shape, values)?;
            self.tensor = Some(pieces);
        }
    }
}

/// Configuration and tokenizer.
fn small_files(model: &LanguageModel) -> Result<Vec<ExportedFile>> {
    let mut config = model.config_json.clone();
    if let Some(map) = config.as_object_mut() {
        map.remove("torch_dtype");
        map.insert("dtype".into(), json!("float32"));
    }
    let mut files = vec![json_file("config.json", &config)?];
    let own = model.tokenizer_files.iter();
    files.extend(own.map(|(path, bytes)| file(path, bytes.clone())));
    Ok(files)
}

/// A parameter as files hold it, its layer's delta folded in.
async fn merged_values(network: &CausalLm, path: &str) -> Result<Vec<f32>> {
    if let Some(module) = path.strip_suffix(".weight") {
        let name = network.module_name(module);
        let transposed = is_transposed(path, 2);
        let mut network = network.clone();
        if let Some((_, linear)) = network.linears_mut().into_iter().find(|(n, _)| *n == name) {
            let [rows, columns] = linear.shape();
            let values = read(merged_weight(linear)).await?;
            return Ok(match transposed {
                true => transpose(&values, rows, columns),
                false => values,
            });
        }
    }
    let only = Trainable::of(network, |other| other == path);
    match trained(network, &only).into_iter().next() {
        Some(tensor) => {
            let value: Tensor<1> = tensor.value.cast(FloatDType::F32);
            read(value).await
        }
        None => Err(Error::internal(format!("{path} is no parameter"))),
    }
}
