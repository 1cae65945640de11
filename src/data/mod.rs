//! From the bytes of a person's file to checked examples, a split of them, and padded batches.

mod assemble;
pub mod batch;
mod binary;
mod columns;
mod decode;
mod delimiter;
mod dialogue;
pub mod example;
mod header;
mod json;
mod jsonl;
pub mod label;
pub mod label_map;
mod marked;
pub mod pack;
mod pairs;
pub mod parse;
pub mod rows;
mod scan;
pub mod sequence;
mod several;
mod sniff;
pub mod split;
mod table;
pub mod text_rows;
pub mod texts;

pub use batch::{Batch, batches, length_sorted};
pub use example::{Example, LABEL_COUNT, check, truth};
pub use label::{Label, ProblemType, Truth};
pub use label_map::LabelMap;
pub use pack::{Packed, SequenceBatch, pack};
pub use parse::parse;
pub use rows::{
    LabelCount, ParseOptions, ParsedRow, ParsedTable, SkippedRow, TableFormat, TextEncoding,
};
pub use sequence::{Encoded, Sequence, SequenceOptions, encode_row, encode_rows};
pub use split::{Split, stratified, stratified_by_set};
pub use text_rows::{ParsedText, ParsedTexts, TextFormat, TextOptions, TextRow};
pub use texts::parse_text_rows;
