//! Enters: LoRA settings as a person or an adapter_config.json gives them. Leaves: checked settings and PEFT's own file.

use std::fmt;
use std::marker::PhantomData;

use regex::Regex;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::models::HeadKind;
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

/// Values of modules by a regular expression that their name ends in. The first key that matches counts, so that their order is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Patterns<V>(Vec<(String, V)>);

impl<V> Default for Patterns<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Patterns<V> {
    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The first entry whose key matches the name. Keys are checked before; a broken one matches nothing.
    fn matching(&self, name: &str) -> Option<&V> {
        self.iter()
            .find(|(key, _)| pattern(key).is_ok_and(|regex| regex.is_match(name)))
            .map(|(_, value)| value)
    }
}

impl<V> FromIterator<(String, V)> for Patterns<V> {
    /// A key given twice keeps its place and takes the later value, as in Python and JavaScript.
    fn from_iter<I: IntoIterator<Item = (String, V)>>(entries: I) -> Self {
        let mut patterns = Self::default();
        for (key, value) in entries {
            match patterns.0.iter_mut().find(|(other, _)| *other == key) {
                Some((_, earlier)) => *earlier = value,
                None => patterns.0.push((key, value)),
            }
        }
        patterns
    }
}

impl<V: Serialize> Serialize for Patterns<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Patterns<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Patterns<V>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of numbers by module name")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                std::iter::from_fn(|| map.next_entry().transpose()).collect()
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

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
    /// Only in these layers, counted from 0 at the bottom; in all if left out.
    pub layers_to_transform: Option<Vec<usize>>,
    /// Scale by `loraAlpha / sqrt(r)` instead (Kalajdzievski 2023).
    pub use_rslora: bool,
    /// DoRA: train each output's magnitude beside its direction (Liu et al. 2024).
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

impl LoraConfig {
    /// # Errors
    /// [`Error::InvalidOption`] naming the setting and its range.
    pub fn check(&self) -> Result<()> {
        for (option, r) in std::iter::once(("r".to_string(), self.r)).chain(
            self.rank_pattern
                .iter()
                .map(|(key, r)| (format!("rankPattern.{key}"), *r)),
        ) {
            if r == 0 || r > 1024 {
                return Err(Error::out_of_range(option, "1 to 1024", r));
            }
        }
        for (option, alpha) in std::iter::once(("loraAlpha".to_string(), self.lora_alpha)).chain(
            self.alpha_pattern
                .iter()
                .map(|(key, alpha)| (format!("alphaPattern.{key}"), *alpha)),
        ) {
            if !alpha.is_finite() || alpha <= 0.0 {
                return Err(Error::out_of_range(option, "a positive number", alpha));
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
        if !(0.0..1.0).contains(&self.lora_dropout) {
            let found = self.lora_dropout;
            return Err(Error::out_of_range(
                "loraDropout",
                "0 or more and below 1",
                found,
            ));
        }
        match (&self.target_modules, &self.layers_to_transform) {
            (TargetModules::Suffixes(names), _) if names.is_empty() => {
                Err(Error::option("targetModules", "the list is empty"))
            }
            // PEFT refuses it too; `all-linear` is written out as a list before
            (TargetModules::Pattern(word), Some(_)) if word != super::lora::ALL_LINEAR => {
                Err(Error::option(
                    "layersToTransform",
                    "it goes with a list of targetModules, not with a regular expression, which can name the layers itself",
                ))
            }
            (_, Some(layers)) if layers.is_empty() => {
                Err(Error::option("layersToTransform", "the list is empty"))
            }
            _ => Ok(()),
        }
    }

    /// Whether modules of that layer may be targets; `None` stands for a module outside the layers.
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
        match self.use_rslora {
            true => alpha / r.sqrt(),
            false => alpha / r,
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
        let factor = match self.use_rslora {
            true => std::f64::consts::SQRT_2,
            false => 2.0,
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

    /// `adapter_config.json` as PEFT 0.21 writes it, the settings that no method here uses at PEFT's defaults.
    /// `modules_to_save`: what is saved whole, see [`crate::models::Classifier::modules_to_save`]. `conv1d`: whether the model's layers
    /// store weights as GPT-2 does, which PEFT calls `fan_in_fan_out`.
    pub fn adapter_config(
        &self,
        base_model: &str,
        head: HeadKind,
        modules_to_save: Option<Vec<&'static str>>,
        conv1d: bool,
    ) -> Value {
        let modules_to_save = json!(modules_to_save);
        self.adapter_file(base_model, head.task_type(), modules_to_save, conv1d)
    }

    /// The same of a language model's adapter.
    pub fn causal_adapter_config(&self, base_model: &str, conv1d: bool) -> Value {
        self.adapter_file(base_model, CAUSAL_LM, Value::Null, conv1d)
    }

    fn adapter_file(
        &self,
        base_model: &str,
        task_type: &str,
        modules_to_save: Value,
        fan_in_fan_out: bool,
    ) -> Value {
        let alpha_pattern = (self.alpha_pattern.iter())
            .map(|(key, alpha)| (key.clone(), number(*alpha)))
            .collect::<serde_json::Map<_, _>>();
        json!({
            "alpha_pattern": alpha_pattern,
            "auto_mapping": null,
            "base_model_name_or_path": base_model,
            "bias": self.bias,
            "exclude_modules": null,
            "fan_in_fan_out": fan_in_fan_out,
            "inference_mode": true,
            "init_lora_weights": self.init_lora_weights,
            "layer_replication": null,
            "layers_pattern": null,
            "layers_to_transform": self.layers_to_transform,
            "loftq_config": {},
            "lora_alpha": number(self.lora_alpha),
            "lora_bias": false,
            "lora_dropout": self.lora_dropout,
            "modules_to_save": modules_to_save,
            "peft_type": "LORA",
            "r": self.r,
            "rank_pattern": self.rank_pattern,
            "revision": null,
            "target_modules": self.target_modules,
            "task_type": task_type,
            "use_dora": self.use_dora,
            "use_rslora": self.use_rslora
        })
    }

    /// Reads an `adapter_config.json`; which head it belongs to follows from its task type. `conv1d`: as in [`Self::adapter_config`].
    ///
    /// # Errors
    /// [`Error::InvalidFile`] where it is no LoRA configuration or asks for what is not built here.
    pub fn from_adapter_config(json: &[u8], conv1d: bool) -> Result<(Self, HeadKind)> {
        let (config, task_type) = Self::read_file(json, conv1d)?;
        let head = HeadKind::from_task_type(task_type.as_deref()).map_err(invalid_file)?;
        Ok((config, head))
    }

    /// Reads the `adapter_config.json` of a language model's adapter. `conv1d`: as in [`Self::adapter_config`].
    ///
    /// # Errors
    /// As [`Self::from_adapter_config`].
    pub fn from_causal_adapter_config(json: &[u8], conv1d: bool) -> Result<Self> {
        let (config, task_type) = Self::read_file(json, conv1d)?;
        expect_causal(task_type.as_deref())?;
        Ok(config)
    }

    fn read_file(json: &[u8], conv1d: bool) -> Result<(Self, Option<String>)> {
        let invalid = invalid_file;
        let file: AdapterFile =
            serde_json::from_slice(json).map_err(|error| invalid(error.to_string()))?;
        if file.peft_type != "LORA" {
            return Err(invalid(format!(
                "peft_type is {}, expected LORA",
                file.peft_type
            )));
        }
        if file.target_modules == TargetModules::Default {
            return Err(invalid("target_modules is null, expected names".into()));
        }
        for (key, used) in [
            ("lora_bias", file.lora_bias == Some(true)),
            // such an adapter was trained beside a changed weight
            (
                "init_lora_weights",
                changes_weights(&file.init_lora_weights),
            ),
            ("exclude_modules", is_filled(&file.exclude_modules)),
            ("layer_replication", is_filled(&file.layer_replication)),
            ("target_parameters", is_filled(&file.target_parameters)),
            (
                "fan_in_fan_out",
                file.fan_in_fan_out == Some(true) && !conv1d,
            ),
            ("layers_pattern", is_filled(&file.layers_pattern)),
        ] {
            if used {
                return Err(invalid(format!("{key} is set, which is not supported")));
            }
        }
        let layers_to_transform = match file.layers_to_transform {
            Some(Layers::One(layer)) => Some(vec![layer]),
            // PEFT reads an empty list as none
            Some(Layers::Several(layers)) if !layers.is_empty() => Some(layers),
            Some(Layers::Several(_)) | None => None,
        };
        let config = Self {
            r: file.r,
            lora_alpha: file.lora_alpha,
            lora_dropout: file.lora_dropout.unwrap_or(0.0),
            target_modules: file.target_modules,
            layers_to_transform,
            use_rslora: file.use_rslora.unwrap_or(false),
            use_dora: file.use_dora.unwrap_or(false),
            // how they started is of no matter to factors that are read
            init_lora_weights: InitLoraWeights::Kaiming,
            rank_pattern: file.rank_pattern.unwrap_or_default(),
            alpha_pattern: file.alpha_pattern.unwrap_or_default(),
            bias: file.bias.unwrap_or_default(),
        };
        config.check().map_err(|error| invalid(error.to_string()))?;
        Ok((config, file.task_type))
    }
}

/// PEFT's task type of a language model's adapter.
pub(super) const CAUSAL_LM: &str = "CAUSAL_LM";

/// A settings file that cannot be used.
pub(super) fn invalid_file(reason: String) -> Error {
    Error::file("adapter_config.json", reason)
}

/// # Errors
/// [`Error::InvalidFile`] for an adapter of another task.
pub(super) fn expect_causal(task_type: Option<&str>) -> Result<()> {
    match task_type {
        Some(CAUSAL_LM) => Ok(()),
        other => Err(invalid_file(format!(
            "task_type is {}, expected {CAUSAL_LM}",
            other.unwrap_or("missing")
        ))),
    }
}

#[derive(Deserialize)]
struct AdapterFile {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    lora_dropout: Option<f64>,
    target_modules: TargetModules,
    task_type: Option<String>,
    use_dora: Option<bool>,
    use_rslora: Option<bool>,
    lora_bias: Option<bool>,
    rank_pattern: Option<Patterns<usize>>,
    alpha_pattern: Option<Patterns<f64>>,
    layers_to_transform: Option<Layers>,
    layers_pattern: Option<Value>,
    init_lora_weights: Option<Value>,
    exclude_modules: Option<Value>,
    layer_replication: Option<Value>,
    target_parameters: Option<Value>,
    fan_in_fan_out: Option<bool>,
    bias: Option<Bias>,
}

/// PEFT takes a number or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Layers {
    One(usize),
    Several(Vec<usize>),
}

/// The modules that an `adapter_config.json` of a classifier says are trained and saved whole. PEFT always counts its own two words
/// among them.
///
/// # Errors
/// [`Error::InvalidFile`] where it is no such file.
pub fn modules_to_save(json: &[u8]) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct File {
        modules_to_save: Option<Vec<String>>,
    }
    let file: File =
        serde_json::from_slice(json).map_err(|error| Error::file("adapter_config.json", error))?;
    let named = file.modules_to_save.unwrap_or_default().into_iter();
    Ok(named
        .chain(["classifier", "score"].map(String::from))
        .collect())
}

fn is_filled(value: &Option<Value>) -> bool {
    match value {
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Null) | None => false,
        Some(_) => true,
    }
}

/// Starts that change the frozen weight (PiSSA, OLoRA, CorDA, ...) need that weight back before the factors fit.
fn changes_weights(init: &Option<Value>) -> bool {
    match init {
        Some(Value::String(word)) => word != "gaussian",
        _ => false,
    }
}

/// PEFT's rule for a key of a pattern: the whole name, or its end from a dot on. A `^` in it holds at the name's start alone.
fn pattern(key: &str) -> std::result::Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:.*\\.)?(?:{key})$"))
}

/// PEFT writes whole numbers without a decimal point.
fn number(value: f64) -> Value {
    match value.fract() == 0.0 {
        true => json!(value as i64),
        false => json!(value),
    }
}
