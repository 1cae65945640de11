//! The label or the labels of a text, what kind of classification they make, and both as ids.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// One label, or the labels that apply: none, one or several.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a string or a list of strings")]
pub enum Label {
    One(String),
    Several(Vec<String>),
}

impl Label {
    /// The names in it.
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }

    /// The names without their order and repetitions: what two rows are compared by.
    pub fn set(&self) -> BTreeSet<&str> {
        self.names().iter().map(String::as_str).collect()
    }
}

impl From<&str> for Label {
    fn from(name: &str) -> Self {
        Self::One(name.into())
    }
}

impl From<String> for Label {
    fn from(name: String) -> Self {
        Self::One(name)
    }
}

/// The names, with commas between them.
impl fmt::Display for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.names().join(", "))
    }
}

/// What a classifier answers, in the words of Transformers' `problem_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum ProblemType {
    /// Each text has one label.
    #[default]
    #[serde(rename = "single_label_classification")]
    SingleLabel,
    /// Each text has any number of labels, none included.
    #[serde(rename = "multi_label_classification")]
    MultiLabel,
}

impl ProblemType {
    /// By the labels of all rows: one list makes all of them lists.
    pub fn of<'a>(mut labels: impl Iterator<Item = &'a Label>) -> Self {
        if labels.any(|label| matches!(label, Label::Several(_))) {
            Self::MultiLabel
        } else {
            Self::SingleLabel
        }
    }
}

/// The labels of rows, as ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// One id a row.
    One(Vec<usize>),
    /// The ids that apply, ascending, for each row.
    Several(Vec<Vec<usize>>),
}

impl Truth {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::One(ids) => ids.len(),
            Self::Several(rows) => rows.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which kind of classification.
    pub fn problem(&self) -> ProblemType {
        match self {
            Self::One(_) => ProblemType::SingleLabel,
            Self::Several(_) => ProblemType::MultiLabel,
        }
    }

    /// The ids of a row.
    pub fn row(&self, row: usize) -> &[usize] {
        match self {
            Self::One(ids) => std::slice::from_ref(&ids[row]),
            Self::Several(rows) => &rows[row],
        }
    }

    /// All rows' ids, in their order.
    pub fn rows(&self) -> impl Iterator<Item = &[usize]> {
        (0..self.len()).map(|row| self.row(row))
    }

    /// These rows alone.
    pub fn pick(&self, picked: &[usize]) -> Self {
        match self {
            Self::One(ids) => Self::One(picked.iter().map(|row| ids[*row]).collect()),
            Self::Several(rows) => {
                Self::Several(picked.iter().map(|row| rows[*row].clone()).collect())
            }
        }
    }

    /// The ids where a row has one.
    ///
    /// # Errors
    /// `Internal` if rows have several.
    pub fn one(&self) -> Result<&[usize]> {
        match self {
            Self::One(ids) => Ok(ids),
            Self::Several(_) => Err(Error::internal("expected one label a row, got several")),
        }
    }

    /// 1 where a label applies, else 0: `[rows, labels]`, row after row.
    pub fn indicators(&self, labels: usize) -> Vec<f32> {
        let mut values = vec![0.0; self.len() * labels];
        for (row, ids) in self.rows().enumerate() {
            for id in ids {
                values[row * labels + id] = 1.0;
            }
        }
        values
    }
}

impl From<Vec<usize>> for Truth {
    fn from(ids: Vec<usize>) -> Self {
        Self::One(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_string_or_a_list() {
        let read = |json: &str| serde_json::from_str::<Label>(json);
        assert_eq!(read("\"a\"").unwrap(), Label::from("a"));
        assert_eq!(read("[]").unwrap(), Label::Several(Vec::new()));
        let two = read(r#"["b", "a"]"#).unwrap();
        assert_eq!(
            serde_json::to_value(&two).unwrap(),
            serde_json::json!(["b", "a"])
        );
        assert_eq!(
            two.set(),
            Label::Several(vec!["a".into(), "b".into(), "a".into()]).set()
        );
        let error = read("3").unwrap_err().to_string();
        assert!(
            error.contains("expected a string or a list of strings"),
            "{error}"
        );
    }

    #[test]
    fn one_list_makes_all_rows_lists() {
        let one = Label::from("a");
        let list = Label::Several(Vec::new());
        assert_eq!(
            ProblemType::of([&one, &one].into_iter()),
            ProblemType::SingleLabel
        );
        assert_eq!(
            ProblemType::of([&one, &list].into_iter()),
            ProblemType::MultiLabel
        );
        let word = serde_json::to_value(ProblemType::MultiLabel).unwrap();
        assert_eq!(word, "multi_label_classification");
    }

    #[test]
    fn indicators_are_ones_where_labels_apply() {
        let several = Truth::Several(vec![vec![0, 2], vec![], vec![1]]);
        assert_eq!(
            several.indicators(3),
            [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        );
        assert_eq!(several.pick(&[2, 0]).row(1), [0, 2]);
        assert_eq!(Truth::One(vec![1]).indicators(2), [0.0, 1.0]);
        assert!(several.one().is_err());
    }
}
