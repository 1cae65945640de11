//! Enters: a classifier. Leaves: which of its weights full fine-tuning trains, with mixout on them where asked.

use burn::tensor::DType;

use super::freeze::Trainable;
use super::method::{Method, invalid};
use crate::layers::{Mixout, Storage};
use crate::models::{CausalLm, Classifier, Network};
use crate::{Error, Result};

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
        return Err(needs_f32());
    }
    Ok(Trainable::of(model, |_| true))
}

/// Whether a language model that is kept so can be trained so, before there is one.
///
/// # Errors
/// As [`trainable_causal`].
pub fn check_storage(method: &Method, storage: Storage) -> Result<()> {
    match method {
        Method::Full(_) if storage != Storage::F32 => Err(needs_f32()),
        _ => Ok(()),
    }
}

fn needs_f32() -> Error {
    invalid(
        "method",
        "full trains the weights themselves, which needs storage f32".into(),
    )
}

/// Mixes the weights of all linear layers of the encoder with what they are now, the pretrained values.
pub fn mix(classifier: &mut Classifier, p: f64) {
    for (_, linear) in classifier.encoder.linears_mut() {
        linear.mixout = Some(Mixout::new(p, linear.weight().inner()));
    }
}
