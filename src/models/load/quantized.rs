//! Matrices in blocks of integers: the file's own blocks where the storage holds them exactly, values rounded to such blocks otherwise.

use std::ops::Range;

use burn::tensor::Tensor;

use super::{Loader, blocks, rows_of_block, transpose};
use crate::Result;
use crate::formats::{IntegerBlocks, Lines, Source};
use crate::layers::storage::Blocks;

impl<S: Source> Loader<'_, S> {
    /// Some rows of a matrix, with blocks along them; its name is that in the checkpoint.
    pub(super) async fn quantized(
        &self,
        stored: &str,
        rows: Range<usize>,
        width: usize,
    ) -> Result<Tensor<2>> {
        let count = rows.len() * width;
        self.storage.check_count(stored, count)?;
        let mut found = Blocks::with_capacity(count);
        for part in blocks(rows, rows_of_block(width)) {
            match self.own_blocks(stored, Lines::Rows, part.clone()).await? {
                Some(own) => {
                    found.integers.extend(own.integers);
                    found.scales.extend(own.scales);
                }
                None => {
                    let values = self.rows(stored, &part, width).await?;
                    self.storage.quantize(&values, &mut found);
                }
            }
        }
        Ok(self.storage.store_blocks(found, &self.compute.device))
    }

    /// All columns of a matrix `[width, columns]`, with blocks along them.
    pub(super) async fn quantized_columns(
        &self,
        stored: &str,
        columns: usize,
        width: usize,
    ) -> Result<Tensor<2>> {
        self.storage.check_count(stored, columns * width)?;
        let mut found = Blocks::with_capacity(columns * width);
        match self.own_blocks(stored, Lines::Columns, 0..columns).await? {
            Some(own) => {
                found.integers.extend(own.integers);
                found.scales.extend(own.scales);
            }
            None => {
                let (_, values) = self.checkpoint.tensor(stored).await?;
                let turned = transpose(&values, width, columns);
                drop(values);
                self.storage.quantize(&turned, &mut found);
            }
        }
        Ok(self.storage.store_blocks(found, &self.compute.device))
    }

    async fn own_blocks(
        &self,
        stored: &str,
        lines: Lines,
        range: Range<usize>,
    ) -> Result<Option<IntegerBlocks>> {
        let bits = self.storage.bits();
        self.checkpoint.blocks(stored, lines, range, bits).await
    }
}
