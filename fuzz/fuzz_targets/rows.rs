//! Reads arbitrary bytes as a table of labelled texts, in each format, and as rows for a language model: nothing may panic,
//! and every row must have a number and a text.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../rooms/data.rs"]
mod data;
#[allow(dead_code)]
#[path = "../../src/error.rs"]
mod error;
#[allow(dead_code)]
#[path = "../rooms/text.rs"]
mod text;

use data::{ParseOptions, TableFormat, parse, parse_text_rows};
#[allow(unused_imports)]
use error::{Error, Result};

fuzz_target!(|bytes: &[u8]| {
    let formats = [
        None,
        Some(TableFormat::Csv),
        Some(TableFormat::Tsv),
        Some(TableFormat::Jsonl),
        Some(TableFormat::LabelTab),
    ];
    for format in formats {
        let options = ParseOptions {
            format,
            ..ParseOptions::default()
        };
        if let Ok(table) = parse("rows", bytes, &options) {
            for row in table.rows {
                assert!(row.row > 0 && !row.text.trim().is_empty());
            }
        }
    }
    for name in ["rows.jsonl", "rows.json", "rows.txt"] {
        if let Ok(rows) = parse_text_rows(name, bytes) {
            assert!(rows.iter().all(|row| row.row > 0));
        }
    }
});
