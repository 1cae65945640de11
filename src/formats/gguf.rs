//! GGUF files: metadata and named f32 tensors to bytes, and back.
//!
//! Layout, all little-endian: magic `GGUF`, version, number of tensors, number of metadata entries; the entries; one
//! description per tensor; the data, each tensor at a multiple of 32 bytes. Only what an adapter needs is built: F32
//! tensors, and metadata of three types. Source: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use super::dtype::Float;
use super::values::check_finite;
use super::writer::check_count;
use crate::error::{Error, Result};

const MAGIC: &[u8; 4] = b"GGUF";
const VERSION: u32 = 3;
/// The default of the format; another one would need a `general.alignment`.
const ALIGNMENT: usize = 32;
/// The number of F32 among ggml's tensor types.
const F32: u32 = 0;
/// ggml tensors have at most this many dimensions.
const MAX_DIMENSIONS: usize = 4;

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum GgufValue {
    U32(u32),
    F32(f32),
    String(String),
}

impl GgufValue {
    /// The number that the format gives to the type.
    fn type_number(&self) -> u32 {
        match self {
            Self::U32(_) => 4,
            Self::F32(_) => 6,
            Self::String(_) => 8,
        }
    }
}

/// A whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Gguf {
    /// In the order of the file.
    pub metadata: Vec<(String, GgufValue)>,
    /// Name, shape as PyTorch has it (rows first; the file holds it the other way round), values.
    pub tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl Gguf {
    /// The bytes of the file, entries and tensors in their order.
    ///
    /// # Errors
    /// [`Error::WrongShape`] when a shape and its number of values differ or it has no or more than 4 dimensions,
    /// [`Error::NotFinite`] for values that are no numbers, [`Error::Internal`] for a name or key given twice.
    pub fn write(&self) -> Result<Vec<u8>> {
        let keys = self.metadata.iter().map(|(key, _)| key);
        check_unique("metadata key", keys)?;
        check_unique("tensor", self.tensors.iter().map(|(name, ..)| name))?;
        let mut file = Vec::new();
        file.extend(MAGIC);
        file.extend(VERSION.to_le_bytes());
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            put_string(&mut file, key);
            file.extend(value.type_number().to_le_bytes());
            match value {
                GgufValue::U32(value) => file.extend(value.to_le_bytes()),
                GgufValue::F32(value) => file.extend(value.to_le_bytes()),
                GgufValue::String(value) => put_string(&mut file, value),
            }
        }
        let mut offset = 0;
        for (name, shape, values) in &self.tensors {
            check_count(name, shape, values)?;
            check_finite(name, values)?;
            if shape.is_empty() || shape.len() > MAX_DIMENSIONS {
                return Err(Error::internal(format!(
                    "cannot write a GGUF file: tensor {name} has {} dimensions, expected 1 to {MAX_DIMENSIONS}",
                    shape.len()
                )));
            }
            put_string(&mut file, name);
            file.extend((shape.len() as u32).to_le_bytes());
            for &size in shape.iter().rev() {
                file.extend((size as u64).to_le_bytes());
            }
            file.extend(F32.to_le_bytes());
            file.extend((offset as u64).to_le_bytes());
            offset += (4 * values.len()).next_multiple_of(ALIGNMENT);
        }
        pad(&mut file);
        for (_, _, values) in &self.tensors {
            Float::F32.narrow(values, &mut file);
            pad(&mut file);
        }
        Ok(file)
    }

    /// Reads a file that [`Gguf::write`] could have written.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for a file that is cut or no GGUF, and for types of metadata or tensors that are not built.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self> {
        Self::parse(bytes).map_err(|reason| Error::file(file, reason))
    }

    fn parse(bytes: &[u8]) -> Reasoned<Self> {
        let mut reader = Reader { bytes, at: 0 };
        let magic = reader.take(MAGIC.len())?;
        if magic != MAGIC {
            return Err(format!("it starts with {magic:?}, not with GGUF"));
        }
        let version = reader.u32()?;
        if version != VERSION {
            return Err(format!("it has version {version}, expected {VERSION}"));
        }
        let tensor_count = reader.u64()?;
        let entry_count = reader.u64()?;
        let mut metadata = Vec::new();
        for _ in 0..entry_count {
            let key = reader.string()?;
            let value = match reader.u32()? {
                4 => GgufValue::U32(reader.u32()?),
                6 => GgufValue::F32(f32::from_bits(reader.u32()?)),
                8 => GgufValue::String(reader.string()?),
                number => {
                    return Err(format!("{key}: metadata of type {number} is not read"));
                }
            };
            metadata.push((key, value));
        }
        let mut places = Vec::new();
        for _ in 0..tensor_count {
            let name = reader.string()?;
            let dimensions = reader.u32()? as usize;
            if dimensions > MAX_DIMENSIONS {
                return Err(format!("tensor {name}: it has {dimensions} dimensions"));
            }
            let mut shape = (0..dimensions)
                .map(|_| reader.size())
                .collect::<Reasoned<Vec<_>>>()?;
            shape.reverse();
            let number = reader.u32()?;
            if number != F32 {
                return Err(format!("tensor {name}: expected F32, got type {number}"));
            }
            places.push((name, shape, reader.size()?));
        }
        let data = reader.at.next_multiple_of(ALIGNMENT);
        let mut tensors = Vec::new();
        for (name, shape, offset) in places {
            let length = (shape.iter()).try_fold(4usize, |bytes, &size| bytes.checked_mul(size));
            let stored = length
                .zip(data.checked_add(offset))
                .and_then(|(length, start)| bytes.get(start..start.checked_add(length)?))
                .ok_or_else(|| format!("tensor {name}: its data passes the end of the file"))?;
            let mut values = Vec::new();
            Float::F32.widen(stored, &mut values);
            tensors.push((name, shape, values));
        }
        Ok(Self { metadata, tensors })
    }

    /// The value of a metadata key.
    pub fn value(&self, key: &str) -> Option<&GgufValue> {
        let mut entries = self.metadata.iter();
        entries.find(|(other, _)| other == key).map(|(_, v)| v)
    }
}

/// A check's outcome; the text becomes an [`Error::InvalidFile`] as soon as the file's name is known.
type Reasoned<T> = std::result::Result<T, String>;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Reasoned<&'a [u8]> {
        let end = self.at.checked_add(length);
        let taken = end
            .and_then(|end| self.bytes.get(self.at..end))
            .ok_or_else(|| {
                format!(
                    "cannot read {length} bytes from byte {} on: the file has {} bytes",
                    self.at,
                    self.bytes.len()
                )
            })?;
        self.at += length;
        Ok(taken)
    }

    fn u32(&mut self) -> Reasoned<u32> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().rev().fold(0, |n, &b| n << 8 | u32::from(b)))
    }

    fn u64(&mut self) -> Reasoned<u64> {
        let bytes = self.take(8)?;
        Ok(bytes.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
    }

    fn size(&mut self) -> Reasoned<usize> {
        let size = self.u64()?;
        usize::try_from(size).map_err(|_| format!("the size {size} is larger than any memory"))
    }

    fn string(&mut self) -> Reasoned<String> {
        let length = self.size()?;
        let at = self.at;
        String::from_utf8(self.take(length)?.to_vec())
            .map_err(|_| format!("the text at byte {at} is not UTF-8"))
    }
}

fn put_string(file: &mut Vec<u8>, text: &str) {
    file.extend((text.len() as u64).to_le_bytes());
    file.extend(text.as_bytes());
}

fn pad(file: &mut Vec<u8>) {
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
}

fn check_unique<'a>(what: &str, names: impl Iterator<Item = &'a String>) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Error::internal(format!(
                "cannot write a GGUF file: {what} {name} is given twice"
            )));
        }
    }
    Ok(())
}
