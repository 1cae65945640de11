//! LoRA's settings as a person gives them, by PEFT's names, and what they mean for a module of some name.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::patterns::{Patterns, pattern};
use crate::options::{OptionRange, Ranges, check_ranges};
use crate::{Error, Result};

/// Which modules get a delta, by PEFT's two rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum TargetModules {
    /// `null`: what the model's family has by default, every linear layer of a transformer layer.
    Default,
    /// A module whose name is one of these, or ends in a dot and one of these.
    Suffixes(Vec<String>),
    /// A module whose whole name this regular expression matches; `all-linear` means every linear layer.
    Pattern(String),
}

/// How the factors start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InitLoraWeights {
    /// A uniform in `±1 / sqrt(in)` (PyTorch's Kaiming-uniform with `a = sqrt 5`), B zero.
    #[default]
    Kaiming,
    /// A normal with deviation `1 / r`, B zero.
    Gaussian,
    /// The principal singular vectors of the weight, which keeps the rest (Meng et al. 2024).
    Pissa,
}

// PEFT spells the first one `true`
impl Serialize for InitLoraWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Kaiming => serializer.serialize_bool(true),
            Self::Gaussian => serializer.serialize_str("gaussian"),
            Self::Pissa => serializer.serialize_str("pissa"),
        }
    }
}

impl<'de> Deserialize<'de> for InitLoraWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(true) => Ok(Self::Kaiming),
            Value::String(word) if word == "gaussian" => Ok(Self::Gaussian),
            Value::String(word) if word == "pissa" => Ok(Self::Pissa),
            other => Err(serde::de::Error::custom(format!(
                "initLoraWeights: expected true, \"gaussian\" or \"pissa\", got {other}"
            ))),
        }
    }
}

/// PEFT's word for every linear layer below the head.
pub const ALL_LINEAR: &str = "all-linear";

/// Which biases of the frozen model train too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Bias {
    #[default]
    None,
    /// Every bias that the head reads, norms' included.
    All,
    /// Those of the layers that have a delta.
    LoraOnly,
}

/// LoRA's settings, by PEFT's names in camelCase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "LoraOptions"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LoraConfig {
    /// Rank of the delta.
    pub r: usize,
    /// The delta is scaled by `loraAlpha / r`.
    pub lora_alpha: f64,
    /// Probability of zeroing an input of A while training, in [0, 1).
    pub lora_dropout: f64,
    /// Names, name suffixes, or one regular expression that matches a whole module name; `all-linear` for every linear layer that the
    /// head reads. Left out, every linear layer of a transformer layer.
    pub target_modules: TargetModules,
    /// Modules that get no delta although `targetModules` names them, by the same rules.
    pub exclude_modules: TargetModules,
    /// Only in these layers, counted from 0 at the bottom; in all if left out.
    pub layers_to_transform: Option<Vec<usize>>,
    /// Scale by `loraAlpha / sqrt(r)` instead (Kalajdzievski 2023).
    pub use_rslora: bool,
    /// DoRA: train each output's magnitude next to its direction (Liu et al. 2024).
    pub use_dora: bool,
    /// How the factors start: `true` is Kaiming-uniform A and B = 0, `"gaussian"` a normal A and B = 0; `"pissa"` takes the principal
    /// singular vectors of the weight (Meng et al. 2024) and leaves as plain LoRA of twice the rank.
    #[cfg_attr(test, schemars(with = "Value", extend("enum" = [true, "gaussian", "pissa"])))]
    pub init_lora_weights: InitLoraWeights,
    /// Ranks of modules whose name ends in the key, a regular expression; the first key that matches counts.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, usize>"))]
    pub rank_pattern: Patterns<usize>,
    /// Alphas, by the same rule.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, f64>"))]
    pub alpha_pattern: Patterns<f64>,
    /// Which biases of the frozen model train too.
    pub bias: Bias,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            r: 4,
            lora_alpha: 16.0,
            lora_dropout: 0.0,
            target_modules: TargetModules::Default,
            exclude_modules: TargetModules::Default,
            layers_to_transform: None,
            use_rslora: false,
            use_dora: false,
            init_lora_weights: InitLoraWeights::Kaiming,
            rank_pattern: Patterns::default(),
            alpha_pattern: Patterns::default(),
            bias: Bias::None,
        }
    }
}

const RANK: OptionRange = OptionRange::between("r", 1.0, 1024.0);
const ALPHA: OptionRange = OptionRange::positive("loraAlpha");

/// The ranges of its numbers.
pub const RANGES: Ranges<LoraConfig> = &[
    (RANK, |o| Some(o.r as f64)),
    (ALPHA, |o| Some(o.lora_alpha)),
    (
        OptionRange::between("loraDropout", 0.0, 1.0).excluding_high(),
        |o| Some(o.lora_dropout),
    ),
];

impl LoraConfig {
    /// # Errors
    /// [`Error::InvalidOption`] naming the setting and its range.
    pub fn check(&self) -> Result<()> {
        check_ranges(self, RANGES)?;
        for (key, r) in self.rank_pattern.iter() {
            if !RANK.contains(*r as f64) {
                let option = format!("rankPattern.{key}");
                return Err(Error::out_of_range(option, RANK, r));
            }
        }
        for (key, alpha) in self.alpha_pattern.iter() {
            if !ALPHA.contains(*alpha) {
                let option = format!("alphaPattern.{key}");
                return Err(Error::out_of_range(option, ALPHA, alpha));
            }
        }
        for (option, key) in (self
            .rank_pattern
            .iter()
            .map(|(key, _)| ("rankPattern", key)))
        .chain((self.alpha_pattern.iter()).map(|(key, _)| ("alphaPattern", key)))
        {
            pattern(key).map_err(|error| Error::option(option, error))?;
        }
        match (&self.target_modules, &self.layers_to_transform) {
            (TargetModules::Suffixes(names), _) if names.is_empty() => {
                Err(Error::option("targetModules", "the list is empty"))
            }
            // PEFT refuses it too; `all-linear` is written out as a list before
            (TargetModules::Pattern(word), Some(_)) if word != ALL_LINEAR => Err(Error::option(
                "layersToTransform",
                "it goes with a list of targetModules, not with a regular expression, which can name the layers itself",
            )),
            (_, Some(layers)) if layers.is_empty() => {
                Err(Error::option("layersToTransform", "the list is empty"))
            }
            _ => Ok(()),
        }
    }

    /// Whether modules of that layer may be targets; `None` is a module outside the layers.
    pub fn in_layers(&self, layer: Option<usize>) -> bool {
        self.layers_to_transform
            .as_ref()
            .is_none_or(|layers| layer.is_some_and(|layer| layers.contains(&layer)))
    }

    /// Rank of a module of that name.
    pub fn rank_of(&self, name: &str) -> usize {
        *self.rank_pattern.matching(name).unwrap_or(&self.r)
    }

    /// What the delta of a module of that name is multiplied by.
    pub fn scaling_of(&self, name: &str) -> f64 {
        let alpha = *self
            .alpha_pattern
            .matching(name)
            .unwrap_or(&self.lora_alpha);
        let r = self.rank_of(name) as f64;
        if self.use_rslora {
            alpha / r.sqrt()
        } else {
            alpha / r
        }
    }

    /// The largest rank of any module.
    pub fn largest_rank(&self) -> usize {
        self.rank_pattern
            .iter()
            .fold(self.r, |largest, (_, r)| largest.max(*r))
    }

    /// The settings of the same deltas after [`super::pissa::plain`]: twice the rank, the same scaling, started plainly.
    pub fn doubled(&self) -> Self {
        let factor = if self.use_rslora {
            std::f64::consts::SQRT_2
        } else {
            2.0
        };
        Self {
            r: 2 * self.r,
            lora_alpha: factor * self.lora_alpha,
            init_lora_weights: InitLoraWeights::Kaiming,
            rank_pattern: (self
                .rank_pattern
                .iter()
                .map(|(key, r)| (key.clone(), 2 * r)))
            .collect(),
            alpha_pattern: (self.alpha_pattern.iter())
                .map(|(key, alpha)| (key.clone(), factor * alpha))
                .collect(),
            ..self.clone()
        }
    }
}
