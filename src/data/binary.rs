//! From bytes that are no text to what the file seems to be instead.

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
pub(crate) fn refuse(file: &str, bytes: &[u8]) -> Result<()> {
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
