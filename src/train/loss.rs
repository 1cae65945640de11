//! Cross-entropy of logits and true labels.

use burn::tensor::{Int, Tensor, activation::log_softmax};

/// Sum of the rows' cross-entropies in nats: `[batch, labels]` and `[batch]` to `[1]`.
///
/// A sum, so that accumulated batches of unequal size can be divided by all their rows together.
pub fn cross_entropy_sum(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let picked = log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)); // [batch, 1]
    picked.sum().neg()
}
