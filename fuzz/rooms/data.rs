//! The files of `src/data` that read what a person drops in.

#[path = "../../src/data/columns.rs"]
mod columns;
#[path = "../../src/data/jsonl.rs"]
mod jsonl;
#[path = "../../src/data/parse.rs"]
mod parse;
#[path = "../../src/data/rows.rs"]
mod rows;
#[path = "../../src/data/sniff.rs"]
mod sniff;
#[path = "../../src/data/table.rs"]
mod table;
#[path = "../../src/data/text_rows.rs"]
mod text_rows;

pub use parse::parse;
pub use rows::{ParseOptions, TableFormat};
pub use text_rows::parse_text_rows;
