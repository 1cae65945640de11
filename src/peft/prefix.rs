//! Prefix tuning (Li & Liang 2021): learned keys and values before every layer's own, and PEFT's settings file of them.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::adapter_file::{self, BaseModel, TaskType};
use crate::layers::Prefix;
use crate::models::decoder::Decoder;
use crate::models::load::frozen;
use crate::models::{Backbone, Family};
use crate::options::{OptionRange, Ranges, check_ranges};
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

/// The range of its number.
pub const RANGES: Ranges<PrefixConfig> =
    &[
        (OptionRange::between("numVirtualTokens", 1.0, 1024.0), |o| {
            Some(o.num_virtual_tokens as f64)
        }),
    ];

impl PrefixConfig {
    /// # Errors
    /// [`crate::Error::InvalidOption`].
    pub fn check(&self) -> Result<()> {
        check_ranges(self, RANGES)
    }

    /// `adapter_config.json` as PEFT 0.21 writes it. Where heads share keys, PEFT counts the heads that have keys of their own.
    pub fn adapter_config(&self, base: &BaseModel) -> Value {
        json!({
            "auto_mapping": null,
            "base_model_name_or_path": base.name,
            "encoder_hidden_size": base.key_width,
            "inference_mode": true,
            "init_weights": null,
            "modules_to_save": base.modules_to_save,
            "num_attention_heads": base.key_heads,
            "num_layers": base.layers,
            "num_transformer_submodules": 1,
            "num_virtual_tokens": self.num_virtual_tokens,
            "peft_type": "PREFIX_TUNING",
            "prefix_projection": false,
            "revision": null,
            "task_type": base.task,
            "token_dim": base.key_width
        })
    }

    /// Reads an `adapter_config.json` of PEFT's prefix tuning.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] if it asks for what is not built here.
    pub fn from_adapter_config(json: &[u8]) -> Result<(Self, Option<TaskType>)> {
        #[derive(Deserialize)]
        struct File {
            num_virtual_tokens: usize,
            prefix_projection: Option<bool>,
            task_type: Option<String>,
        }
        let file: File = adapter_file::read(json)?;
        if file.prefix_projection == Some(true) {
            let reason = "prefix_projection is set, which is not supported";
            return Err(adapter_file::invalid(reason));
        }
        let config = Self {
            num_virtual_tokens: file.num_virtual_tokens,
        };
        config.check().map_err(adapter_file::invalid)?;
        Ok((config, adapter_file::task_type(file.task_type)?))
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
