//! Finds out which character separates the columns of a text.

use super::columns;
use super::scan::{is_blank, reader};

/// Records that are looked at.
const SAMPLE: usize = 100;

/// The delimiter among comma, semicolon, tab and pipe: the first whose first record has the usual names of both columns, else
/// the first that gives every record the same number of columns, else the one that gives the first record the most.
pub(super) fn find(text: &str) -> u8 {
    const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
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
    let first = |accept: fn(&[csv::StringRecord]) -> bool| {
        CANDIDATES
            .iter()
            .zip(&samples)
            .find(|(_, records)| accept(records))
            .map(|(delimiter, _)| *delimiter)
    };
    first(|records| {
        records
            .first()
            .is_some_and(|first| columns::names_both(&first.iter().collect::<Vec<_>>()))
    })
    .or_else(|| {
        first(|records| {
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

/// The delimiter that a first line `sep=;` names, as Excel reads and some programs write it, and the text below.
pub(super) fn separator(text: &str) -> Option<(u8, &str)> {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.strip_suffix('\r').unwrap_or(line);
    let line = line
        .strip_prefix('"')
        .map_or(line, |line| line.trim_end_matches('"'));
    let (key, value) = line.split_at_checked(4)?;
    match value.as_bytes() {
        // a delimiter may follow, where a spreadsheet filled the line up to the width of the table
        [one, ..]
            if key.eq_ignore_ascii_case("sep=")
                && one.is_ascii()
                && !one.is_ascii_alphanumeric() =>
        {
            value[1..]
                .chars()
                .all(|other| other == char::from(*one))
                .then_some((*one, rest))
        }
        _ => None,
    }
}
