//! Labelled rows as the readers of all table formats give them, and the error for a row that cannot be used.
//!
//! A row's number is what a spreadsheet or an editor shows: rows count from 1, a header and blank lines included; a record
//! with line breaks inside quotes is one row. In JSONL a row is a line.

use serde::{Deserialize, Serialize};

use super::label::{Label, ProblemType};
use crate::error::{Error, Remedy, Result};
use crate::text::Texts;

/// How the rows of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum TableFormat {
    /// Separated by commas, semicolons, tabs or pipes (found by looking), quoted as in RFC 4180.
    Csv,
    /// Separated by tabs.
    Tsv,
    /// JSON: an object per line, an array of objects or of `[text, label]`, either of them under a key, or columns.
    Jsonl,
    /// Per line a label, a tab and a text; quotes are part of the text.
    LabelTab,
    /// Per line `__label__` with a label, a blank and a text, as fastText reads it.
    FastText,
    /// Per line `LABEL:sublabel`, a blank and a question, as TREC's question classes are written.
    Trec,
}

/// How a file's bytes stand for characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum TextEncoding {
    /// The web's own.
    #[serde(rename = "utf-8")]
    Utf8,
    /// As some Windows programs export it, the lower byte first.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// The higher byte first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// Western European, as older Windows programs write it; every byte is a character.
    #[serde(rename = "windows-1252")]
    Windows1252,
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
    /// The column of a second text, for rows that are pairs. Default: the other one of a known pair, such as `hypothesis` beside `premise`; none
    /// where `textColumn` is given, so that this text is read alone.
    pub text_pair_column: Option<String>,
    /// Column name, or `Column 1` if there is no header.
    pub label_column: Option<String>,
    /// Columns of 0 and 1 (or false and true), a label each, of which a text may have several. Default: found by looking, where no column has a
    /// label's name.
    pub label_columns: Option<Vec<String>>,
    /// What stands between several labels in the label column, such as `|`; empty for one label a text. Default: found by looking.
    pub label_separator: Option<String>,
    /// One character between columns. Default: what a `sep=` line says, else found by looking.
    pub delimiter: Option<String>,
    /// Whether the first row names the columns. Default: found by looking.
    pub header: Option<bool>,
    /// Default: by a byte order mark, else UTF-8.
    pub encoding: Option<TextEncoding>,
    /// Leaves rows out that cannot be read, and lists them; without it the first of them is an error.
    pub skip_bad: bool,
}

/// An example and the row that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ParsedRow {
    /// As in the file.
    pub text: String,
    /// The second text of a pair, as in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// As in the file, without blanks around it; a list in all rows where texts may have several.
    pub label: Label,
    /// Counts from 1; the header, if there is one, is row 1.
    pub row: usize,
}

impl ParsedRow {
    /// What is encoded of it.
    pub(super) fn texts(&self) -> Texts<'_> {
        Texts {
            text: &self.text,
            pair: self.text_pair.as_deref(),
        }
    }
}

/// A row that was left out, because it cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SkippedRow {
    /// Counts from 1.
    pub row: usize,
    /// What is wrong with it.
    pub reason: String,
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
    /// How its bytes were read.
    pub encoding: TextEncoding,
    /// The character between columns, where there is one.
    pub delimiter: Option<String>,
    /// Whether the first row names the columns.
    pub header: bool,
    /// All columns, in the order of the file.
    pub columns: Vec<String>,
    /// The column that became the text.
    pub text_column: String,
    /// The column that became the second text, where rows are pairs.
    pub text_pair_column: Option<String>,
    /// The column that became the label; the first of them where it was several.
    pub label_column: String,
    /// The columns of 0 and 1 that became labels, a label each; empty where one column has the labels.
    pub label_columns: Vec<String>,
    /// What separates several labels in that column, where it was read so.
    pub label_separator: Option<String>,
    /// Whether each text has one label, or any number of them.
    pub problem_type: ProblemType,
    /// The rows with a text (of pairs both) and a label, in the order of the file.
    pub rows: Vec<ParsedRow>,
    /// Sorted by label.
    pub label_counts: Vec<LabelCount>,
    /// Rows left out, because a text or the label is blank or null. Blank lines are no rows, and an empty list of labels beside longer ones is
    /// no blank: no label applies.
    pub empty_rows: Vec<usize>,
    /// Rows left out, because they cannot be read (`skipBad`).
    pub skipped_rows: Vec<SkippedRow>,
    /// Rows that repeat the text (of pairs both) and label of an earlier one; they are kept in `rows`.
    pub duplicate_rows: Vec<usize>,
    /// Rows that repeat the text of an earlier one with another label; they are kept in `rows`.
    pub conflicting_rows: Vec<usize>,
    /// What a person should know of how the file was read: columns that hold content and are not used, lists that were not read.
    pub warnings: Vec<String>,
}

/// The indices of the text column, of the second text's where rows are pairs, and of the label column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ColumnPair {
    pub text: usize,
    pub text_pair: Option<usize>,
    pub label: usize,
}

/// What a run says of rows that it left out.
pub(crate) fn left_out(skipped: &[SkippedRow]) -> Option<String> {
    let SkippedRow { row, reason } = skipped.first()?;
    let (rows, they) = match skipped.len() {
        1 => ("1 row is".to_owned(), "it"),
        count => (format!("{count} rows are"), "they"),
    };
    Some(format!(
        "{rows} left out, because {they} cannot be learnt; the first is row {row}: {reason}"
    ))
}

/// Gives the rows that cannot be read back to be listed, if they are to be left out and others remain.
///
/// # Errors
/// `InvalidData` for the first of them, with how many there are and the remedy `skipBad`.
pub(crate) fn settle(
    file: &str,
    mut bad: Vec<SkippedRow>,
    good: usize,
    skip_bad: bool,
) -> Result<Vec<SkippedRow>> {
    bad.sort_by_key(|one| one.row);
    let Some(SkippedRow { row, reason }) = bad.first() else {
        return Ok(bad);
    };
    if good == 0 {
        let whole = if bad.len() == 1 {
            reason.clone()
        } else {
            format!("{reason}; none of the {} rows can be used", bad.len())
        };
        return Err(Error::data(file, *row, whole));
    }
    if skip_bad {
        return Ok(bad);
    }
    let advice = match bad.len() - 1 {
        0 => "mend this row, or leave it out (skipBad)".to_owned(),
        1 => format!(
            "row {} cannot be used either; mend the two, or leave them out (skipBad)",
            bad[1].row
        ),
        more => format!(
            "{more} more of {} rows cannot be used either; mend them, or leave them out (skipBad)",
            good + bad.len()
        ),
    };
    Err(Error::data(file, *row, format!("{reason}; {advice}")).with_remedy(Remedy::SkipBad))
}
