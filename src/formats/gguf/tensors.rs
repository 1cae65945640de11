//! The tensors of a GGUF file under other names and in the shape and order that those have elsewhere, as f32 and in ranges.

use std::collections::BTreeMap;
use std::ops::Range;

use super::blocks::{IntegerBlocks, integer_bits, integers, widen};
use super::{GgufTensor, Kind};
use crate::error::{Error, Result};
use crate::formats::source::{Source, read_exact};
use crate::formats::values::{PIECE_BYTES, Pieces, gather};

/// What a converter did to a tensor's values, to be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// Nothing.
    Nothing,
    /// The rows of each of so many heads, seen as `[2, half]`, became `[half, 2]`: llama.cpp turns neighbours, transformers halves.
    HeadRows(usize),
    /// A matrix was transposed.
    Transposition,
    /// One was added to each value.
    PlusOne,
}

/// What a matrix is read along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    Rows,
    Columns,
}

/// A tensor of the file, and how it is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    stored: GgufTensor,
    undo: Undo,
    shape: Vec<usize>,
}

/// Tensors by the names that they are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GgufTensors {
    file: String,
    tensors: BTreeMap<String, Placed>,
}

impl GgufTensors {
    /// None yet, of that file.
    pub fn new(file: &str) -> Self {
        Self {
            file: file.into(),
            tensors: BTreeMap::new(),
        }
    }

    /// Adds one under that name.
    ///
    /// # Errors
    /// [`Error::UnsupportedFile`] for a type that is not read; [`Error::InvalidFile`] if its shape does not allow what is to be undone, or the
    /// name is taken.
    pub fn add(&mut self, name: String, tensor: &GgufTensor, undo: Undo) -> Result<()> {
        let GgufTensor { kind, shape, .. } = tensor;
        if !Kind::READ.contains(kind) {
            let known = Kind::READ.map(Kind::name).join(", ");
            return Err(Error::UnsupportedFile {
                file: self.file.clone(),
                reason: format!("{name} is stored as {kind}; supported are {known}"),
            });
        }
        let mut given = shape.clone();
        let fits = match undo {
            Undo::HeadRows(heads) => {
                let halves = heads.checked_mul(2).filter(|halves| *halves > 0);
                halves.is_some_and(|halves| shape[0].is_multiple_of(halves))
            }
            Undo::Transposition => {
                given.reverse();
                shape.len() == 2
            }
            Undo::Nothing | Undo::PlusOne => true,
        };
        let placed = Placed {
            stored: tensor.clone(),
            undo,
            shape: given,
        };
        if !fits || self.tensors.insert(name.clone(), placed).is_some() {
            return Err(Error::file(
                &self.file,
                format!(
                    "{name}: its shape {shape:?} is not what the metadata says of the model, or it is there twice"
                ),
            ));
        }
        Ok(())
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Rows first; none for a name that is not there.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.tensors.get(name)?.shape)
    }

    /// Some of a tensor's values, in row order; `range` counts values.
    ///
    /// # Errors
    /// As [`crate::formats::read_values`].
    pub async fn values<S: Source>(
        &self,
        source: &S,
        name: &str,
        range: Range<u64>,
    ) -> Result<Vec<f32>> {
        let placed = self.tensors.get(name).ok_or_else(|| Error::MissingTensor {
            file: self.file.clone(),
            tensor: name.into(),
        })?;
        let pieces = Blocks { source, placed };
        gather(&self.file, name, &pieces, range).await
    }

    /// Some lines of a matrix as the file holds them: blocks along the lines, of integers of at most so many bits. None where [`Self::values`]
    /// is the only way: for a type without such blocks, where blocks lie across the lines, and for sizes that are no numbers.
    ///
    /// # Errors
    /// [`Error::ReadFailed`]; [`Error::Internal`] for lines that the matrix does not have.
    pub async fn blocks<S: Source>(
        &self,
        source: &S,
        name: &str,
        lines: Lines,
        range: Range<usize>,
        bits: u32,
    ) -> Result<Option<IntegerBlocks>> {
        let Some(Placed { stored, undo, .. }) = self.tensors.get(name) else {
            return Ok(None);
        };
        let [rows, width] = stored.shape[..] else {
            return Ok(None);
        };
        let is_stored = match undo {
            Undo::Nothing | Undo::HeadRows(_) => lines == Lines::Rows,
            Undo::Transposition => lines == Lines::Columns,
            Undo::PlusOne => false,
        };
        if !is_stored || integer_bits(stored.kind).is_none_or(|found| found > bits) {
            return Ok(None);
        }
        if range.start > range.end || range.end > rows {
            return Err(Error::internal(format!(
                "{name}: lines {range:?} were asked for, and it has {rows}"
            )));
        }
        if range.is_empty() {
            return Ok(Some(IntegerBlocks::default()));
        }
        let found = match *undo {
            Undo::HeadRows(heads) => {
                let rows = HeadRows::new(heads, rows);
                let read = rows.whole_heads(&range);
                let first = read.start;
                let read = stored_blocks(source, stored, read, width).await?;
                let mut found = IntegerBlocks::default();
                for row in range {
                    let from = (rows.stored(row) - first) * width;
                    found.integers.extend(&read.integers[from..from + width]);
                    let sizes = from / BLOCK..(from + width) / BLOCK;
                    found.scales.extend(&read.scales[sizes]);
                }
                found
            }
            _ => stored_blocks(source, stored, range, width).await?,
        };
        let is_finite = found.scales.iter().all(|scale| scale.is_finite());
        Ok(is_finite.then_some(found))
    }
}

/// Values in a block of integers.
const BLOCK: usize = 32;

/// The blocks of some rows as they lie in the file.
async fn stored_blocks<S: Source>(
    source: &S,
    stored: &GgufTensor,
    rows: Range<usize>,
    width: usize,
) -> Result<IntegerBlocks> {
    let (values, bytes) = stored.kind.block();
    let row = width / values * bytes; // rows are whole blocks, as the head was checked for
    let start = stored.start + rows.start as u64 * row as u64;
    let read = read_exact(source, start, rows.len() * row).await?;
    let mut found = IntegerBlocks {
        integers: Vec::with_capacity(rows.len() * width),
        scales: Vec::with_capacity(rows.len() * width / BLOCK),
    };
    integers(stored.kind, &read, &mut found);
    Ok(found)
}

/// Where the file has the rows of heads that the converter turned.
#[derive(Clone, Copy)]
struct HeadRows {
    /// Rows of one head.
    rows: usize,
}

impl HeadRows {
    fn new(heads: usize, rows: usize) -> Self {
        Self { rows: rows / heads }
    }

    fn stored(self, row: usize) -> usize {
        let (head, row_of_head) = (row / self.rows, row % self.rows);
        let half = self.rows / 2;
        head * self.rows + row_of_head % half * 2 + row_of_head / half
    }

    /// The heads that some rows are of.
    fn whole_heads(self, rows: &Range<usize>) -> Range<usize> {
        rows.start / self.rows * self.rows..rows.end.next_multiple_of(self.rows)
    }
}

struct Blocks<'a, S> {
    source: &'a S,
    placed: &'a Placed,
}

impl<S: Source> Pieces for Blocks<'_, S> {
    fn count(&self) -> u64 {
        self.placed.stored.values
    }

    async fn piece(&self, range: Range<u64>, values: &mut Vec<f32>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        match self.placed.undo {
            Undo::Nothing => self.stored(range, values).await,
            Undo::PlusOne => {
                let first = values.len();
                self.stored(range, values).await?;
                values[first..].iter_mut().for_each(|value| *value -= 1.0);
                Ok(())
            }
            Undo::HeadRows(heads) => self.head_rows(heads, range, values).await,
            Undo::Transposition => self.transposed(range, values).await,
        }
    }
}

impl<S: Source> Blocks<'_, S> {
    /// Appends values as the file has them.
    async fn stored(&self, range: Range<u64>, values: &mut Vec<f32>) -> Result<()> {
        let GgufTensor { kind, start, .. } = self.placed.stored;
        let (block, bytes) = kind.block();
        let [block, bytes] = [block as u64, bytes as u64];
        // whole blocks, of which the first and the last may reach beyond the range
        let most = (PIECE_BYTES / bytes).max(1);
        let mut at = range.start / block;
        let end = range.end.div_ceil(block);
        while at < end {
            let until = end.min(at + most);
            let length = (until - at) * bytes;
            let read = read_exact(self.source, start + at * bytes, length as usize).await?;
            let first = values.len();
            if !widen(kind, &read, values) {
                return Err(Error::internal(format!("{kind} is not read")));
            }
            values.truncate(
                first + (until * block).min(range.end).saturating_sub(at * block) as usize,
            );
            let before = range.start.saturating_sub(at * block) as usize;
            values.drain(first..first + before);
            at = until;
        }
        Ok(())
    }

    /// The rows of whole heads are read, and put into the other order.
    async fn head_rows(
        &self,
        heads: usize,
        range: Range<u64>,
        values: &mut Vec<f32>,
    ) -> Result<()> {
        let stored = &self.placed.stored;
        let rows = HeadRows::new(heads, stored.shape[0]);
        let width = stored.shape[1..].iter().product::<usize>();
        let [start, end] = [range.start, range.end].map(|value| value as usize);
        let heads = rows.whole_heads(&(start / width..end.div_ceil(width)));
        let first = heads.start * width;
        let mut read = Vec::new();
        self.stored(first as u64..(heads.end * width) as u64, &mut read)
            .await?;
        for row in start / width..end.div_ceil(width) {
            let from = rows.stored(row) * width - first;
            // the first and the last row may be cut
            let columns = start.saturating_sub(row * width)..width.min(end - row * width);
            values.extend(&read[from + columns.start..from + columns.end]);
        }
        Ok(())
    }

    /// Each row of the file gives one value to each row of the range.
    async fn transposed(&self, range: Range<u64>, values: &mut Vec<f32>) -> Result<()> {
        let [rows, width] = [self.placed.shape[1], self.placed.shape[0]];
        let first = values.len();
        values.resize(first + (range.end - range.start) as usize, 0.0);
        let out = &mut values[first..];
        let at_once = (PIECE_BYTES as usize / (4 * width).max(1)).max(1);
        let mut read = Vec::new();
        for start in (0..rows).step_by(at_once) {
            let end = rows.min(start + at_once);
            read.clear();
            self.stored((start * width) as u64..(end * width) as u64, &mut read)
                .await?;
            for (row, line) in (start..end).zip(read.chunks_exact(width)) {
                // of this column of what is asked for
                for (column, value) in line.iter().enumerate() {
                    let at = (column * rows + row) as u64;
                    if range.contains(&at) {
                        out[(at - range.start) as usize] = *value;
                    }
                }
            }
        }
        Ok(())
    }
}
