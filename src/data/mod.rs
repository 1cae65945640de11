//! From the bytes of a person's file to checked examples, a split of them, and padded batches.

pub mod batch;
mod columns;
pub mod example;
mod jsonl;
pub mod pack;
pub mod parse;
pub mod rows;
pub mod sequence;
mod sniff;
pub mod split;
mod table;
pub mod text_rows;

pub use batch::{Batch, batches, length_sorted};
pub use example::{Example, LABEL_COUNT, LabelMap, check};
pub use pack::{Packed, SequenceBatch, pack};
pub use parse::parse;
pub use rows::{LabelCount, ParseOptions, ParsedRow, ParsedTable, TableFormat};
pub use sequence::{Sequence, SequenceOptions, encode_row, encode_rows};
pub use split::{Split, stratified};
pub use text_rows::{ParsedText, TextRow, parse_text_rows};
