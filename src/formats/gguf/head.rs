//! The head of a GGUF file, checked: metadata, and where each tensor lies and what it holds. It is read in pieces, since a large vocabulary
//! makes it some megabytes long, and nothing is allocated for a number that the file's size does not bear out.

use std::collections::BTreeMap;

use super::metadata::{Metadata, Value};
use super::{ALIGNMENT, Kind, MAGIC, MAX_DIMENSIONS, VERSION};
use crate::error::{Error, Result};
use crate::formats::source::{Source, read_exact};

/// Bytes of the first piece that is read of a head, and the most of a later one.
const PIECES: [u64; 2] = [1 << 18, 4 << 20];
/// Largest head that is read; that of a vocabulary of 260,000 words has 15 MB.
const MAX_BYTES: u64 = 100_000_000;
/// Most entries, tensors, and values in all arrays together.
const MAX_ENTRIES: u64 = 10_000;
const MAX_TENSORS: u64 = 100_000;
const MAX_VALUES: u64 = 4_000_000;
/// Arrays within arrays; no known file has any.
const MAX_NESTING: usize = 4;
const MAX_KEY_BYTES: u64 = 65_535;
const MAX_NAME_BYTES: u64 = 1_000;

/// Where one tensor lies and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GgufTensor {
    /// ggml's type of it.
    pub kind: Kind,
    /// Rows first, as PyTorch has it; the file holds it the other way round.
    pub shape: Vec<usize>,
    /// First byte, counted from the start of the file.
    pub start: u64,
    /// Number of values, whole blocks.
    pub values: u64,
}

impl GgufTensor {
    /// Bytes in the file.
    pub fn bytes(&self) -> u64 {
        let (values, bytes) = self.kind.block();
        self.values / values as u64 * bytes as u64
    }
}

/// What a file says before its data.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufHead {
    /// All entries.
    pub metadata: Metadata,
    /// By name. Every tensor lies inside the file, and none overlap.
    pub tensors: BTreeMap<String, GgufTensor>,
}

impl GgufHead {
    /// Reads and checks the head of `source`.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] with one text per defect, naming the file and, if there is one, the key or tensor; [`Error::ReadFailed`] when the
    /// source cannot be read.
    pub async fn read<S: Source>(source: &S) -> Result<Self> {
        let mut reader = Reader::new(source);
        reader.magic().await?;
        let tensors = reader.u64().await?;
        let entries = reader.u64().await?;
        reader.check_count("tensors", tensors, MAX_TENSORS)?;
        reader.check_count("metadata entries", entries, MAX_ENTRIES)?;
        let mut metadata = Metadata::new(source.path());
        for _ in 0..entries {
            let key = reader.string("a key", MAX_KEY_BYTES).await?;
            let kind = reader.u32().await?;
            let value = reader.value(&key, kind).await?;
            if !metadata.insert(key.clone(), value) {
                return Err(reader.wrong(format!("{key} is listed twice")));
            }
        }
        let mut found = BTreeMap::new();
        for _ in 0..tensors {
            let name = reader.string("a tensor's name", MAX_NAME_BYTES).await?;
            let tensor = reader.tensor(&name).await?;
            if found.insert(name.clone(), tensor).is_some() {
                return Err(reader.wrong(format!("tensor {name}: it is listed twice")));
            }
        }
        let alignment = metadata.whole("general.alignment")?.unwrap_or(ALIGNMENT);
        if !alignment.is_power_of_two() || alignment > 1 << 20 {
            return Err(reader.wrong(format!(
                "general.alignment is {alignment}, expected a power of two up to 2^20"
            )));
        }
        let data = reader.position().next_multiple_of(alignment);
        place(&mut found, data, alignment, source.size()).map_err(|reason| reader.wrong(reason))?;
        Ok(Self {
            metadata,
            tensors: found,
        })
    }
}

/// Makes offsets count from the file's start.
fn place(
    tensors: &mut BTreeMap<String, GgufTensor>,
    data: u64,
    alignment: u64,
    size: u64,
) -> std::result::Result<(), String> {
    let mut spans = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors.iter_mut() {
        if !tensor.start.is_multiple_of(alignment) {
            return Err(format!(
                "tensor {name}: its offset {} is no multiple of {alignment}",
                tensor.start
            ));
        }
        let end = data.checked_add(tensor.start).and_then(|start| {
            tensor.start = start;
            start.checked_add(tensor.bytes())
        });
        let Some(end) = end.filter(|end| *end <= size) else {
            return Err(format!(
                "tensor {name}: its data ends after the file, which has {size} bytes; it is truncated"
            ));
        };
        spans.push((tensor.start, end, name));
    }
    spans.sort();
    for pair in spans.windows(2) {
        let [(_, end, before), (start, _, name)] = pair else {
            continue;
        };
        if start < end {
            return Err(format!("tensor {name}: its data overlaps tensor {before}"));
        }
    }
    Ok(())
}

/// The bytes of a head one after the other.
struct Reader<'a, S> {
    source: &'a S,
    /// A piece of the file, and where it starts.
    piece: Vec<u8>,
    start: u64,
    /// What of the piece is read already.
    used: usize,
    /// Bytes of the next piece.
    next: u64,
    /// Values in arrays that may still come.
    values: u64,
}

impl<'a, S: Source> Reader<'a, S> {
    fn new(source: &'a S) -> Self {
        Self {
            source,
            piece: Vec::new(),
            start: 0,
            used: 0,
            next: PIECES[0],
            values: MAX_VALUES,
        }
    }

    fn wrong(&self, reason: String) -> Error {
        Error::file(self.source.path(), reason)
    }

    fn position(&self) -> u64 {
        self.start + self.used as u64
    }

    fn left(&self) -> u64 {
        self.source.size() - self.position()
    }

    fn truncated(&self) -> Error {
        self.wrong(format!(
            "its head goes on after the file's {} bytes; the file is truncated or no GGUF file",
            self.source.size()
        ))
    }

    /// The next bytes.
    async fn take(&mut self, length: u64) -> Result<&[u8]> {
        if length > self.left() {
            return Err(self.truncated());
        }
        let ready = (self.piece.len() - self.used) as u64;
        if length > ready {
            let position = self.position();
            if position + length > MAX_BYTES {
                return Err(self.wrong(format!(
                    "its head has more than the limit of {MAX_BYTES} bytes"
                )));
            }
            // what is there already is not read again
            let more = self.next.max(length - ready).min(self.left() - ready);
            let read = read_exact(self.source, position + ready, more as usize).await?;
            self.piece.drain(..self.used);
            self.piece.extend(read);
            self.start = position;
            self.used = 0;
            self.next = (2 * self.next).min(PIECES[1]);
        }
        let from = self.used;
        self.used += length as usize;
        Ok(&self.piece[from..self.used])
    }

    async fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N as u64).await?);
        Ok(bytes)
    }

    async fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array().await?))
    }

    async fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array().await?))
    }

    async fn magic(&mut self) -> Result<()> {
        let size = self.source.size();
        if size < 24 || self.take(4).await? != MAGIC {
            return Err(
                self.wrong("this is no GGUF file; those begin with the letters GGUF".into())
            );
        }
        match self.u32().await? {
            2 | VERSION => Ok(()),
            other if other.swap_bytes() <= VERSION => {
                Err(self.wrong("its numbers are big-endian, which is not supported".into()))
            }
            other => Err(self.wrong(format!(
                "it is of version {other} of the format; supported are 2 and {VERSION}"
            ))),
        }
    }

    /// Each of them takes 12 bytes at least.
    fn check_count(&self, what: &str, count: u64, most: u64) -> Result<()> {
        if count > most {
            return Err(self.wrong(format!("it claims {count} {what}, more than {most}")));
        }
        if count > self.left() / 12 {
            return Err(self.truncated());
        }
        Ok(())
    }

    async fn string(&mut self, what: &str, most: u64) -> Result<String> {
        let length = self.u64().await?;
        if length > most {
            return Err(self.wrong(format!("{what} has {length} bytes, more than {most}")));
        }
        let text = std::str::from_utf8(self.take(length).await?).map(str::to_owned);
        text.map_err(|_| self.wrong(format!("{what} is not UTF-8")))
    }

    async fn value(&mut self, key: &str, kind: u32) -> Result<Value> {
        match kind {
            9 => Box::pin(self.list(key, 0)).await,
            8 => Ok(Value::String(self.string(key, MAX_BYTES).await?)),
            _ => self.scalar(key, kind).await,
        }
    }

    async fn scalar(&mut self, key: &str, kind: u32) -> Result<Value> {
        Ok(match kind {
            0 => Value::Unsigned(u8::from_le_bytes(self.array().await?).into()),
            1 => Value::Signed(i8::from_le_bytes(self.array().await?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array().await?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.array().await?).into()),
            4 => Value::Unsigned(self.u32().await?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.array().await?).into()),
            6 => Value::F32(f32::from_le_bytes(self.array().await?)),
            7 => Value::Bool(self.take(1).await? != [0]),
            10 => Value::Unsigned(self.u64().await?),
            11 => Value::Signed(i64::from_le_bytes(self.array().await?)),
            12 => Value::F64(f64::from_le_bytes(self.array().await?)),
            other => {
                return Err(self.wrong(format!("{key}: {other} is no type of a value")));
            }
        })
    }

    async fn list(&mut self, key: &str, depth: usize) -> Result<Value> {
        let kind = self.u32().await?;
        let count = self.u64().await?;
        if depth >= MAX_NESTING {
            return Err(self.wrong(format!(
                "{key}: its arrays are nested deeper than {MAX_NESTING}"
            )));
        }
        if count > self.values {
            return Err(self.wrong(format!(
                "{key}: it claims {count} values, and all arrays together may have {MAX_VALUES}"
            )));
        }
        if count > self.left() {
            return Err(self.truncated());
        }
        self.values -= count;
        Ok(match kind {
            8 => {
                let mut texts = Vec::new();
                for _ in 0..count {
                    texts.push(self.string(key, MAX_BYTES).await?);
                }
                Value::Strings(texts)
            }
            9 => {
                let mut lists = Vec::new();
                for _ in 0..count {
                    lists.push(Box::pin(self.list(key, depth + 1)).await?);
                }
                Value::Lists(lists)
            }
            _ => {
                let mut numbers = Vec::new();
                for _ in 0..count {
                    numbers.push(match self.scalar(key, kind).await? {
                        Value::Unsigned(value) => value as f64,
                        Value::Signed(value) => value as f64,
                        Value::F32(value) => value.into(),
                        Value::F64(value) => value,
                        other => f64::from(u8::from(other == Value::Bool(true))),
                    });
                }
                Value::Numbers(numbers)
            }
        })
    }

    /// Its offset still counts from the start of the data.
    async fn tensor(&mut self, name: &str) -> Result<GgufTensor> {
        let dimensions = self.u32().await? as usize;
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(self.wrong(format!(
                "tensor {name}: it has {dimensions} dimensions, expected 1 to {MAX_DIMENSIONS}"
            )));
        }
        let mut shape = Vec::with_capacity(dimensions);
        for _ in 0..dimensions {
            shape.push(self.u64().await?);
        }
        let number = self.u32().await?;
        let start = self.u64().await?;
        let Some(kind) = Kind::from_number(number) else {
            return Err(self.wrong(format!("tensor {name}: {number} is no known type of ggml")));
        };
        let (block, bytes) = kind.block();
        let values = shape
            .iter()
            .try_fold(1_u64, |all, &size| all.checked_mul(size));
        // bytes fit too, which is at most eight for a value
        let values = values.filter(|values| values.checked_mul(bytes as u64).is_some());
        let sizes = shape.iter().rev().map(|&size| usize::try_from(size).ok());
        let (Some(values), Some(sizes)) = (values, sizes.collect::<Option<Vec<_>>>()) else {
            return Err(self.wrong(format!(
                "tensor {name}: shape {shape:?} is larger than any memory"
            )));
        };
        if !shape[0].is_multiple_of(block as u64) {
            return Err(self.wrong(format!(
                "tensor {name}: its rows of {} values are no whole blocks of {kind}, which have {block}",
                shape[0]
            )));
        }
        Ok(GgufTensor {
            kind,
            shape: sizes,
            start,
            values,
        })
    }
}
