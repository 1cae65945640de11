//! Text to its delimited records, each with the row number that a spreadsheet or an editor shows.

use crate::{Error, Result};

/// The fields of a row.
pub(super) struct Record {
    pub row: usize,
    pub fields: Vec<String>,
}

pub(super) fn reader(text: &str, delimiter: u8, quoting: bool) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .quoting(quoting)
        .from_reader(text.as_bytes())
}

pub(super) fn records(file: &str, text: &str, delimiter: u8, quoting: bool) -> Result<Vec<Record>> {
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
pub(super) fn is_blank(record: &csv::StringRecord) -> bool {
    record.len() == 1 && record.iter().all(|field| field.trim().is_empty())
}

/// What a text's quotes do.
pub(super) struct Scan {
    /// The row number of each record that the csv crate gives; it leaves empty lines out without counting them.
    pub rows: Vec<usize>,
    /// The row whose quote is still open at the end.
    pub unclosed: Option<usize>,
    /// Whether a closing quote is followed by something other than the field's end.
    pub stray: bool,
}

/// Walks over `text` as the csv crate does, which reports neither where empty lines were nor that a quote stayed open.
pub(super) fn scan(text: &str, delimiter: u8) -> Scan {
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
