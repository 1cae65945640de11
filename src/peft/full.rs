//! Enters: a classifier. Leaves: which of its weights full fine-tuning trains, with mixout on them where asked.

use burn::tensor::DType;

use super::freeze::Trainable;
use super::method::invalid;
use crate::Result;
use crate::layers::Mixout;
use crate::models::{CausalLm, Classifier, Network};

/// Everything that the head reads: embeddings, layers, and the pooler under a `cls` head.
pub fn trainable(classifier: &Classifier) -> Trainable {
    Trainable::of(classifier, |path| classifier.reads(path))
}

/// Everything in a language model.
///
/// # Errors
/// [`crate::Error::InvalidOption`] where its weights are not in float32.
pub fn trainable_causal(model: &CausalLm) -> Result<Trainable> {
    let dtype = model.model.embed_tokens.parts[0].val().dtype();
    if dtype != DType::F32 {
        return Err(invalid(
            "method",
            "full trains the weights themselves, which needs storage f32".into(),
        ));
    }
    Ok(Trainable::of(model, |_| true))
}

/// Mixes the weights of all linear layers of the encoder with what they are now, the pretrained values.
pub fn mix(classifier: &mut Classifier, p: f64) {
    for (_, linear) in classifier.encoder.linears_mut() {
        linear.mixout = Some(Mixout::new(p, linear.weight().inner()));
    }
}
