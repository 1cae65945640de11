//! From a file's name and text to its format, and from bytes that are no text to what the file seems to be instead.

use std::collections::BTreeSet;

use super::rows::TableFormat;
use super::{columns, delimiter, marked};
use crate::error::{Error, Result};

const EXPORT_ADVICE: &str = "export the examples as CSV, TSV or JSONL and open that file";
const UTF8_ADVICE: &str =
    "save the file as UTF-8 and open it again, or name its encoding (utf-16le or utf-16be)";

/// First bytes of files that people take for tables, what they are, and what helps.
const MAGIC: &[(&[u8], &str, &str)] = &[
    (
        b"\xD0\xCF\x11\xE0",
        "an old Excel workbook (.xls)",
        EXPORT_ADVICE,
    ),
    (b"%PDF", "a PDF document", EXPORT_ADVICE),
    (b"\x89PNG", "a PNG image", EXPORT_ADVICE),
    (b"\xFF\xD8\xFF", "a JPEG image", EXPORT_ADVICE),
    (b"GIF8", "a GIF image", EXPORT_ADVICE),
    (b"PAR1", "a Parquet file", EXPORT_ADVICE),
    (b"SQLite format 3\0", "an SQLite database", EXPORT_ADVICE),
    (b"{\\rtf", "a rich text document (.rtf)", EXPORT_ADVICE),
];

/// Refuses what is no text.
///
/// # Errors
/// `InvalidFile` for a file of a known binary format, for UTF-16 without a mark, and for one with a zero byte.
pub(crate) fn refuse_binary(file: &str, bytes: &[u8]) -> Result<()> {
    let reason = if let Some((what, advice)) = looks_like(bytes) {
        format!("expected text, but this looks like {what}; {advice}")
    } else if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
        format!(
            "expected text, but there is a zero byte at byte offset {offset}, so this is a binary file; {EXPORT_ADVICE}"
        )
    } else {
        return Ok(());
    };
    Err(Error::file(file, reason))
}

fn looks_like(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    if bytes.starts_with(b"PK\x03\x04") {
        return Some(zip_kind(bytes));
    }
    let known = MAGIC.iter().find(|(magic, _, _)| bytes.starts_with(magic));
    if let Some((_, what, advice)) = known {
        return Some((*what, *advice));
    }
    // Without its mark, UTF-16 of Latin letters has a zero as every second byte.
    let start = &bytes[..bytes.len().min(64)];
    let zeros = |first: usize| start.iter().skip(first).step_by(2).all(|byte| *byte == 0);
    if start.len() >= 4 && zeros(0) != zeros(1) {
        return Some(("UTF-16 text without a byte order mark", UTF8_ADVICE));
    }
    None
}

/// Office documents are zip archives; the names of their parts are readable in the bytes.
fn zip_kind(bytes: &[u8]) -> (&'static str, &'static str) {
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    if holds(b"xl/workbook") || holds(b"xl/worksheets") {
        (
            "an Excel workbook (.xlsx)",
            "in Excel choose Save As, CSV UTF-8, and open that file",
        )
    } else if holds(b"opendocument.spreadsheet") {
        (
            "a LibreOffice spreadsheet (.ods)",
            "save it as Text CSV in UTF-8 and open that file",
        )
    } else if holds(b"word/document") {
        ("a Word document (.docx)", EXPORT_ADVICE)
    } else {
        ("a zip archive", "unpack it and open the file inside")
    }
}

/// The format by the text where a `sep=` line, fastText's or TREC's labels say it; else by the name's extension; else JSON
/// if it starts like it, `label<TAB>text` if every line has a tab and the part before the first one looks like a label, TSV
/// for other lines with tabs, CSV for the rest.
pub(crate) fn format(file: &str, text: &str) -> TableFormat {
    if separator(text).is_some() {
        return TableFormat::Csv;
    }
    let extension = file
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    match extension.as_deref() {
        Some("jsonl" | "ndjson" | "json") => return TableFormat::Jsonl,
        _ if marked::is_fasttext(text) => return TableFormat::FastText,
        Some("csv") => return TableFormat::Csv,
        Some("tsv" | "tab") => return TableFormat::Tsv,
        _ if marked::is_trec(text) => return TableFormat::Trec,
        _ => {}
    }
    if starts_as_json(text) {
        return TableFormat::Jsonl;
    }
    if label_comes_first(text) {
        return TableFormat::LabelTab;
    }
    match delimiter::find(text) {
        b'\t' => TableFormat::Tsv,
        _ => TableFormat::Csv,
    }
}

/// Whether it starts with an object, or with an array of something that a row can be. `[urgent] where is it` does not.
pub(crate) fn starts_as_json(text: &str) -> bool {
    let text = text.trim_start();
    let inside = text.strip_prefix('[').map(str::trim_start);
    text.starts_with('{') || inside.is_some_and(|inside| inside.starts_with(['{', '[', '"', ']']))
}

/// The delimiter that a first line `sep=;` names, as Excel reads and some programs write it, and the text below.
pub(crate) fn separator(text: &str) -> Option<(u8, &str)> {
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

/// Whether each line is a label, a tab and a text.
fn label_comes_first(text: &str) -> bool {
    let lines = || {
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .take(200)
    };
    let mut labels = BTreeSet::new();
    let mut texts = BTreeSet::new();
    let (mut count, mut label_chars, mut text_chars) = (0usize, 0usize, 0usize);
    let (mut fewest_tabs, mut most_tabs) = (usize::MAX, 0usize);
    for line in lines() {
        let Some((label, rest)) = line.split_once('\t') else {
            return false;
        };
        let tabs = line.matches('\t').count();
        fewest_tabs = fewest_tabs.min(tabs);
        most_tabs = most_tabs.max(tabs);
        label_chars += label.chars().count();
        text_chars += rest.chars().count();
        labels.insert(label);
        texts.insert(rest);
        count += 1;
    }
    if count == 0 || (fewest_tabs == most_tabs && fewest_tabs > 1) {
        return false;
    }
    let header: Vec<&str> = lines().next().unwrap_or_default().split('\t').collect();
    if columns::names_both(&header) {
        return false;
    }
    match labels.len().cmp(&texts.len()) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Equal => label_chars < text_chars,
        std::cmp::Ordering::Greater => false,
    }
}
