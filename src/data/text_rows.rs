//! Reads a file of conversations, questions with answers, or plain text into rows that a language model learns from.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::jsonl::{self, Line, kind};
use super::sniff;
use crate::error::{Error, Result};
use crate::text::Message;
use crate::text::chat::ASSISTANT;

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
    /// Counts from 1: the line in JSONL, the element of a JSON array.
    pub row: usize,
    /// What it holds.
    pub content: TextRow,
}

/// How rows are written, found out from the keys of the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `messages` of `role` and `content`, as OpenAI's and TRL's.
    Messages,
    /// `conversations` of `from` and `value`, as ShareGPT's.
    Conversations,
    /// `instruction`, perhaps `input`, and `output`, as Alpaca's.
    Instruction,
    /// `prompt` and `completion`, as TRL's.
    Completion,
    /// `text`.
    Text,
}

impl Shape {
    const ALL: [(Shape, &'static [&'static str]); 5] = [
        (Shape::Messages, &["messages"]),
        (Shape::Conversations, &["conversations"]),
        (Shape::Instruction, &["instruction", "output"]),
        (Shape::Completion, &["prompt", "completion"]),
        (Shape::Text, &["text"]),
    ];

    fn of(object: &Map<String, Value>) -> Option<(Shape, &'static [&'static str])> {
        Shape::ALL
            .into_iter()
            .find(|(_, keys)| keys.iter().all(|key| object.contains_key(*key)))
    }
}

/// Reads rows for a language model. A `.txt` or `.md` file is one text; anything else is JSONL or a JSON array if it
/// starts like one, and one text if it does not. All rows must have the shape of the first.
///
/// # Errors
/// `InvalidFile` for a binary file, one that is not UTF-8 and a table (CSV, TSV); `InvalidData`, with the row, for a line
/// that is no JSON object, a row of another shape, an unknown role, a conversation without an answer, and blank answers.
pub fn parse_text_rows(file: &str, bytes: &[u8]) -> Result<Vec<ParsedText>> {
    let text = sniff::decode(file, bytes, EXPECTED)?;
    let extension = file
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    let json = match extension.as_deref() {
        Some("jsonl" | "ndjson" | "json") => true,
        Some("txt" | "md") => false,
        Some("csv" | "tsv" | "tab") => {
            return Err(Error::file(
                file,
                "expected JSONL, a JSON array or plain text, found a table; write each row as a line such as \
                         {\"prompt\": \"...\", \"completion\": \"...\"}",
            ));
        }
        _ => text.trim_start().starts_with(['{', '[']),
    };
    if !json {
        let content = TextRow::Text(text.to_owned());
        return Ok(vec![ParsedText { row: 1, content }]);
    }
    let lines = if text.trim_start().starts_with('[') {
        elements(file, text)?
    } else {
        jsonl::lines(file, text)?
    };
    let Some(first) = lines.first() else {
        return Err(Error::data(
            file,
            None,
            format!("the array is empty; {EXPECTED}"),
        ));
    };
    let Some((shape, keys)) = Shape::of(&first.object) else {
        let reason = format!("{EXPECTED}, found the keys {}", jsonl::found(&first.object));
        return Err(Error::data(file, first.row, reason));
    };
    let mut rows = Vec::with_capacity(lines.len());
    for line in &lines {
        let content =
            row(&line.object, shape, keys).map_err(|reason| Error::data(file, line.row, reason))?;
        rows.push(ParsedText {
            row: line.row,
            content,
        });
    }
    Ok(rows)
}

/// The objects of a JSON array, counted from 1.
fn elements(file: &str, text: &str) -> Result<Vec<Line>> {
    let values: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| Error::data(file, None, format!("expected a JSON array: {error}")))?;
    let line = |(row, value)| match value {
        Value::Object(object) => Ok(Line { row, object }),
        other => {
            let reason = format!("expected a JSON object, found {}", kind(&other));
            Err(Error::data(file, row, reason))
        }
    };
    (1..).zip(values).map(line).collect()
}

/// A row, or the reason why it is none.
type Parsed<T> = std::result::Result<T, String>;

fn row(object: &Map<String, Value>, shape: Shape, keys: &[&str]) -> Parsed<TextRow> {
    if let Some(missing) = keys.iter().find(|key| !object.contains_key(**key)) {
        return Err(format!(
            "the key \"{missing}\", which the first row has, is missing; the keys found are: {}",
            jsonl::found(object)
        ));
    }
    match shape {
        Shape::Messages => conversation(messages(object, "messages", ("role", "content"))?),
        Shape::Conversations => conversation(messages(object, "conversations", ("from", "value"))?),
        Shape::Instruction => {
            let instruction = filled(object, "instruction")?;
            let question = match object.get("input") {
                None | Some(Value::Null) => instruction.to_owned(),
                Some(_) => match string(object, "input")? {
                    input if input.trim().is_empty() => instruction.to_owned(),
                    input => format!("{instruction}\n\n{input}"),
                },
            };
            Ok(TextRow::Chat(vec![
                Message::new("user", &question),
                Message::new(ASSISTANT, filled(object, "output")?),
            ]))
        }
        Shape::Completion if object["prompt"].is_array() => {
            let prompt = messages(object, "prompt", ("role", "content"))?;
            let completion = messages(object, "completion", ("role", "content"))?;
            answered(&completion, "completion")?;
            Ok(TextRow::ChatCompletion { prompt, completion })
        }
        Shape::Completion => Ok(TextRow::PromptCompletion {
            prompt: string(object, "prompt")?.to_owned(),
            completion: filled(object, "completion")?.to_owned(),
        }),
        Shape::Text => Ok(TextRow::Text(filled(object, "text")?.to_owned())),
    }
}

fn conversation(messages: Vec<Message>) -> Parsed<TextRow> {
    answered(&messages, "the conversation")?;
    Ok(TextRow::Chat(messages))
}

fn answered(messages: &[Message], place: &str) -> Parsed<()> {
    if messages.iter().any(Message::is_assistant) {
        return Ok(());
    }
    Err(format!(
        "{place}: expected at least one turn of the assistant, found none"
    ))
}

/// The messages under `key`; `names` are the keys of a message's role and content.
fn messages(object: &Map<String, Value>, key: &str, names: (&str, &str)) -> Parsed<Vec<Message>> {
    let value = &object[key];
    let list = value.as_array().ok_or_else(|| {
        format!(
            "{key}: expected an array of messages, found {}",
            kind(value)
        )
    })?;
    (1..)
        .zip(list)
        .map(|(number, value)| {
            message(value, names).map_err(|reason| format!("{key}, message {number}: {reason}"))
        })
        .collect()
}

fn message(value: &Value, (role_key, content_key): (&str, &str)) -> Parsed<Message> {
    let object = value
        .as_object()
        .ok_or_else(|| format!("expected an object, found {}", kind(value)))?;
    // What would be left out in silence, though it changes what the model should learn.
    for key in ["tool_calls", "function_call"] {
        match object.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::Array(calls)) if calls.is_empty() => {}
            Some(_) => return Err(format!("{key} is not supported")),
        }
    }
    match object.get("weight") {
        None | Some(Value::Null) => {}
        Some(weight) if weight.as_f64() == Some(1.0) => {}
        Some(_) => return Err("weight: expected 1, because every answer counts alike".into()),
    }
    let role = match string(object, role_key)? {
        "system" => "system",
        "user" | "human" => "user",
        "assistant" | "gpt" => ASSISTANT,
        other => {
            return Err(format!(
                "{role_key}: expected system, user or assistant (or human, gpt), found \"{other}\""
            ));
        }
    };
    let content = content(object, content_key)?;
    if role == ASSISTANT && content.trim().is_empty() {
        return Err(format!("{content_key}: the assistant's turn is blank"));
    }
    Ok(Message::new(role, &content))
}

/// A content that is a string, or a list of texts as OpenAI's parts.
fn content(object: &Map<String, Value>, key: &str) -> Parsed<String> {
    let Some(Value::Array(parts)) = object.get(key) else {
        return string(object, key).map(str::to_owned);
    };
    parts
        .iter()
        .map(|part| {
            let text = part.get("text").and_then(Value::as_str);
            match part.get("type").and_then(Value::as_str) {
                Some("text") => {
                    text.ok_or_else(|| format!("{key}: a part of type text has no text"))
                }
                other => Err(format!(
                    "{key}: expected parts of type text, found {}",
                    other.map_or("none".into(), |name| format!("\"{name}\""))
                )),
            }
        })
        .collect()
}

/// The string under `key`.
fn string<'a>(object: &'a Map<String, Value>, key: &str) -> Parsed<&'a str> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("{key}: expected a string, found {}", kind(other))),
        None => Err(format!(
            "the key \"{key}\" is missing; the keys found are: {}",
            jsonl::found(object)
        )),
    }
}

/// The string under `key`, which must not be blank.
fn filled<'a>(object: &'a Map<String, Value>, key: &str) -> Parsed<&'a str> {
    match string(object, key)? {
        text if text.trim().is_empty() => Err(format!("{key}: expected a text, but it is blank")),
        text => Ok(text),
    }
}
