//! A method's values between a network and files: trained tensors by the keys that other tools read, and back.

use std::collections::{HashMap, HashSet};

use burn::tensor::{Tensor, TensorData};

use super::adapter_file::ADAPTER_CONFIG;
use super::freeze::{Trainable, replace, trained};
use super::keys::{file_key, other_key};
use super::method::{Method, MethodType, Tunable, attach};
use crate::device::read;
use crate::formats::{Header, MemorySource, read_tensor};
use crate::models::load::transpose;
use crate::models::names::{is_prefix, is_table_part, is_transposed};
use crate::{Error, Result};

/// PEFT's name of a whole prefix, `[virtual tokens, 2 * layers * width of all keys]`: key and value of layer 0, of layer 1, and so on.
const PROMPTS: &str = "prompt_embeddings";

/// What PEFT keeps an adapter's values in.
const PEFT_WEIGHTS: &str = "adapter_model.safetensors";

/// A tensor as files hold it: key, shape, values.
pub type NamedValues = (String, Vec<usize>, Vec<f32>);

/// The key of a path in the method's weight file.
pub fn key<N: Tunable>(
    network: &N,
    path: &str,
    method: MethodType,
    trainable: &Trainable,
) -> String {
    let has_delta = trainable.has_delta(path);
    let name = network.module_name(path);
    file_key(path, &name, method, network.task_type(), has_delta)
}

/// The tensors of `paths` as the method's files hold them, each with its path, or with its first one if several paths are one tensor.
///
/// # Errors
/// Failures of the device.
pub async fn named_values<N: Tunable>(
    network: &N,
    paths: &Trainable,
    method: MethodType,
) -> Result<Vec<(String, NamedValues)>> {
    let mut out: Vec<(String, NamedValues)> = Vec::new();
    let mut prompts = Prompts::default();
    for tensor in trained(network, paths) {
        let values = read(tensor.value).await?;
        if is_prefix(&tensor.path) {
            prompts.push(tensor.path, tensor.shape[1], values);
            continue;
        }
        let key = key(network, &tensor.path, method, paths);
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
    out.extend(prompts.joined());
    Ok(out)
}

/// The keys and values of all layers, in the order of the modules, which is PEFT's.
#[derive(Default)]
struct Prompts {
    path: String,
    width: usize,
    parts: Vec<Vec<f32>>,
}

impl Prompts {
    /// `values`: `[virtual tokens, width]`
    fn push(&mut self, path: String, width: usize, values: Vec<f32>) {
        if self.parts.is_empty() {
            (self.path, self.width) = (path, width);
        }
        self.parts.push(values);
    }

    /// Next to one another, `[virtual tokens, parts * width]`.
    fn joined(self) -> Option<(String, NamedValues)> {
        let width = self.width;
        let tokens = self.parts.first()?.len() / width;
        let row = |token: usize| {
            let parts = self.parts.iter();
            parts.flat_map(move |values| &values[token * width..(token + 1) * width])
        };
        let values = (0..tokens).flat_map(row).copied().collect();
        let shape = vec![tokens, self.parts.len() * width];
        Some((self.path, (PROMPTS.into(), shape, values)))
    }
}

/// Puts a method into a plain network, with the method's values from its files and without gradients; also returns what the method
/// trains.
///
/// # Errors
/// [`Error::InvalidFile`] for settings that do not fit the network and for a tensor that belongs nowhere; [`Error::MissingTensor`] and
/// [`Error::WrongShape`], each with the file and the tensor.
pub fn restore<N: Tunable>(
    mut network: N,
    method: &Method,
    tensors: &Tensors,
) -> Result<(N, Trainable)> {
    let trainable =
        attach(&mut network, method, 0).map_err(|error| Error::file(ADAPTER_CONFIG, error))?;
    let kind = method.kind();
    let all = trained(&network, &trainable);
    // rows of each table that is cut into parts, and how many of them have been read
    let mut tables: HashMap<String, [usize; 2]> = HashMap::new();
    for tensor in all.iter().filter(|tensor| is_table_part(&tensor.path)) {
        tables.entry(network.module_name(&tensor.path)).or_default()[0] += tensor.shape[0];
    }
    let prefixes = all.iter().filter(|tensor| is_prefix(&tensor.path)).count();
    let mut part = 0;
    let mut values: HashMap<String, Vec<f32>> = HashMap::new();
    let mut known = HashSet::new();
    for tensor in all {
        let mut key = if is_prefix(&tensor.path) {
            PROMPTS.to_string()
        } else {
            key(&network, &tensor.path, kind, &trainable)
        };
        if let Some(other) = other_key(&key)
            && tensors.has(&other)
        {
            key = other;
        }
        let stored = match tensor.shape[..] {
            [tokens, width] if is_prefix(&tensor.path) => {
                let prompts = tensors.get(&key, &[tokens, prefixes * width])?;
                let columns = part * width..(part + 1) * width;
                part += 1;
                let rows = prompts.chunks(prefixes * width);
                rows.flat_map(|row| &row[columns.clone()])
                    .copied()
                    .collect()
            }
            [rows, columns] if is_transposed(&tensor.path, 2) => {
                transpose(tensors.get(&key, &[columns, rows])?, columns, rows)
            }
            [rows, width] if is_table_part(&tensor.path) => {
                let [words, row] = tables.entry(network.module_name(&tensor.path)).or_default();
                let start = *row * width;
                *row += rows;
                tensors.get(&key, &[*words, width])?[start..*row * width].to_vec()
            }
            _ => tensors.get(&key, &tensor.shape)?.to_vec(),
        };
        known.insert(key);
        values.insert(tensor.path, stored);
    }
    // what the output does not depend on is in a whole network's file all the same
    tensors.reject_unknown_keys(|key| {
        known.contains(key) || (kind == MethodType::Full && !network.reads(key))
    })?;
    let restored = replace(network, |path, value| {
        let values = values.remove(path)?;
        let count = values.len();
        let data = TensorData::new(values, [count]);
        Some(Tensor::from_data(data, &value.device()))
    });
    Ok((restored, trainable))
}

/// The tensors of one or more safetensors files, in memory.
#[derive(Debug, Clone)]
pub struct Tensors {
    /// The file whose tensors are looked for first.
    file: String,
    values: HashMap<String, Stored>,
}

#[derive(Debug, Clone)]
struct Stored {
    file: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Tensors {
    /// Reads all of a file.
    ///
    /// # Errors
    /// As [`Header::read`] and [`read_tensor`], naming the file.
    pub async fn read(file: &str, bytes: Vec<u8>) -> Result<Self> {
        let source = MemorySource::new(file, bytes);
        let header = Header::read(&source).await?;
        let mut values = HashMap::new();
        for info in header.tensors() {
            let found = read_tensor(&source, &header, &info.name).await;
            let (shape, found) = found.map_err(|error| error.in_file(file))?;
            let stored = Stored {
                file: file.into(),
                shape,
                values: found,
            };
            values.insert(info.name.clone(), stored);
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

    /// The tensors with a module's name before theirs.
    pub fn below(self, module: &str) -> Self {
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
        let stored = self.values.get(key).ok_or_else(|| Error::MissingTensor {
            file: self.file.clone(),
            tensor: key.into(),
        })?;
        if stored.shape != shape {
            let wrong = Error::WrongShape {
                tensor: key.into(),
                expected: shape.to_vec(),
                found: stored.shape.clone(),
            };
            return Err(wrong.in_file(&stored.file));
        }
        Ok(&stored.values)
    }

    /// # Errors
    /// [`Error::InvalidFile`] naming a tensor that `known` does not name.
    fn reject_unknown_keys(&self, known: impl Fn(&str) -> bool) -> Result<()> {
        match self.values.iter().find(|(key, _)| !known(key)) {
            None => Ok(()),
            Some((key, stored))
                if stored.file.ends_with(PEFT_WEIGHTS) && !key.contains(".lora_") =>
            {
                Err(Error::file(
                    &stored.file,
                    format!(
                        "tensor {key} belongs to no layer that the settings name. Of what is trained and saved whole (modules_to_save) only a \
                         classifier's head is supported; fold the adapter into its model with PEFT (merge_and_unload) and load that model"
                    ),
                ))
            }
            Some((key, stored)) => Err(Error::file(
                &stored.file,
                format!("tensor {key} belongs to no layer that the settings name"),
            )),
        }
    }
}
