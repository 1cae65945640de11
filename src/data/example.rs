//! Labelled texts, the map between their labels and ids, and the check whether they can train a model.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Remedy, Result};

/// How many labels a classifier may have. Beyond what people tell apart the wrong column was picked, and tables of labels by labels grow
/// huge.
pub const LABEL_COUNT: RangeInclusive<usize> = 2..=1000;

/// What errors call examples that came as a list rather than a file.
pub(crate) const EXAMPLES: &str = "examples";

/// One labelled text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Example {
    /// What the model reads.
    pub text: String,
    /// What it should answer.
    pub label: String,
}

/// Labels and their ids, 0 to `len() - 1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    names: Vec<String>,
    ids: BTreeMap<String, usize>,
}

impl LabelMap {
    /// Every label of `examples` once, in the order of [`sort`], so that the order of the rows does not matter.
    pub fn from_examples(examples: &[Example]) -> LabelMap {
        let names: BTreeSet<&str> = examples.iter().map(|e| e.label.as_str()).collect();
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        sort(&mut names, |name| name);
        LabelMap::with_order(names)
    }

    /// Labels in an order that is already fixed, such as an exported adapter's.
    ///
    /// # Errors
    /// `InvalidData` if a name is listed twice.
    pub fn from_names(names: Vec<String>) -> Result<LabelMap> {
        let count = names.len();
        let map = LabelMap::with_order(names);
        if map.ids.len() != count {
            let reason = format!(
                "expected {count} different names, got {} different ones: {}",
                map.ids.len(),
                map.names.join(", ")
            );
            return Err(Error::data("labels", None, reason));
        }
        Ok(map)
    }

    fn with_order(names: Vec<String>) -> LabelMap {
        let ids = names.iter().cloned().zip(0..).collect();
        LabelMap { names, ids }
    }

    /// The id of a label, or `None` for an unknown one.
    pub fn id(&self, label: &str) -> Option<usize> {
        self.ids.get(label).copied()
    }

    /// The label of an id, or `None` past the last one.
    pub fn name(&self, id: usize) -> Option<&str> {
        self.names.get(id).map(String::as_str)
    }

    /// All labels, in the order of their ids.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Sorts by label: by value if all are numbers, so that classes 0 to n - 1 have themselves as ids, as in a data set whose label
/// column holds ids; else by their bytes.
pub(crate) fn sort<T>(all: &mut [T], label: impl Fn(&T) -> &str) {
    let number = |one: &T| label(one).trim().parse::<f64>().ok();
    let values: Option<Vec<f64>> = all.iter().map(number).collect();
    let are_numbers = values.is_some_and(|values| values.into_iter().all(f64::is_finite));
    all.sort_by(|a, b| {
        let value = |one| number(one).unwrap_or_default();
        let by_value = if are_numbers {
            value(a).total_cmp(&value(b))
        } else {
            Ordering::Equal
        };
        by_value.then_with(|| label(a).cmp(label(b)))
    });
}

/// Checks that `examples` can train a classifier, and maps their labels.
///
/// # Errors
/// `InvalidData`: no examples, a blank text or label (the row counts from 1 in the list given), fewer than two labels,
/// or a label with a single example, which could not both train and be validated.
pub fn check(examples: &[Example]) -> Result<LabelMap> {
    if examples.is_empty() {
        return Err(Error::data(
            EXAMPLES,
            None,
            "there are none; at least two labels with two examples each are needed",
        ));
    }
    for (index, example) in examples.iter().enumerate() {
        if let Some(fault) = fault(example) {
            return Err(Error::data(EXAMPLES, index + 1, fault));
        }
    }
    let labels = LabelMap::from_examples(examples);
    if let [only] = labels.names() {
        return Err(Error::data(
            EXAMPLES,
            None,
            format!("all have the label \"{only}\"; at least two different labels are needed"),
        ));
    }
    let most = LABEL_COUNT.end();
    if labels.len() > *most {
        return Err(Error::data(
            EXAMPLES,
            None,
            format!(
                "they have {} different labels, and at most {most} are supported; is the label column the right one?",
                labels.len()
            ),
        ));
    }
    let mut counts = vec![0usize; labels.len()];
    for id in examples.iter().filter_map(|e| labels.id(&e.label)) {
        counts[id] += 1;
    }
    let single: Vec<String> = labels
        .names()
        .iter()
        .zip(&counts)
        .filter(|(_, count)| **count == 1)
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    let (reason, them) = match single.as_slice() {
        [] => return Ok(labels),
        [name] => (
            format!(
                "the label {name} has only one example; every label needs at least two, one to learn from and one to \
                 check against"
            ),
            "it",
        ),
        names => (
            format!(
                "the labels {} have only one example each; every label needs at least two, one to learn from and one \
                 to check against",
                list(names)
            ),
            "them",
        ),
    };
    if labels.len() - single.len() < *LABEL_COUNT.start() {
        return Err(Error::data(EXAMPLES, None, reason));
    }
    let reason = format!("{reason}; add to {them}, or leave {them} out (skipBad)");
    Err(Error::data(EXAMPLES, None, reason).with_remedy(Remedy::SkipBad))
}

/// Why an example cannot be learnt, whatever the others are.
pub(crate) fn fault(example: &Example) -> Option<&'static str> {
    if example.text.trim().is_empty() {
        return Some("the text is blank");
    }
    example
        .label
        .trim()
        .is_empty()
        .then_some("the label is blank")
}

/// The first few of `names`; a column of free text taken for labels would otherwise fill the screen.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 5;
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", names[..SHOWN].join(", ")),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(rows: &[(&str, &str)]) -> Vec<Example> {
        rows.iter()
            .map(|(text, label)| Example {
                text: (*text).into(),
                label: (*label).into(),
            })
            .collect()
    }

    fn message(rows: &[(&str, &str)]) -> String {
        let error = check(&examples(rows)).unwrap_err();
        assert_eq!(error.code(), "invalidData");
        error.to_string()
    }

    #[test]
    fn labels_are_sorted_whatever_the_order_of_rows() {
        let rows = [
            ("t", "b"),
            ("u", "a"),
            ("v", "é"),
            ("w", "a"),
            ("x", "b"),
            ("y", "é"),
        ];
        let labels = check(&examples(&rows)).unwrap();
        assert_eq!(labels.names(), ["a", "b", "é"]);
        assert_eq!(labels.id("b"), Some(1));
        assert_eq!(labels.id("c"), None);
        assert_eq!(labels.name(2), Some("é"));
        assert_eq!(labels.name(3), None);
        let reversed: Vec<_> = rows.iter().rev().copied().collect();
        assert_eq!(check(&examples(&reversed)).unwrap(), labels);
    }

    #[test]
    fn labels_that_are_numbers_are_in_the_order_of_their_values() {
        let of = |labels: &[&str]| {
            let rows: Vec<(&str, &str)> = labels.iter().map(|label| ("t", *label)).collect();
            LabelMap::from_examples(&examples(&rows)).names().to_vec()
        };
        let classes: Vec<String> = (0..12).map(|class| class.to_string()).collect();
        let mut shuffled: Vec<&str> = classes.iter().map(String::as_str).rev().collect();
        assert_eq!(of(&shuffled), classes);
        assert_eq!(of(&["10", "-1", "9", "9"]), ["-1", "9", "10"]);
        assert_eq!(of(&["4.5", "10.0", "3"]), ["3", "4.5", "10.0"]);
        assert_eq!(of(&["1.0", "01", "1"]), ["01", "1", "1.0"]);
        // one word among them makes them names
        shuffled.push("x");
        assert_eq!(of(&shuffled)[..4], ["0", "1", "10", "11"]);
        assert_eq!(of(&["nan", "2", "10"]), ["10", "2", "nan"]);
    }

    #[test]
    fn a_fixed_order_stays() {
        let labels = LabelMap::from_names(vec!["z".into(), "a".into()]).unwrap();
        assert_eq!(labels.id("z"), Some(0));
        assert!(LabelMap::from_names(vec!["z".into(), "z".into()]).is_err());
    }

    #[test]
    fn each_defect_is_named() {
        assert!(message(&[]).contains("there are none"));
        assert_eq!(
            message(&[("x", "a"), (" \n", "b")]),
            "examples, row 2: the text is blank"
        );
        assert_eq!(
            message(&[("x", "\t")]),
            "examples, row 1: the label is blank"
        );
        assert!(message(&[("x", "only"), ("y", "only")]).contains("\"only\""));
        let single = message(&[("x", "a"), ("y", "a"), ("z", "rare")]);
        assert!(single.contains("the label \"rare\" has only one example"));
    }

    #[test]
    fn many_single_labels_are_cut_short() {
        let rows: Vec<(String, String)> = (0..50)
            .map(|n| (format!("text {n}"), format!("l{n:02}")))
            .collect();
        let rows: Vec<(&str, &str)> = rows.iter().map(|(t, l)| (t.as_str(), l.as_str())).collect();
        assert!(message(&rows).contains("\"l04\" and 45 more have only one example each"));
    }
}
