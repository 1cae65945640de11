//! Several texts or several labels in a row: found, so that they are reported and never used, or left out, in silence.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::columns::{self, Profile};
use super::pairs;
use super::rows::{ColumnPair, ParseOptions};
use crate::{Error, Result};

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
    let pair = join(file, names, profiles, pair, options)?;
    warnings.extend(told(names, pair, options));
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
    warnings.extend(unread(names, profiles, pair));
    Ok(())
}

/// Adds the column of the second texts: the one asked for, or the other one of a known pair. Where a caller names the text column alone, that
/// text is read alone.
///
/// # Errors
/// `InvalidData` if the column asked for does not exist, or is the text's or the label's.
fn join(
    file: &str,
    names: &[String],
    profiles: &[Profile],
    chosen: ColumnPair,
    options: &ParseOptions,
) -> Result<ColumnPair> {
    let asked = options.text_pair_column.as_deref();
    if let Some(second) = columns::asked(file, names, "textPairColumn", asked)? {
        let taken = match second {
            second if second == chosen.text => "text",
            second if second == chosen.label => "label",
            _ => {
                return Ok(ColumnPair {
                    text_pair: Some(second),
                    ..chosen
                });
            }
        };
        let reason = format!(
            "the {taken} and the second text would both come from the column \"{}\"; expected different columns among: {}",
            names[second],
            columns::listed(names)
        );
        return Err(Error::data(file, None, reason));
    }
    if options.text_column.is_some() {
        return Ok(chosen);
    }
    let found = |column: usize| column != chosen.label && profiles[column].holds_text();
    Ok(match pairs::with(names, chosen.text, found) {
        Some((text, second)) => ColumnPair {
            text,
            text_pair: Some(second),
            ..chosen
        },
        None => chosen,
    })
}

/// Says that pairs are read, where nobody asked for them.
fn told(names: &[String], chosen: ColumnPair, options: &ParseOptions) -> Option<String> {
    let pair = chosen
        .text_pair
        .filter(|_| options.text_pair_column.is_none())?;
    Some(format!(
        "each row is read as a pair of texts: first \"{}\", then \"{}\". To have the model read one of them alone, name it as the text column \
         (textColumn)",
        names[chosen.text], names[pair]
    ))
}

/// Reports columns of texts that are not read.
fn unread(names: &[String], profiles: &[Profile], chosen: ColumnPair) -> Option<String> {
    let taken = [Some(chosen.text), chosen.text_pair, Some(chosen.label)];
    let others: Vec<String> = (0..names.len())
        .filter(|column| !taken.contains(&Some(*column)))
        .filter(|column| is_other(names, &profiles[*column], chosen, *column))
        .map(|column| names[column].clone())
        .collect();
    let (hold, are) = match others.len() {
        0 => return None,
        1 => ("the column", "holds texts too and is"),
        _ => ("the columns", "hold texts too and are"),
    };
    let sees = match chosen.text_pair {
        Some(pair) => format!(
            "the model sees \"{}\" and \"{}\"",
            names[chosen.text], names[pair]
        ),
        None => format!(
            "the model sees \"{}\" alone; to have it judge pairs of texts, name a second column (textPairColumn)",
            names[chosen.text]
        ),
    };
    Some(format!(
        "{hold} {} {are} not read: {sees}",
        columns::listed(&others)
    ))
}

/// Whether a column holds texts beside the text column: by its name and the other's, or by its values.
fn is_other(names: &[String], profile: &Profile, chosen: ColumnPair, column: usize) -> bool {
    let paired = pairs::names_both(&[&names[chosen.text], &names[column]]);
    let written = profile.words >= TEXT_WORDS * profile.rows && profile.distinct * 2 > profile.rows;
    profile.holds_text() && (paired || written)
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
