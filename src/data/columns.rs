//! Finds out, from column names and what their values look like, which column is the text and which the label.

use std::collections::HashSet;

use super::pairs;
use super::rows::{ColumnPair, ParseOptions};
use crate::{Error, Result};

/// Names that a text column has in public data sets, most telling first. Compared without case.
const TEXT_NAMES: [&str; 30] = [
    "text",
    "sentence",
    "question",
    "content",
    "input",
    "utterance",
    "query",
    "message",
    "body",
    "review",
    "comment",
    "document",
    "prompt",
    "phrase",
    "tweet",
    "headline",
    "title",
    "subject",
    "description",
    "comment_text",
    "review_text",
    "tweet_text",
    "tweets",
    "texts",
    "sentences",
    "reviews",
    "sentence1",
    "question1",
    "text1",
    "text_a",
];

/// Names that a label column has in public data sets, most telling first. Compared without case.
const LABEL_NAMES: [&str; 24] = [
    "label",
    "labels",
    "category",
    "intent",
    "class",
    "target",
    "topic",
    "sentiment",
    "tag",
    "output",
    "answer",
    "label_text",
    "label_name",
    "gold_label",
    "coarse_label",
    "y",
    "categories",
    "intents",
    "tags",
    "topics",
    "emotion",
    "emotions",
    "genre",
    "genres",
];

/// Names of columns that number the rows.
const ID_NAMES: [&str; 8] = [
    "id",
    "idx",
    "index",
    "guid",
    "uuid",
    "_id",
    "row_id",
    "unnamed: 0",
];

/// What the values of one column look like.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    /// Rows.
    pub rows: usize,
    /// Different values.
    pub distinct: usize,
    /// Characters of all values together.
    pub characters: usize,
    /// Words of letters of all values together.
    pub words: usize,
    /// Whether every row has a plain value here.
    pub usable: bool,
    /// Whether the values count the rows, from 0 or from 1.
    pub index: bool,
    /// Whether the values are 0 and 1, or false and true.
    pub binary: bool,
}

impl Profile {
    /// `None` is a value that is neither text, number nor boolean.
    pub fn of<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Profile {
        let mut seen = HashSet::new();
        let mut profile = Profile {
            usable: true,
            ..Profile::default()
        };
        let mut counts_from = [true, true];
        for value in values {
            profile.rows += 1;
            let value = value.map(str::trim);
            let number = value.and_then(|value| value.parse::<usize>().ok());
            for (first, counts) in counts_from.iter_mut().enumerate() {
                *counts &= number == Some(profile.rows - 1 + first);
            }
            let Some(value) = value else {
                profile.usable = false;
                continue;
            };
            profile.characters += value.chars().count();
            profile.words += words(value);
            seen.insert(value);
        }
        profile.distinct = seen.len();
        profile.index = profile.rows > 2 && counts_from.contains(&true);
        profile.binary = profile.usable
            && profile.distinct <= 2
            && profile.characters > 0
            && seen.iter().all(|value| {
                ["0", "1", "0.0", "1.0"].contains(value)
                    || ["true", "false"]
                        .iter()
                        .any(|word| word.eq_ignore_ascii_case(value))
            });
        profile
    }

    /// Whether there is anything in it that a model could read.
    pub fn holds_text(&self) -> bool {
        self.characters > 0 && !self.index
    }
}

/// Words of letters, so that dates, addresses and numbers are no texts.
fn words(value: &str) -> usize {
    let is_word = |word: &&str| {
        word.chars().any(char::is_alphabetic)
            && !word.contains(|c: char| c.is_numeric() || c == '/')
    };
    value.split_whitespace().filter(is_word).count()
}

/// Chooses each column as asked for, else by a known name, else by content: the text is the longest column that is left,
/// the label the one with the fewest different values (a column with one value only comes last). Columns that number the rows
/// and columns without values are taken only if nothing else is left.
///
/// # Errors
/// `InvalidData` if a column asked for does not exist, or no two columns can serve.
pub(super) fn pick(
    file: &str,
    columns: &[String],
    profiles: &[Profile],
    options: &ParseOptions,
) -> Result<ColumnPair> {
    let asked_text = asked(file, columns, "textColumn", options.text_column.as_deref())?;
    let asked_label = asked(
        file,
        columns,
        "labelColumn",
        options.label_column.as_deref(),
    )?;
    if let (Some(text), Some(label)) = (asked_text, asked_label)
        && text == label
    {
        return Err(Error::data(
            file,
            None,
            format!(
                "text and label were both asked for from the column \"{}\"; expected two different columns among: {}",
                columns[text],
                listed(columns)
            ),
        ));
    }
    let text = asked_text.or_else(|| known(columns, profiles, &TEXT_NAMES, asked_label));
    let label = asked_label.or_else(|| known(columns, profiles, &LABEL_NAMES, text));
    let usable = |taken: Option<usize>| {
        profiles
            .iter()
            .enumerate()
            .filter(move |(index, profile)| Some(*index) != taken && profile.usable)
    };
    let is_number = |index: usize| profiles[index].index || is_among(&columns[index], &ID_NAMES);
    let last = |index: usize| is_number(index) || profiles[index].characters == 0;
    // a known pair's first text, before any guess by length
    let pair = || {
        pairs::first(columns, |column| {
            Some(column) != label && profiles[column].holds_text()
        })
    };
    let text = text.or_else(pair).or_else(|| {
        usable(label)
            // Of equals the first, which `max_by_key` would not give.
            .min_by_key(|(index, profile)| (last(*index), std::cmp::Reverse(profile.characters)))
            .map(|(index, _)| index)
    });
    let label = label.or_else(|| {
        usable(text)
            .min_by_key(|(index, profile)| {
                let one = profile.distinct < 2;
                (last(*index), one, profile.distinct, profile.characters)
            })
            .map(|(index, _)| index)
    });
    match (text, label) {
        (Some(text), Some(label)) => Ok(ColumnPair {
            text,
            text_pair: None,
            label,
        }),
        _ => Err(Error::data(
            file,
            None,
            format!(
                "expected a column of texts and a column of labels, found only: {}",
                listed(columns)
            ),
        )),
    }
}

/// Whether these names hold both a text's and a label's, or those of a pair of texts, which only a header does.
pub(crate) fn names_both(names: &[&str]) -> bool {
    let any = |known: &[&str]| names.iter().any(|name| is_among(name, known));
    (any(&TEXT_NAMES) && any(&LABEL_NAMES)) || pairs::names_both(names)
}

/// Whether this is a text's or a label's name.
pub(crate) fn is_known(name: &str) -> bool {
    is_among(name, &TEXT_NAMES) || is_among(name, &LABEL_NAMES)
}

/// Whether this is a label's name.
pub(crate) fn is_label(name: &str) -> bool {
    is_among(name, &LABEL_NAMES)
}

fn is_among(name: &str, known: &[&str]) -> bool {
    known.iter().any(|k| k.eq_ignore_ascii_case(name.trim()))
}

/// The first column of a known name; one without any value only if there is no other.
fn known(
    columns: &[String],
    profiles: &[Profile],
    names: &[&str],
    taken: Option<usize>,
) -> Option<usize> {
    let named = |blank: bool| {
        names.iter().find_map(|name| {
            columns.iter().enumerate().position(|(index, column)| {
                let is_blank = profiles[index].usable && profiles[index].characters == 0;
                Some(index) != taken && is_blank == blank && column.eq_ignore_ascii_case(name)
            })
        })
    };
    named(false).or_else(|| named(true))
}

/// The place of a column that an option names.
///
/// # Errors
/// `InvalidData` if there is none of that name.
pub(super) fn asked(
    file: &str,
    columns: &[String],
    option: &str,
    name: Option<&str>,
) -> Result<Option<usize>> {
    let Some(name) = name else {
        return Ok(None);
    };
    match columns.iter().position(|column| column == name.trim()) {
        Some(index) => Ok(Some(index)),
        None => Err(Error::data(
            file,
            None,
            format!(
                "{option}: there is no column \"{name}\"; the columns are: {}",
                listed(columns)
            ),
        )),
    }
}

pub(crate) fn listed(columns: &[String]) -> String {
    let quoted: Vec<String> = columns.iter().map(|c| format!("\"{c}\"")).collect();
    quoted.join(", ")
}
