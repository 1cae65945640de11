//! Batches of rows alike in length, padded to rectangles.

use crate::error::{Error, Result};
use crate::rng::Rng;
use crate::text::Encoding;

/// Rows of similar length are searched for among this many batches at most, so that batches still mix well.
const MAX_BUCKET_BATCHES: usize = 50;

/// One epoch's batches of row indices: each row once, rows of similar length together, batches in random order. All but
/// one batch have `batch_size` rows. The same seed and epoch give the same batches, and no epoch depends on another.
///
/// Rows are shuffled, cut into buckets of several batches, and sorted by length inside a bucket, as transformers'
/// `LengthGroupedSampler` does.
///
/// # Errors
/// `InvalidOption` if `batch_size` is 0.
pub fn batches(
    lengths: &[usize],
    batch_size: usize,
    seed: u64,
    epoch: usize,
) -> Result<Vec<Vec<usize>>> {
    check_size(batch_size)?;
    let mut rng = Rng::stream(seed, &format!("shuffle/{epoch}"));
    let mut rows: Vec<usize> = (0..lengths.len()).collect();
    rng.shuffle(&mut rows);
    let bucket_batches =
        (lengths.len() / (batch_size.saturating_mul(4))).clamp(1, MAX_BUCKET_BATCHES);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for bucket in rows.chunks_mut(batch_size.saturating_mul(bucket_batches)) {
        bucket.sort_by_key(|row| lengths[*row]);
        batches.extend(bucket.chunks(batch_size).map(<[usize]>::to_vec));
    }
    rng.shuffle(&mut batches);
    Ok(batches)
}

/// Batches for scoring, for which order does not matter: all rows sorted by length, so that least is padded. `lengths`: tokens of each row.
///
/// # Errors
/// `InvalidOption` if `batch_size` is 0.
pub fn length_sorted(lengths: &[usize], batch_size: usize) -> Result<Vec<Vec<usize>>> {
    check_size(batch_size)?;
    let mut rows: Vec<usize> = (0..lengths.len()).collect();
    rows.sort_by_key(|row| lengths[*row]);
    Ok(rows.chunks(batch_size).map(<[usize]>::to_vec).collect())
}

fn check_size(batch_size: usize) -> Result<()> {
    if batch_size == 0 {
        return Err(Error::out_of_range("trainBatchSize", "at least 1", 0));
    }
    Ok(())
}

/// Rows padded on the right to the longest among them. All data is [rows, width], row after row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Token ids, `pad_id` if a row is shorter than the longest.
    pub ids: Vec<i32>,
    /// 1 for a token, 0 for padding, as Hugging Face's `attention_mask`.
    pub mask: Vec<i32>,
    /// Token types, as Hugging Face's `token_type_ids`; 0 for padding.
    pub types: Vec<i32>,
    /// How many rows there are.
    pub rows: usize,
    /// Tokens per row, padding included; at least 1.
    pub width: usize,
    /// Tokens of all rows, padding left out.
    pub tokens: usize,
}

impl Batch {
    /// Pads `encodings` to the longest of them.
    ///
    /// # Errors
    /// `Internal` for an id that does not fit an i32, which no embedding table reaches.
    pub fn pad(encodings: &[&Encoding], pad_id: u32) -> Result<Batch> {
        let longest = encodings.iter().map(|e| e.ids.len()).max().unwrap_or(0);
        // A tensor of width 0 has no position to attend to or to pool.
        let width = longest.max(1);
        let size = encodings.len() * width;
        let mut batch = Batch {
            ids: Vec::with_capacity(size),
            mask: Vec::with_capacity(size),
            types: Vec::with_capacity(size),
            rows: encodings.len(),
            width,
            tokens: 0,
        };
        let pad_id = signed(pad_id)?;
        for (row, encoding) in encodings.iter().enumerate() {
            for &id in &encoding.ids {
                batch.ids.push(signed(id)?);
            }
            for &type_id in &encoding.type_ids {
                batch.types.push(signed(type_id)?);
            }
            batch.tokens += encoding.ids.len();
            batch.mask.resize(row * width + encoding.ids.len(), 1);
            batch.ids.resize((row + 1) * width, pad_id);
            batch.mask.resize((row + 1) * width, 0);
            batch.types.resize((row + 1) * width, 0);
        }
        Ok(batch)
    }
}

/// A value of an index tensor.
pub(super) fn signed(id: u32) -> Result<i32> {
    i32::try_from(id)
        .map_err(|_| Error::internal(format!("expected a token id below 2^31, got {id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(ids: &[u32]) -> Encoding {
        Encoding {
            ids: ids.to_vec(),
            type_ids: ids.iter().map(|id| id % 2).collect(),
            truncated_from: None,
        }
    }

    /// Positions that padding to the longest row of each batch costs.
    fn padded_size(batches: &[Vec<usize>], lengths: &[usize]) -> usize {
        batches
            .iter()
            .map(|rows| rows.len() * rows.iter().map(|r| lengths[*r]).max().unwrap_or(0))
            .sum()
    }

    #[test]
    fn rows_of_similar_length_come_together() {
        let mut rng = Rng::stream(5, "test");
        let lengths: Vec<usize> = (0..600).map(|_| 4 + rng.below(60)).collect();
        let tokens: usize = lengths.iter().sum();
        let found = batches(&lengths, 16, 42, 0).unwrap();
        assert_eq!(found.len(), 38);
        assert_eq!(found.iter().filter(|rows| rows.len() < 16).count(), 1);
        let mixed: Vec<Vec<usize>> = (0..600)
            .collect::<Vec<_>>()
            .chunks(16)
            .map(<[_]>::to_vec)
            .collect();
        assert!(padded_size(&mixed, &lengths) > tokens * 3 / 2);
        assert!(padded_size(&found, &lengths) < tokens * 6 / 5);
        let sorted = length_sorted(&lengths, 16).unwrap();
        assert!(padded_size(&sorted, &lengths) < tokens * 21 / 20);
    }

    #[test]
    fn epochs_differ_and_repeat() {
        let lengths: Vec<usize> = (0..100).map(|n| n % 17).collect();
        let first = batches(&lengths, 8, 42, 0).unwrap();
        assert_eq!(first, batches(&lengths, 8, 42, 0).unwrap());
        assert_ne!(first, batches(&lengths, 8, 42, 1).unwrap());
        assert_ne!(first, batches(&lengths, 8, 43, 0).unwrap());
        let widths: Vec<usize> = first.iter().map(|rows| lengths[rows[0]]).collect();
        assert!(!widths.is_sorted());
    }

    #[test]
    fn sizes_at_the_edge() {
        assert_eq!(batches(&[], 8, 1, 0).unwrap(), Vec::<Vec<usize>>::new());
        assert_eq!(batches(&[3], usize::MAX, 1, 0).unwrap(), [[0]]);
        assert_eq!(
            batches(&[1, 2], 0, 1, 0).unwrap_err().code(),
            "invalidOption"
        );
        assert_eq!(length_sorted(&[1], 0).unwrap_err().code(), "invalidOption");
    }

    #[test]
    fn rows_are_padded_on_the_right() {
        let (long, short) = (encoding(&[2, 7, 8, 3]), encoding(&[2, 3]));
        let batch = Batch::pad(&[&short, &long], 9).unwrap();
        assert_eq!((batch.rows, batch.width, batch.tokens), (2, 4, 6));
        assert_eq!(batch.ids, [2, 3, 9, 9, 2, 7, 8, 3]);
        assert_eq!(batch.mask, [1, 1, 0, 0, 1, 1, 1, 1]);
        assert_eq!(batch.types, [0, 1, 0, 0, 0, 1, 0, 1]);
    }

    #[test]
    fn a_row_without_tokens_is_all_padding() {
        let batch = Batch::pad(&[&encoding(&[])], 0).unwrap();
        assert_eq!((batch.ids, batch.mask, batch.width), (vec![0], vec![0], 1));
        assert!(Batch::pad(&[&encoding(&[u32::MAX])], 0).is_err());
    }
}
