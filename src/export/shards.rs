//! A whole model's weight files in pieces: which tensor goes where is planned from a list, then the tensors follow one after the other.
//!
//! A host streams the pieces to files, so that never more than one tensor is in memory. Files are named as transformers
//! names them: `model.safetensors`, or shards and their index.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::json;

use super::file::{ExportedFile, file, json_file};
use crate::formats::Float;
use crate::formats::shards::{INDEX_FILE, SINGLE_FILE};
use crate::formats::values::check_finite;
use crate::formats::writer::{byte_size, header};
use crate::{Error, Result};

/// Bytes of a shard's tensors at most, unless a caller asks for another size; a single larger tensor still gets one shard.
pub const MAX_SHARD_BYTES: u64 = 2_000_000_000;

/// Values that are narrowed at once.
const PIECE_VALUES: usize = 1 << 20;

/// A tensor that will be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedTensor {
    /// Its name in the checkpoint.
    pub name: String,
    /// As PyTorch stores it, `[out, in]`.
    pub shape: Vec<usize>,
    /// The type in the file.
    pub dtype: Float,
}

/// What a host does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Create this file; it will have that many bytes.
    Open { file: String, bytes: u64 },
    /// Append these to the open file.
    Bytes(Vec<u8>),
    /// The open file is whole.
    Close,
}

impl Piece {
    /// All pieces of a file that is in memory.
    pub fn whole(file: ExportedFile) -> [Self; 3] {
        [
            Self::Open {
                bytes: file.bytes.len() as u64,
                file: file.path,
            },
            Self::Bytes(file.bytes),
            Self::Close,
        ]
    }
}

/// One weight file to be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shard {
    file: String,
    /// Length and header.
    header: Vec<u8>,
    tensors: Vec<MergedTensor>,
    tensor_bytes: u64,
}

/// Which tensor goes to which file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardPlan {
    shards: Vec<Shard>,
    /// The index's bytes, where there are several shards.
    index: Option<Vec<u8>>,
}

impl ShardPlan {
    /// Fills shards in the order given, up to `max_bytes` of tensors each. Inside a shard 32-bit tensors come before 16-bit
    /// ones, so that each lies at a multiple of its element's size.
    ///
    /// # Errors
    /// [`Error::InvalidState`] for no tensor at all, a name given twice, or what a header cannot hold.
    pub fn new(tensors: Vec<MergedTensor>, max_bytes: u64) -> Result<Self> {
        let mut names = BTreeSet::new();
        let mut groups: Vec<(Vec<MergedTensor>, u64)> = Vec::new();
        for tensor in tensors {
            if !names.insert(tensor.name.clone()) {
                return Err(refused(format!("tensor {} is listed twice", tensor.name)));
            }
            let bytes = byte_size(tensor.dtype.dtype(), &tensor.shape).ok_or_else(|| {
                refused(format!("tensor {} is larger than any memory", tensor.name))
            })?;
            match groups.last_mut() {
                Some((group, filled)) if filled.saturating_add(bytes) <= max_bytes => {
                    group.push(tensor);
                    *filled += bytes;
                }
                _ => groups.push((vec![tensor], bytes)),
            }
        }
        if groups.is_empty() {
            return Err(refused("it has no tensor".into()));
        }
        let count = groups.len();
        let metadata = BTreeMap::from([("format".to_string(), "pt".to_string())]);
        let mut shards = Vec::with_capacity(count);
        for (i, (mut tensors, tensor_bytes)) in groups.into_iter().enumerate() {
            tensors.sort_by_key(|tensor| tensor.dtype != Float::F32);
            let entries = tensors.iter();
            let entries = entries.map(|t| (t.name.as_str(), t.dtype.dtype(), t.shape.as_slice()));
            shards.push(Shard {
                file: match count {
                    1 => SINGLE_FILE.into(),
                    _ => format!("model-{:05}-of-{count:05}.safetensors", i + 1),
                },
                header: header(entries, &metadata)?,
                tensors,
                tensor_bytes,
            });
        }
        let index = match count {
            1 => None,
            _ => Some(index(&shards)?),
        };
        Ok(Self { shards, index })
    }

    /// The tensors in the order in which [`MergedWriter::tensor`] takes them.
    pub fn tensors(&self) -> impl Iterator<Item = &MergedTensor> {
        self.shards.iter().flat_map(|shard| &shard.tensors)
    }

    /// Starts writing.
    pub fn writer(self) -> MergedWriter {
        MergedWriter {
            plan: self,
            shard: 0,
            tensor: 0,
        }
    }
}

impl Shard {
    fn size(&self) -> u64 {
        self.header.len() as u64 + self.tensor_bytes
    }
}

/// As transformers writes it.
fn index(shards: &[Shard]) -> Result<Vec<u8>> {
    let weight_map = (shards.iter())
        .flat_map(|shard| shard.tensors.iter().map(|t| (&t.name, &shard.file)))
        .collect::<BTreeMap<_, _>>();
    let total_size = shards.iter().map(|shard| shard.tensor_bytes).sum::<u64>();
    let index = json!({"metadata": {"total_size": total_size}, "weight_map": weight_map});
    Ok(json_file(INDEX_FILE, &index)?.bytes)
}

/// One tensor's pieces, each made when it is asked for.
#[derive(Debug, Clone)]
pub struct Pieces {
    /// The file's opening, where the tensor is its first.
    before: VecDeque<Piece>,
    values: Vec<f32>,
    /// Values that are in pieces already.
    given: usize,
    dtype: Float,
    /// Whether the tensor is its file's last.
    closes: bool,
}

impl Pieces {
    /// What comes before the tensor, then its values as `dtype`, which can hold them all.
    pub fn new(before: VecDeque<Piece>, values: Vec<f32>, dtype: Float, closes: bool) -> Self {
        Self {
            before,
            values,
            given: 0,
            dtype,
            closes,
        }
    }
}

/// Why values cannot be written as that type, if they cannot; they are finite.
pub fn too_large(name: &str, values: &[f32], dtype: Float) -> Option<String> {
    let place = values.iter().position(|&v| !dtype.round(v).is_finite())?;
    Some(format!(
        "tensor {name}: its value {} at index {place} is too large for {}",
        values[place],
        dtype.dtype()
    ))
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if let Some(piece) = self.before.pop_front() {
            return Some(piece);
        }
        let end = self.values.len().min(self.given + PIECE_VALUES);
        let values = &self.values[self.given..end];
        if values.is_empty() {
            return std::mem::take(&mut self.closes).then_some(Piece::Close);
        }
        let mut bytes = Vec::with_capacity(values.len() * self.dtype.dtype().bits() as usize / 8);
        self.dtype.narrow(values, &mut bytes);
        self.given = end;
        Some(Piece::Bytes(bytes))
    }
}

/// Takes the tensors of a plan, one after the other.
#[derive(Debug, Clone)]
pub struct MergedWriter {
    plan: ShardPlan,
    /// The shard that is open or opens next.
    shard: usize,
    /// The tensor of it that comes next.
    tensor: usize,
}

impl MergedWriter {
    /// The tensor that comes next; `None` after the last.
    pub fn next(&self) -> Option<&MergedTensor> {
        self.plan.shards.get(self.shard)?.tensors.get(self.tensor)
    }

    /// Writes the next tensor. Values are rounded to its type as the pieces are drawn, one piece at a time; draw all of them.
    ///
    /// # Errors
    /// [`Error::InvalidState`] for a tensor out of turn, written before or not in the plan, and for a value too large for
    /// F16 or BF16; [`Error::WrongShape`]; [`Error::NotFinite`]. After an error the same tensor may be given again.
    pub fn tensor(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<Pieces> {
        let next = self.next().filter(|next| next.name == name);
        let Some((next, shard)) = next.zip(self.plan.shards.get(self.shard)) else {
            return Err(self.out_of_turn(name));
        };
        if shape != next.shape || shape.iter().product::<usize>() != values.len() {
            return Err(Error::WrongShape {
                tensor: name.into(),
                expected: next.shape.clone(),
                found: if shape == next.shape {
                    vec![values.len()]
                } else {
                    shape.to_vec()
                },
            });
        }
        check_finite(name, &values)?;
        let dtype = next.dtype;
        if let Some(reason) = too_large(name, &values, dtype) {
            return Err(refused(format!("{reason}; choose F32")));
        }
        let mut before = VecDeque::new();
        if self.tensor == 0 {
            before.push_back(Piece::Open {
                file: shard.file.clone(),
                bytes: shard.size(),
            });
            before.push_back(Piece::Bytes(shard.header.clone()));
        }
        let in_shard = shard.tensors.len();
        self.tensor += 1;
        let closes = self.tensor == in_shard;
        if closes {
            self.shard += 1;
            self.tensor = 0;
        }
        Ok(Pieces::new(before, values, dtype, closes))
    }

    /// The index, if there are several shards.
    ///
    /// # Errors
    /// [`Error::InvalidState`] naming the tensor that was not written.
    pub fn finish(&self) -> Result<Vec<Piece>> {
        if let Some(next) = self.next() {
            let left = self
                .plan
                .tensors()
                .skip_while(|t| t.name != next.name)
                .count();
            return Err(refused(format!(
                "tensor {} is missing, with it {left} of {}",
                next.name,
                self.plan.tensors().count()
            )));
        }
        Ok(match &self.plan.index {
            None => Vec::new(),
            Some(bytes) => Piece::whole(file(INDEX_FILE, bytes.clone())).into(),
        })
    }

    fn out_of_turn(&self, name: &str) -> Error {
        let place = |name: &str| self.plan.tensors().position(|tensor| tensor.name == name);
        let next = self.next().map(|next| next.name.as_str());
        let written = next.and_then(place).unwrap_or(usize::MAX);
        refused(match place(name) {
            None => format!("tensor {name} is not in the plan"),
            Some(place) if place < written => format!("tensor {name} is given twice"),
            Some(_) => format!(
                "tensor {name} came out of turn, expected {}",
                next.unwrap_or("none")
            ),
        })
    }
}

fn refused(reason: String) -> Error {
    Error::state(format!("cannot write the merged model: {reason}"))
}
