//! Reads the text of a CSV, TSV or `label<TAB>text` file into labelled rows.

use std::collections::{HashMap, HashSet};

use super::columns::{self, Profile};
use super::rows::{ColumnPair, ParseOptions, ParsedTable, TableFormat, assemble};
use crate::{Error, Result};

/// Records that are looked at to find the delimiter.
const SAMPLE: usize = 100;

struct Record {
    row: usize,
    fields: Vec<String>,
}

/// Reads `text` as delimited records.
pub(crate) fn read(
    file: &str,
    text: &str,
    format: TableFormat,
    options: &ParseOptions,
) -> Result<ParsedTable> {
    let delimiter = match format {
        TableFormat::Csv => delimiter(text),
        _ => b'\t',
    };
    let scan = scan(text, delimiter);
    let quoting = match format {
        TableFormat::Csv => match scan.unclosed {
            Some(row) => {
                return Err(Error::data(
                    file,
                    row,
                    "a double quote opens a field here and is never closed; close it, or double the quotes that belong \
                     to the text",
                ));
            }
            None => true,
        },
        // Much TSV is written without quoting, so a quote that does not pair up is an ordinary character there.
        TableFormat::Tsv => scan.unclosed.is_none() && !scan.stray,
        _ => false,
    };
    let mut records = records(file, text, delimiter, quoting)?;
    if format == TableFormat::LabelTab {
        records.iter_mut().for_each(join_rest);
    }
    check_widths(file, &records, delimiter)?;
    let header = has_header(&records, options);
    let columns = column_names(&records, header);
    let rows = &records[usize::from(header)..];
    if rows.is_empty() {
        return Err(Error::data(
            file,
            None,
            format!(
                "there are no rows below the header ({})",
                columns.join(", ")
            ),
        ));
    }
    let asked = options.text_column.is_some() || options.label_column.is_some();
    let pair = if format == TableFormat::LabelTab && !asked {
        ColumnPair { text: 1, label: 0 }
    } else {
        let profiles: Vec<Profile> = (0..columns.len())
            .map(|column| Profile::of(rows.iter().map(|r| Some(r.fields[column].as_str()))))
            .collect();
        columns::pick(file, &columns, &profiles, options)?
    };
    let first = usize::from(header);
    Ok(assemble(
        format,
        columns,
        pair,
        records.into_iter().skip(first).map(|mut record| {
            let text = std::mem::take(&mut record.fields[pair.text]);
            let label = std::mem::take(&mut record.fields[pair.label]);
            (record.row, text, label)
        }),
    ))
}

/// The delimiter among comma, semicolon and tab: the first whose first record has the usual names of both columns, else
/// the first that gives every record the same number of columns, else the one that gives the first record the most.
pub(crate) fn delimiter(text: &str) -> u8 {
    const CANDIDATES: [u8; 3] = [b',', b';', b'\t'];
    let samples = CANDIDATES.map(|delimiter| {
        let mut reader = reader(text, delimiter, true);
        let records: Vec<csv::StringRecord> = reader
            .records()
            .map_while(std::result::Result::ok)
            .filter(|record| !is_blank(record))
            .take(SAMPLE)
            .collect();
        records
    });
    let find = |accept: fn(&[csv::StringRecord]) -> bool| {
        CANDIDATES
            .iter()
            .zip(&samples)
            .find(|(_, records)| accept(records))
            .map(|(delimiter, _)| *delimiter)
    };
    find(|records| {
        records
            .first()
            .is_some_and(|first| columns::names_both(&first.iter().collect::<Vec<_>>()))
    })
    .or_else(|| {
        find(|records| {
            let width = records.first().map_or(0, csv::StringRecord::len);
            width > 1 && records.iter().all(|record| record.len() == width)
        })
    })
    .unwrap_or_else(|| {
        let width = |index: usize| samples[index].first().map_or(0, csv::StringRecord::len);
        let widest = (0..CANDIDATES.len()).min_by_key(|index| std::cmp::Reverse(width(*index)));
        CANDIDATES[widest.unwrap_or(0)]
    })
}

fn reader(text: &str, delimiter: u8, quoting: bool) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .quoting(quoting)
        .from_reader(text.as_bytes())
}

fn records(file: &str, text: &str, delimiter: u8, quoting: bool) -> Result<Vec<Record>> {
    let rows = if quoting {
        scan(text, delimiter).rows
    } else {
        plain_rows(text)
    };
    let mut found = Vec::with_capacity(rows.len());
    for (index, record) in reader(text, delimiter, quoting).into_records().enumerate() {
        let row = rows.get(index).copied().unwrap_or(index + 1);
        let record = record.map_err(|error| Error::data(file, row, error))?;
        if !is_blank(&record) {
            let fields = record.iter().map(str::to_owned).collect();
            found.push(Record { row, fields });
        }
    }
    Ok(found)
}

/// A line of white space, which is no record to a person.
fn is_blank(record: &csv::StringRecord) -> bool {
    record.len() == 1 && record.iter().all(|field| field.trim().is_empty())
}

/// What a text's quotes do.
struct Scan {
    /// The row number of each record that the csv crate gives; it leaves empty lines out without counting them.
    rows: Vec<usize>,
    /// The row whose quote is still open at the end.
    unclosed: Option<usize>,
    /// Whether a closing quote is followed by something other than the field's end.
    stray: bool,
}

/// Walks over `text` as the csv crate does, which reports neither where empty lines were nor that a quote stayed open.
fn scan(text: &str, delimiter: u8) -> Scan {
    enum At {
        RecordStart,
        FieldStart,
        Field,
        Quoted,
        QuoteInQuoted,
    }
    let mut scan = Scan {
        rows: Vec::new(),
        unclosed: None,
        stray: false,
    };
    let mut row = 1;
    let mut at = At::RecordStart;
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let ends_line = byte == b'\n' || byte == b'\r';
        if byte == b'\r' && !matches!(at, At::Quoted) {
            bytes.next_if_eq(&b'\n');
        }
        if !ends_line && matches!(at, At::RecordStart) {
            scan.rows.push(row);
            at = At::FieldStart;
        }
        at = match at {
            At::Quoted if byte == b'"' => At::QuoteInQuoted,
            At::Quoted => At::Quoted,
            At::QuoteInQuoted if byte == b'"' => At::Quoted,
            At::FieldStart if byte == b'"' => At::Quoted,
            _ if ends_line => {
                row += 1;
                At::RecordStart
            }
            _ if byte == delimiter => At::FieldStart,
            At::QuoteInQuoted => {
                scan.stray = true;
                At::Field
            }
            At::RecordStart | At::FieldStart | At::Field => At::Field,
        };
    }
    if matches!(at, At::Quoted) {
        scan.unclosed = Some(row);
    }
    scan
}

/// The row number of each line that is not empty, where quotes mean nothing.
fn plain_rows(text: &str) -> Vec<usize> {
    text.replace("\r\n", "\n")
        .split(['\n', '\r'])
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, _)| index + 1)
        .collect()
}

/// Only the first tab separates a label from its text.
fn join_rest(record: &mut Record) {
    if record.fields.len() > 2 {
        let text = record.fields.split_off(1).join("\t");
        record.fields.push(text);
    }
}

fn check_widths(file: &str, records: &[Record], delimiter: u8) -> Result<()> {
    let Some(first) = records.first() else {
        return Err(Error::data(file, None, "the file has no rows"));
    };
    let expected = first.fields.len();
    let separator = match delimiter {
        b',' => "comma",
        b';' => "semicolon",
        _ => "tab",
    };
    if let Some(ragged) = records.iter().find(|r| r.fields.len() != expected) {
        return Err(Error::data(
            file,
            ragged.row,
            format!(
                "expected {} as in row {}, found {}; columns are separated by a {separator}, and a text that contains \
                 one needs double quotes around it",
                counted(expected),
                first.row,
                ragged.fields.len()
            ),
        ));
    }
    if expected < 2 {
        return Err(Error::data(
            file,
            None,
            "expected a column of texts and a column of labels, separated by commas, semicolons or tabs, found one column",
        ));
    }
    Ok(())
}

fn counted(columns: usize) -> String {
    match columns {
        1 => "1 column".into(),
        _ => format!("{columns} columns"),
    }
}

/// Whether the first record names the columns. It does if it has a column asked for, or the usual names of both
/// columns; if it has one usual name that no row below has as a value; or if it looks unlike data.
fn has_header(records: &[Record], options: &ParseOptions) -> bool {
    let Some((first, below)) = records.split_first() else {
        return false;
    };
    let names: Vec<&str> = first.fields.iter().map(|field| field.trim()).collect();
    let asked = [&options.text_column, &options.label_column];
    if asked
        .into_iter()
        .flatten()
        .any(|a| names.contains(&a.trim()))
    {
        return true;
    }
    if columns::names_both(&names) {
        return true;
    }
    let recurs = |column: usize| {
        below
            .iter()
            .any(|r| r.fields[column].trim() == names[column])
    };
    if (0..names.len()).any(|column| columns::is_known(names[column]) && !recurs(column)) {
        return true;
    }
    looks_unlike_data(&names, below, recurs)
}

/// Short, different words above a column of numbers, or above a column of few values that they are not among.
fn looks_unlike_data(names: &[&str], below: &[Record], recurs: impl Fn(usize) -> bool) -> bool {
    const FEWEST_ROWS: usize = 4;
    let is_number = |value: &str| value.trim().parse::<f64>().is_ok();
    let is_name = |name: &&str| {
        !name.is_empty()
            && name.chars().count() <= 30
            && name.split_whitespace().count() <= 2
            && !name.ends_with(['.', '?', '!'])
            && !is_number(name)
    };
    let different: HashSet<&&str> = names.iter().collect();
    if below.is_empty() || different.len() != names.len() || !names.iter().all(is_name) {
        return false;
    }
    (0..names.len()).any(|column| {
        let values = || below.iter().map(|record| record.fields[column].trim());
        let distinct = values().collect::<HashSet<_>>().len();
        let few = below.len() >= FEWEST_ROWS && distinct * 2 <= below.len();
        values().all(is_number) || (few && !recurs(column))
    })
}

/// The header's names, made different if they repeat, or `Column 1` and so on.
fn column_names(records: &[Record], header: bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut taken = HashSet::new();
    // the number that the next column of a name gets
    let mut copies = HashMap::<String, usize>::new();
    for (index, field) in records
        .first()
        .into_iter()
        .flat_map(|r| &r.fields)
        .enumerate()
    {
        let numbered = format!("Column {}", index + 1);
        let name = match field.trim() {
            name if header && !name.is_empty() => name.to_owned(),
            _ => numbered,
        };
        let mut unique = name.clone();
        let copy = copies.entry(name.clone()).or_insert(2);
        while taken.contains(&unique) {
            unique = format!("{name} ({copy})");
            *copy += 1;
        }
        taken.insert(unique.clone());
        names.push(unique);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The walk over quotes must see the records that the csv crate sees.
        #[test]
        fn the_scan_agrees_with_the_csv_crate(text in "[a\", \r\n;]{0,40}") {
            let count = reader(&text, b',', true).records().count();
            prop_assert_eq!(scan(&text, b',').rows.len(), count);
            let count = reader(&text, b'\t', false).records().count();
            prop_assert_eq!(plain_rows(&text).len(), count);
        }
    }
}
