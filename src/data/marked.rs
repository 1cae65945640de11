//! Reads lines that begin with a marked label and a blank: fastText's `__label__x`, of which there may be several, and TREC's `LABEL:sublabel`.

use super::assemble::Reading;
use super::decode::Decoded;
use super::rows::{ParseOptions, ParsedTable, SkippedRow, TableFormat, settle};
use super::scan::Record;
use super::table;
use crate::Result;

/// What fastText's labels begin with.
const MARK: &str = "__label__";
/// Lines that are looked at.
const SAMPLE: usize = 200;

/// Whether every line has a label as fastText's, the first at its beginning.
pub(super) fn is_fasttext(text: &str) -> bool {
    text.trim_start().starts_with(MARK)
        && sample(text).all(|line| line.split_whitespace().any(|word| word.starts_with(MARK)))
}

/// Whether every line begins with a label as TREC's.
pub(super) fn is_trec(text: &str) -> bool {
    let is_label = |word: &str| {
        word.split_once(':').is_some_and(|(class, rest)| {
            (2..=8).contains(&class.len())
                && class.bytes().all(|byte| byte.is_ascii_uppercase())
                && !rest.is_empty()
                && rest.bytes().all(|byte| byte.is_ascii_alphabetic())
        })
    };
    let mut lines = sample(text);
    lines.all(|line| {
        line.split_once(' ')
            .is_some_and(|(word, rest)| is_label(word) && !rest.trim().is_empty())
    })
}

fn sample(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .take(SAMPLE)
}

/// Reads the lines of a text in one of the two formats.
pub(super) fn read(
    file: &str,
    decoded: &Decoded<'_>,
    format: TableFormat,
    options: &ParseOptions,
) -> Result<ParsedTable> {
    let (columns, split): (&[&str], fn(&str) -> Split) = match format {
        TableFormat::Trec => (&["coarse_label", "fine_label", "text"], trec),
        _ => (&["label", "text"], fasttext),
    };
    let mut records = Vec::new();
    let mut bad = Vec::new();
    for (row, line) in (1..).zip(decoded.text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        match split(line.trim()) {
            Ok(fields) => records.push(Record { row, fields }),
            Err(reason) => bad.push(SkippedRow { row, reason }),
        }
    }
    let several = format != TableFormat::Trec
        && (records.iter()).any(|record: &Record| record.fields[0].contains(' '));
    let mut warnings = Vec::new();
    if several {
        warnings.push(
            "lines with several labels are read as such: a text may have several (multi-label)"
                .to_owned(),
        );
    }
    if format == TableFormat::Trec && options.label_column.is_none() {
        warnings.push(
            "each line has a label in two parts, as TREC's; the first is learnt (coarse_label). Choose fine_label as the \
             label column to learn both"
                .to_owned(),
        );
    }
    let reading = Reading {
        format,
        encoding: decoded.encoding,
        delimiter: None,
        header: false,
        skipped: settle(file, bad, records.len(), options.skip_bad)?,
        warnings,
    };
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    let separator = several.then_some(" ");
    table::labelled(file, reading, columns, records, None, separator, options)
}

/// The fields of a line, or why it has none.
type Split = std::result::Result<Vec<String>, String>;

fn fasttext(line: &str) -> Split {
    let labels: Vec<&str> = line
        .split_whitespace()
        .filter_map(|word| word.strip_prefix(MARK))
        .collect();
    match labels.as_slice() {
        [] => Err(format!(
            "expected a label such as {MARK}billing, found none"
        )),
        [first, others @ ..] => {
            let words: Vec<&str> = line
                .split_whitespace()
                .filter(|word| !word.starts_with(MARK))
                .collect();
            let after_label = line
                .strip_prefix(MARK)
                .and_then(|rest| rest.split_once(char::is_whitespace));
            let text = match after_label {
                Some((_, rest)) if others.is_empty() => rest.trim().to_owned(),
                _ => words.join(" "),
            };
            // as fastText's own examples are cut: `__label__1 , a text`
            let text = text.strip_prefix(", ").unwrap_or(&text).to_owned();
            // no label has a blank in it
            let labels = match others {
                [] => (*first).to_owned(),
                _ => labels.join(" "),
            };
            Ok(vec![labels, text])
        }
    }
}

fn trec(line: &str) -> Split {
    let parts = line
        .split_once(char::is_whitespace)
        .and_then(|(label, text)| Some((label, label.split_once(':')?.0, text)));
    match parts {
        Some((label, class, text)) => Ok([class, label, text.trim()].map(str::to_owned).to_vec()),
        None => Err(
            "expected a label such as LOC:city, a blank and a question, as in the other lines"
                .into(),
        ),
    }
}
