//! From a file's name and bytes to its text and format, or to what the file seems to be instead.

use std::collections::BTreeSet;

use super::columns;
use super::rows::TableFormat;
use super::table;
use crate::error::{Error, Result};

const EXPORT_ADVICE: &str = "export the examples as CSV, TSV or JSONL and open that file";
const UTF8_ADVICE: &str = "save the file as UTF-8 and open it again";

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
    (
        b"\x1F\x8B",
        "a gzip archive",
        "unpack it and open the file inside",
    ),
    (b"PAR1", "a Parquet file", EXPORT_ADVICE),
    (b"SQLite format 3\0", "an SQLite database", EXPORT_ADVICE),
    (b"{\\rtf", "a rich text document (.rtf)", EXPORT_ADVICE),
    (b"\xFF\xFE", "UTF-16 text", UTF8_ADVICE),
    (b"\xFE\xFF", "UTF-16 text", UTF8_ADVICE),
];

/// The text of a file, without a byte order mark. `expected` says what an empty file should hold.
///
/// # Errors
/// `InvalidData` for a file without any text; `InvalidFile` for a binary file and for one that is not UTF-8, with the
/// offset of the first byte at fault.
pub(crate) fn decode<'a>(file: &str, bytes: &'a [u8], expected: &str) -> Result<&'a str> {
    let invalid = |reason: String| Error::file(file, reason);
    if let Some((what, advice)) = looks_like(bytes) {
        return Err(invalid(format!(
            "expected text, but this looks like {what}; {advice}"
        )));
    }
    if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
        return Err(invalid(format!(
            "expected text, but there is a zero byte at byte offset {offset}, so this is a binary file; {EXPORT_ADVICE}"
        )));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let byte = bytes.get(offset).copied().unwrap_or_default();
        invalid(format!(
            "expected UTF-8 text, but the byte 0x{byte:02X} at byte offset {offset} is not; {UTF8_ADVICE}"
        ))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Error::data(
            file,
            None,
            format!("the file is empty; {expected}"),
        ));
    }
    Ok(text)
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
        return Some(("UTF-16 text", UTF8_ADVICE));
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

/// The format by the name's extension, else by the text: JSONL if the first line that is not blank starts with `{`,
/// `label<TAB>text` if every line has a tab and the part before the first one looks like a label, TSV for other
/// lines with tabs, CSV for the rest.
pub(crate) fn format(file: &str, text: &str) -> TableFormat {
    let extension = file
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    match extension.as_deref() {
        Some("csv") => return TableFormat::Csv,
        Some("tsv" | "tab") => return TableFormat::Tsv,
        Some("jsonl" | "ndjson" | "json") => return TableFormat::Jsonl,
        _ => {}
    }
    if text.trim_start().starts_with('{') {
        return TableFormat::Jsonl;
    }
    if label_comes_first(text) {
        return TableFormat::LabelTab;
    }
    match table::delimiter(text) {
        b'\t' => TableFormat::Tsv,
        _ => TableFormat::Csv,
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
