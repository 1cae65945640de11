//! Reads the objects of a JSON file into labelled rows.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::assemble::{Reading, assemble};
use super::columns::Profile;
use super::decode::Decoded;
use super::json::{Line, found, kind, objects};
use super::label::Label;
use super::rows::{ParseOptions, ParsedRow, ParsedTable, SkippedRow, TableFormat, settle};
use super::several::{self, Chosen};
use crate::Result;

const EXPECTED: &str = "expected objects such as {\"text\": \"...\", \"label\": \"...\"}";

/// Reads a text's JSON in any layout that rows come in.
pub(crate) fn read(
    file: &str,
    decoded: &Decoded<'_>,
    options: &ParseOptions,
) -> Result<ParsedTable> {
    let mut read = objects(file, &decoded.text, EXPECTED)?;
    if read.lines.is_empty() {
        settle(file, std::mem::take(&mut read.bad), 0, options.skip_bad)?;
    }
    let columns = keys(&read.lines);
    let profiles = profiles(&read.lines, &columns);
    let chosen = several::choose(file, &columns, &profiles, options, &mut read.warnings)?;
    let mut rows = Vec::with_capacity(read.lines.len());
    for line in &read.lines {
        match row(line, &columns, &chosen) {
            Ok(row) => rows.push(row),
            Err(reason) => read.bad.push(SkippedRow {
                row: line.row,
                reason,
            }),
        }
    }
    let reading = Reading {
        format: TableFormat::Jsonl,
        encoding: decoded.encoding,
        delimiter: None,
        header: true,
        skipped: settle(file, read.bad, rows.len(), options.skip_bad)?,
        warnings: read.warnings,
    };
    let separator = options.label_separator.as_deref();
    Ok(assemble(reading, columns, &chosen, separator, rows))
}

/// A line's texts and its label or labels, or why it has none.
fn row(line: &Line, columns: &[String], chosen: &Chosen) -> std::result::Result<ParsedRow, String> {
    let text = |column: usize| cell(&line.object, &columns[column]);
    Ok(ParsedRow {
        text: text(chosen.pair.text)?,
        text_pair: chosen.pair.text_pair.map(text).transpose()?,
        label: labels(line, columns, chosen)?,
        row: line.row,
    })
}

fn labels(line: &Line, columns: &[String], chosen: &Chosen) -> std::result::Result<Label, String> {
    if chosen.indicators.is_empty() {
        return label(&line.object, &columns[chosen.pair.label]);
    }
    let names = chosen
        .indicators
        .iter()
        .map(|column| columns[*column].as_str());
    let cells = names.map(|name| Ok((name, cell(&line.object, name)?)));
    let cells = cells.collect::<std::result::Result<Vec<_>, String>>()?;
    several::indicated(cells.into_iter())
}

/// What the values of each column look like.
fn profiles(lines: &[Line], columns: &[String]) -> Vec<Profile> {
    let mut values = columns
        .iter()
        .map(|key| (key.as_str(), Vec::new()))
        .collect::<HashMap<_, _>>();
    for (key, value) in lines.iter().flat_map(|line| &line.object) {
        if let (Some(value), Some(column)) = (plain(value), values.get_mut(key.as_str())) {
            column.push(value);
        }
    }
    columns
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
        .collect()
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

/// The text under a key, or why there is none.
fn cell(object: &Map<String, Value>, key: &str) -> std::result::Result<String, String> {
    let Some(value) = object.get(key) else {
        return Err(format!(
            "the key \"{key}\" is missing; the keys found are: {}",
            found(object)
        ));
    };
    plain(value).ok_or_else(|| {
        format!(
            "{key}: expected a string, a number, true or false, found {}",
            kind(value)
        )
    })
}

/// The label or the labels under a key.
fn label(object: &Map<String, Value>, key: &str) -> std::result::Result<Label, String> {
    let Some(Value::Array(list)) = object.get(key) else {
        return cell(object, key).map(Label::One);
    };
    let labels: Option<Vec<String>> = list.iter().map(plain).collect();
    match labels {
        Some(labels) if labels.len() > 1 && labels.iter().any(|label| label.trim().is_empty()) => {
            Err(format!("{key}: one of its labels is blank"))
        }
        Some(labels) => Ok(Label::Several(labels)),
        None => Err(format!(
            "{key}: expected a string, a number, true, false, or a list of them, found an array of other values"
        )),
    }
}

/// A value that can be a text or a label, as text. Null is a blank one, as a missing value in a table.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}
