//! The header of a safetensors file, checked.
//!
//! Layout: 8 bytes little-endian header length, the header as JSON, then the data without holes, little-endian and
//! row-major. Source: <https://github.com/huggingface/safetensors>, whose limits and layout checks these are.

use std::collections::BTreeMap;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::Value;

use super::dtype::Dtype;
use super::foreign::lfs_pointer_in;
use super::source::{Source, read_exact};
use crate::error::{Error, Result};
use crate::json::check_values;

/// Largest header that is read, in bytes; the reference implementation's limit.
pub const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Most values in a header, each of which takes tens of bytes as a tree.
const MAX_HEADER_VALUES: usize = 1_000_000;

/// Bytes of the length that comes before the header.
pub(super) const PREFIX_BYTES: u64 = 8;

/// The header's key for free text about the file.
pub(super) const METADATA_KEY: &str = "__metadata__";

/// Where one tensor lies and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name in the checkpoint.
    pub name: String,
    /// Type of the stored elements.
    pub dtype: Dtype,
    /// Shape as stored; empty for a scalar.
    pub shape: Vec<usize>,
    /// First byte, counted from the start of the file.
    pub start: u64,
    /// The byte after the last one, counted from the start of the file.
    pub end: u64,
}

/// The checked header of one file: every tensor lies inside the file, none overlap, and no byte is left over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    file: String,
    tensors: Vec<TensorInfo>,
    index: BTreeMap<String, usize>,
}

impl Header {
    /// Checks a header. `header_bytes` is the JSON alone, without the 8 bytes of its length; `file_size` is the size
    /// of the whole file.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] with one text per defect, naming the file and, if there is one, the tensor.
    pub fn parse(file_name: &str, header_bytes: &[u8], file_size: u64) -> Result<Self> {
        Self::check(file_name, header_bytes, file_size)
            .map_err(|reason| Error::file(file_name, reason))
    }

    /// Reads and checks the header of `source`.
    ///
    /// # Errors
    /// As [`Header::parse`], and [`Error::ReadFailed`] when the source cannot be read.
    pub async fn read<S: Source>(source: &S) -> Result<Self> {
        let size = source.size();
        if let Some(reason) = lfs_pointer_in(source).await? {
            return Err(Error::file(source.path(), reason));
        }
        check_length(0, size).map_err(|reason| Error::file(source.path(), reason))?;
        let prefix = read_exact(source, 0, PREFIX_BYTES as usize).await?;
        let length = prefix
            .iter()
            .rev()
            .fold(0u64, |length, &byte| length << 8 | u64::from(byte));
        check_length(length, size).map_err(|reason| Error::file(source.path(), reason))?;
        // The limit keeps the length inside every usize.
        let header_bytes = read_exact(source, PREFIX_BYTES, length as usize).await?;
        Self::parse(source.path(), &header_bytes, size)
    }

    /// The file that this header came from, for messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// All tensors, in the order of their data.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// One tensor by name.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.index.get(name).and_then(|&i| self.tensors.get(i))
    }

    fn check(file_name: &str, header_bytes: &[u8], file_size: u64) -> Reasoned<Self> {
        check_length(header_bytes.len() as u64, file_size)?;
        let text = std::str::from_utf8(header_bytes).map_err(|error| {
            format!(
                "the header is not UTF-8: byte {} of the file is the first bad one",
                PREFIX_BYTES + error.valid_up_to() as u64
            )
        })?;
        check_values(header_bytes, MAX_HEADER_VALUES)
            .map_err(|reason| format!("the header: {reason}"))?;
        let Listing {
            mut tensors,
            defect,
            ..
        } = listing(text)?;
        if let Some(reason) = defect {
            return Err(reason);
        }
        tensors.sort_by_key(|tensor| (tensor.start, tensor.end));
        let mut index = BTreeMap::new();
        for (i, tensor) in tensors.iter().enumerate() {
            if index.insert(tensor.name.clone(), i).is_some() {
                return Err(format!("tensor {}: it is listed twice", tensor.name));
            }
        }
        let data_start = PREFIX_BYTES + header_bytes.len() as u64;
        check_layout(&tensors, data_start, file_size)?;
        for tensor in &mut tensors {
            tensor.start += data_start;
            tensor.end += data_start;
        }
        Ok(Self {
            file: file_name.to_owned(),
            tensors,
            index,
        })
    }
}

/// A check's outcome; the text becomes an [`Error::InvalidFile`] where the file's name is known.
type Reasoned<T> = std::result::Result<T, String>;

fn check_length(length: u64, file_size: u64) -> Reasoned<()> {
    let Some(found) = file_size.checked_sub(PREFIX_BYTES) else {
        return Err(format!(
            "a safetensors file has at least {PREFIX_BYTES} bytes, this one has {file_size}"
        ));
    };
    if length > MAX_HEADER_BYTES {
        return Err(format!(
            "the header claims {length} bytes, more than the limit of {MAX_HEADER_BYTES}; this is no safetensors file"
        ));
    }
    if length > found {
        return Err(format!(
            "the header claims {length} bytes, but only {found} follow; the file is truncated or no safetensors file"
        ));
    }
    Ok(())
}

/// What a header lists, offsets still relative to the data. `defect` is the first wrong entry: the rest of the JSON is
/// read all the same, because broken JSON explains more than one wrong entry.
#[derive(Default)]
struct Listing {
    has_metadata: bool,
    tensors: Vec<TensorInfo>,
    defect: Option<String>,
}

impl Listing {
    fn add(&mut self, name: String, value: &Value) -> Reasoned<()> {
        if name != METADATA_KEY {
            self.tensors.push(tensor_info(name, value)?);
            return Ok(());
        }
        check_metadata(value)?;
        if std::mem::replace(&mut self.has_metadata, true) {
            return Err(format!("{METADATA_KEY} is listed twice"));
        }
        Ok(())
    }
}

/// Takes entries one by one: a map type would silently keep the last of two equal names.
struct ListingVisitor;

impl<'de> Visitor<'de> for ListingVisitor {
    type Value = Listing;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut listing = Listing::default();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if listing.defect.is_none() {
                listing.defect = listing.add(name, &value).err();
            }
        }
        Ok(listing)
    }
}

fn listing(text: &str) -> Reasoned<Listing> {
    let mut json = serde_json::Deserializer::from_str(text);
    let listing = json.deserialize_map(ListingVisitor).and_then(|listing| {
        json.end()?;
        Ok(listing)
    });
    listing.map_err(|error| {
        if error.is_data() {
            format!("the header is JSON but not an object of tensors: {error}")
        } else {
            format!("the header is not valid JSON: {error}")
        }
    })
}

/// Free text, which nothing here reads.
fn check_metadata(value: &Value) -> Reasoned<()> {
    // The reference implementation reads null as absent.
    if value.is_null() {
        return Ok(());
    }
    let Some(entries) = value.as_object() else {
        return Err(format!("{METADATA_KEY} is not an object of strings"));
    };
    match entries.iter().find(|(_, value)| !value.is_string()) {
        Some((key, _)) => Err(format!(
            "{METADATA_KEY}: the value of {key} is not a string"
        )),
        None => Ok(()),
    }
}

fn tensor_info(name: String, value: &Value) -> Reasoned<TensorInfo> {
    let field = |key: &str| {
        value
            .get(key)
            .ok_or_else(|| format!("tensor {name}: its header entry has no {key}"))
    };
    let dtype = field("dtype")?;
    let dtype = dtype
        .as_str()
        .and_then(Dtype::from_name)
        .ok_or_else(|| format!("tensor {name}: unknown dtype {dtype}"))?;
    let shape = field("shape")?
        .as_array()
        .and_then(|sizes| sizes.iter().map(Value::as_u64).collect::<Option<Vec<_>>>())
        .ok_or_else(|| format!("tensor {name}: its shape is not a list of whole numbers"))?;
    let offsets = field("data_offsets")?
        .as_array()
        .and_then(|offsets| match offsets.as_slice() {
            [start, end] => start.as_u64().zip(end.as_u64()),
            _ => None,
        });
    let Some((start, end)) = offsets else {
        return Err(format!(
            "tensor {name}: its data_offsets are not two whole numbers"
        ));
    };
    let sizes = shape.iter().map(|&size| usize::try_from(size).ok());
    let bits = shape
        .iter()
        .try_fold(dtype.bits(), |bits, &size| bits.checked_mul(size));
    let (Some(sizes), Some(bits)) = (sizes.collect::<Option<Vec<_>>>(), bits) else {
        return Err(format!(
            "tensor {name}: shape {shape:?} of {dtype} is larger than any memory"
        ));
    };
    if bits % 8 != 0 {
        return Err(format!(
            "tensor {name}: shape {shape:?} of {dtype} is {bits} bits, not a whole number of bytes"
        ));
    }
    if end < start {
        return Err(format!(
            "tensor {name}: its data_offsets [{start}, {end}] end before they start"
        ));
    }
    if end - start != bits / 8 {
        return Err(format!(
            "tensor {name}: shape {shape:?} of {dtype} needs {} bytes, but data_offsets [{start}, {end}] hold {}",
            bits / 8,
            end - start
        ));
    }
    Ok(TensorInfo {
        name,
        dtype,
        shape: sizes,
        start,
        end,
    })
}

/// `tensors` sorted by their offsets, which still count from `data_start`.
fn check_layout(tensors: &[TensorInfo], data_start: u64, file_size: u64) -> Reasoned<()> {
    let data_bytes = file_size - data_start;
    let mut covered = 0;
    let mut before = "";
    for tensor in tensors {
        let TensorInfo {
            name, start, end, ..
        } = tensor;
        if *start < covered {
            return Err(format!(
                "tensor {name}: its data starts at {start} and overlaps tensor {before}, which ends at {covered}"
            ));
        }
        if *start > covered {
            return Err(format!(
                "tensor {name}: its data starts at {start}, but the {} bytes before it, from {covered} on, belong to no tensor",
                start - covered
            ));
        }
        if *end > data_bytes {
            return Err(format!(
                "tensor {name}: its data ends at byte {} of the file, but the file has {file_size} bytes; it is truncated",
                data_start.saturating_add(*end)
            ));
        }
        covered = *end;
        before = name;
    }
    if covered < data_bytes {
        return Err(format!(
            "the last {} of its {file_size} bytes belong to no tensor",
            data_bytes - covered
        ));
    }
    Ok(())
}
