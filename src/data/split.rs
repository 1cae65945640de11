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
    check_share(share)?;
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
        let validation = wanted(rows.len(), share);
        split.train.extend_from_slice(&rows[validation..]);
        split.validation.extend_from_slice(&rows[..validation]);
    }
    split.train.sort_unstable();
    split.validation.sort_unstable();
    Ok(split)
}

/// The same for rows with any number of labels (`rows`: ids below `labels`). Labels take turns, the rarest first, since its rows leave the
/// least choice (as in iterative stratification, Sechidis et al. 2011); of each, as many of the rows that no rarer label has placed are set
/// aside as its share still needs. Rows without a label come last. A label whose rows would all be set aside keeps one for training.
///
/// # Errors
/// `InvalidOption` if `share` is not between 0 and 1.
pub fn stratified_by_set(
    rows: &[Vec<usize>],
    labels: usize,
    share: f64,
    seed: u64,
) -> Result<Split> {
    check_share(share)?;
    let mut rng = Rng::stream(seed, "split");
    let of = |label: usize| -> Vec<usize> {
        (0..rows.len())
            .filter(|row| rows[*row].contains(&label))
            .collect()
    };
    let mut groups: Vec<Vec<usize>> = (0..labels).map(of).collect();
    groups.sort_by_key(Vec::len);
    let without = (0..rows.len()).filter(|row| rows[*row].is_empty());
    groups.push(without.collect());
    let mut aside: Vec<Option<bool>> = vec![None; rows.len()];
    for group in &groups {
        let placed = group
            .iter()
            .filter(|row| aside[**row] == Some(true))
            .count();
        let wanted = wanted(group.len(), share).saturating_sub(placed);
        let mut free = group.clone();
        free.retain(|row| aside[*row].is_none());
        rng.shuffle(&mut free);
        for (place, row) in free.into_iter().enumerate() {
            aside[row] = Some(place < wanted);
        }
    }
    for group in &groups[..labels] {
        if let Some(first) = group.first()
            && group.iter().all(|row| aside[*row] == Some(true))
        {
            aside[*first] = Some(false);
        }
    }
    let (validation, train) = (0..rows.len()).partition(|row| aside[*row] == Some(true));
    Ok(Split { train, validation })
}

/// Rows of a label to set aside: at least one, and not all, of two or more.
fn wanted(count: usize, share: f64) -> usize {
    let wanted = (count as f64 * share).round() as usize;
    match count {
        0 | 1 => 0,
        count => wanted.clamp(1, count - 1),
    }
}

fn check_share(share: f64) -> Result<()> {
    if share > 0.0 && share < 1.0 {
        return Ok(());
    }
    Err(Error::out_of_range(
        "validationSplit",
        "a number between 0 and 1, both excluded",
        share,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_several_labels_keep_every_labels_share() {
        // three labels of 200, 60 and 20 of 300 rows, in all mixtures, and rows without any
        let rows: Vec<Vec<usize>> = (0..300)
            .map(|row| {
                let has = [row % 3 != 0, row % 5 == 0, row % 15 == 1];
                (0..3).filter(|label| has[*label]).collect()
            })
            .collect();
        let split = stratified_by_set(&rows, 3, 0.2, 7).unwrap();
        assert_eq!(split.train.len() + split.validation.len(), 300);
        for (label, wanted) in [(0, 40), (1, 12), (2, 4)] {
            let with = split
                .validation
                .iter()
                .filter(|row| rows[**row].contains(&label));
            let with = with.count();
            assert!(with.abs_diff(wanted) <= 1, "{label}: {with}");
        }
        let without = split.validation.iter().filter(|row| rows[**row].is_empty());
        assert_eq!(without.count(), 16);
        assert_eq!(split, stratified_by_set(&rows, 3, 0.2, 7).unwrap());
        assert_ne!(split, stratified_by_set(&rows, 3, 0.2, 8).unwrap());
    }

    #[test]
    fn every_label_has_a_row_to_learn_from_whatever_the_seed() {
        let rows = vec![
            vec![0, 2],
            vec![0, 1],
            vec![1, 2],
            vec![2, 3],
            vec![3, 0],
            vec![],
            vec![],
        ];
        for seed in 0..50 {
            let split = stratified_by_set(&rows, 4, 0.5, seed).unwrap();
            for label in 0..4 {
                let mut train = split.train.iter();
                assert!(
                    train.any(|row| rows[*row].contains(&label)),
                    "{seed}: {label}"
                );
            }
        }
        assert!(stratified_by_set(&rows, 4, 1.0, 0).is_err());
    }

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
