//! Counts the rows that a reader found and names their defects: what all table formats end in.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::rows::{
    ColumnPair, LabelCount, ParsedRow, ParsedTable, SkippedRow, TableFormat, TextEncoding,
};
use super::{example, several};
use crate::text::Texts;

/// How a file was read.
pub(crate) struct Reading {
    pub format: TableFormat,
    pub encoding: TextEncoding,
    pub delimiter: Option<char>,
    pub header: bool,
    pub skipped: Vec<SkippedRow>,
    pub warnings: Vec<String>,
}

/// Counts `rows` and names their defects.
pub(crate) fn assemble(
    reading: Reading,
    columns: Vec<String>,
    pair: ColumnPair,
    rows: impl Iterator<Item = ParsedRow>,
) -> ParsedTable {
    let mut kept: Vec<ParsedRow> = Vec::new();
    let mut empty_rows = Vec::new();
    for mut row in rows {
        row.label = row.label.trim().to_owned();
        let Texts { text, pair } = row.texts().trimmed();
        if text.is_empty() || pair == Some("") || row.label.is_empty() {
            empty_rows.push(row.row);
        } else {
            kept.push(row);
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut seen: HashSet<(Texts, &str)> = HashSet::new();
    let mut labels_of: HashMap<Texts, Vec<&str>> = HashMap::new();
    let mut duplicate_rows = Vec::new();
    let mut conflicting_rows = Vec::new();
    for kept in &kept {
        let ParsedRow { label, row, .. } = kept;
        let text = kept.texts().trimmed();
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
    let mut warnings = reading.warnings;
    warnings.extend(several::of_labels(&counts));
    let mut label_counts: Vec<LabelCount> = counts
        .into_iter()
        .map(|(label, count)| LabelCount {
            label: label.to_owned(),
            count,
        })
        .collect();
    example::sort(&mut label_counts, |one| &one.label);
    ParsedTable {
        format: reading.format,
        encoding: reading.encoding,
        delimiter: reading.delimiter.map(String::from),
        header: reading.header,
        text_column: columns[pair.text].clone(),
        text_pair_column: pair.text_pair.map(|column| columns[column].clone()),
        label_column: columns[pair.label].clone(),
        columns,
        rows: kept,
        label_counts,
        empty_rows,
        skipped_rows: reading.skipped,
        duplicate_rows,
        conflicting_rows,
        warnings,
    }
}
