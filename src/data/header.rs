//! Whether a table's first row names its columns, and what they are called.

use std::collections::{HashMap, HashSet};

use super::columns;
use super::rows::ParseOptions;
use super::scan::Record;

/// Whether the first record names the columns. It does if it has a column asked for, or the usual names of both
/// columns; if it has one usual name that no row below has as a value; or if it looks unlike data.
pub(super) fn has_header(records: &[Record], options: &ParseOptions) -> bool {
    let Some((first, below)) = records.split_first() else {
        return false;
    };
    let names: Vec<&str> = first.fields.iter().map(|field| field.trim()).collect();
    let asked = [
        &options.text_column,
        &options.text_pair_column,
        &options.label_column,
    ];
    let asked = asked.into_iter().flatten();
    if asked
        .chain(options.label_columns.iter().flatten())
        .any(|a| names.contains(&a.trim()))
    {
        return true;
    }
    if columns::names_both(&names) {
        return true;
    }
    let recurs = |column: usize| {
        below
            .iter()
            .any(|r| r.fields[column].trim() == names[column])
    };
    if (0..names.len()).any(|column| columns::is_known(names[column]) && !recurs(column)) {
        return true;
    }
    looks_unlike_data(&names, below, recurs)
}

/// Short words, of which some may be missing or repeat, above a column of numbers, or above a column of few values that they are not among.
fn looks_unlike_data(names: &[&str], below: &[Record], recurs: impl Fn(usize) -> bool) -> bool {
    const FEWEST_ROWS: usize = 4;
    let is_number = |value: &str| value.trim().parse::<f64>().is_ok();
    let is_name = |name: &&&str| {
        name.chars().count() <= 30
            && name.split_whitespace().count() <= 2
            && !name.ends_with(['.', '?', '!'])
            && !is_number(name)
    };
    let given: Vec<&&str> = names.iter().filter(|name| !name.is_empty()).collect();
    let different: HashSet<&&str> = given.iter().copied().collect();
    let enough = different.len() > 1 || (different.len() == 1 && given.len() < names.len());
    if below.is_empty() || !enough || !given.iter().all(is_name) {
        return false;
    }
    (0..names.len()).any(|column| {
        let values = || below.iter().map(|record| record.fields[column].trim());
        let distinct = values().collect::<HashSet<_>>().len();
        let few = below.len() >= FEWEST_ROWS && distinct * 2 <= below.len();
        values().all(is_number) || (few && !recurs(column))
    })
}

/// The header's names, made different if they repeat, or `Column 1` and so on.
pub(super) fn column_names(records: &[Record], header: bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut taken = HashSet::new();
    // the number that the next column of a name gets
    let mut copies = HashMap::<String, usize>::new();
    for (index, field) in records
        .first()
        .into_iter()
        .flat_map(|r| &r.fields)
        .enumerate()
    {
        let numbered = format!("Column {}", index + 1);
        let name = match field.trim() {
            name if header && !name.is_empty() => name.to_owned(),
            _ => numbered,
        };
        let mut unique = name.clone();
        let copy = copies.entry(name.clone()).or_insert(2);
        while taken.contains(&unique) {
            unique = format!("{name} ({copy})");
            *copy += 1;
        }
        taken.insert(unique.clone());
        names.push(unique);
    }
    names
}
