//! Several texts or several labels in a row: found, so that they are read as such or reported, and never used in silence.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::columns::{self, Profile};
use super::label::Label;
use super::pairs;
use super::rows::{ColumnPair, ParseOptions};
use crate::{Error, Result};

/// Words of a value, on average, from which on a column holds texts.
const TEXT_WORDS: usize = 4;

/// Which columns are read.
pub(super) struct Chosen {
    /// The label is the first of `indicators`, where there are any.
    pub pair: ColumnPair,
    /// Columns of 0 and 1, a label each.
    pub indicators: Vec<usize>,
}

impl From<ColumnPair> for Chosen {
    fn from(pair: ColumnPair) -> Self {
        Self {
            pair,
            indicators: Vec::new(),
        }
    }
}

impl Chosen {
    /// Whether a column is the label, or one of them.
    fn is_label(&self, column: usize) -> bool {
        column == self.pair.label || self.indicators.contains(&column)
    }
}

/// As [`columns::pick`], where rows may be pairs of texts, and the label may be several columns of 0 and 1: those asked for, or those found where nothing is asked for and
/// no column has a label's name. `warnings` reports what was found so, and what a row holds beyond its texts and labels.
///
/// # Errors
/// As [`columns::pick`].
pub(super) fn choose(
    file: &str,
    names: &[String],
    profiles: &[Profile],
    options: &ParseOptions,
    warnings: &mut Vec<String>,
) -> Result<Chosen> {
    let mut chosen = match &options.label_columns {
        Some(asked) => indicators(file, names, profiles, options, asked)?,
        None => {
            let pair = columns::pick(file, names, profiles, options)?;
            found(names, profiles, pair, options, warnings)
        }
    };
    chosen.pair = join(file, names, profiles, &chosen, options)?;
    warnings.extend(read_as_pairs(names, chosen.pair, options));
    warnings.extend(unread(names, profiles, &chosen));
    Ok(chosen)
}

/// The columns that were asked for as labels.
fn indicators(
    file: &str,
    names: &[String],
    profiles: &[Profile],
    options: &ParseOptions,
    asked: &[String],
) -> Result<Chosen> {
    if options.label_column.is_some() {
        let reason = "expected either this or labelColumn, which names a single column of labels";
        return Err(Error::option("labelColumns", reason));
    }
    if asked.len() < 2 {
        let reason = format!("at least two columns, got {}", asked.len());
        return Err(Error::option("labelColumns", format!("expected {reason}")));
    }
    let mut indicators = Vec::new();
    for name in asked {
        let column = columns::asked(file, names, "labelColumns", Some(name))?;
        indicators.extend(column.filter(|column| !indicators.contains(column)));
    }
    let first = ParseOptions {
        label_column: asked.first().cloned(),
        label_columns: None,
        ..options.clone()
    };
    // the text is looked for among the other columns
    let others: Vec<usize> = (0..names.len())
        .filter(|column| *column == indicators[0] || !indicators.contains(column))
        .collect();
    let pick = |column: &usize| (names[*column].clone(), profiles[*column].clone());
    let (other_names, other_profiles): (Vec<_>, Vec<_>) = others.iter().map(pick).unzip();
    let pair = columns::pick(file, &other_names, &other_profiles, &first)?;
    Ok(Chosen {
        pair: ColumnPair {
            text: others[pair.text],
            text_pair: None,
            label: indicators[0],
        },
        indicators,
    })
}

/// All columns of 0 and 1 where the label would be one of several such; else the pair as it is.
fn found(
    names: &[String],
    profiles: &[Profile],
    pair: ColumnPair,
    options: &ParseOptions,
    warnings: &mut Vec<String>,
) -> Chosen {
    let binary: Vec<usize> = (0..names.len())
        .filter(|column| *column != pair.text && profiles[*column].binary)
        .collect();
    if options.label_column.is_some() || !profiles[pair.label].binary {
        return pair.into();
    }
    let listed: Vec<String> = binary.iter().map(|column| names[*column].clone()).collect();
    let listed = columns::listed(&listed);
    let varied = binary.iter();
    let varied = varied.filter(|column| profiles[**column].distinct == 2);
    if varied.count() > 1 && !columns::is_label(&names[pair.label]) {
        warnings.push(format!(
            "the columns {listed} hold 0 or 1 for each text and are read as labels, of which a text may have several (multi-label); name one of \
             them as the label column (labelColumn) to learn that one alone, or those that are labels (labelColumns)"
        ));
        return Chosen {
            pair: ColumnPair {
                label: binary[0],
                ..pair
            },
            indicators: binary,
        };
    }
    if binary.len() > 2 {
        warnings.push(format!(
            "only the column \"{}\" is learnt, but these hold 0 or 1 as it does: {listed}; name them (labelColumns) if they are several labels for \
             one text (multi-label)",
            names[pair.label]
        ));
    }
    pair.into()
}

/// The labels of a row whose columns of 0 and 1 have these names and values, or why it has none.
pub(super) fn indicated<'a>(
    columns: impl Iterator<Item = (&'a str, String)>,
) -> std::result::Result<Label, String> {
    let mut labels = Vec::new();
    for (name, value) in columns {
        match value.trim().to_ascii_lowercase().as_str() {
            "1" | "1.0" | "true" => labels.push(name.to_owned()),
            "0" | "0.0" | "false" => {}
            _ => return Err(format!("{name}: expected 0 or 1, found \"{value}\"")),
        }
    }
    Ok(Label::Several(labels))
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
    chosen: &Chosen,
    options: &ParseOptions,
) -> Result<ColumnPair> {
    let pair = chosen.pair;
    let asked = options.text_pair_column.as_deref();
    if let Some(second) = columns::asked(file, names, "textPairColumn", asked)? {
        let taken = match second {
            second if second == pair.text => "text",
            second if chosen.is_label(second) => "label",
            _ => {
                return Ok(ColumnPair {
                    text_pair: Some(second),
                    ..pair
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
        return Ok(pair);
    }
    let found = |column: usize| !chosen.is_label(column) && profiles[column].holds_text();
    Ok(match pairs::with(names, pair.text, found) {
        Some((text, second)) => ColumnPair {
            text,
            text_pair: Some(second),
            ..pair
        },
        None => pair,
    })
}

/// Says that pairs are read, where nobody asked for them.
fn read_as_pairs(names: &[String], chosen: ColumnPair, options: &ParseOptions) -> Option<String> {
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
fn unread(names: &[String], profiles: &[Profile], chosen: &Chosen) -> Option<String> {
    let pair = chosen.pair;
    let taken = [Some(pair.text), pair.text_pair];
    let others: Vec<String> = (0..names.len())
        .filter(|column| !taken.contains(&Some(*column)) && !chosen.is_label(*column))
        .filter(|column| is_other(names, &profiles[*column], pair, *column))
        .map(|column| names[column].clone())
        .collect();
    let (hold, are) = match others.len() {
        0 => return None,
        1 => ("the column", "holds texts too and is"),
        _ => ("the columns", "hold texts too and are"),
    };
    let sees = match pair.text_pair {
        Some(second) => format!(
            "the model sees \"{}\" and \"{}\"",
            names[pair.text], names[second]
        ),
        None => format!(
            "the model sees \"{}\" alone; to have it judge pairs of texts, name a second column (textPairColumn)",
            names[pair.text]
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

/// What separates several labels in one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Separator {
    /// Most labels that hold the mark fall into parts that stand in other labels too.
    Found(&'static str, String),
    /// Some do.
    Doubtful(String),
}

/// Looks for labels that are several in one: `a|b` whose parts stand in other labels too, and written lists.
pub(super) fn separator(counts: &BTreeMap<&str, usize>) -> Option<Separator> {
    ["|", ";", ","].into_iter().find_map(|mark| {
        let mut labels_with = HashMap::<&str, usize>::new();
        for part in counts.keys().flat_map(|label| parts(label, mark)) {
            *labels_with.entry(part).or_default() += 1;
        }
        let is_joined = |label: &&&str| {
            let parts = parts(label, mark);
            parts.len() > 1 && (is_list(label) || parts.iter().all(|part| labels_with[part] > 1))
        };
        let with_mark = counts.keys().filter(|label| label.contains(mark)).count();
        let joined: Vec<&&str> = counts.keys().filter(is_joined).collect();
        let first = joined.first()?;
        let labels = match joined.len() {
            1 => format!("the label \"{first}\" "),
            _ => format!("labels such as \"{first}\" "),
        };
        let one = joined.len() == 1;
        Some(if joined.len() * 2 >= with_mark {
            let is = if one { "is" } else { "are" };
            let words = format!(
                "{labels}{is} read as several labels for one text (multi-label), separated by \"{mark}\"; an empty separator (labelSeparator) makes each \
                 such combination a label of its own"
            );
            Separator::Found(mark, words)
        } else {
            let look = if one { "looks" } else { "look" };
            Separator::Doubtful(format!(
                "{labels}{look} like several labels for one text (multi-label), but most labels with \"{mark}\" do not: each such combination counts as a \
                 label of its own; name the separator (labelSeparator) to read them as several"
            ))
        })
    })
}

fn is_list(label: &str) -> bool {
    label.starts_with('[') && label.ends_with(']')
}

/// What a mark separates in a label, without the brackets and quotes of a list; each once, in their order.
pub(super) fn parts<'a>(label: &'a str, mark: &str) -> Vec<&'a str> {
    let bare = |part: &'a str| {
        if is_list(label) {
            part.trim_matches([' ', '[', ']', '\'', '"'])
        } else {
            part.trim()
        }
    };
    let mut seen = HashSet::new();
    let parts = label.split(mark).map(bare);
    parts
        .filter(|part| !part.is_empty() && seen.insert(*part))
        .collect()
}
