//! Writes named f32 tensors as a safetensors file, the same bytes for the same tensors, or the header alone.

use std::collections::BTreeMap;

use super::dtype::{Dtype, Float};
use super::safetensors::{MAX_HEADER_BYTES, METADATA_KEY, PREFIX_BYTES};
use super::values::check_finite;
use crate::error::{Error, Result};

/// Writes `(name, shape, values)` tensors as an F32 safetensors file. The order of the tensors given does not matter:
/// they are sorted by name, as the reference implementation sorts tensors of one dtype, and the header is padded
/// with spaces so that the data starts at a multiple of 8. An empty `metadata` writes no `__metadata__`; files for
/// PEFT carry `{"format": "pt"}`.
///
/// # Errors
/// [`Error::WrongShape`] when a shape and its number of values differ, [`Error::NotFinite`] for values that reading
/// would refuse, [`Error::Internal`] for two tensors of one name, a tensor called `__metadata__`, a header over
/// the limit, or no memory for the file.
pub fn write<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'a [usize], &'a [f32])>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let mut sorted = BTreeMap::new();
    for (name, shape, values) in tensors {
        check_count(name, shape, values)?;
        check_finite(name, values)?;
        if sorted.insert(name, (shape, values)).is_some() {
            return Err(refused(format!("tensor {name} is given twice")));
        }
    }

    let entries = sorted
        .iter()
        .map(|(name, (shape, _))| (*name, Dtype::F32, *shape));
    let header = header(entries, metadata)?;
    let end = sorted.values().map(|(_, values)| 4 * values.len() as u64);
    let size = header.len() as u64 + end.sum::<u64>();
    let mut file = Vec::new();
    let reserved = usize::try_from(size).map(|size| file.try_reserve_exact(size));
    if !matches!(reserved, Ok(Ok(()))) {
        return Err(refused(format!("there is no memory for its {size} bytes")));
    }
    file.extend(header);
    for (_, values) in sorted.values() {
        Float::F32.narrow(values, &mut file);
    }
    Ok(file)
}

/// What comes before the data of a file whose `(name, dtype, shape)` tensors follow in this order: the header's length
/// and the header, padded so that the data starts at a multiple of 8. Names are unique.
///
/// # Errors
/// [`Error::Internal`] for a tensor called `__metadata__`, sizes over any memory, or a header over the limit.
pub(crate) fn header<'a>(
    tensors: impl IntoIterator<Item = (&'a str, Dtype, &'a [usize])>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let mut entries = Vec::new();
    if !metadata.is_empty() {
        entries.push(format!("{}:{}", json(METADATA_KEY)?, json(metadata)?));
    }
    let mut end = 0u64;
    for (name, dtype, shape) in tensors {
        if name == METADATA_KEY {
            return Err(refused(format!("the name {METADATA_KEY} is reserved")));
        }
        let start = end;
        end = byte_size(dtype, shape)
            .and_then(|bytes| end.checked_add(bytes))
            .ok_or_else(|| refused(format!("tensor {name} is larger than any memory")))?;
        entries.push(format!(
            r#"{}:{{"dtype":"{dtype}","shape":{},"data_offsets":[{start},{end}]}}"#,
            json(name)?,
            json(shape)?
        ));
    }
    let mut text = format!("{{{}}}", entries.join(",")).into_bytes();
    text.resize(text.len().next_multiple_of(PREFIX_BYTES as usize), b' ');
    let bytes = text.len() as u64;
    if bytes > MAX_HEADER_BYTES {
        return Err(refused(format!(
            "its header would have {bytes} bytes, more than the limit of {MAX_HEADER_BYTES}"
        )));
    }
    Ok([bytes.to_le_bytes().to_vec(), text].concat())
}

/// Bytes of a tensor, or `None` if no memory holds them.
pub(crate) fn byte_size(dtype: Dtype, shape: &[usize]) -> Option<u64> {
    (shape.iter())
        .try_fold(dtype.bits(), |bits, &size| bits.checked_mul(size as u64))
        .map(|bits| bits / 8)
}

/// # Errors
/// [`Error::WrongShape`] when a shape and its number of values differ.
pub(crate) fn check_count(tensor: &str, shape: &[usize], values: &[f32]) -> Result<()> {
    let count = (shape.iter()).try_fold(1usize, |count, &size| count.checked_mul(size));
    if count == Some(values.len()) {
        return Ok(());
    }
    Err(Error::WrongShape {
        tensor: tensor.to_owned(),
        expected: shape.to_vec(),
        found: vec![values.len()],
    })
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| refused(error.to_string()))
}

fn refused(reason: String) -> Error {
    Error::internal(format!("cannot write a safetensors file: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_reference_implementation() {
        // test_serialization_forced_alignement in tensor.rs of safetensors 0.8.0, the reference implementation.
        let values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let file = write(
            [("attn0", &[1, 1, 2, 3][..], &values[..])],
            &BTreeMap::new(),
        )
        .unwrap();
        let header = br#"{"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}       "#;
        let mut expected = vec![72, 0, 0, 0, 0, 0, 0, 0];
        expected.extend(header);
        expected.extend([0, 0, 0, 0, 0, 0, 128, 63, 0, 0, 0, 64]);
        expected.extend([0, 0, 64, 64, 0, 0, 128, 64, 0, 0, 160, 64]);
        assert_eq!(file, expected);
    }

    #[test]
    fn an_empty_file_has_a_padded_header() {
        // test_empty of the same file.
        assert_eq!(
            write([], &BTreeMap::new()).unwrap(),
            b"\x08\0\0\0\0\0\0\0{}      "
        );
    }

    #[test]
    fn sorts_by_name_and_puts_metadata_first() {
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        let (b, a) = ([1.0], [2.0]);
        let file = write([("b", &[1][..], &b[..]), ("a", &[][..], &a[..])], &metadata).unwrap();
        let text = String::from_utf8_lossy(&file[8..file.len() - 8]);
        assert!(
            text.starts_with(r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[],"#),
            "{text}"
        );
        assert_eq!(file[file.len() - 8..], [0, 0, 0, 64, 0, 0, 128, 63]);
    }

    #[test]
    fn refuses_what_could_not_be_read_back() {
        let none = BTreeMap::new();
        let one = [1.0];
        let case = |name, shape, values| write([(name, shape, values)], &none).unwrap_err();
        assert_eq!(
            case("w", &[2, 3], &one).to_string(),
            "w: expected [2, 3], got [1]"
        );
        assert_eq!(case("w", &[usize::MAX, 2], &one).code(), "wrongShape");
        assert_eq!(
            case("w", &[2], &[1.0, f32::NAN]).to_string(),
            "w: 1 of its values are NaN or infinite, the first at index 1"
        );
        assert_eq!(
            case("__metadata__", &[1], &one).to_string(),
            "cannot write a safetensors file: the name __metadata__ is reserved"
        );
        let twice = [("w", &[1][..], &one[..]), ("w", &[1][..], &one[..])];
        assert_eq!(
            write(twice, &none).unwrap_err().to_string(),
            "cannot write a safetensors file: tensor w is given twice"
        );
    }
}
