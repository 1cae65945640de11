//! Reads JSON of every layout that rows come in, for both desks: objects per line, arrays, either of them under a key, columns.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::rows::SkippedRow;
use super::sniff::starts_as_json;
use crate::{Error, Result};

/// An object, and its line in JSON lines or its place in an array, counted from 1.
pub(super) struct Line {
    pub row: usize,
    pub object: Map<String, Value>,
}

/// The rows of a file.
pub(super) struct Objects {
    pub lines: Vec<Line>,
    /// Those that are no rows.
    pub bad: Vec<SkippedRow>,
    /// What was read of several things, and what was not.
    pub warnings: Vec<String>,
}

/// Keys under which files keep all their rows, and that of the rows to learn from among several.
const WRAPPERS: [&str; 9] = [
    "data",
    "train",
    "training",
    "rows",
    "examples",
    "instances",
    "records",
    "items",
    "samples",
];
/// Keys of a row whose value is a list of objects.
const ROW_KEYS: [&str; 8] = [
    "instruction",
    "history",
    "conversation",
    "prompt",
    "completion",
    "chosen",
    "rejected",
    "tools",
];
/// Layers of keys around the rows.
const DEEPEST: usize = 3;

/// Reads a text's rows. `expected` says what one should be.
///
/// # Errors
/// `InvalidData` for what is no JSON, and for JSON without rows.
pub(super) fn objects(file: &str, text: &str, expected: &str) -> Result<Objects> {
    let mut found = Objects {
        lines: Vec::new(),
        bad: Vec::new(),
        warnings: Vec::new(),
    };
    let mut rows = values(file, text, &mut found.bad)?;
    if let ([(row, value)], true) = (rows.as_mut_slice(), found.bad.is_empty()) {
        rows = match whole(std::mem::take(value), &mut found.warnings, 0) {
            Layout::Rows(values) => (1..).zip(values).collect(),
            Layout::Row(value) => vec![(*row, value)],
            Layout::Several(names) => {
                let reason = format!(
                    "expected one list of rows, or one that is called train, found {names}; call the one to learn from train, or give it a file of \
                     its own"
                );
                return Err(Error::data(file, None, reason));
            }
        };
    }
    if rows.is_empty() && found.bad.is_empty() {
        let reason = format!("the array is empty; {expected}");
        return Err(Error::data(file, None, reason));
    }
    for (row, value) in rows {
        match object(value) {
            Ok(object) => found.lines.push(Line { row, object }),
            Err(reason) => found.bad.push(SkippedRow { row, reason }),
        }
    }
    Ok(found)
}

/// The values of a text with the lines on which they stand: one a line, or if the first line is none, as they come.
fn values(file: &str, text: &str, bad: &mut Vec<SkippedRow>) -> Result<Vec<(usize, Value)>> {
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let Some((row, first)) = lines.next() else {
        return Ok(Vec::new());
    };
    let mut values = Vec::new();
    let mut take = |row, parsed| match parsed {
        Ok(value) => values.push((row, value)),
        Err(error) => bad.push(SkippedRow {
            row,
            reason: format!(
                "expected one whole JSON object per line, but {} at column {}",
                message(&error),
                error.column()
            ),
        }),
    };
    let parsed = parse(first);
    if parsed.is_err() {
        // one broken line, or a text that is laid out over several
        let of_lines = text.trim_start().starts_with('{')
            && lines.clone().all(|(_, line)| line.starts_with('{'));
        match sequence(text) {
            Ok(values) => return Ok((1..).zip(values).collect()),
            Err(error) if !of_lines => {
                return Err(Error::data(file, None, format!("expected JSON: {error}")));
            }
            Err(_) => {}
        }
    }
    take(row, parsed);
    for (row, line) in lines {
        take(row, parse(line));
    }
    Ok(values)
}

fn parse(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|error| match without_nan(text) {
        Cow::Owned(mended) => serde_json::from_str(&mended),
        Cow::Borrowed(_) => Err(error),
    })
}

/// All values of a text, one after the other.
fn sequence(text: &str) -> serde_json::Result<Vec<Value>> {
    let all = |text: &str| {
        serde_json::Deserializer::from_str(text)
            .into_iter::<Value>()
            .collect::<serde_json::Result<Vec<Value>>>()
    };
    all(text).or_else(|error| match without_nan(text) {
        Cow::Owned(mended) => all(&mended),
        Cow::Borrowed(_) => Err(error),
    })
}

/// The text with null where Python's json and pandas write NaN or an infinity, which JSON does not have.
fn without_nan(text: &str) -> Cow<'_, str> {
    const NUMBERS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];
    let mut mended = String::new();
    let (mut copied, mut at) = (0, 0);
    let bytes = text.as_bytes();
    let (mut inside, mut escaped) = (false, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'-' | b'I' | b'N' if !inside => {
                let number = NUMBERS
                    .iter()
                    .find(|word| bytes[at..].starts_with(word.as_bytes()));
                if let Some(word) = number {
                    mended.push_str(&text[copied..at]);
                    mended.push_str("null");
                    at += word.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    mended.push_str(&text[copied..]);
    Cow::Owned(mended)
}

/// What a file's only value is.
enum Layout {
    Rows(Vec<Value>),
    Row(Value),
    /// Lists of rows, by their names, none of which is to be learnt from more than another.
    Several(String),
}

/// Takes the rows out of what they are wrapped in.
fn whole(value: Value, warnings: &mut Vec<String>, depth: usize) -> Layout {
    let mut object = match value {
        Value::Array(values) => return Layout::Rows(values),
        Value::Object(object) => object,
        other => return Layout::Row(other),
    };
    let is_chat = |key: &String| ["messages", "conversations"].contains(&key.as_str());
    if object.keys().any(is_chat) {
        return Layout::Row(Value::Object(object));
    }
    if let Some(rows) = columns(&object).or_else(|| split_table(&object)) {
        return Layout::Rows(rows);
    }
    if object.keys().any(|key| ROW_KEYS.contains(&key.as_str())) {
        return Layout::Row(Value::Object(object));
    }
    let holds_rows = |value: &Value| match value {
        Value::Array(list) => {
            list.iter().all(|one| one.is_object() || one.is_array()) && !list.is_empty()
        }
        Value::Object(inner) => depth < DEEPEST && !inner.is_empty(),
        _ => false,
    };
    let lists: Vec<&String> = object
        .iter()
        .filter(|(_, value)| value.is_array() && holds_rows(value))
        .map(|(key, _)| key)
        .collect();
    let wrapper = WRAPPERS
        .iter()
        .find(|key| object.get(**key).is_some_and(holds_rows));
    let key = match (wrapper, lists.as_slice()) {
        (Some(key), _) => (*key).to_owned(),
        (None, [only]) => (*only).clone(),
        (None, [_, _, ..]) if object.values().all(|value| !value.is_string()) => {
            let lists = object
                .iter()
                .filter(|(_, value)| value.is_array() && holds_rows(value));
            return Layout::Several(lists.map(named).collect::<Vec<_>>().join(", "));
        }
        (None, _) => return Layout::Row(Value::Object(object)),
    };
    let others: Vec<String> = object
        .iter()
        .filter(|(other, value)| **other != key && holds_rows(value))
        .map(named)
        .collect();
    if !others.is_empty() {
        warnings.push(format!(
            "the rows under \"{key}\" are read, and not {}",
            others.join(", ")
        ));
    }
    whole(object.remove(&key).unwrap_or_default(), warnings, depth + 1)
}

/// A part of a file for a person.
fn named((name, value): (&String, &Value)) -> String {
    match value {
        Value::Array(list) if list.len() == 1 => format!("\"{name}\" (1 row)"),
        Value::Array(list) => format!("\"{name}\" ({} rows)", list.len()),
        _ => format!("\"{name}\""),
    }
}

/// The rows of columns: `{"text": [..], "label": [..]}`, or as pandas writes them, with an object of row names in each; or of
/// an object of rows by their names.
fn columns(object: &Map<String, Value>) -> Option<Vec<Value>> {
    let is_plain = |value: &Value| !value.is_object() && !value.is_array();
    let cells = |column: &Value| match column {
        Value::Array(cells) => Some(cells.clone()),
        Value::Object(cells) => Some(cells.values().cloned().collect()),
        _ => None,
    };
    let is_number = |key: &String| key.parse::<u64>().is_ok();
    if object.len() > 1 && object.keys().all(is_number) && object.values().all(Value::is_object) {
        return Some(object.values().cloned().collect());
    }
    // an object with keys of its own is a row with objects in it, unless its keys count the rows
    let counted = |column: &Value| match column {
        Value::Object(cells) => cells.keys().all(is_number),
        _ => true,
    };
    if object.is_empty() || !object.values().all(counted) {
        return None;
    }
    let columns: Vec<Vec<Value>> = object.values().map(cells).collect::<Option<_>>()?;
    let rows = columns.first()?.len();
    let plain = columns.iter().flatten().any(is_plain);
    if rows == 0 || !plain || columns.iter().any(|cells| cells.len() != rows) {
        return None;
    }
    let row = |index: usize| {
        let cells = object.keys().zip(&columns);
        Value::Object(
            cells
                .map(|(key, cells)| (key.clone(), cells[index].clone()))
                .collect(),
        )
    };
    Some((0..rows).map(row).collect())
}

/// The rows of pandas' `split` layout: names under `columns`, lists of values under `data`.
fn split_table(object: &Map<String, Value>) -> Option<Vec<Value>> {
    let names: Vec<&str> = object
        .get("columns")?
        .as_array()?
        .iter()
        .map(Value::as_str)
        .collect::<Option<_>>()?;
    let rows = object.get("data")?.as_array()?;
    let row = |row: &Value| {
        let cells = row.as_array().filter(|cells| cells.len() == names.len())?;
        let named = names.iter().zip(cells);
        Some(Value::Object(
            named
                .map(|(name, cell)| ((*name).to_owned(), cell.clone()))
                .collect(),
        ))
    };
    rows.iter().map(row).collect()
}

/// A row as an object, or why it is none. A list of a text and a label and a bare text are rows too.
fn object(value: Value) -> std::result::Result<Map<String, Value>, String> {
    match value {
        // as Hugging Face's dataset viewer hands rows out
        Value::Object(mut object)
            if object.contains_key("row_idx")
                && object.get("row").is_some_and(Value::is_object) =>
        {
            object_of(object.remove("row"))
        }
        Value::Object(object) => Ok(object),
        Value::Array(pair) => match <[Value; 2]>::try_from(pair) {
            Ok([text, label]) if text.is_string() && !label.is_object() => Ok(Map::from_iter([
                ("text".to_owned(), text),
                ("label".to_owned(), label),
            ])),
            _ => Err(
                "expected a JSON object or a list of a text and its label, found another array"
                    .into(),
            ),
        },
        Value::String(text) => Ok(Map::from_iter([("text".to_owned(), Value::String(text))])),
        other => Err(format!("expected a JSON object, found {}", kind(&other))),
    }
}

fn object_of(value: Option<Value>) -> std::result::Result<Map<String, Value>, String> {
    match value {
        Some(Value::Object(object)) => Ok(object),
        other => Err(format!(
            "row: expected an object, found {}",
            kind(&other.unwrap_or_default())
        )),
    }
}

/// Whether a file is JSON, by its name if that says it, else by its text.
pub(super) fn is_json(name: &str, text: &str) -> bool {
    let end = name
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    match end.as_deref() {
        Some("jsonl" | "ndjson" | "json") => true,
        Some("txt" | "md") => false,
        _ => starts_as_json(text),
    }
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

/// The keys of an object, for an error.
pub(super) fn found(object: &Map<String, Value>) -> String {
    if object.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<String> = object.keys().map(|key| format!("\"{key}\"")).collect();
    quoted.join(", ")
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
