//! Rows of several sequences each, and rectangles of such rows, which know the sequence that each token belongs to.

use super::batch::signed;
use super::sequence::Sequence;
use crate::{Error, Result};

/// The segment of padding, which belongs to no sequence.
pub const PADDING: i32 = -1;

/// One or more sequences one after another. All lists have one entry per token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Whether the loss counts the prediction of each token; never a segment's first.
    pub targets: Vec<bool>,
    /// Which sequence of the row each token belongs to: 0, 1, 2 and so on. A token attends to its own alone.
    pub segments: Vec<u32>,
    /// Position of each token in its sequence, from 0.
    pub positions: Vec<u32>,
}

impl Packed {
    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Puts `sequence` after what is there.
    fn push(&mut self, sequence: Sequence) {
        let segment = self.segments.last().map_or(0, |last| last + 1);
        let start = self.targets.len();
        self.positions.extend((0..).take(sequence.ids.len()));
        self.segments.resize(start + sequence.ids.len(), segment);
        self.ids.extend(sequence.ids);
        self.targets.extend(sequence.targets);
        // Its predecessor is another sequence's end.
        if let Some(first) = self.targets.get_mut(start) {
            *first = false;
        }
    }
}

impl From<Sequence> for Packed {
    /// A row of one sequence.
    fn from(sequence: Sequence) -> Packed {
        let mut packed = Packed::default();
        packed.push(sequence);
        packed
    }
}

/// Fills rows of at most `max_length` tokens, so that little is padded: the longest sequence first, each into the first
/// row with room (first-fit decreasing). The same sequences give the same rows.
///
/// # Errors
/// `InvalidData` for a sequence longer than `max_length`.
pub fn pack(sequences: Vec<Sequence>, max_length: usize) -> Result<Vec<Packed>> {
    if let Some(long) = sequences.iter().find(|s| s.ids.len() > max_length) {
        let reason = format!(
            "cannot pack: expected sequences of at most {max_length} tokens, found one of {}",
            long.ids.len()
        );
        return Err(Error::data("examples", None, reason));
    }
    let mut sorted = sequences;
    sorted.sort_by_key(|sequence| std::cmp::Reverse(sequence.ids.len()));
    let mut rows: Vec<Packed> = Vec::new();
    let mut rooms = Rooms::new(sorted.len(), max_length);
    for sequence in sorted {
        let row = rooms.take(sequence.ids.len());
        match rows.get_mut(row) {
            Some(row) => row.push(sequence),
            None => rows.push(Packed::from(sequence)),
        }
    }
    Ok(rows)
}

/// How much room each row has, the rows that are still empty after the others: a tree whose nodes have the most room below them, root first.
struct Rooms(Vec<usize>);

impl Rooms {
    fn new(rows: usize, room: usize) -> Self {
        Self(vec![room; 2 * rows.next_power_of_two()])
    }

    /// Takes that much room, which an empty row has, from the first row that has it; that row's number.
    fn take(&mut self, length: usize) -> usize {
        let leaves = self.0.len() / 2;
        let mut node = 1;
        while node < leaves {
            node = 2 * node + usize::from(self.0[2 * node] < length);
        }
        let row = node - leaves;
        self.0[node] -= length;
        while node > 1 {
            node /= 2;
            self.0[node] = self.0[2 * node].max(self.0[2 * node + 1]);
        }
        row
    }
}

/// Rows padded on the right to the longest among them. All data is [rows, width], row after row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceBatch {
    /// Token ids, `pad_id` if a row is shorter than the longest.
    pub ids: Vec<i32>,
    /// Whether the loss counts the prediction of each token; false for padding.
    pub targets: Vec<bool>,
    /// Which sequence of its row each token belongs to; [`PADDING`] for padding.
    pub segments: Vec<i32>,
    /// Position of each token in its sequence; 0 for padding.
    pub positions: Vec<i32>,
    /// How many rows there are.
    pub rows: usize,
    /// Tokens per row, padding included; at least 1.
    pub width: usize,
    /// How many tokens the loss counts: what its sum is divided by.
    pub target_count: usize,
}

impl SequenceBatch {
    /// Pads `rows` to the longest of them. [`super::batches`] says which rows should come together.
    ///
    /// # Errors
    /// `InvalidState` for an id or a position that does not fit an i32, which no embedding table reaches.
    pub fn pad(rows: &[&Packed], pad_id: u32) -> Result<SequenceBatch> {
        // A tensor of width 0 has no position to attend to.
        let width = rows.iter().map(|row| row.len()).max().unwrap_or(0).max(1);
        let size = rows.len() * width;
        let mut batch = SequenceBatch {
            ids: Vec::with_capacity(size),
            targets: Vec::with_capacity(size),
            segments: Vec::with_capacity(size),
            positions: Vec::with_capacity(size),
            rows: rows.len(),
            width,
            target_count: 0,
        };
        let pad_id = signed(pad_id)?;
        for (number, row) in (1..).zip(rows) {
            push_signed(&mut batch.ids, &row.ids)?;
            push_signed(&mut batch.segments, &row.segments)?;
            push_signed(&mut batch.positions, &row.positions)?;
            batch.targets.extend(&row.targets);
            let end = number * width;
            batch.ids.resize(end, pad_id);
            batch.segments.resize(end, PADDING);
            batch.positions.resize(end, 0);
            batch.targets.resize(end, false);
        }
        batch.target_count = batch.targets.iter().filter(|target| **target).count();
        Ok(batch)
    }
}

fn push_signed(list: &mut Vec<i32>, values: &[u32]) -> Result<()> {
    for value in values {
        list.push(signed(*value)?);
    }
    Ok(())
}
