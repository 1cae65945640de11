//! Bottleneck adapters (Houlsby et al. 2019): a narrow detour after every sublayer, and AdapterHub's settings file of them.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::adapter_file::{self, invalid};
use crate::layers::{Activation, Bottleneck, Linear};
use crate::models::load::frozen;
use crate::models::{Backbone, Family, HeadKind};
use crate::options::{OptionRange, Ranges, check_ranges};
use crate::rng::Rng;
use crate::{Error, Result};

/// Deviation of a fresh bottleneck's weights; AdapterHub's `init_weights: "bert"`.
const INIT_DEVIATION: f64 = 0.02;

/// The adapter's name inside AdapterHub's files.
pub const ADAPTER_NAME: &str = "tune";

/// Which function is in the bottleneck, by AdapterHub's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum NonLinearity {
    Swish,
    /// Exact, with the error function.
    Gelu,
    Relu,
    Tanh,
}

/// Settings of AdapterHub's `DoubleSeqBnConfig`, in camelCase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "HoulsbyOptions"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HoulsbyConfig {
    /// The bottleneck's width is the hidden size divided by this.
    pub reduction_factor: usize,
    /// The function between its two layers.
    pub non_linearity: NonLinearity,
}

impl Default for HoulsbyConfig {
    fn default() -> Self {
        Self {
            reduction_factor: 16,
            non_linearity: NonLinearity::Swish,
        }
    }
}

/// The range of its number.
pub const RANGES: Ranges<HoulsbyConfig> =
    &[(OptionRange::between("reductionFactor", 1.0, 4096.0), |o| {
        Some(o.reduction_factor as f64)
    })];

impl HoulsbyConfig {
    /// # Errors
    /// [`Error::InvalidOption`].
    pub fn check(&self) -> Result<()> {
        check_ranges(self, RANGES)
    }

    /// Width of a bottleneck in a model of that width.
    pub fn width(&self, hidden: usize) -> usize {
        (hidden / self.reduction_factor).max(1)
    }

    /// `adapter_config.json` as `adapters` 1.3 writes it.
    pub fn adapter_config(
        &self,
        model: &str,
        family: Family,
        head: HeadKind,
        hidden: usize,
    ) -> Value {
        json!({
            "config": {
                "adapter_residual_before_ln": false,
                "cross_adapter": false,
                "dropout": 0.0,
                "factorized_phm_W": true,
                "factorized_phm_rule": false,
                "hypercomplex_nonlinearity": "glorot-uniform",
                "init_weights": "bert",
                "init_weights_seed": null,
                "inv_adapter": null,
                "inv_adapter_reduction_factor": null,
                "is_parallel": false,
                "learn_phm": true,
                "leave_out": [],
                "ln_after": false,
                "ln_before": false,
                "mh_adapter": true,
                "non_linearity": self.non_linearity,
                "original_ln_after": true,
                "original_ln_before": false,
                "output_adapter": true,
                "phm_bias": true,
                "phm_c_init": "normal",
                "phm_dim": 4,
                "phm_init_range": 0.0001,
                "phm_layer": false,
                "phm_rank": 1,
                "reduction_factor": self.reduction_factor,
                "residual_before_ln": true,
                "scaling": 1.0,
                "shared_W_phm": false,
                "shared_phm_rule": true,
                "stochastic_depth": 0.0,
                "use_gating": false
            },
            "hidden_size": hidden,
            "model_class": family.model_class(head),
            "model_name": model,
            "model_type": family.model_type(),
            "name": ADAPTER_NAME,
            "version": "adapters.1.3.0"
        })
    }

    /// Reads AdapterHub's `adapter_config.json`.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] where it is no such configuration or asks for what is not built here.
    pub fn from_adapter_config(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct File {
            config: Value,
        }
        let File { config } = adapter_file::read(json)?;
        let ours = Self::default().adapter_config("", Family::Bert, HeadKind::Cls, 0);
        for (key, built) in ours["config"].as_object().into_iter().flatten() {
            // settings of no effect without phm layers, and what only starts or trains an adapter
            let free = [
                "reduction_factor",
                "non_linearity",
                "dropout",
                "factorized_phm_W",
            ];
            let unread = key.contains("phm") || key.starts_with("init_weights");
            if free.contains(&key.as_str()) || (unread && key != "phm_layer") {
                continue;
            }
            if let Some(found) = config.get(key)
                && found != built
            {
                return Err(invalid(format!(
                    "{key} is {found}, which is not supported; expected {built}"
                )));
            }
        }
        let factor = config["reduction_factor"].as_f64().unwrap_or(0.0);
        if factor.fract() != 0.0 || factor < 1.0 {
            return Err(invalid(format!(
                "reduction_factor is {}, expected a whole number",
                config["reduction_factor"]
            )));
        }
        let non_linearity = serde_json::from_value(config["non_linearity"].clone())
            .map_err(|error| invalid(format!("non_linearity: {error}")))?;
        let read = Self {
            reduction_factor: factor as usize,
            non_linearity,
        };
        read.check().map_err(invalid)?;
        Ok(read)
    }
}

/// Puts a bottleneck after the dense layer of both sublayers of every layer: weights normal with deviation 0.02, biases zero, so
/// that the detour starts near zero, as AdapterHub's does.
///
/// # Errors
/// [`Error::InvalidOption`] for families that AdapterHub does not know, and decoders.
pub fn attach_backbone(encoder: &mut Backbone, config: &HoulsbyConfig, seed: u64) -> Result<()> {
    let family = encoder.family();
    let Backbone::Bert(bert) = encoder else {
        let why = match family {
            Family::Decoder(_) => "whose layers have no place for bottlenecks here; use lora",
            _ => "which AdapterHub does not know",
        };
        let word = family.model_type();
        return Err(Error::option(
            "method",
            format!("houlsby does not fit a {word} model, {why}"),
        ));
    };
    let gelu = bert.encoder.layer.first();
    let activation = match (config.non_linearity, gelu) {
        (NonLinearity::Swish, _) => Activation::Swish,
        (NonLinearity::Relu, _) => Activation::Relu,
        (NonLinearity::Tanh, _) => Activation::Tanh,
        // the form of GELU that this engine differentiates exactly
        (NonLinearity::Gelu, Some(layer)) => layer.intermediate.activation,
        (NonLinearity::Gelu, None) => Activation::ComposedGelu,
    };
    for (name, output) in bert.outputs_mut() {
        let hidden = output.dense.shape()[1];
        let narrow = config.width(hidden);
        let device = output.dense.weight.val().device();
        let mut rng = Rng::stream(seed, &format!("init/{name}.adapter"));
        let mut linear = |input: usize, width: usize| {
            let values = (0..input * width)
                .map(|_| (rng.normal() * INIT_DEVIATION) as f32)
                .collect::<Vec<_>>();
            let weight = Tensor::from_data(TensorData::new(values, [input, width]), &device);
            let bias = Tensor::zeros([width], &device);
            Linear::new(frozen(weight), Some(frozen(bias)))
        };
        output.adapter = Some(Bottleneck {
            adapter_down: linear(hidden, narrow),
            adapter_up: linear(narrow, hidden),
            activation,
        });
    }
    Ok(())
}
