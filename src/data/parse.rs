//! Reads a file that a person opened or pasted into labelled rows, counted and with their defects named.

use super::decode::decode;
use super::rows::{ParseOptions, ParsedTable, TableFormat};
use super::{jsonl, marked, sniff, table};
use crate::error::{Error, Result};

/// Reads a table of labelled texts. `name` gives the format by its extension and is named in errors.
///
/// A first row is a header if it holds names that text and label columns usually have, a column that `options` asks
/// for, or words that look unlike the rows below. Without a header the columns are called `Column 1` and so on. Columns
/// are chosen by `options`, else by name, else by content.
///
/// # Errors
/// `InvalidFile` for a binary file or one that is not of its encoding; `InvalidData` for a file without rows, rows of different
/// length, a quote never closed, a line that is no JSON object, a column that does not exist, and several labels for one text.
/// Where single rows are at fault the error names the first, and `skipBad` leaves them out. `InvalidOption`.
pub fn parse(name: &str, bytes: &[u8], options: &ParseOptions) -> Result<ParsedTable> {
    let expected = "expected rows with a text and a label";
    let decoded = decode(name, bytes, options.encoding, expected)?;
    let format = match options.format {
        Some(format) => format,
        None if options.delimiter.is_some() => TableFormat::Csv,
        None => sniff::format(decoded.name, &decoded.text),
    };
    let is_table = matches!(format, TableFormat::Csv | TableFormat::Tsv);
    for (option, is_given) in [
        ("delimiter", options.delimiter.is_some()),
        ("header", options.header.is_some()),
    ] {
        let fits = is_table || (format == TableFormat::LabelTab && option == "header");
        if is_given && !fits {
            let reason =
                "expected only with a table of columns, but this file is read in another format";
            return Err(Error::option(option, reason));
        }
    }
    match format {
        TableFormat::Jsonl => jsonl::read(name, &decoded, options),
        TableFormat::FastText | TableFormat::Trec => marked::read(name, &decoded, format, options),
        TableFormat::Csv | TableFormat::Tsv | TableFormat::LabelTab => {
            table::read(name, &decoded, format, options)
        }
    }
}
