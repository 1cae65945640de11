//! The values of a tensor of a file as f32, all of them or a range.

use std::ops::Range;

use super::dtype::Float;
use super::safetensors::{Header, TensorInfo};
use super::source::{Source, read_exact};
use crate::error::{Error, Result};

/// Largest piece of a tensor that is in memory as file bytes; a multiple of every element size.
pub(crate) const PIECE_BYTES: u64 = 8 << 20;

/// The shape of one tensor as stored, and its values. It is read and widened in pieces, so that file bytes and f32
/// values are never both whole in memory.
///
/// # Errors
/// [`Error::MissingTensor`], [`Error::WrongDtype`] for anything but F64, F32, F16 and BF16, [`Error::NotFinite`] when a value
/// is NaN or infinite, [`Error::ReadFailed`] when the source fails or there is no memory for the values.
pub async fn read_tensor<S: Source>(
    source: &S,
    header: &Header,
    name: &str,
) -> Result<(Vec<usize>, Vec<f32>)> {
    let (info, _) = float_tensor(header, name)?;
    let values = read_values(source, header, name, 0..count(info)).await?;
    Ok((info.shape.clone(), values))
}

/// Some of a tensor's values, in row order; `range` counts values. Who reads a tensor range after range, first to last, gets the errors of
/// [`read_tensor`].
///
/// # Errors
/// As [`read_tensor`], and [`Error::Internal`] for a range that passes the tensor's end.
pub async fn read_values<S: Source>(
    source: &S,
    header: &Header,
    name: &str,
    range: Range<u64>,
) -> Result<Vec<f32>> {
    let (info, float) = float_tensor(header, name)?;
    let pieces = Stored {
        source,
        info,
        float,
    };
    gather(header.file(), name, &pieces, range).await
}

/// What gives a tensor's values piece by piece.
#[allow(async_fn_in_trait)]
pub(super) trait Pieces {
    /// All of its values.
    fn count(&self) -> u64;

    /// Appends those of `range`.
    async fn piece(&self, range: Range<u64>, values: &mut Vec<f32>) -> Result<()>;
}

/// The values of `range`, checked as [`read_values`] promises.
pub(super) async fn gather<P: Pieces>(
    file: &str,
    name: &str,
    pieces: &P,
    range: Range<u64>,
) -> Result<Vec<f32>> {
    let all = pieces.count();
    if range.start > range.end || range.end > all {
        return Err(Error::internal(format!(
            "{name}: values {} to {} were asked for, and it has {all}",
            range.start, range.end
        )));
    }
    let count = range.end - range.start;
    let mut values = Vec::new();
    let reserved = usize::try_from(count).map(|count| values.try_reserve_exact(count));
    if !matches!(reserved, Ok(Ok(()))) {
        return Err(Error::read(
            file,
            format!("tensor {name}: there is no memory for its {count} values"),
        ));
    }
    pieces.piece(range.clone(), &mut values).await?;
    let Some(first) = values.iter().position(|value| !value.is_finite()) else {
        return Ok(values);
    };
    // Those after the range are counted too, so that the error is the same in whatever ranges a tensor is read.
    let mut bad = not_finite(&values);
    let mut start = range.end;
    while start < all {
        let end = all.min(start + PIECE_BYTES / 4);
        values.clear();
        pieces.piece(start..end, &mut values).await?;
        bad += not_finite(&values);
        start = end;
    }
    Err(Error::NotFinite {
        tensor: name.to_owned(),
        count: bad,
        // the values are in memory, and those before them were
        index: range.start as usize + first,
    })
}

/// A tensor of a safetensors file.
struct Stored<'a, S> {
    source: &'a S,
    info: &'a TensorInfo,
    float: Float,
}

impl<S: Source> Pieces for Stored<'_, S> {
    fn count(&self) -> u64 {
        count(self.info)
    }

    async fn piece(&self, range: Range<u64>, values: &mut Vec<f32>) -> Result<()> {
        let element = self.info.dtype.bits() / 8;
        let end = self.info.start + range.end * element;
        let mut offset = self.info.start + range.start * element;
        while offset < end {
            let length = PIECE_BYTES.min(end - offset);
            let bytes = read_exact(self.source, offset, length as usize).await?;
            self.float.widen(&bytes, values);
            offset += length;
        }
        Ok(())
    }
}

/// Refuses values that no training survives.
pub(crate) fn check_finite(tensor: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::NotFinite {
            tensor: tensor.to_owned(),
            count: not_finite(values),
            index,
        }),
    }
}

fn not_finite(values: &[f32]) -> usize {
    values.iter().filter(|value| !value.is_finite()).count()
}

fn float_tensor<'a>(header: &'a Header, name: &str) -> Result<(&'a TensorInfo, Float)> {
    let info = header.info(name).ok_or_else(|| Error::MissingTensor {
        file: header.file().to_owned(),
        tensor: name.to_owned(),
    })?;
    let float = info.dtype.float().ok_or_else(|| Error::WrongDtype {
        tensor: name.to_owned(),
        found: info.dtype.to_string(),
    })?;
    Ok((info, float))
}

/// Number of values.
fn count(info: &TensorInfo) -> u64 {
    (info.end - info.start) * 8 / info.dtype.bits()
}
