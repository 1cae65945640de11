//! Counts the rows that a reader found and names their defects: what all table formats end in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::label::{Label, ProblemType};
use super::label_map;
use super::rows::{LabelCount, ParsedRow, ParsedTable, SkippedRow, TableFormat, TextEncoding};
use super::several::{self, Chosen, Separator};
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

/// Counts `rows` and names their defects. `separator`: what a caller or the format says of several labels in one;
/// `None` looks for it.
pub(crate) fn assemble(
    reading: Reading,
    columns: Vec<String>,
    chosen: &Chosen,
    separator: Option<&str>,
    mut rows: Vec<ParsedRow>,
) -> ParsedTable {
    let mut warnings = reading.warnings;
    let are_lists =
        !chosen.indicators.is_empty() || rows.iter().any(|row| row.label.names().len() > 1);
    if !are_lists {
        // a list of one is that one, and a list of none a blank
        for row in &mut rows {
            if let Label::Several(names) = &mut row.label {
                row.label = Label::One(names.pop().unwrap_or_default());
            }
        }
    }
    let mut separator = separator.map(str::to_owned);
    if separator.is_none() && !are_lists {
        separator = find_separator(&rows, &mut warnings);
    }
    let separator = separator.filter(|mark| !mark.is_empty() && !are_lists);
    let mut kept: Vec<ParsedRow> = Vec::new();
    let mut empty_rows = Vec::new();
    for row in rows {
        let Texts { text, pair } = row.texts().trimmed();
        let has_texts = !text.is_empty() && pair != Some("");
        match trimmed(&row.label, are_lists, separator.as_deref()).filter(|_| has_texts) {
            Some(label) => kept.push(ParsedRow { label, ..row }),
            None => empty_rows.push(row.row),
        }
    }
    let (duplicate_rows, conflicting_rows) = repetitions(&kept);
    ParsedTable {
        format: reading.format,
        encoding: reading.encoding,
        delimiter: reading.delimiter.map(String::from),
        header: reading.header,
        text_column: columns[chosen.pair.text].clone(),
        text_pair_column: (chosen.pair.text_pair).map(|column| columns[column].clone()),
        label_column: columns[chosen.pair.label].clone(),
        label_columns: (chosen.indicators.iter())
            .map(|column| columns[*column].clone())
            .collect(),
        label_separator: separator,
        problem_type: ProblemType::of(kept.iter().map(|row| &row.label)),
        columns,
        label_counts: label_counts(&kept),
        rows: kept,
        empty_rows,
        skipped_rows: reading.skipped,
        duplicate_rows,
        conflicting_rows,
        warnings,
    }
}

/// What separates labels, where that is clear; a warning says what is read so, or what might be.
fn find_separator(rows: &[ParsedRow], warnings: &mut Vec<String>) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in rows.iter().flat_map(|row| row.label.names()) {
        *counts.entry(name.trim()).or_default() += 1;
    }
    match several::separator(&counts)? {
        Separator::Found(mark, words) => {
            warnings.push(words);
            Some(mark.to_owned())
        }
        Separator::Doubtful(words) => {
            warnings.push(words);
            None
        }
    }
}

/// The label as a data set has it, or `None` for a blank one.
fn trimmed(label: &Label, are_lists: bool, separator: Option<&str>) -> Option<Label> {
    let name = match label {
        Label::Several(names) => {
            let names = names.iter().map(|name| name.trim().to_owned());
            let names = names.filter(|name| !name.is_empty());
            return Some(Label::Several(names.collect()));
        }
        Label::One(name) => name.trim().to_owned(),
    };
    match separator {
        _ if name.is_empty() => None,
        Some(mark) => {
            let parts = several::parts(&name, mark).into_iter();
            Some(Label::Several(parts.map(str::to_owned).collect()))
        }
        None if are_lists => Some(Label::Several(vec![name])),
        None => Some(Label::One(name)),
    }
}

fn label_counts(rows: &[ParsedRow]) -> Vec<LabelCount> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in rows.iter().flat_map(|row| row.label.set()) {
        *counts.entry(name).or_default() += 1;
    }
    let counts = counts.into_iter();
    let mut counts: Vec<LabelCount> = counts
        .map(|(label, count)| LabelCount {
            label: label.to_owned(),
            count,
        })
        .collect();
    label_map::sort(&mut counts, |one| &one.label);
    counts
}

/// Rows that repeat earlier texts: with its label, and with another.
fn repetitions(rows: &[ParsedRow]) -> (Vec<usize>, Vec<usize>) {
    let mut seen = HashSet::new();
    let mut labels_of: HashMap<Texts, Vec<BTreeSet<&str>>> = HashMap::new();
    let (mut duplicates, mut conflicts) = (Vec::new(), Vec::new());
    for row in rows {
        let (texts, label) = (row.texts().trimmed(), row.label.set());
        let labels = labels_of.entry(texts).or_default();
        if labels.len() > 1 || labels.first().is_some_and(|first| *first != label) {
            conflicts.push(row.row);
        }
        if seen.insert((texts, label.clone())) {
            labels.push(label);
        } else {
            duplicates.push(row.row);
        }
    }
    (duplicates, conflicts)
}
