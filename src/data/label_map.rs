//! The map between labels and their ids.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::label::Label;
use crate::{Error, Result};

/// Labels and their ids, 0 to `len() - 1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    names: Vec<String>,
    ids: BTreeMap<String, usize>,
}

impl LabelMap {
    /// Every label once, in the order of [`sort`], so that the order of the rows does not matter.
    pub fn from_labels<'a>(labels: impl Iterator<Item = &'a Label>) -> LabelMap {
        let names = labels.flat_map(Label::names);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_are_numbers_are_in_the_order_of_their_values() {
        let of = |labels: &[&str]| {
            let labels: Vec<Label> = labels.iter().map(|label| (*label).into()).collect();
            LabelMap::from_labels(labels.iter()).names().to_vec()
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
}
