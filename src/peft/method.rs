//! Enters: a method's settings. Leaves: a classifier with that method's parts attached, and the paths that train.

use serde::{Deserialize, Serialize};

use super::freeze::Trainable;
use super::{HoulsbyConfig, LoraConfig, PrefixConfig, full, houlsby, lora, prefix};
use crate::models::{CausalLm, Classifier, Network};
use crate::{Error, Result};

/// What is trained besides the head, which always is. Methods differ in what they attach and what they freeze, and in nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Method {
    /// Low-rank deltas on linear layers (Hu et al. 2022).
    Lora(LoraConfig),
    /// Every weight that the head reads.
    Full(NoSettings),
    /// Nothing: the head alone.
    Probe(NoSettings),
    /// Bottlenecks behind the sublayers (Houlsby et al. 2019).
    Houlsby(HoulsbyConfig),
    /// Learned keys and values in every layer (Li & Liang 2021).
    Prefix(PrefixConfig),
}

/// A method without settings; unknown ones are still refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// A method without its settings: the word in files and options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MethodType {
    Lora,
    Full,
    Probe,
    Houlsby,
    Prefix,
}

impl MethodType {
    /// As options spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lora => "lora",
            Self::Full => "full",
            Self::Probe => "probe",
            Self::Houlsby => "houlsby",
            Self::Prefix => "prefix",
        }
    }
}

impl Method {
    /// Which one.
    pub fn kind(&self) -> MethodType {
        match self {
            Self::Lora(_) => MethodType::Lora,
            Self::Full(_) => MethodType::Full,
            Self::Probe(_) => MethodType::Probe,
            Self::Houlsby(_) => MethodType::Houlsby,
            Self::Prefix(_) => MethodType::Prefix,
        }
    }

    /// # Errors
    /// [`Error::InvalidOption`] naming the setting and its range.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Lora(config) => config.check(),
            Self::Houlsby(config) => config.check(),
            Self::Prefix(config) => config.check(),
            Self::Full(_) | Self::Probe(_) => Ok(()),
        }
    }

    /// The settings with PEFT's short forms written out for this classifier.
    pub fn resolve(&self, classifier: &Classifier) -> Self {
        match self {
            Self::Lora(config) => Self::Lora(lora::resolve(classifier, config)),
            other => other.clone(),
        }
    }
}

/// Puts a method's parts into a plain classifier, all of them without gradients, and tells which paths train. `seed` starts
/// what is random.
///
/// # Errors
/// [`Error::InvalidOption`] for settings out of range or that fit no layer.
pub fn attach(classifier: &mut Classifier, method: &Method, seed: u64) -> Result<Trainable> {
    method.check()?;
    match method {
        Method::Lora(config) => lora::attach(classifier, config, seed),
        Method::Full(_) => Ok(full::trainable(classifier)),
        Method::Probe(_) => {
            let classifier = &*classifier;
            Ok(Trainable::of(classifier, |path| classifier.is_head(path)))
        }
        Method::Houlsby(config) => houlsby::attach(classifier, config, seed),
        Method::Prefix(config) => prefix::attach(classifier, config, seed),
    }
}

/// The same for a language model, which has no head to train besides.
///
/// # Errors
/// As [`attach`]; methods that only classifiers have; all weights where some are quantised.
pub fn attach_causal(model: &mut CausalLm, method: &Method, seed: u64) -> Result<Trainable> {
    method.check()?;
    match method {
        Method::Lora(config) => lora::attach(model, config, seed),
        Method::Prefix(config) => prefix::attach_causal(model, config, seed),
        Method::Full(_) => full::trainable_causal(model),
        Method::Probe(_) | Method::Houlsby(_) => Err(invalid(
            "method",
            format!(
                "{} is for text classification; a language model has lora, prefix and full",
                method.kind().word()
            ),
        )),
    }
}

pub(super) fn invalid(option: &str, reason: String) -> Error {
    Error::InvalidOption {
        option: option.into(),
        reason,
    }
}
