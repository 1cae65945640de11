//! The contrastive stage: batches drawn evenly from the classes, and the loss that pulls texts of one class together (supervised contrastive learning, Khosla et al. 2020; as a stage before the head, Tunstall et al. 2022).

use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};

use crate::layers::normalize;
use crate::rng::Rng;

/// A masked similarity; finite, because infinity times zero is no number.
const MASKED: f32 = -1e9;

/// Rows drawn without replacement, in a new random order whenever all have been drawn.
struct Deck {
    rows: Vec<usize>,
    next: usize,
}

impl Deck {
    fn new(rows: Vec<usize>) -> Self {
        let next = rows.len();
        Self { rows, next }
    }

    fn draw(&mut self, rng: &mut Rng) -> usize {
        if self.next == self.rows.len() {
            rng.shuffle(&mut self.rows);
            self.next = 0;
        }
        self.next += 1;
        self.rows[self.next - 1]
    }
}

/// `steps` batches of row indices. Each holds as many classes as leave room for two rows each, and as many rows of each class as fit; no
/// row twice. Classes and rows take turns, so that none is drawn far more often than another.
pub fn balanced_batches(
    labels: &[usize],
    batch_size: usize,
    steps: usize,
    seed: u64,
) -> Vec<Vec<usize>> {
    let mut rng = Rng::stream(seed, "contrast");
    let classes = labels.iter().max().map_or(0, |largest| largest + 1);
    let mut by_class: Vec<Vec<usize>> = vec![Vec::new(); classes];
    for (row, label) in labels.iter().enumerate() {
        by_class[*label].push(row);
    }
    by_class.retain(|rows| !rows.is_empty());
    let chosen = by_class.len().min((batch_size / 2).max(1));
    let per_class = (batch_size / chosen.max(1)).max(1);
    let mut order = Deck::new((0..by_class.len()).collect());
    let mut decks = by_class.into_iter().map(Deck::new).collect::<Vec<_>>();
    (0..steps)
        .map(|_| {
            let mut classes: Vec<usize> = Vec::with_capacity(chosen);
            while classes.len() < chosen {
                let class = order.draw(&mut rng);
                // the end of one round and the start of the next may hold the same class
                if !classes.contains(&class) {
                    classes.push(class);
                }
            }
            let mut batch = Vec::with_capacity(chosen * per_class);
            for class in classes {
                let deck = &mut decks[class];
                let wanted = per_class.min(deck.rows.len());
                let start = batch.len();
                while batch.len() < start + wanted {
                    let row = deck.draw(&mut rng);
                    if !batch[start..].contains(&row) {
                        batch.push(row);
                    }
                }
            }
            batch
        })
        .collect()
}

/// Which pairs of a batch belong together.
#[derive(Debug, Clone)]
pub struct Pairs {
    /// 1 / (others of the row's class) where the column is one of them, else 0; `[batch, batch]`.
    weights: Tensor<2>,
    /// [`MASKED`] on the diagonal, else 0; `[batch, batch]`.
    mask: Tensor<2>,
    temperature: f64,
    /// Rows that have another of their class in the batch.
    pub anchors: usize,
}

impl Pairs {
    /// Of a batch with these labels.
    pub fn new(labels: &[usize], temperature: f64, device: &Device) -> Self {
        let rows = labels.len();
        let mut weights = vec![0.0_f32; rows * rows];
        let mut mask = vec![0.0_f32; rows * rows];
        let mut anchors = 0;
        for (row, label) in labels.iter().enumerate() {
            mask[row * rows + row] = MASKED;
            let others = labels.iter().filter(|other| *other == label).count() - 1;
            anchors += usize::from(others > 0);
            for (column, other) in labels.iter().enumerate() {
                if column != row && other == label {
                    weights[row * rows + column] = 1.0 / others as f32;
                }
            }
        }
        let square = |values| Tensor::from_data(TensorData::new(values, [rows, rows]), device);
        Self {
            weights: square(weights),
            mask: square(mask),
            temperature,
            anchors,
        }
    }

    /// Sum over the anchors of the supervised contrastive loss "out" (equation 2 of Khosla et al.), `[1]`; features: `[batch, hidden]`, of
    /// any length.
    pub fn loss_sum(&self, features: Tensor<2>) -> Tensor<1> {
        let unit = normalize(features);
        let similarity = unit.clone().matmul(unit.transpose()) / self.temperature; // [batch, batch]
        let log_share = log_softmax(similarity + self.mask.clone(), 1);
        (log_share * self.weights.clone()).sum().neg()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_even_and_hold_pairs() {
        let labels = (0..60).map(|row| row % 6).collect::<Vec<_>>();
        let batches = balanced_batches(&labels, 24, 20, 1);
        assert_eq!(batches.len(), 20);
        let mut seen = vec![0; 60];
        for batch in &batches {
            assert_eq!(batch.len(), 24);
            for class in 0..6 {
                assert_eq!(batch.iter().filter(|row| labels[**row] == class).count(), 4);
            }
            for row in batch {
                seen[*row] += 1;
            }
            let mut unique = batch.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), 24);
        }
        // 480 draws of 60 rows
        assert!(
            seen.iter().all(|count| (6..=10).contains(count)),
            "{seen:?}"
        );
        assert_eq!(batches, balanced_batches(&labels, 24, 20, 1));
        assert_ne!(batches, balanced_batches(&labels, 24, 20, 2));
    }

    #[test]
    fn many_classes_take_turns_and_small_ones_give_what_they_have() {
        let labels = (0..154).map(|row| row / 2).collect::<Vec<_>>();
        for batch in balanced_batches(&labels, 32, 10, 3) {
            assert_eq!(batch.len(), 32);
            for row in &batch {
                assert!(
                    batch
                        .iter()
                        .any(|other| other != row && labels[*other] == labels[*row])
                );
            }
        }
        let batches = balanced_batches(&[0, 0, 0, 1], 32, 2, 3);
        assert!(batches.iter().all(|batch| batch.len() == 4));
    }
}
