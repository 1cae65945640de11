//! How much of a network is frozen from the bottom up, and so needs to be computed only once for each row.

use crate::models::HeadKind;

/// How far up the network nothing trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frozen {
    /// Nothing is worth keeping: batches start from ids.
    Nothing,
    /// The embeddings and this many layers.
    Layers(usize),
    /// Everything but the head.
    Backbone,
}

/// How much of the network is frozen where the lowest `layers` of `all` layers are, and `head` says what is read on top.
pub fn frozen_part(layers: usize, all: usize, head: HeadKind, pooler_trains: bool) -> Frozen {
    // the embeddings alone are cheaper to compute than to carry
    match layers {
        0 => Frozen::Nothing,
        layers if layers < all => Frozen::Layers(layers),
        layers if head == HeadKind::Cls && pooler_trains => Frozen::Layers(layers),
        _ => Frozen::Backbone,
    }
}
