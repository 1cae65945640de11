//! Labelled rows as the readers of all table formats give them, and the error for a row that cannot be used.
//!
//! A row's number is what a spreadsheet or an editor shows: rows count from 1, a header and blank lines included; a record
//! with line breaks inside quotes is one row. In JSONL a row is a line.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

/// How the rows of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ParseOptions {
    /// Default: from the name and the first lines.
    pub format: Option<TableFormat>,
    /// Column name, or `Column 2` if there is no header.
    pub text_column: Option<String>,
    /// Column name, or `Column 1` if there is no header.
    pub label_column: Option<String>,
}

/// An example and the row that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ParsedRow {
    /// As in the file.
    pub text: String,
    /// As in the file, without blanks around it.
    pub label: String,
    /// Counts from 1; the header, if there is one, is row 1.
    pub row: usize,
}

/// How many rows have a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LabelCount {
    /// The label.
    pub label: String,
    /// Rows with it.
    pub count: usize,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Rows that repeat the text and label of an earlier one; they are kept in `rows`.
    pub duplicate_rows: Vec<usize>,
    /// Rows that repeat the text of an earlier one with another label; they are kept in `rows`.
    pub conflicting_rows: Vec<usize>,
}

/// The index of the text column and of the label column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ColumnPair {
    pub text: usize,
    pub label: usize,
}

/// Counts `rows` (row number, text, label) and names their defects.
pub(crate) fn assemble(
    format: TableFormat,
    columns: Vec<String>,
    pair: ColumnPair,
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
        text_column: columns[pair.text].clone(),
        label_column: columns[pair.label].clone(),
        columns,
        rows: kept,
        label_counts,
        empty_rows,
        duplicate_rows,
        conflicting_rows,
    }
}
