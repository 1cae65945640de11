//! Enters: prefix-tuning settings. Leaves: a classifier whose layers attend to learned keys and values, and PEFT's own settings file.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::freeze::Trainable;
use super::method::invalid;
use crate::layers::Prefix;
use crate::models::load::frozen;
use crate::models::names::is_prefix;
use crate::models::{Classifier, Encoder, EncoderConfig, Family, HeadKind, Network};
use crate::rng::Rng;
use crate::{Error, Result};

/// Deviation of fresh keys and values. PEFT starts at 1, which drowns the texts' own keys before anything is learnt.
const INIT_DEVIATION: f64 = 0.02;

/// PEFT's `PrefixTuningConfig`, in camelCase, without the projection that it leaves out by default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// [`Error::InvalidOption`].
    pub fn check(&self) -> Result<()> {
        match self.num_virtual_tokens {
            1..=1024 => Ok(()),
            other => Err(invalid(
                "numVirtualTokens",
                format!("expected 1 to 1024, got {other}"),
            )),
        }
    }

    /// `adapter_config.json` as PEFT 0.21 writes it.
    pub fn adapter_config(
        &self,
        base_model: &str,
        head: HeadKind,
        config: &EncoderConfig,
    ) -> Value {
        json!({
            "auto_mapping": null,
            "base_model_name_or_path": base_model,
            "encoder_hidden_size": config.hidden_size,
            "inference_mode": true,
            "init_weights": null,
            "modules_to_save": modules_to_save,
            "num_attention_heads": config.num_attention_heads,
            "num_layers": config.num_hidden_layers,
            "num_transformer_submodules": 1,
            "num_virtual_tokens": self.num_virtual_tokens,
            "peft_type": "PREFIX_TUNING",
            "prefix_projection": false,
            "revision": null,
            "task_type": head.task_type(),
            "token_dim": config.hidden_size
        })
    }

    /// Reads an `adapter_config.json` of PEFT's prefix tuning.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] where it asks for what is not built here.
    pub fn from_adapter_config(json: &[u8]) -> Result<(Self, HeadKind)> {
        let invalid = |reason: String| Error::InvalidFile {
            file: "adapter_config.json".into(),
            reason,
        };
        #[derive(Deserialize)]
        struct File {
            num_virtual_tokens: usize,
            prefix_projection: Option<bool>,
            task_type: Option<String>,
        }
        let file: File =
            serde_json::from_slice(json).map_err(|error| invalid(error.to_string()))?;
        if file.prefix_projection == Some(true) {
            return Err(invalid(
                "prefix_projection is set, which is not supported".into(),
            ));
        }
        let head = HeadKind::from_task_type(file.task_type.as_deref()).map_err(invalid)?;
        let config = Self {
            num_virtual_tokens: file.num_virtual_tokens,
        };
        config.check().map_err(|error| invalid(error.to_string()))?;
        Ok((config, head))
    }
}

/// Puts learned keys and values before every layer's own: normal with deviation 0.02.
///
/// # Errors
/// [`Error::InvalidOption`] for settings out of range, and for families that PEFT's prefix tuning does not know.
pub fn attach(classifier: &mut Classifier, config: &PrefixConfig, seed: u64) -> Result<Trainable> {
    config.check()?;
    let tokens = config.num_virtual_tokens;
    let family = classifier.encoder.family();
    let bert = match &mut classifier.encoder {
        Encoder::Bert(bert) if family != Family::Distilbert => bert,
        _ => {
            return Err(invalid(
                "method",
                format!(
                    "prefix does not fit a {} model, which PEFT cannot give keys and values from before",
                    family.model_type()
                ),
            ));
        }
    };
    for (index, layer) in bert.encoder.layer.iter_mut().enumerate() {
        let heads = &mut layer.attention.self_attention;
        let hidden = heads.key.shape()[1];
        let device = heads.key.weight.val().device();
        let mut rng = Rng::stream(seed, &format!("init/prefix.{index}"));
        let mut fresh = || {
            let values = (0..tokens * hidden)
                .map(|_| (rng.normal() * INIT_DEVIATION) as f32)
                .collect::<Vec<_>>();
            frozen(Tensor::from_data(
                TensorData::new(values, [tokens, hidden]),
                &device,
            ))
        };
        heads.prefix = Some(Prefix {
            key: fresh(),
            value: fresh(),
        });
    }
    let classifier = &*classifier;
    Ok(Trainable::of(classifier, |path| {
        classifier.is_head(path) || is_prefix(path)
    }))
}

/// PEFT's one tensor, `[virtual tokens, 2 * layers * hidden]`: key and value of layer 0, of layer 1, and so on. Without autodiff.
pub fn prompt_embeddings(encoder: &Encoder) -> Option<Tensor<2>> {
    let Encoder::Bert(bert) = encoder else {
        return None;
    };
    let parts = bert
        .encoder
        .layer
        .iter()
        .filter_map(|layer| layer.attention.self_attention.prefix.as_ref())
        .flat_map(|prefix| [prefix.key.val().inner(), prefix.value.val().inner()])
        .collect::<Vec<_>>();
    (!parts.is_empty()).then(|| Tensor::cat(parts, 1))
}
