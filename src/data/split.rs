//! Which rows train and which validate, in the same shares per label.

use crate::error::{Error, Result};
use crate::rng::Rng;

/// Row indices, ascending; every row is in exactly one of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows to learn from.
    pub train: Vec<usize>,
    /// Rows that judge and never train.
    pub validation: Vec<usize>,
}

/// Sets the `share` of every label's rows aside for validation, chosen by `seed`. A label with two or more rows gives at
/// least one row to each side; a label with one row keeps it for training.
///
/// # Errors
/// `InvalidOption` if `share` is not between 0 and 1.
pub fn stratified(labels: &[usize], share: f64, seed: u64) -> Result<Split> {
    if !(share > 0.0 && share < 1.0) {
        return Err(Error::out_of_range(
            "validationSplit",
            "a number between 0 and 1, both excluded",
            share,
        ));
    }
    let mut by_label: Vec<Vec<usize>> = Vec::new();
    for (row, &label) in labels.iter().enumerate() {
        if label >= by_label.len() {
            by_label.resize_with(label + 1, Vec::new);
        }
        by_label[label].push(row);
    }
    let mut split = Split {
        train: Vec::with_capacity(labels.len()),
        validation: Vec::new(),
    };
    let mut rng = Rng::stream(seed, "split");
    for mut rows in by_label {
        rng.shuffle(&mut rows);
        let wanted = (rows.len() as f64 * share).round() as usize;
        let validation = match rows.len() {
            0 | 1 => 0,
            count => wanted.clamp(1, count - 1),
        };
        split.train.extend_from_slice(&rows[validation..]);
        split.validation.extend_from_slice(&rows[..validation]);
    }
    split.train.sort_unstable();
    split.validation.sort_unstable();
    Ok(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_hold_per_label() {
        let labels: Vec<usize> = (0..200).map(|row| usize::from(row % 10 == 0)).collect();
        let split = stratified(&labels, 0.15, 42).unwrap();
        let rare = split.validation.iter().filter(|row| labels[**row] == 1);
        assert_eq!(rare.count(), 3);
        assert_eq!(split.validation.len(), 30);
        assert_eq!(split, stratified(&labels, 0.15, 42).unwrap());
        assert_ne!(split, stratified(&labels, 0.15, 43).unwrap());
    }

    #[test]
    fn small_labels_keep_a_row_on_each_side() {
        for share in [0.001, 0.5, 0.999] {
            let split = stratified(&[0, 0, 1, 3, 3], share, 1).unwrap();
            assert_eq!(split.validation.len(), 2);
            assert!(split.train.contains(&2));
        }
        assert_eq!(stratified(&[], 0.5, 1).unwrap().train, Vec::<usize>::new());
    }

    #[test]
    fn a_share_out_of_range_is_refused() {
        for share in [0.0, 1.0, -0.5, 1.5, f64::NAN] {
            let error = stratified(&[0, 1], share, 1).unwrap_err();
            assert_eq!(error.code(), "invalidOption");
        }
    }
}
