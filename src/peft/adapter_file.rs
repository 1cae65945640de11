//! `adapter_config.json`, PEFT's settings file: what all its methods say of the base model, and LoRA's settings in it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::lora_config::{Bias, InitLoraWeights, LoraConfig, TargetModules};
use super::patterns::Patterns;
use crate::models::HeadKind;
use crate::{Error, Result};

/// PEFT's and AdapterHub's name of the file.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";

/// What an adapter's model is for, by PEFT's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskType {
    /// A classifier under its family's own head.
    SeqCls,
    /// An encoder under a `mean` head, which is not PEFT's.
    FeatureExtraction,
    /// A language model.
    CausalLm,
}

impl TaskType {
    /// A classifier's under such a head.
    pub fn of_head(head: HeadKind) -> Self {
        match head {
            HeadKind::Cls => Self::SeqCls,
            HeadKind::Mean => Self::FeatureExtraction,
        }
    }

    /// As the file spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SeqCls => "SEQ_CLS",
            Self::FeatureExtraction => "FEATURE_EXTRACTION",
            Self::CausalLm => "CAUSAL_LM",
        }
    }
}

/// What the file says of the model that the adapter belongs to.
#[derive(Debug, Clone)]
pub struct BaseModel<'a> {
    pub name: &'a str,
    pub task: TaskType,
    /// What is saved whole, see [`crate::models::Classifier::modules_to_save`].
    pub modules_to_save: Option<Vec<&'static str>>,
    /// Whether its layers store weights as GPT-2 does, which PEFT calls `fan_in_fan_out`.
    pub conv1d: bool,
    pub layers: usize,
    /// Heads that have keys of their own.
    pub key_heads: usize,
    /// Of all heads' keys together.
    pub key_width: usize,
}

/// Reads one method's fields of the file.
///
/// # Errors
/// [`Error::InvalidFile`].
pub(super) fn read<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(invalid)
}

/// The file cannot be used.
pub(super) fn invalid(reason: impl std::fmt::Display) -> Error {
    Error::file(ADAPTER_CONFIG, reason)
}

/// Which method of PEFT the file is of.
///
/// # Errors
/// [`Error::InvalidFile`] if it names none.
pub fn peft_type(json: &[u8]) -> Result<String> {
    #[derive(Deserialize)]
    struct File {
        peft_type: String,
    }
    read::<File>(json).map(|file| file.peft_type)
}

/// The modules that the file of a classifier says are trained and saved whole. PEFT always counts its own two words among them.
///
/// # Errors
/// [`Error::InvalidFile`] if it is no such file.
pub fn modules_to_save(json: &[u8]) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct File {
        modules_to_save: Option<Vec<String>>,
    }
    let named = read::<File>(json)?.modules_to_save.unwrap_or_default();
    let own = ["classifier", "score"].map(String::from);
    Ok(named.into_iter().chain(own).collect())
}

impl LoraConfig {
    /// The file as PEFT 0.21 writes it, the settings that no method here uses at PEFT's defaults.
    pub fn adapter_config(&self, base: &BaseModel) -> Value {
        let alpha_pattern = (self.alpha_pattern.iter())
            .map(|(key, alpha)| (key.clone(), number(*alpha)))
            .collect::<serde_json::Map<_, _>>();
        json!({
            "alpha_pattern": alpha_pattern,
            "auto_mapping": null,
            "base_model_name_or_path": base.name,
            "bias": self.bias,
            "exclude_modules": null,
            "fan_in_fan_out": base.conv1d,
            "inference_mode": true,
            "init_lora_weights": self.init_lora_weights,
            "layer_replication": null,
            "layers_pattern": null,
            "layers_to_transform": self.layers_to_transform,
            "loftq_config": {},
            "lora_alpha": number(self.lora_alpha),
            "lora_bias": false,
            "lora_dropout": self.lora_dropout,
            "modules_to_save": base.modules_to_save,
            "peft_type": "LORA",
            "r": self.r,
            "rank_pattern": self.rank_pattern,
            "revision": null,
            "target_modules": self.target_modules,
            "task_type": base.task,
            "use_dora": self.use_dora,
            "use_rslora": self.use_rslora
        })
    }

    /// Reads the file; `conv1d`: as in [`BaseModel`].
    ///
    /// # Errors
    /// [`Error::InvalidFile`] if it is no LoRA configuration or asks for what is not built here.
    pub fn from_adapter_config(json: &[u8], conv1d: bool) -> Result<(Self, TaskType)> {
        let file: LoraFile = read(json)?;
        if file.peft_type != "LORA" {
            return Err(invalid(format!(
                "peft_type is {}, expected LORA",
                file.peft_type
            )));
        }
        if file.target_modules == TargetModules::Default {
            return Err(invalid("target_modules is null, expected names"));
        }
        for (key, used) in [
            ("lora_bias", file.lora_bias == Some(true)),
            // such an adapter was trained next to a changed weight
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
            // how they started does not matter to factors that are read
            init_lora_weights: InitLoraWeights::Kaiming,
            rank_pattern: file.rank_pattern.unwrap_or_default(),
            alpha_pattern: file.alpha_pattern.unwrap_or_default(),
            bias: file.bias.unwrap_or_default(),
        };
        config.check().map_err(invalid)?;
        Ok((config, task_type(file.task_type)?))
    }
}

#[derive(Deserialize)]
struct LoraFile {
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

/// # Errors
/// [`Error::InvalidFile`] for a task that is not built here.
pub(super) fn task_type(word: Option<String>) -> Result<TaskType> {
    let word = word.unwrap_or_else(|| "missing".into());
    serde_json::from_value(Value::from(word.as_str())).map_err(|_| {
        invalid(format!(
            "task_type is {word}, expected SEQ_CLS, FEATURE_EXTRACTION or CAUSAL_LM"
        ))
    })
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

/// PEFT writes whole numbers without a decimal point.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 {
        json!(value as i64)
    } else {
        json!(value)
    }
}
