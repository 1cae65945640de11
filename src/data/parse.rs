//! Reads a file that a person opened or pasted into labelled rows, counted and with their defects named.

use super::rows::{ParseOptions, ParsedTable, TableFormat};
use super::{jsonl, sniff, table};
use crate::error::Result;

/// Reads a table of labelled texts. `name` gives the format by its extension and is named in errors.
///
/// A first row is a header if it holds names that text and label columns usually have, a column that `options` asks
/// for, or words that look unlike the rows below. Without a header the columns are called `Column 1` and so on. Columns
/// are chosen by `options`, else by name, else by content.
///
/// # Errors
/// `InvalidFile` for a binary file or one that is not UTF-8; `InvalidData` for a file without rows, rows of different
/// length, a quote never closed, a line that is no JSON object, and a column that does not exist.
pub fn parse(name: &str, bytes: &[u8], options: &ParseOptions) -> Result<ParsedTable> {
    let text = sniff::decode(name, bytes, "expected rows with a text and a label")?;
    match options.format.unwrap_or_else(|| sniff::format(name, text)) {
        TableFormat::Jsonl => jsonl::read(name, text, options),
        format => table::read(name, text, format, options),
    }
}
