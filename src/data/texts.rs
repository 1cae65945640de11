//! Reads a file of conversations, questions with answers, or plain text into rows that a language model learns from.

use super::decode::{Decoded, decode};
use super::dialogue::{Reader, Shape};
use super::json::{found, is_json, objects};
use super::rows::{SkippedRow, settle};
use super::text_rows::{ParsedText, ParsedTexts, TextFormat, TextOptions, TextRow};
use crate::error::{Error, Result};

const EXPECTED: &str = "expected rows with messages, conversations, instruction and output, prompt and completion, or text";

/// Reads rows for a language model. A `.txt` or `.md` file is one text; anything else is JSON if it starts like it, and one
/// text if it does not. All rows must have the shape of the first.
///
/// # Errors
/// `InvalidFile` for a binary file, one that is not of its encoding and a table (CSV, TSV); `InvalidData`, with the row, for a
/// line that is no JSON object, a row of another shape, an unknown role, a conversation without an answer, blank answers, and
/// what cannot be taught: preferences, pictures, calls of tools. Where single rows are at fault `skipBad` leaves them out.
pub fn parse_text_rows(file: &str, bytes: &[u8], options: &TextOptions) -> Result<ParsedTexts> {
    let decoded = decode(file, bytes, options.encoding, EXPECTED)?;
    let end = decoded
        .name
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    if options.format.is_none() && matches!(end.as_deref(), Some("csv" | "tsv" | "tab")) {
        return Err(Error::file(
            file,
            "expected JSON or plain text, found a table; write each row as a line such as \
             {\"prompt\": \"...\", \"completion\": \"...\"}",
        ));
    }
    let json = match options.format {
        Some(format) => format == TextFormat::Json,
        None => is_json(decoded.name, &decoded.text),
    };
    if json {
        return from_json(file, &decoded, options);
    }
    Ok(ParsedTexts {
        format: TextFormat::Text,
        encoding: decoded.encoding,
        rows: vec![ParsedText {
            row: 1,
            content: TextRow::Text(decoded.text.into_owned()),
            tools: Vec::new(),
        }],
        skipped_rows: Vec::new(),
        warnings: Vec::new(),
    })
}

fn from_json(file: &str, decoded: &Decoded<'_>, options: &TextOptions) -> Result<ParsedTexts> {
    let read = objects(file, &decoded.text, EXPECTED)?;
    let mut bad = read.bad;
    let mut rows = Vec::with_capacity(read.lines.len());
    let mut warnings = read.warnings;
    if let Some(first) = read.lines.first() {
        Shape::refuse(&first.object).map_err(|reason| Error::data(file, first.row, reason))?;
        let Some(shape) = Shape::of(&first.object) else {
            let reason = format!("{EXPECTED}, found the keys {}", found(&first.object));
            return Err(Error::data(file, first.row, reason));
        };
        let mut reader = Reader::new(shape);
        for line in &read.lines {
            let row = line.row;
            match reader.row(&line.object) {
                Ok((content, tools)) => rows.push(ParsedText {
                    row,
                    content,
                    tools,
                }),
                Err(reason) => bad.push(SkippedRow { row, reason }),
            }
        }
        warnings.extend(reader.unread());
    }
    Ok(ParsedTexts {
        format: TextFormat::Json,
        encoding: decoded.encoding,
        skipped_rows: settle(file, bad, rows.len(), options.skip_bad)?,
        rows,
        warnings,
    })
}
