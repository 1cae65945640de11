//! Twelve labelled texts, and what reading them in any format must give.

#![allow(dead_code)] // every test crate uses its own part

use serde_json::Value;
use serde_json::json;
use webtune::Error;
use webtune::data::{ParseOptions, ParsedTable, parse};

pub const TEXTS: [&str; 12] = [
    "The parcel arrived crushed",
    "My card was charged twice",
    "Where is my order now",
    "Refund has not come yet",
    "The courier never rang",
    "Invoice shows a wrong sum",
    "Box was left in the rain",
    "I want my money back",
    "Driver went to a wrong street",
    "Why two payments this month",
    "Tracking has not moved",
    "Cancel the second charge",
];

pub fn label(index: usize) -> &'static str {
    ["delivery", "billing"][index % 2]
}

pub fn options(given: Value) -> ParseOptions {
    serde_json::from_value(given).unwrap()
}

pub fn with(name: &str, content: impl AsRef<[u8]>, given: Value) -> Result<ParsedTable, Error> {
    parse(name, content.as_ref(), &options(given))
}

pub fn read(name: &str, content: impl AsRef<[u8]>) -> ParsedTable {
    with(name, content, json!({})).unwrap()
}

pub fn refuse(name: &str, content: impl AsRef<[u8]>) -> String {
    with(name, content, json!({})).unwrap_err().to_string()
}

/// The lines of all texts.
pub fn lines(line: impl Fn(usize, &str, &str) -> String) -> String {
    let lines = TEXTS.iter().enumerate();
    lines
        .map(|(index, text)| line(index, text, label(index)))
        .collect()
}

/// The twelve rows with their two labels, and nothing told.
pub fn is_whole(table: &ParsedTable) {
    let rows: Vec<_> = table
        .rows
        .iter()
        .map(|row| (&*row.text, row.label.to_string()))
        .collect();
    let expected: Vec<_> = TEXTS
        .iter()
        .enumerate()
        .map(|(index, text)| (*text, label(index).to_owned()))
        .collect();
    assert_eq!(rows, expected);
    assert!(table.empty_rows.is_empty() && table.skipped_rows.is_empty());
    assert_eq!(table.warnings, [""; 0]);
}

/// Each row's labels.
pub fn names(table: &ParsedTable) -> Vec<Vec<&str>> {
    let rows = table.rows.iter();
    rows.map(|row| row.label.names().iter().map(String::as_str).collect())
        .collect()
}
