//! Rows that a language model learns from, as the reader of files gives them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rows::{SkippedRow, TextEncoding};
use crate::text::Message;

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
