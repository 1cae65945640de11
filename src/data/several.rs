//! Several texts or several labels in a row, which no classifier of ours learns: found, so that they are reported and never used in silence.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::columns::{self, Profile};
use super::rows::{ColumnPair, ParseOptions};
use crate::{Error, Result};

/// Names of two texts that are judged together.
const PAIRS: [(&str, &str); 20] = [
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("sent1", "sent2"),
    ("s1", "s2"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("question1", "question2"),
    ("premise", "hypothesis"),
    ("claim", "evidence"),
    ("question", "answer"),
    ("question", "sentence"),
    ("question", "context"),
    ("question", "passage"),
    ("query", "passage"),
    ("query", "document"),
    ("query", "product_title"),
    ("query", "title"),
    ("anchor", "positive"),
];

/// Words of a value, on average, from which on a column holds texts.
const TEXT_WORDS: usize = 4;

/// As [`columns::pick`], and reports or refuses what a row holds beyond one text and one label.
///
/// # Errors
/// As [`columns::pick`]; `InvalidData` too if the label would be one of several.
pub(super) fn choose(
    file: &str,
    names: &[String],
    profiles: &[Profile],
    options: &ParseOptions,
    warnings: &mut Vec<String>,
) -> Result<ColumnPair> {
    let pair = columns::pick(file, names, profiles, options)?;
    check(file, names, profiles, pair, options, warnings)?;
    Ok(pair)
}

/// Refuses a label that is one of several columns of 0 and 1, and reports texts that are not read.
///
/// # Errors
/// `InvalidData` if the label would be one of several such columns and was not asked for.
fn check(
    file: &str,
    names: &[String],
    profiles: &[Profile],
    pair: ColumnPair,
    options: &ParseOptions,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let binary: Vec<usize> = (0..names.len())
        .filter(|column| *column != pair.text && profiles[*column].binary)
        .collect();
    let asked = options.label_column.is_some();
    if !asked && profiles[pair.label].binary {
        let listed: Vec<String> = binary.iter().map(|column| names[*column].clone()).collect();
        let several = format!(
            "{}: several labels for one text (multi-label), which is not supported",
            columns::listed(&listed)
        );
        let varied = binary
            .iter()
            .filter(|column| profiles[**column].distinct == 2);
        if varied.count() > 1 && !columns::is_label(&names[pair.label]) {
            let reason = format!(
                "these columns hold 0 or 1 for each text, {several}; name one of them as the label column (labelColumn) to \
                 learn that one alone"
            );
            return Err(Error::data(file, None, reason));
        }
        if binary.len() > 2 {
            warnings.push(format!(
                "only the column \"{}\" is learnt, but these hold 0 or 1 as it does, which may be {several}",
                names[pair.label]
            ));
        }
    }
    let others: Vec<String> = (0..names.len())
        .filter(|column| *column != pair.text && *column != pair.label)
        .filter(|column| is_second(names, profiles, pair, *column))
        .map(|column| names[column].clone())
        .collect();
    if !others.is_empty() {
        let (hold, are) = match others.len() {
            1 => ("the column", "holds texts too and is"),
            _ => ("the columns", "hold texts too and are"),
        };
        warnings.push(format!(
            "{hold} {} {are} not read: pairs of texts are not supported, and the model sees \"{}\" alone",
            columns::listed(&others),
            names[pair.text]
        ));
    }
    Ok(())
}

/// Whether a column holds texts beside the text column: by its name and the other's, or by its values.
fn is_second(names: &[String], profiles: &[Profile], pair: ColumnPair, column: usize) -> bool {
    let is = |column: usize, name: &str| names[column].trim().eq_ignore_ascii_case(name);
    let profile = &profiles[column];
    let paired = PAIRS.iter().any(|(first, second)| {
        (is(pair.text, first) && is(column, second)) || (is(pair.text, second) && is(column, first))
    });
    let written = profile.words >= TEXT_WORDS * profile.rows && profile.distinct * 2 > profile.rows;
    profile.characters > 0 && !profile.index && (paired || written)
}

/// Reports labels that look like several in one: `a|b` whose parts stand in other labels too, and written lists.
pub(super) fn of_labels(counts: &BTreeMap<&str, usize>) -> Option<String> {
    ["|", ";", ","].into_iter().find_map(|mark| {
        let mut labels_with = HashMap::<&str, usize>::new();
        for part in counts.keys().flat_map(|label| parts(label, mark)) {
            *labels_with.entry(part).or_default() += 1;
        }
        let is_joined = |label: &&&str| {
            let parts = parts(label, mark);
            let is_list = label.starts_with('[') && label.ends_with(']');
            parts.len() > 1 && (is_list || parts.iter().all(|part| labels_with[part] > 1))
        };
        let joined: Vec<&&str> = counts.keys().filter(is_joined).collect();
        let first = joined.first()?;
        let labels = match joined.len() {
            1 => format!("the label \"{first}\" looks"),
            _ => format!("labels such as \"{first}\" look"),
        };
        Some(format!(
            "{labels} like several labels for one text (multi-label), which is not supported: each such combination counts as a \
             label of its own"
        ))
    })
}

/// What a mark separates in a label, without the brackets and quotes of a list.
fn parts<'a>(label: &'a str, mark: &str) -> HashSet<&'a str> {
    let bare = |part: &'a str| part.trim_matches([' ', '[', ']', '\'', '"']);
    label.split(mark).map(bare).collect()
}
