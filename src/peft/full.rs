//! Full fine-tuning: every weight that the output depends on, with mixout on them if asked for.

use super::freeze::Trainable;
use crate::layers::Mixout;
use crate::models::Network;

/// Every parameter that the network's output depends on: of a classifier without the pooler that a `mean` head does not read, of a
/// language model all of them.
pub fn trainable<N: Network>(network: &N) -> Trainable {
    Trainable::of(network, |path| network.reads(path))
}

/// Mixes the weights of all linear layers below the head with what they are now, the pretrained values.
pub fn mix<N: Network>(network: &mut N, p: f64) {
    for (_, linear) in network.linears_mut() {
        linear.mixout = Some(Mixout::new(p, linear.weight().inner()));
    }
}
