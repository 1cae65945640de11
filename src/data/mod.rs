//! Enters: the bytes of a person's file. Leaves: checked examples, a split of them, and padded batches.

pub mod batch;
mod columns;
pub mod dialogue;
pub mod example;
mod jsonl;
pub mod pack;
pub mod parse;
pub mod sequence;
mod sniff;
pub mod split;
mod table;

pub use batch::{Batch, batches, length_sorted};
pub use dialogue::{ParsedText, TextRow, parse_text_rows};
pub use example::{Example, LabelMap, check};
pub use pack::{Packed, SequenceBatch, pack};
pub use parse::{LabelCount, ParseOptions, ParsedRow, ParsedTable, TableFormat, parse};
pub use sequence::{Sequence, SequenceOptions, encode_row, encode_rows};
pub use split::{Split, stratified};
