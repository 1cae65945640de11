//! GGUF files written: metadata and named f32 tensors to bytes. Only what an adapter needs is built: F32 tensors, and metadata of three types.

use super::super::dtype::Float;
use super::super::values::check_finite;
use super::super::writer::check_count;
use super::{ALIGNMENT, Kind, MAGIC, MAX_DIMENSIONS, VERSION};
use crate::error::{Error, Result};

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
            file.extend(Kind::F32.number().to_le_bytes());
            file.extend((offset as u64).to_le_bytes());
            offset += (4 * values.len()).next_multiple_of(ALIGNMENT as usize);
        }
        pad(&mut file);
        for (_, _, values) in &self.tensors {
            Float::F32.narrow(values, &mut file);
            pad(&mut file);
        }
        Ok(file)
    }
}

fn put_string(file: &mut Vec<u8>, text: &str) {
    file.extend((text.len() as u64).to_le_bytes());
    file.extend(text.as_bytes());
}

fn pad(file: &mut Vec<u8>) {
    file.resize(file.len().next_multiple_of(ALIGNMENT as usize), 0);
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
