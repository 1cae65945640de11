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
            "exclude_modules": self.exclude_modules,
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

    /// Reads the file. What PEFT 0.21 knows and is not named here changes nothing of an adapter that is trained: where it came from, how it started,
    /// how training saved memory, and `fan_in_fan_out`, which PEFT itself sets right.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] if it is no LoRA configuration or asks for what is not built here.
    pub fn from_adapter_config(json: &[u8]) -> Result<(Self, Option<TaskType>)> {
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
        let task = task_type(file.task_type)?;
        refuse_what_changes(&read(json)?, task)?;
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
            exclude_modules: file.exclude_modules.unwrap_or(TargetModules::Default),
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
        Ok((config, task))
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
    rank_pattern: Option<Patterns<usize>>,
    alpha_pattern: Option<Patterns<f64>>,
    layers_to_transform: Option<Layers>,
    exclude_modules: Option<TargetModules>,
    bias: Option<Bias>,
}

/// PEFT takes a number or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Layers {
    One(usize),
    Several(Vec<usize>),
}

/// The file's task, if it names one: PEFT needs none.
///
/// # Errors
/// [`Error::InvalidFile`] for a task that is not built here.
pub(super) fn task_type(word: Option<String>) -> Result<Option<TaskType>> {
    let read = |word: String| {
        serde_json::from_value(Value::from(word.as_str())).map_err(|_| {
            invalid(format!(
                "task_type is {word}, expected SEQ_CLS, FEATURE_EXTRACTION or CAUSAL_LM"
            ))
        })
    };
    word.map(read).transpose()
}

/// PEFT's keys that change what an adapter does to a text, and how.
const CHANGES: [(&str, &str); 12] = [
    (
        "alora_invocation_tokens",
        "this is an activated LoRA, which works from these tokens on alone",
    ),
    (
        "trainable_token_indices",
        "vectors of single words are trained",
    ),
    (
        "target_parameters",
        "parameters that belong to no linear layer are trained",
    ),
    (
        "layer_replication",
        "layers are used more than once with different adapters",
    ),
    (
        "layers_pattern",
        "layers are counted in another list than the model's",
    ),
    ("lora_bias", "a bias is added after each delta"),
    ("use_qalora", "the inputs of each delta are pooled"),
    ("use_bdlora", "the deltas are made of blocks"),
    ("arrow_config", "several adapters are mixed for each token"),
    ("kasa_config", "the weights below the deltas are cut"),
    ("monteclora_config", "the deltas are drawn at random"),
    ("megatron_config", "the layers are cut for several machines"),
];

/// Starts after which the weights are what they were: a file of PEFT's loads onto the plain model.
const PLAIN_STARTS: [&str; 4] = ["gaussian", "eva", "orthogonal", "mica"];

/// # Errors
/// [`Error::InvalidFile`] naming the key, what it means and what to do.
fn refuse_what_changes(
    file: &serde_json::Map<String, Value>,
    task: Option<TaskType>,
) -> Result<()> {
    let refused = |key: &str, why: String| {
        let value = &file[key];
        let advice = match key {
            // what depends on the text cannot become a part of the weights
            "alora_invocation_tokens" | "arrow_config" => "use it with PEFT itself",
            _ => "fold the adapter into its model with PEFT (merge_and_unload) and load that model",
        };
        let reason = format!("{key} is {value}: {why}, which is not supported; {advice}");
        Err(invalid(reason))
    };
    let filled = |key: &str| file.get(key).is_some_and(is_filled);
    if let Some((key, why)) = CHANGES.iter().find(|(key, _)| filled(key)) {
        return refused(key, (*why).into());
    }
    if let Some(Value::String(word)) = file.get("init_lora_weights")
        && !PLAIN_STARTS.contains(&word.to_lowercase().as_str())
    {
        let why = "the factors fit weights that were changed when training began";
        return refused("init_lora_weights", why.into());
    }
    if filled("modules_to_save") && task == Some(TaskType::CausalLm) {
        let why = "these modules are trained and saved whole next to the deltas";
        return refused("modules_to_save", why.into());
    }
    Ok(())
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(_) | Value::String(_) => true,
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
