//! Reads the text of a CSV, TSV or `label<TAB>text` file into labelled rows.

use super::assemble::{Reading, assemble};
use super::columns::Profile;
use super::decode::Decoded;
use super::delimiter;
use super::header::{column_names, has_header};
use super::label::Label;
use super::rows::{
    ColumnPair, ParseOptions, ParsedRow, ParsedTable, SkippedRow, TableFormat, settle,
};
use super::scan::{Record, records, scan};
use super::several::{Chosen, choose, indicated};
use crate::{Error, Result};

/// Reads a text as delimited records.
pub(crate) fn read(
    file: &str,
    decoded: &Decoded<'_>,
    format: TableFormat,
    options: &ParseOptions,
) -> Result<ParsedTable> {
    let asked = asked_delimiter(options)?;
    let (named, text, above) = match delimiter::separator(&decoded.text) {
        Some((named, below)) if format == TableFormat::Csv => (Some(named), below, 1),
        _ => (None, &*decoded.text, 0),
    };
    let delimiter = match format {
        TableFormat::Csv => asked.or(named).unwrap_or_else(|| delimiter::find(text)),
        TableFormat::Tsv => asked.unwrap_or(b'\t'),
        _ => b'\t',
    };
    let quoting = quoting(file, text, format, delimiter, above)?;
    let mut records = records(file, text, delimiter, quoting)?;
    for record in &mut records {
        record.row += above;
        if format == TableFormat::LabelTab {
            join_rest(record);
        }
    }
    let skipped = check_widths(file, &mut records, delimiter, options.skip_bad)?;
    let header = options
        .header
        .unwrap_or_else(|| has_header(&records, options));
    let names = column_names(&records, header);
    records.drain(..usize::from(header));
    if records.is_empty() {
        let reason = format!("there are no rows below the header ({})", names.join(", "));
        return Err(Error::data(file, None, reason));
    }
    let reading = Reading {
        format,
        encoding: decoded.encoding,
        delimiter: Some(char::from(delimiter)),
        header,
        skipped,
        warnings: Vec::new(),
    };
    let pair = (format == TableFormat::LabelTab).then_some(ColumnPair {
        text: 1,
        text_pair: None,
        label: 0,
    });
    labelled(file, reading, names, records, pair, None, options)
}

/// Chooses the columns of records and counts their rows. `pair` is what they are if nothing else is asked for, and `separator` what separates
/// several labels.
pub(super) fn labelled(
    file: &str,
    mut reading: Reading,
    names: Vec<String>,
    records: Vec<Record>,
    pair: Option<ColumnPair>,
    separator: Option<&str>,
    options: &ParseOptions,
) -> Result<ParsedTable> {
    let asked = options.text_column.is_some()
        || options.text_pair_column.is_some()
        || options.label_column.is_some()
        || options.label_columns.is_some();
    let chosen = match pair {
        Some(pair) if !asked => pair.into(),
        _ => {
            let profiles: Vec<Profile> = (0..names.len())
                .map(|column| Profile::of(records.iter().map(|r| Some(r.fields[column].as_str()))))
                .collect();
            choose(file, &names, &profiles, options, &mut reading.warnings)?
        }
    };
    let mut rows = Vec::with_capacity(records.len());
    let mut bad = Vec::new();
    for record in records {
        let number = record.row;
        match row(record, &names, &chosen) {
            Ok(row) => rows.push(row),
            Err(reason) => bad.push(SkippedRow {
                row: number,
                reason,
            }),
        }
    }
    let skipped = settle(file, bad, rows.len(), options.skip_bad)?;
    reading.skipped.extend(skipped);
    reading.skipped.sort_by_key(|one| one.row);
    let separator = options.label_separator.as_deref().or(separator);
    Ok(assemble(reading, names, &chosen, separator, rows))
}

/// A record's texts and its label or labels, or why it has none.
fn row(
    mut record: Record,
    names: &[String],
    chosen: &Chosen,
) -> std::result::Result<ParsedRow, String> {
    let columns = chosen.indicators.iter();
    let indicators = columns.map(|column| (&*names[*column], record.fields[*column].clone()));
    let several = (!chosen.indicators.is_empty()).then(|| indicated(indicators));
    let mut take = |column: usize| std::mem::take(&mut record.fields[column]);
    Ok(ParsedRow {
        text: take(chosen.pair.text),
        text_pair: chosen.pair.text_pair.map(&mut take),
        label: match several {
            Some(labels) => labels?,
            None => Label::One(take(chosen.pair.label)),
        },
        row: record.row,
    })
}

/// The delimiter that a caller names.
fn asked_delimiter(options: &ParseOptions) -> Result<Option<u8>> {
    match options.delimiter.as_deref().map(str::as_bytes) {
        None => Ok(None),
        Some(b"\\t") => Ok(Some(b'\t')),
        Some([one]) if one.is_ascii() && !matches!(one, b'"' | b'\n' | b'\r') => Ok(Some(*one)),
        Some(_) => Err(Error::out_of_range(
            "delimiter",
            "one character of ASCII such as , ; | or a tab",
            options.delimiter.as_deref().unwrap_or_default(),
        )),
    }
}

/// Whether quotes enclose fields. `above`: rows before the text.
fn quoting(
    file: &str,
    text: &str,
    format: TableFormat,
    delimiter: u8,
    above: usize,
) -> Result<bool> {
    if format == TableFormat::LabelTab {
        return Ok(false);
    }
    let scan = scan(text, delimiter);
    match scan.unclosed {
        Some(row) if format == TableFormat::Csv => Err(Error::data(
            file,
            row + above,
            "a double quote opens a field here and is never closed; close it, or double the quotes that belong to the text",
        )),
        // Much TSV is written without quoting, so a quote that does not pair up is an ordinary character there.
        found => Ok(format == TableFormat::Csv || (found.is_none() && !scan.stray)),
    }
}

/// Only the first tab separates a label from its text.
fn join_rest(record: &mut Record) {
    if record.fields.len() > 2 {
        let text = record.fields.split_off(1).join("\t");
        record.fields.push(text);
    }
}

/// Takes the records out that have not as many columns as the first.
fn check_widths(
    file: &str,
    records: &mut Vec<Record>,
    delimiter: u8,
    skip_bad: bool,
) -> Result<Vec<SkippedRow>> {
    let Some(first) = records.first() else {
        return Err(Error::data(file, None, "the file has no rows"));
    };
    let (expected, first_row) = (first.fields.len(), first.row);
    let separator = match delimiter {
        b',' => "a comma".to_owned(),
        b';' => "a semicolon".to_owned(),
        b'\t' => "a tab".to_owned(),
        b'|' => "a pipe".to_owned(),
        other => format!("\"{}\"", char::from(other)),
    };
    let bad: Vec<SkippedRow> = records
        .iter()
        .filter(|record| record.fields.len() != expected)
        .map(|record| SkippedRow {
            row: record.row,
            reason: format!(
                "expected {} as in row {first_row}, found {}; columns are separated by {separator}, and a text that \
                 contains one needs double quotes around it",
                counted(expected),
                record.fields.len()
            ),
        })
        .collect();
    let skipped = settle(file, bad, records.len(), skip_bad)?;
    records.retain(|record| record.fields.len() == expected);
    if expected < 2 {
        return Err(Error::data(
            file,
            None,
            "expected a column of texts and a column of labels, separated by commas, semicolons, tabs or pipes, found one \
             column; lines such as \"__label__billing my card was charged twice\" are read too",
        ));
    }
    Ok(skipped)
}

fn counted(columns: usize) -> String {
    match columns {
        1 => "1 column".into(),
        _ => format!("{columns} columns"),
    }
}
