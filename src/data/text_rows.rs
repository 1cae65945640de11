//! Reads a file of conversations, questions with answers, or plain text into rows that a language model learns from.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decode::{Decoded, decode};
use super::dialogue::{Reader, Shape};
use super::json::{found, is_json, objects};
use super::rows::{SkippedRow, TextEncoding, settle};
use crate::error::{Error, Result};
use crate::text::Message;

const EXPECTED: &str = "expected rows with messages, conversations, instruction and output, prompt and completion, or text";

/// What a language model learns from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum TextRow {
    /// A conversation; the model learns the assistant's turns.
    Chat(Vec<Message>),
    /// A conversation of which only the assistant's turns in `completion` are learnt.
    ChatCompletion {
        /// What was said before.
        prompt: Vec<Message>,
        /// What comes next.
        completion: Vec<Message>,
    },
    /// A text and how it goes on; the model learns the latter.
    PromptCompletion {
        /// What the model is given. May be empty.
        prompt: String,
        /// What the model learns to write.
        completion: String,
    },
    /// A text that is learnt as a whole.
    Text(String),
}

/// A row and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ParsedText {
    /// Counts from 1: the line in JSON lines, else the place in the list of rows.
    pub row: usize,
    /// What it holds.
    pub content: TextRow,
    /// Descriptions of functions that a conversation may call, as OpenAI's API has them; the chat template writes them down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
}

/// How a file of texts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum TextFormat {
    /// JSON lines, an array, or either under a key.
    Json,
    /// One text.
    Text,
}

/// What a caller may settle; everything else is found by looking at the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TextOptions {
    /// Default: from the name and the first character.
    pub format: Option<TextFormat>,
    /// Default: by a byte order mark, else UTF-8.
    pub encoding: Option<TextEncoding>,
    /// Leaves rows out that cannot be read, and lists them; without it the first of them is an error.
    pub skip_bad: bool,
}

/// What a file of texts holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ParsedTexts {
    /// How it was read.
    pub format: TextFormat,
    /// How its bytes were read.
    pub encoding: TextEncoding,
    /// In the order of the file.
    pub rows: Vec<ParsedText>,
    /// Rows left out, because they cannot be read (`skipBad`).
    pub skipped_rows: Vec<SkippedRow>,
    /// What a person should know of how the file was read, such as keys with content that is not learnt.
    pub warnings: Vec<String>,
}

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
