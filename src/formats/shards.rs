//! The tensors of a model folder by name, whichever of its weight files holds them.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::Value;

use super::foreign::{instead_of_weights, lfs_pointer_in, quantised};
use super::gguf::{GgufTensors, IntegerBlocks, Lines};
use super::safetensors::Header;
use super::source::{Source, read_all};
use super::values::read_values;
use crate::error::{Error, Result};
use crate::hash::Fnv;
use crate::json::check_values;

/// The weights of a model that fit one file.
pub const SINGLE_FILE: &str = "model.safetensors";

/// The list of tensors of a model whose weights are split over several files.
pub const INDEX_FILE: &str = "model.safetensors.index.json";

/// Largest index that is read, in bytes.
const MAX_INDEX_BYTES: u64 = 10_000_000;

/// Most values in an index: what it places, and a few more.
const MAX_INDEX_VALUES: usize = 200_000;

/// One value in this many is part of the digest.
const NOTED: usize = 61;

/// All weights of a model folder, opened but not loaded: headers are checked, values are read when asked for.
#[derive(Debug)]
pub struct Checkpoint<S: Source> {
    /// The file that says which tensors exist: the single file or the index.
    file: String,
    shards: Vec<Shard<S>>,
    /// Position in `shards` by tensor name.
    tensors: BTreeMap<String, usize>,
    digest: Cell<u64>,
}

#[derive(Debug)]
struct Shard<S> {
    source: S,
    tensors: Tensors,
}

#[derive(Debug)]
enum Tensors {
    Safetensors(Header),
    Gguf(GgufTensors),
}

impl<S: Source> Shard<S> {
    fn shape(&self, name: &str) -> Option<&[usize]> {
        match &self.tensors {
            Tensors::Safetensors(header) => Some(&header.info(name)?.shape),
            Tensors::Gguf(tensors) => tensors.shape(name),
        }
    }

    async fn values(&self, name: &str, range: Range<u64>) -> Result<Vec<f32>> {
        match &self.tensors {
            Tensors::Safetensors(header) => read_values(&self.source, header, name, range).await,
            Tensors::Gguf(tensors) => tensors.values(&self.source, name, range).await,
        }
    }
}

impl<S: Source> Checkpoint<S> {
    /// Opens `model.safetensors`, or else `model.safetensors.index.json` with the files that it names. When both are
    /// given the single file counts, as in transformers. `sources` may hold other files too.
    ///
    /// # Errors
    /// [`Error::MissingFile`] when neither is given or the index names a file that is not; [`Error::MissingTensor`]
    /// when the index places a tensor in a file that lacks it; [`Error::InvalidFile`] for quantised weights; it and [`Error::ReadFailed`] as in
    /// [`Header::read`].
    pub async fn open(mut sources: Vec<S>) -> Result<Self> {
        let given = given(&sources);
        if let Some(source) = take(&mut sources, SINGLE_FILE) {
            let header = Header::read(&source).await?;
            let tensors = header.tensors().iter().map(|t| (t.name.clone(), 0));
            return Self {
                file: SINGLE_FILE.to_owned(),
                tensors: tensors.collect(),
                shards: vec![Shard {
                    source,
                    tensors: Tensors::Safetensors(header),
                }],
                digest: Cell::new(0),
            }
            .checked();
        }
        let Some(index) = take(&mut sources, INDEX_FILE) else {
            let paths = sources.iter().map(Source::path).collect::<Vec<_>>();
            return Err(Error::MissingFile {
                file: format!("{SINGLE_FILE} or {INDEX_FILE}"),
                found: match instead_of_weights(&paths) {
                    Some(instead) => format!("{given}. {instead}"),
                    None => given,
                },
            });
        };
        let weight_map = weight_map(&index).await?;
        let files: BTreeSet<&String> = weight_map.values().collect();
        let mut shards: Vec<Shard<S>> = Vec::with_capacity(files.len());
        let mut positions = BTreeMap::new();
        for file in files {
            let Some(source) = take(&mut sources, file) else {
                return Err(Error::MissingFile {
                    file: file.clone(),
                    found: given,
                });
            };
            let header = Header::read(&source).await?;
            positions.insert(file.clone(), shards.len());
            shards.push(Shard {
                source,
                tensors: Tensors::Safetensors(header),
            });
        }
        let mut tensors = BTreeMap::new();
        for (name, file) in weight_map {
            match positions.get(&file).map(|&i| (i, &shards[i])) {
                Some((i, shard)) if shard.shape(&name).is_some() => tensors.insert(name, i),
                _ => return Err(Error::MissingTensor { file, tensor: name }),
            };
        }
        Self {
            file: INDEX_FILE.to_owned(),
            shards,
            tensors,
            digest: Cell::new(0),
        }
        .checked()
    }

    /// # Errors
    /// [`Error::InvalidFile`] for weights that were quantised, which no plain layer can be read from.
    fn checked(self) -> Result<Self> {
        match quantised(self.names()) {
            Some(reason) => Err(Error::file(self.file, reason)),
            None => Ok(self),
        }
    }

    /// The tensors of a GGUF file.
    pub fn of_gguf(source: S, tensors: GgufTensors) -> Self {
        Self {
            file: source.path().to_owned(),
            tensors: tensors.names().map(|name| (name.to_owned(), 0)).collect(),
            shards: vec![Shard {
                source,
                tensors: Tensors::Gguf(tensors),
            }],
            digest: Cell::new(0),
        }
    }

    /// A hash of some of all values that were read so far, in any order: other weights give another one.
    pub fn digest(&self) -> u64 {
        self.digest.get()
    }

    fn note(&self, name: &str, start: u64, values: impl Iterator<Item = f32>) {
        let mut hash = Fnv::default();
        hash.write(name.as_bytes());
        hash.write(&start.to_le_bytes());
        for value in values.step_by(NOTED) {
            hash.write(&value.to_le_bytes());
        }
        self.digest
            .set(self.digest.get().wrapping_add(hash.finish()));
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape of one tensor, rows first.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.shard(name)?.shape(name)
    }

    /// The path of the file that holds this tensor.
    pub fn weight_file(&self, name: &str) -> Option<&str> {
        Some(self.shard(name)?.source.path())
    }

    /// Reads one tensor: its shape and its values as f32.
    ///
    /// # Errors
    /// As [`read_values`]; a name that is nowhere is [`Error::MissingTensor`] with the single file or the index.
    pub async fn tensor(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        let shape = self.require(name)?.to_vec();
        // a checked header's shapes are within the file
        let count = shape.iter().map(|&size| size as u64).product();
        Ok((shape, self.values(name, 0..count).await?))
    }

    /// Some of a tensor's values, in row order; `range` counts values.
    ///
    /// # Errors
    /// As [`Checkpoint::tensor`].
    pub async fn values(&self, name: &str, range: Range<u64>) -> Result<Vec<f32>> {
        let start = range.start;
        let shard = self.shard(name).ok_or_else(|| self.missing(name))?;
        let values = shard.values(name, range).await?;
        self.note(name, start, values.iter().copied());
        Ok(values)
    }

    /// Some lines of a matrix in the blocks of the file, as [`GgufTensors::blocks`] gives them; none of another file.
    ///
    /// # Errors
    /// As [`GgufTensors::blocks`].
    pub async fn blocks(
        &self,
        name: &str,
        lines: Lines,
        range: Range<usize>,
        bits: u32,
    ) -> Result<Option<IntegerBlocks>> {
        let Some(Shard { source, tensors }) = self.shard(name) else {
            return Ok(None);
        };
        let Tensors::Gguf(tensors) = tensors else {
            return Ok(None);
        };
        let start = range.start as u64;
        let found = tensors.blocks(source, name, lines, range, bits).await?;
        if let Some(IntegerBlocks { integers, scales }) = &found {
            let sizes = scales
                .iter()
                .flat_map(|scale| std::iter::repeat_n(*scale, 32));
            let pairs = integers.iter().zip(sizes);
            self.note(
                name,
                start,
                pairs.map(|(integer, size)| f32::from(*integer) * size),
            );
        }
        Ok(found)
    }

    /// As [`Checkpoint::shape`].
    ///
    /// # Errors
    /// For a name that is nowhere, as in [`Checkpoint::tensor`].
    pub fn require(&self, name: &str) -> Result<&[usize]> {
        self.shape(name).ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> Error {
        Error::MissingTensor {
            file: self.file.clone(),
            tensor: name.to_owned(),
        }
    }

    fn shard(&self, name: &str) -> Option<&Shard<S>> {
        self.tensors.get(name).and_then(|&i| self.shards.get(i))
    }
}

fn take<S: Source>(sources: &mut Vec<S>, path: &str) -> Option<S> {
    let position = sources.iter().position(|source| source.path() == path)?;
    Some(sources.swap_remove(position))
}

fn given<S: Source>(sources: &[S]) -> String {
    if sources.is_empty() {
        return "none".to_owned();
    }
    let paths: Vec<&str> = sources.iter().map(Source::path).collect();
    paths.join(", ")
}

/// File name by tensor name.
async fn weight_map<S: Source>(index: &S) -> Result<BTreeMap<String, String>> {
    let invalid = |reason: String| Error::file(index.path(), reason);
    if index.size() > MAX_INDEX_BYTES {
        return Err(invalid(format!(
            "it has {} bytes, more than the limit of {MAX_INDEX_BYTES}",
            index.size()
        )));
    }
    if let Some(reason) = lfs_pointer_in(index).await? {
        return Err(invalid(reason));
    }
    let bytes = read_all(index).await?;
    check_values(&bytes, MAX_INDEX_VALUES).map_err(invalid)?;
    let json: Value = serde_json::from_slice(&bytes)
        .map_err(|error| invalid(format!("not valid JSON: {error}")))?;
    let entries = json
        .get("weight_map")
        .and_then(Value::as_object)
        .ok_or_else(|| invalid("it has no weight_map object".to_owned()))?;
    if entries.is_empty() {
        return Err(invalid("its weight_map is empty".to_owned()));
    }
    entries
        .iter()
        .map(|(name, file)| match file.as_str() {
            Some(file) => Ok((name.clone(), file.to_owned())),
            None => Err(invalid(format!(
                "weight_map: the file of tensor {name} is not a string"
            ))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::super::{MemorySource, write};
    use super::*;

    /// Two shards with one tensor each, and an index of this weight map.
    fn sharded(weight_map: &str) -> Vec<MemorySource> {
        let one = |value: f32| {
            let values = [value];
            let name = if value == 1.0 { "a" } else { "b" };
            write([(name, &[1][..], &values[..])], &BTreeMap::new()).unwrap()
        };
        let index = format!(r#"{{"metadata":{{"total_size":8}},"weight_map":{weight_map}}}"#);
        vec![
            MemorySource::new("model-00002-of-00002.safetensors", one(2.0)),
            MemorySource::new("model.safetensors.index.json", index.into_bytes()),
            MemorySource::new("model-00001-of-00002.safetensors", one(1.0)),
        ]
    }

    const WEIGHT_MAP: &str =
        r#"{"b":"model-00002-of-00002.safetensors","a":"model-00001-of-00002.safetensors"}"#;

    #[test]
    fn shards_are_found_through_the_index() {
        let sources = sharded(WEIGHT_MAP);
        let checkpoint = block_on(Checkpoint::open(sources.iter().collect())).unwrap();
        assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            block_on(checkpoint.tensor("a")).unwrap(),
            (vec![1], vec![1.0])
        );
        assert_eq!(
            block_on(checkpoint.tensor("b")).unwrap(),
            (vec![1], vec![2.0])
        );
        assert_eq!(
            checkpoint.weight_file("b"),
            Some("model-00002-of-00002.safetensors")
        );
        assert_eq!(checkpoint.weight_file("c"), None);
        assert_eq!(
            block_on(checkpoint.tensor("c")).unwrap_err().to_string(),
            "model.safetensors.index.json: tensor c is missing"
        );
    }

    #[test]
    fn the_single_file_counts_when_an_index_is_there_too() {
        let mut sources = sharded("not JSON");
        let values = [3.0];
        let single = write([("a", &[][..], &values[..])], &BTreeMap::new()).unwrap();
        sources.push(MemorySource::new(SINGLE_FILE, single));
        let checkpoint = block_on(Checkpoint::open(sources)).unwrap();
        assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["a"]);
        assert_eq!(checkpoint.weight_file("a"), Some(SINGLE_FILE));
        assert_eq!(checkpoint.shape("a").map(<[usize]>::len), Some(0));
        assert_eq!(
            block_on(checkpoint.tensor("a")).unwrap(),
            (vec![], vec![3.0])
        );
        assert_eq!(
            block_on(checkpoint.tensor("b")).unwrap_err().to_string(),
            "model.safetensors: tensor b is missing"
        );
    }

    #[test]
    fn an_index_that_does_not_fit_its_shards_is_refused() {
        let open = |sources: Vec<MemorySource>| {
            block_on(Checkpoint::open(sources))
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            open(vec![]),
            "model.safetensors or model.safetensors.index.json is missing; the files given are: none"
        );
        assert_eq!(
            open(vec![MemorySource::new("config.json", vec![])]),
            "model.safetensors or model.safetensors.index.json is missing; the files given are: config.json"
        );
        assert_eq!(
            open(sharded(WEIGHT_MAP)[1..].to_vec()),
            "model-00002-of-00002.safetensors is missing; the files given are: model.safetensors.index.json, \
         model-00001-of-00002.safetensors"
        );
        assert_eq!(
            open(sharded(r#"{"c":"model-00001-of-00002.safetensors"}"#)),
            "model-00001-of-00002.safetensors: tensor c is missing"
        );
        let index = "model.safetensors.index.json";
        assert_eq!(
            open(sharded("[]")),
            format!("{index}: it has no weight_map object")
        );
        assert_eq!(
            open(sharded("{}")),
            format!("{index}: its weight_map is empty")
        );
        assert_eq!(
            open(sharded(r#"{"a":1}"#)),
            format!("{index}: weight_map: the file of tensor a is not a string")
        );
        assert_eq!(
            open(sharded("}")),
            format!("{index}: not valid JSON: expected value at line 1 column 43")
        );
    }
}
