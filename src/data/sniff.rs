//! From a file's name and text to its format.

use std::collections::BTreeSet;

use super::rows::TableFormat;
use super::{columns, delimiter, marked};

/// The format by the text where a `sep=` line, fastText's or TREC's labels say it; else by the name's extension; else JSON
/// if it starts like it, `label<TAB>text` if every line has a tab and the part before the first one looks like a label, TSV
/// for other lines with tabs, CSV for the rest.
pub(crate) fn format(file: &str, text: &str) -> TableFormat {
    if delimiter::separator(text).is_some() {
        return TableFormat::Csv;
    }
    let extension = file
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    match extension.as_deref() {
        Some("jsonl" | "ndjson" | "json") => return TableFormat::Jsonl,
        _ if marked::is_fasttext(text) => return TableFormat::FastText,
        Some("csv") => return TableFormat::Csv,
        Some("tsv" | "tab") => return TableFormat::Tsv,
        _ if marked::is_trec(text) => return TableFormat::Trec,
        _ => {}
    }
    if starts_as_json(text) {
        return TableFormat::Jsonl;
    }
    if label_comes_first(text) {
        return TableFormat::LabelTab;
    }
    match delimiter::find(text) {
        b'\t' => TableFormat::Tsv,
        _ => TableFormat::Csv,
    }
}

/// Whether it starts with an object, or with an array of something that a row can be. `[urgent] where is it` does not.
pub(crate) fn starts_as_json(text: &str) -> bool {
    let text = text.trim_start();
    let inside = text.strip_prefix('[').map(str::trim_start);
    text.starts_with('{') || inside.is_some_and(|inside| inside.starts_with(['{', '[', '"', ']']))
}

/// Whether each line is a label, a tab and a text.
fn label_comes_first(text: &str) -> bool {
    let lines = || {
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .take(200)
    };
    let mut labels = BTreeSet::new();
    let mut texts = BTreeSet::new();
    let (mut count, mut label_chars, mut text_chars) = (0usize, 0usize, 0usize);
    let (mut fewest_tabs, mut most_tabs) = (usize::MAX, 0usize);
    for line in lines() {
        let Some((label, rest)) = line.split_once('\t') else {
            return false;
        };
        let tabs = line.matches('\t').count();
        fewest_tabs = fewest_tabs.min(tabs);
        most_tabs = most_tabs.max(tabs);
        label_chars += label.chars().count();
        text_chars += rest.chars().count();
        labels.insert(label);
        texts.insert(rest);
        count += 1;
    }
    if count == 0 || (fewest_tabs == most_tabs && fewest_tabs > 1) {
        return false;
    }
    let header: Vec<&str> = lines().next().unwrap_or_default().split('\t').collect();
    if columns::names_both(&header) {
        return false;
    }
    match labels.len().cmp(&texts.len()) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Equal => label_chars < text_chars,
        std::cmp::Ordering::Greater => false,
    }
}
