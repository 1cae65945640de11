//! A method's settings, and one function that attaches any method's parts to a network and names the paths that train.

use serde::{Deserialize, Serialize};

use super::adapter_file::TaskType;
use super::freeze::Trainable;
use super::houlsby::{self, HoulsbyConfig};
use super::lora_config::{InitLoraWeights, LoraConfig};
use super::prefix::{self, PrefixConfig};
use super::{full, lora};
use crate::layers::Storage;
use crate::models::names::{is_bottleneck, is_prefix};
use crate::models::{CausalLm, Classifier, Network};
use crate::{Error, Result};

/// What is trained besides the head, which always is. Methods differ in what they attach and what they freeze, and in nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Method {
    /// Low-rank deltas on linear layers (Hu et al. 2022). Leaves as PEFT files.
    Lora(LoraConfig),
    /// Every weight that the head reads. Leaves as a Transformers folder.
    Full(NoSettings),
    /// The head alone, on features that are computed once. Leaves as the head's tensors and labels.json.
    Probe(NoSettings),
    /// Bottlenecks after the sublayers (Houlsby et al. 2019). Leaves as an AdapterHub folder.
    Houlsby(HoulsbyConfig),
    /// Learned keys and values in every layer (Li & Liang 2021). Leaves as PEFT files.
    Prefix(PrefixConfig),
}

/// A method without settings; unknown ones are still refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// A method without its settings: the word in files and options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

    /// Positions of the model that a prefix takes from every text.
    pub fn virtual_tokens(&self) -> usize {
        match self {
            Self::Prefix(config) => config.num_virtual_tokens,
            _ => 0,
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

    /// Whether it draws at random while it trains.
    pub fn draws(&self) -> bool {
        matches!(self, Self::Lora(lora) if lora.lora_dropout > 0.0)
    }

    /// The settings with PEFT's short forms written out for this network.
    pub fn resolve<N: Network>(&self, network: &N) -> Self {
        match self {
            Self::Lora(config) => Self::Lora(lora::resolve(network, config)),
            other => other.clone(),
        }
    }
}

/// Whether a method can train a model whose weights are stored like that: what changes the weights needs them in float32.
///
/// # Errors
/// [`Error::InvalidOption`].
pub fn check_storage(method: &Method, storage: Storage) -> Result<()> {
    let changes = match method {
        Method::Full(_) => "full trains the weights themselves",
        Method::Lora(lora) if lora.init_lora_weights == InitLoraWeights::Pissa => {
            "pissa moves a part of the weights into the adapter"
        }
        _ => return Ok(()),
    };
    if storage == Storage::F32 {
        return Ok(());
    }
    let reason = format!(
        "{changes}, which needs storage f32, not {}",
        storage.as_str()
    );
    Err(Error::option("method", reason))
}

/// A network that says where each method's parts go.
pub trait Tunable: Network {
    /// Whether it has a head that trains alone.
    const HAS_HEAD: bool;

    /// PEFT's word for what it does.
    fn task_type(&self) -> TaskType;

    /// Puts learned keys and values before every layer's own.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for families that PEFT's prefix tuning does not know.
    fn attach_prefix(&mut self, config: &PrefixConfig, seed: u64) -> Result<()>;

    /// Puts a bottleneck after every sublayer.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for families that AdapterHub does not know, and decoders.
    fn attach_bottlenecks(&mut self, config: &HoulsbyConfig, seed: u64) -> Result<()>;
}

impl Tunable for Classifier {
    const HAS_HEAD: bool = true;

    fn task_type(&self) -> TaskType {
        TaskType::of_head(self.head.kind())
    }

    fn attach_prefix(&mut self, config: &PrefixConfig, seed: u64) -> Result<()> {
        prefix::attach_backbone(&mut self.encoder, config, seed)
    }

    fn attach_bottlenecks(&mut self, config: &HoulsbyConfig, seed: u64) -> Result<()> {
        houlsby::attach_backbone(&mut self.encoder, config, seed)
    }
}

impl Tunable for CausalLm {
    const HAS_HEAD: bool = false;

    fn task_type(&self) -> TaskType {
        TaskType::CausalLm
    }

    fn attach_prefix(&mut self, config: &PrefixConfig, seed: u64) -> Result<()> {
        prefix::attach_decoder(&mut self.model, config, seed);
        Ok(())
    }

    fn attach_bottlenecks(&mut self, _config: &HoulsbyConfig, _seed: u64) -> Result<()> {
        Err(for_classifiers(MethodType::Houlsby))
    }
}

/// Puts a method's parts into a plain network, all of them without gradients, and returns the paths that train: the method's parts and
/// the network's head. `seed` starts what is random.
///
/// # Errors
/// [`Error::InvalidOption`] for settings out of range or that fit no layer, and for a method that the network has no place for.
pub fn attach<N: Tunable>(network: &mut N, method: &Method, seed: u64) -> Result<Trainable> {
    method.check()?;
    match method {
        Method::Lora(config) => lora::attach(network, config, seed),
        Method::Full(_) => Ok(full::trainable(network)),
        Method::Probe(_) if !N::HAS_HEAD => Err(for_classifiers(MethodType::Probe)),
        Method::Probe(_) => Ok(with_head(network, |_| false)),
        Method::Houlsby(config) => {
            network.attach_bottlenecks(config, seed)?;
            Ok(with_head(network, is_bottleneck))
        }
        Method::Prefix(config) => {
            network.attach_prefix(config, seed)?;
            Ok(with_head(network, is_prefix))
        }
    }
}

/// The head and what `rule` names.
fn with_head<N: Network>(network: &N, rule: impl Fn(&str) -> bool) -> Trainable {
    Trainable::of(network, |path| network.is_head(path) || rule(path))
}

fn for_classifiers(method: MethodType) -> Error {
    let reason = format!(
        "{} is for text classification; a language model has lora, prefix and full",
        method.word()
    );
    Error::option("method", reason)
}
