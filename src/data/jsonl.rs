//! Reads the text of a JSONL file into labelled rows.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::columns::{self, Profile};
use super::rows::{ParseOptions, ParsedTable, TableFormat, assemble};
use crate::{Error, Result};

/// An object and its line, counted from 1.
pub(super) struct Line {
    pub(super) row: usize,
    pub(super) object: Map<String, Value>,
}

/// Reads `text` as one JSON object per line; blank lines are allowed.
pub(crate) fn read(file: &str, text: &str, options: &ParseOptions) -> Result<ParsedTable> {
    if text.trim_start().starts_with('[') {
        return Err(Error::data(
            file,
            None,
            "expected one JSON object per line, such as {\"text\": \"...\", \"label\": \"...\"}, found a JSON array; write \
             each of its objects on a line of its own",
        ));
    }
    let lines = lines(file, text)?;
    let columns = keys(&lines);
    let mut values = columns
        .iter()
        .map(|key| (key.as_str(), Vec::new()))
        .collect::<HashMap<_, _>>();
    for (key, value) in lines.iter().flat_map(|line| &line.object) {
        if let (Some(value), Some(column)) = (plain(value), values.get_mut(key.as_str())) {
            column.push(value);
        }
    }
    let profiles: Vec<Profile> = columns
        .iter()
        .map(|key| {
            let values = values.remove(key.as_str()).unwrap_or_default();
            let missing = (values.len() < lines.len()).then_some(None);
            Profile::of(
                values
                    .iter()
                    .map(|value| Some(value.as_str()))
                    .chain(missing),
            )
        })
        .collect();
    let pair = columns::pick(file, &columns, &profiles, options)?;
    let (text_key, label_key) = (&columns[pair.text], &columns[pair.label]);
    let mut rows = Vec::with_capacity(lines.len());
    for line in &lines {
        rows.push((
            line.row,
            value(file, line, text_key)?,
            value(file, line, label_key)?,
        ));
    }
    Ok(assemble(
        TableFormat::Jsonl,
        columns,
        pair,
        rows.into_iter(),
    ))
}

/// One JSON object per line; blank lines are allowed.
pub(super) fn lines(file: &str, text: &str) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let row = index + 1;
        let value: Value = serde_json::from_str(line).map_err(|error| {
            Error::data(
                file,
                row,
                format!(
                    "expected one whole JSON object per line, but {} at column {}",
                    message(&error),
                    error.column()
                ),
            )
        })?;
        match value {
            Value::Object(object) => lines.push(Line { row, object }),
            other => {
                let reason = format!("expected a JSON object, found {}", kind(&other));
                return Err(Error::data(file, row, reason));
            }
        }
    }
    Ok(lines)
}

/// The parser's message without its line, which is always 1 here.
fn message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    message
        .strip_suffix(&place)
        .map(str::to_owned)
        .unwrap_or(message)
}

/// All keys, in the order in which they first appear.
fn keys(lines: &[Line]) -> Vec<String> {
    let mut order: HashMap<&str, usize> = HashMap::new();
    for key in lines.iter().flat_map(|line| line.object.keys()) {
        let next = order.len();
        order.entry(key).or_insert(next);
    }
    let mut keys: Vec<(&str, usize)> = order.into_iter().collect();
    keys.sort_unstable_by_key(|(_, position)| *position);
    keys.into_iter().map(|(key, _)| key.to_owned()).collect()
}

fn value(file: &str, line: &Line, key: &str) -> Result<String> {
    let Some(value) = line.object.get(key) else {
        return Err(Error::data(
            file,
            line.row,
            format!(
                "the key \"{key}\" is missing; the keys found are: {}",
                found(&line.object)
            ),
        ));
    };
    plain(value).ok_or_else(|| {
        Error::data(
            file,
            line.row,
            format!(
                "{key}: expected a string, a number, true or false, found {}",
                kind(value)
            ),
        )
    })
}

/// The keys of an object, for an error.
pub(super) fn found(object: &Map<String, Value>) -> String {
    if object.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<String> = object.keys().map(|key| format!("\"{key}\"")).collect();
    quoted.join(", ")
}

/// A value that can be a text or a label, as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What a value is, for an error.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
