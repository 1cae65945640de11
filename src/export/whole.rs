//! A merged model: all weights of a tuned network, the adapter folded in, as a folder that loads without another library. A tensor is in
//! memory at a time.

use std::collections::VecDeque;

use burn::tensor::{FloatDType, Tensor};

use super::adapter::{companions, config};
use super::file::{DENSE, ExportedFile, json_file, safetensors};
use super::format::Format;
use super::sentence;
use super::shards::{MAX_SHARD_BYTES, MergedTensor, MergedWriter, Piece, Pieces, ShardPlan};
use super::subject::{Subject, TaskFacts};
use crate::device::read;
use crate::formats::Float;
use crate::models::load::transpose;
use crate::models::names::{is_delta, is_head, is_prefix, is_transposed};
use crate::peft::freeze::trained;
use crate::peft::merge::merged_weight;
use crate::peft::store::named_values;
use crate::peft::{MethodType, TaskType, Trainable, Tunable};
use crate::{Error, Result};

/// A merged folder that is being written: the small files first, then the weights piece by piece.
#[derive(Debug, Clone)]
pub struct WholeExport {
    writer: MergedWriter,
    /// Each tensor's paths in the modules, several for a table in parts.
    paths: Vec<(String, Vec<String>)>,
    /// Small files, whole.
    queue: VecDeque<Piece>,
    /// The tensor that is being written.
    tensor: Option<Pieces>,
    finished: bool,
}

impl WholeExport {
    /// Plans the folder. `max_bytes`: of a shard.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for what cannot be merged; [`Error::NotFinite`]; failures of the device.
    pub async fn new<N: Tunable>(subject: &Subject<'_, N>, max_bytes: Option<u64>) -> Result<Self> {
        Format::Merged.check(subject)?;
        let network = subject.network;
        let mut paths: Vec<(String, Vec<String>)> = Vec::new();
        let mut tensors: Vec<MergedTensor> = Vec::new();
        // a `mean` head has a file of its own
        let apart = |path: &str| subject.base.task == TaskType::FeatureExtraction && is_head(path);
        let all = Trainable::of(network, |path| {
            !is_delta(path) && !is_prefix(path) && !apart(path)
        });
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
        let files = small_files(subject).await?;
        Ok(Self {
            writer: plan.writer(),
            paths,
            queue: files.into_iter().flat_map(Piece::whole).collect(),
            tensor: None,
            finished: false,
        })
    }

    /// What a host does next; `None` at the end. `network`: the one that the folder was planned for.
    ///
    /// # Errors
    /// [`Error::NotFinite`]; failures of the device.
    pub async fn next_piece<N: Tunable>(&mut self, network: &N) -> Result<Option<Piece>> {
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
                let part = merged_values(network, path).await?;
                if values.is_empty() {
                    values = part;
                } else {
                    values.extend(part);
                }
            }
            let pieces = self.writer.tensor(&next.name, &next.shape, values)?;
            self.tensor = Some(pieces);
        }
    }
}

/// Everything but the weights. A language model's folder has no card: nothing in it is webtune's own.
async fn small_files<N: Tunable>(subject: &Subject<'_, N>) -> Result<Vec<ExportedFile>> {
    let mut files = vec![json_file("config.json", &config(subject))?];
    if subject.base.task == TaskType::FeatureExtraction {
        files.extend(sentence::folder(subject)?);
        let head = Trainable::of(subject.network, is_head);
        let head = named_values(subject.network, &head, MethodType::Full).await?;
        let values = head.into_iter().map(|(_, values)| values);
        files.push(safetensors(DENSE, &values.collect::<Vec<_>>())?);
    } else {
        files.extend(subject.tokenizer.iter().cloned());
    }
    if let TaskFacts::Classifier(_) = subject.task {
        files.extend(companions(subject, MethodType::Full)?);
    }
    Ok(files)
}

/// A parameter as files hold it, its layer's delta folded in.
async fn merged_values<N: Tunable>(network: &N, path: &str) -> Result<Vec<f32>> {
    let (shape, values) = folded_values(network, path).await?;
    Ok(match shape[..] {
        [rows, columns] if is_transposed(path, 2) => transpose(&values, rows, columns),
        _ => values,
    })
}

/// A parameter as the network holds it, its layer's delta folded in: shape, and values in row order.
///
/// # Errors
/// [`Error::Internal`] for a path that is no parameter; failures of the device.
pub async fn folded_values<N: Tunable>(network: &N, path: &str) -> Result<(Vec<usize>, Vec<f32>)> {
    let only = Trainable::of(network, |other| other == path);
    let Some(tensor) = trained(network, &only).into_iter().next() else {
        return Err(Error::internal(format!("{path} is no parameter")));
    };
    let mut with_deltas = network.clone();
    let module = path.strip_suffix(".weight").unwrap_or_default();
    let name = network.module_name(module);
    let mut linears = with_deltas.linears_mut().into_iter();
    let changed = linears.find(|(other, linear)| *other == name && linear.delta.is_some());
    let values = match changed {
        Some((_, linear)) => read(merged_weight(linear)).await?,
        None => {
            let value: Tensor<1> = tensor.value.cast(FloatDType::F32);
            read(value).await?
        }
    };
    Ok((tensor.shape, values))
}
