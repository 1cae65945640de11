//! Labelled texts, the map between their labels and ids, and the check whether they can train a model.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::label::{Label, ProblemType, Truth};
use crate::error::{Error, Remedy, Result};
use crate::text::Texts;

/// How many labels a classifier may have. Beyond what people tell apart the wrong column was picked, and tables of labels by labels grow
/// huge.
pub const LABEL_COUNT: RangeInclusive<usize> = 2..=1000;

/// What errors call examples that came as a list rather than a file.
pub(crate) const EXAMPLES: &str = "examples";

/// One labelled text, or a labelled pair of texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Example {
    /// What the model reads.
    pub text: String,
    /// A second text, which is judged together with the first, such as a hypothesis. All examples of a run have one, or none has.
    #[serde(
        rename = "textPair",
        alias = "text_pair",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub text_pair: Option<String>,
    /// What it should answer: a label, or a list of all that apply. One list among the rows makes all of them lists.
    #[serde(alias = "labels")]
    pub label: Label,
}

impl Example {
    /// One text under a label, or with all labels that apply.
    pub fn new(text: impl Into<String>, label: impl Into<Label>) -> Self {
        Self {
            text: text.into(),
            text_pair: None,
            label: label.into(),
        }
    }

    /// The same with a second text.
    pub fn with_pair(self, text_pair: impl Into<String>) -> Self {
        Self {
            text_pair: Some(text_pair.into()),
            ..self
        }
    }

    /// What is encoded.
    pub fn texts(&self) -> Texts<'_> {
        Texts {
            text: &self.text,
            pair: self.text_pair.as_deref(),
        }
    }
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
        let names = examples.iter().flat_map(|e| e.label.names());
        let names: BTreeSet<&str> = names.map(String::as_str).collect();
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
/// `InvalidData`: no examples, a blank text or label (the row counts from 1 in the list given), a second text in some examples only,
/// fewer than two labels, a label with a single example, which could not both train and be validated, or, where a text may have several
/// labels, one that all but a single text have.
pub fn check(examples: &[Example]) -> Result<LabelMap> {
    if examples.is_empty() {
        return Err(Error::data(
            EXAMPLES,
            None,
            "there are none; at least two labels with two examples each are needed",
        ));
    }
    for (index, example) in examples.iter().enumerate() {
        if let Some(fault) = fault(example, &examples[0]) {
            return Err(Error::data(EXAMPLES, index + 1, fault));
        }
    }
    let labels = LabelMap::from_examples(examples);
    let problem = ProblemType::of(examples.iter().map(|example| &example.label));
    if labels.is_empty() {
        let reason = "no text has a label; at least two different labels are needed";
        return Err(Error::data(EXAMPLES, None, reason));
    }
    if let [only] = labels.names() {
        if problem == ProblemType::MultiLabel {
            let reason = format!(
                "\"{only}\" is the only label; at least two are needed. For one that applies or not, give each text the label \"{only}\" or \"not                  {only}\""
            );
            return Err(Error::data(EXAMPLES, None, reason));
        }
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
    check_counts(examples.len(), &truth(examples, &labels, problem)?, &labels)?;
    Ok(labels)
}

/// Refuses labels of which there is nothing to learn, or nothing to check.
fn check_counts(rows: usize, truth: &Truth, labels: &LabelMap) -> Result<()> {
    let mut counts = vec![0usize; labels.len()];
    for id in truth.rows().flatten() {
        counts[*id] += 1;
    }
    let named = |rule: &dyn Fn(usize) -> bool| {
        let found = labels.names().iter().zip(&counts);
        let found = found.filter(|(_, count)| rule(**count));
        found
            .map(|(name, _)| format!("\"{name}\""))
            .collect::<Vec<_>>()
    };
    let single = named(&|count| count == 1);
    if !single.is_empty() {
        return Err(refuse_single(&single, labels.len()));
    }
    if truth.problem() == ProblemType::SingleLabel {
        return Ok(());
    }
    match named(&|count| count + 2 > rows).as_slice() {
        [] => Ok(()),
        names => Err(Error::data(
            EXAMPLES,
            None,
            format!(
                "of {rows} examples fewer than two are without the label {}; where a text may have several labels, every label needs at least two texts \
                 without it, one to learn from and one to check against. Leave that label out, or add such texts",
                list(names)
            ),
        )),
    }
}

/// Labels with one example each.
fn refuse_single(single: &[String], labels: usize) -> Error {
    let (reason, them) = match single {
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
    if labels - single.len() < *LABEL_COUNT.start() {
        return Error::data(EXAMPLES, None, reason);
    }
    let reason = format!("{reason}; add to {them}, or leave {them} out (skipBad)");
    Error::data(EXAMPLES, None, reason).with_remedy(Remedy::SkipBad)
}

/// Why an example cannot be learnt. `first`: the first of all, which says whether they are pairs.
pub(crate) fn fault(example: &Example, first: &Example) -> Option<&'static str> {
    if example.text.trim().is_empty() {
        return Some("the text is blank");
    }
    match (&example.text_pair, &first.text_pair) {
        (Some(pair), Some(_)) if pair.trim().is_empty() => return Some("the second text is blank"),
        (None, Some(_)) => {
            return Some(
                "it has no second text (textPair), but the first example has one; give one to every example, or to none",
            );
        }
        (Some(_), None) => {
            return Some(
                "it has a second text (textPair), but the first example has none; give one to every example, or to none",
            );
        }
        _ => {}
    }
    let mut names = example.label.names().iter();
    names
        .any(|name| name.trim().is_empty())
        .then_some("the label is blank")
}

/// The labels of `examples` as ids.
///
/// # Errors
/// `InvalidData` for a label that `labels` does not have, or several of them for a classifier of one label a text.
pub fn truth(examples: &[Example], labels: &LabelMap, problem: ProblemType) -> Result<Truth> {
    let ids = |row: usize, label: &Label| -> Result<Vec<usize>> {
        let known = |name: &String| {
            labels.id(name).ok_or_else(|| {
                let all = labels.names().join(", ");
                let reason = format!("the label \"{name}\" was not among the trained ones: {all}");
                Error::data(EXAMPLES, row + 1, reason)
            })
        };
        let mut ids = label
            .names()
            .iter()
            .map(known)
            .collect::<Result<Vec<_>>>()?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    };
    let rows = examples.iter().enumerate();
    let rows = rows.map(|(row, example)| ids(row, &example.label));
    let rows = rows.collect::<Result<Vec<_>>>()?;
    if problem == ProblemType::MultiLabel {
        return Ok(Truth::Several(rows));
    }
    let one = |(row, ids): (usize, Vec<usize>)| match ids[..] {
        [id] => Ok(id),
        _ => Err(Error::data(
            EXAMPLES,
            row + 1,
            format!(
                "expected one label, got {}: this classifier gives each text one",
                ids.len()
            ),
        )),
    };
    let ones = rows.into_iter().enumerate().map(one);
    Ok(Truth::One(ones.collect::<Result<Vec<_>>>()?))
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
            .map(|(text, label)| Example::new(*text, *label))
            .collect()
    }

    fn several(rows: &[&[&str]]) -> Vec<Example> {
        let label =
            |names: &[&str]| Label::Several(names.iter().map(|name| (*name).into()).collect());
        rows.iter()
            .map(|names| Example::new("t", label(names)))
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
    fn every_example_has_a_second_text_or_none_has() {
        let message = |pairs: &[Option<&str>]| {
            let rows = pairs.iter().map(|pair| {
                let example = Example::new("x", "a");
                match pair {
                    Some(pair) => example.with_pair(*pair),
                    None => example,
                }
            });
            let error = check(&rows.collect::<Vec<_>>()).unwrap_err();
            assert_eq!(error.code(), "invalidData");
            error.to_string()
        };
        assert_eq!(
            message(&[Some("y"), Some(" ")]),
            "examples, row 2: the second text is blank"
        );
        assert!(message(&[Some("y"), None]).starts_with("examples, row 2: it has no second text"));
        assert!(message(&[None, Some("y")]).starts_with("examples, row 2: it has a second text"));
    }

    #[test]
    fn several_labels_need_texts_with_and_without_each() {
        let good = several(&[&["a", "b"], &["b"], &[], &["a"], &["c"], &["c", "c", "a"]]);
        let labels = check(&good).unwrap();
        assert_eq!(labels.names(), ["a", "b", "c"]);
        let ids = truth(&good, &labels, ProblemType::MultiLabel).unwrap();
        let rows = vec![vec![0, 1], vec![1], vec![], vec![0], vec![2], vec![0, 2]];
        assert_eq!(ids, Truth::Several(rows));
        for (rows, words) in [
            (
                &[&["a", "b"][..], &["a"], &["a", "b"], &["a"], &[]][..],
                "without the label \"a\"",
            ),
            (
                &[&["a", "b"], &["a"], &[], &[]],
                "the label \"b\" has only one example",
            ),
            (&[&["a"], &["a"], &[], &[]], "\"a\" is the only label"),
            (&[&[], &[]], "no text has a label"),
            (&[&["a", " "], &["a"]], "row 1: the label is blank"),
        ] {
            let error = check(&several(rows)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let error = truth(&good, &labels, ProblemType::SingleLabel).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("row 1: expected one label, got 2"),
            "{error}"
        );
    }

    #[test]
    fn labels_are_read_under_either_key() {
        let read = |json: &str| serde_json::from_str::<Example>(json).unwrap().label;
        assert_eq!(read(r#"{"text": "t", "label": "a"}"#), Label::from("a"));
        let list = Label::Several(vec!["a".into()]);
        assert_eq!(read(r#"{"text": "t", "labels": ["a"]}"#), list);
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
