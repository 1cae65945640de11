//! Labelled texts, and the check whether they can train a model.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::label::{Label, ProblemType, Truth};
use super::label_map::LabelMap;
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
    let labels = LabelMap::from_labels(examples.iter().map(|example| &example.label));
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
