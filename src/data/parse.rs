//! Enters: a file that a person opened or pasted. Leaves: its labelled rows, counted and with their defects named.
//!
//! A row's number is what a spreadsheet or an editor shows: rows count from 1, a header and blank lines included; a record
//! with line breaks inside quotes is one row. In JSONL a row is a line.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::columns::Chosen;
use super::{jsonl, sniff, table};
use crate::error::Result;

/// How the rows of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TableFormat {
    /// Separated by commas, semicolons or tabs (found by looking), quoted as in RFC 4180.
    Csv,
    /// Separated by tabs.
    Tsv,
    /// One JSON object per line.
    Jsonl,
    /// Per line a label, a tab and a text; quotes are part of the text.
    LabelTab,
}

/// What a caller may settle; everything else is found by looking at the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ParseOptions {
    /// Default: from the name and the first lines.
    pub format: Option<TableFormat>,
    /// Column name, or `Column 2` where there is no header.
    pub text_column: Option<String>,
    /// Column name, or `Column 1` where there is no header.
    pub label_column: Option<String>,
}

/// An example together with where it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParsedRow {
    /// As in the file.
    pub text: String,
    /// As in the file, without blanks around it.
    pub label: String,
    /// Counts from 1; the header is row 1 where there is one.
    pub row: usize,
}

/// How many rows have a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelCount {
    /// The label.
    pub label: String,
    /// Rows with it.
    pub count: usize,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParsedTable {
    /// The format it was read in.
    pub format: TableFormat,
    /// All columns, in the order of the file.
    pub columns: Vec<String>,
    /// The column that became the text.
    pub text_column: String,
    /// The column that became the label.
    pub label_column: String,
    /// The rows with a text and a label, in the order of the file.
    pub rows: Vec<ParsedRow>,
    /// Sorted by label.
    pub label_counts: Vec<LabelCount>,
    /// Rows left out, because text or label is blank. Blank lines are no rows.
    pub empty_rows: Vec<usize>,
    /// Rows whose text and label stood before; they are kept in `rows`.
    pub duplicate_rows: Vec<usize>,
    /// Rows whose text stood before with another label; they are kept in `rows`.
    pub conflicting_rows: Vec<usize>,
}

/// Reads a table of labelled texts. `name` gives the format by its extension and stands in errors.
///
/// A first row is a header where it holds names that text and label columns usually have, a column that `options` asks
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

/// Counts `rows` (row number, text, label) and names their defects.
pub(crate) fn assemble(
    format: TableFormat,
    columns: Vec<String>,
    chosen: Chosen,
    rows: impl Iterator<Item = (usize, String, String)>,
) -> ParsedTable {
    let mut kept: Vec<ParsedRow> = Vec::new();
    let mut empty_rows = Vec::new();
    for (row, text, label) in rows {
        let label = label.trim().to_owned();
        if text.trim().is_empty() || label.is_empty() {
            empty_rows.push(row);
        } else {
            kept.push(ParsedRow { text, label, row });
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    let mut labels_of: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut duplicate_rows = Vec::new();
    let mut conflicting_rows = Vec::new();
    for ParsedRow { text, label, row } in &kept {
        let text = text.trim();
        *counts.entry(label).or_default() += 1;
        let labels = labels_of.entry(text).or_default();
        if labels.len() > 1 || labels.first().is_some_and(|first| first != label) {
            conflicting_rows.push(*row);
        }
        if seen.insert((text, label)) {
            labels.push(label);
        } else {
            duplicate_rows.push(*row);
        }
    }
    let label_counts = counts
        .into_iter()
        .map(|(label, count)| LabelCount {
            label: label.to_owned(),
            count,
        })
        .collect();
    ParsedTable {
        format,
        text_column: columns[chosen.text].clone(),
        label_column: columns[chosen.label].clone(),
        columns,
        rows: kept,
        label_counts,
        empty_rows,
        duplicate_rows,
        conflicting_rows,
    }
}
