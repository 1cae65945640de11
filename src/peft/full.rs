//! Enters: a classifier. Leaves: which of its weights full fine-tuning trains, with mixout on them where asked.

use super::freeze::Trainable;
use crate::layers::Mixout;
use crate::models::{Classifier, Network};

/// Everything that the head reads: embeddings, layers, and the pooler under a `cls` head.
pub fn trainable(classifier: &Classifier) -> Trainable {
    Trainable::of(classifier, |path| classifier.reads(path))
}

/// Mixes the weights of all linear layers of the encoder with what they are now, the pretrained values.
pub fn mix(classifier: &mut Classifier, p: f64) {
    for (_, linear) in classifier.encoder.linears_mut() {
        linear.mixout = Some(Mixout::new(p, linear.weight.val().inner()));
    }
}
