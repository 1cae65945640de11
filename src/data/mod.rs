//! Enters: the bytes of a person's file. Leaves: checked examples, a split of them, and padded batches.

pub mod batch;
mod columns;
pub mod example;
mod jsonl;
pub mod parse;
mod sniff;
pub mod split;
mod table;

pub use batch::{Batch, batches, length_sorted};
pub use example::{Example, LabelMap, check};
pub use parse::{LabelCount, ParseOptions, ParsedRow, ParsedTable, TableFormat, parse};
pub use split::{Split, stratified};
