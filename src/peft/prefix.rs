//! Prefix tuning (Li & Liang 2021): learned keys and values before every layer's own, and PEFT's settings file of them.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::{CAUSAL_LM, expect_causal, invalid_file};
use crate::layers::Prefix;
use crate::models::backbone_config::Architecture;
use crate::models::decoder::{Decoder, Layer};
use crate::models::load::frozen;
use crate::models::{Backbone, BackboneConfig, DecoderConfig, Family, HeadKind};
use crate::rng::Rng;
use crate::{Error, Result};

/// Deviation of fresh keys and values. PEFT starts at 1, which drowns the texts' own keys before anything is learnt.
const INIT_DEVIATION: f64 = 0.02;

/// PEFT's `PrefixTuningConfig`, in camelCase, without the projection that it leaves out by default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "PrefixOptions"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PrefixConfig {
    /// Learned keys and values a layer. As many positions fewer are left for a text.
    pub num_virtual_tokens: usize,
}

impl Default for PrefixConfig {
    fn default() -> Self {
        Self {
            num_virtual_tokens: 10,
        }
    }
}

impl PrefixConfig {
    /// # Errors
    /// [`crate::Error::InvalidOption`].
    pub fn check(&self) -> Result<()> {
        match self.num_virtual_tokens {
            1..=1024 => Ok(()),
            other => Err(Error::out_of_range("numVirtualTokens", "1 to 1024", other)),
        }
    }

    /// `adapter_config.json` as PEFT 0.21 writes it.
    pub fn adapter_config(
        &self,
        base_model: &str,
        head: HeadKind,
        modules_to_save: Option<Vec<&'static str>>,
        config: &BackboneConfig,
    ) -> Value {
        let sizes = match &config.architecture {
            Architecture::Decoder(settings) => Sizes::of_decoder(settings),
            _ => Sizes {
                layers: config.num_hidden_layers,
                heads: config.num_attention_heads,
                width: config.hidden_size,
            },
        };
        let modules_to_save = json!(modules_to_save);
        self.adapter_file(base_model, head.task_type(), modules_to_save, &sizes)
    }

    /// The same of a language model's adapter.
    pub fn causal_adapter_config(&self, base_model: &str, config: &DecoderConfig) -> Value {
        let sizes = Sizes::of_decoder(config);
        self.adapter_file(base_model, CAUSAL_LM, Value::Null, &sizes)
    }

    fn adapter_file(
        &self,
        base_model: &str,
        task_type: &str,
        modules_to_save: Value,
        sizes: &Sizes,
    ) -> Value {
        json!({
            "auto_mapping": null,
            "base_model_name_or_path": base_model,
            "encoder_hidden_size": sizes.width,
            "inference_mode": true,
            "init_weights": null,
            "modules_to_save": modules_to_save,
            "num_attention_heads": sizes.heads,
            "num_layers": sizes.layers,
            "num_transformer_submodules": 1,
            "num_virtual_tokens": self.num_virtual_tokens,
            "peft_type": "PREFIX_TUNING",
            "prefix_projection": false,
            "revision": null,
            "task_type": task_type,
            "token_dim": sizes.width
        })
    }

    /// Reads an `adapter_config.json` of PEFT's prefix tuning.
    ///
    /// # Errors
    /// [`crate::Error::InvalidFile`] where it asks for what is not built here.
    pub fn from_adapter_config(json: &[u8]) -> Result<(Self, HeadKind)> {
        let (config, task_type) = Self::read_file(json)?;
        let head = HeadKind::from_task_type(task_type.as_deref()).map_err(invalid_file)?;
        Ok((config, head))
    }

    /// The same of a language model's adapter.
    ///
    /// # Errors
    /// As [`Self::from_adapter_config`].
    pub fn from_causal_adapter_config(json: &[u8]) -> Result<Self> {
        let (config, task_type) = Self::read_file(json)?;
        expect_causal(task_type.as_deref())?;
        Ok(config)
    }

    fn read_file(json: &[u8]) -> Result<(Self, Option<String>)> {
        #[derive(Deserialize)]
        struct File {
            num_virtual_tokens: usize,
            prefix_projection: Option<bool>,
            task_type: Option<String>,
        }
        let file: File =
            serde_json::from_slice(json).map_err(|error| invalid_file(error.to_string()))?;
        if file.prefix_projection == Some(true) {
            return Err(invalid_file(
                "prefix_projection is set, which is not supported".into(),
            ));
        }
        let config = Self {
            num_virtual_tokens: file.num_virtual_tokens,
        };
        config
            .check()
            .map_err(|error| invalid_file(error.to_string()))?;
        Ok((config, file.task_type))
    }
}

/// What PEFT's file tells of the model.
struct Sizes {
    layers: usize,
    heads: usize,
    /// Of all heads' keys together.
    width: usize,
}

impl Sizes {
    /// Where heads share keys, PEFT counts the heads that have keys of their own.
    fn of_decoder(config: &DecoderConfig) -> Self {
        Self {
            layers: config.layers.len(),
            heads: config.num_key_value_heads,
            width: config.num_key_value_heads * config.head_dim,
        }
    }
}

/// Puts learned keys and values before every layer's own: normal with deviation 0.02.
///
/// # Errors
/// [`crate::Error::InvalidOption`] for families that PEFT's prefix tuning does not know.
pub fn attach_backbone(encoder: &mut Backbone, config: &PrefixConfig, seed: u64) -> Result<()> {
    let family = encoder.family();
    match encoder {
        Backbone::Bert(bert) if family != Family::Distilbert => {
            for (index, layer) in bert.encoder.layer.iter_mut().enumerate() {
                let heads = &mut layer.attention.self_attention;
                let [_, width] = heads.key.shape();
                let device = heads.key.weight.val().device();
                heads.prefix = Some(fresh(config, width, index, seed, &device));
            }
        }
        Backbone::Decoder(decoder) => attach_decoder(decoder, config, seed),
        _ => {
            return Err(Error::option(
                "method",
                format!(
                    "prefix does not fit a {} model: PEFT cannot put keys and values before its own",
                    family.model_type()
                ),
            ));
        }
    }
    Ok(())
}

/// The same for a decoder, of which every family has a place for them.
pub fn attach_decoder(decoder: &mut Decoder, config: &PrefixConfig, seed: u64) {
    let width = decoder.config.num_key_value_heads * decoder.config.head_dim;
    let device = decoder.device();
    for (index, layer) in decoder.layers.iter_mut().enumerate() {
        *layer.prefix_mut() = Some(fresh(config, width, index, seed, &device));
    }
}

/// One layer's prefix, `width` wide.
fn fresh(config: &PrefixConfig, width: usize, index: usize, seed: u64, device: &Device) -> Prefix {
    let tokens = config.num_virtual_tokens;
    let mut rng = Rng::stream(seed, &format!("init/prefix.{index}"));
    let mut draw = || {
        let values = (0..tokens * width)
            .map(|_| (rng.normal() * INIT_DEVIATION) as f32)
            .collect::<Vec<_>>();
        frozen(Tensor::from_data(
            TensorData::new(values, [tokens, width]),
            device,
        ))
    };
    Prefix {
        key: draw(),
        value: draw(),
    }
}

/// PEFT's one tensor, `[virtual tokens, 2 * layers * width of all keys]`: key and value of layer 0, of layer 1, and so on. Without autodiff.
pub fn prompt_embeddings(encoder: &Backbone) -> Option<Tensor<2>> {
    let prefixes: Vec<&Prefix> = match encoder {
        Backbone::Bert(bert) => {
            let layers = bert.encoder.layer.iter();
            layers
                .filter_map(|layer| layer.attention.self_attention.prefix.as_ref())
                .collect()
        }
        Backbone::Decoder(decoder) => decoder.layers.iter().filter_map(Layer::prefix).collect(),
        Backbone::Modernbert(_) => return None,
    };
    let parts = prefixes
        .into_iter()
        .flat_map(|prefix| [prefix.key.val().inner(), prefix.value.val().inner()])
        .collect::<Vec<_>>();
    (!parts.is_empty()).then(|| Tensor::cat(parts, 1))
}
