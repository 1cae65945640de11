//! The frequencies by which a layer turns its queries and keys, as a configuration gives them.

use serde_json::json;

use super::fields::Fields;
use crate::layers::inverse_frequencies;
use crate::{Error, Result};

/// Far more than any model has: a configuration that asks for more is refused before its frequencies take memory.
const MAX_HEAD_WIDTH: usize = 1 << 16;

/// The frequencies of one kind of layer, `[head width / 2]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    pub inv_freq: Vec<f64>,
}

impl Rope {
    /// Reads `rope_parameters` as transformers 5 writes them, or `rope_scaling` next to a top-level theta as older files have it.
    ///
    /// `layers`: the kind of layer whose parameters are nested under that word, if kinds differ (Gemma, ModernBERT). `theta`: the
    /// older file's top-level base; `scaled`: whether an older `rope_scaling` is of these layers.
    ///
    /// # Errors
    /// [`crate::Error::UnsupportedModel`] for an unknown rope type, missing numbers, or a head wider than [`MAX_HEAD_WIDTH`].
    pub fn read(
        fields: &Fields,
        layers: &str,
        theta: (&str, f64),
        scaled: bool,
        width: usize,
    ) -> Result<Self> {
        if width > MAX_HEAD_WIDTH {
            return Err(Error::unsupported(format!(
                "its attention heads have {width} values each; at most {MAX_HEAD_WIDTH} are supported"
            )));
        }
        let (name, default) = theta;
        let parameters = fields.object("rope_parameters")?;
        let nested = match &parameters {
            Some(all) => all.object(layers)?,
            None => None,
        };
        let older = if scaled {
            fields.object("rope_scaling")?
        } else {
            None
        };
        let found = nested.or(parameters).or(older);
        let base = fields.positive(name, default)?;
        let base = match &found {
            Some(found) => found.positive("rope_theta", base)?,
            None => base,
        };
        if let Some(found) = &found {
            found.only("partial_rotary_factor", &[json!(1.0), json!(1)])?;
        }
        fields.only("partial_rotary_factor", &[json!(1.0), json!(1)])?;
        let plain = inverse_frequencies(base, width);
        let Some(found) = found else {
            return Ok(Self { inv_freq: plain });
        };
        // files of 2023 call it `type`
        let kind = ["rope_type", "type"]
            .iter()
            .find_map(|name| found.get(name)?.as_str())
            .unwrap_or("default");
        let inv_freq = match kind {
            "default" => plain,
            "linear" => {
                let factor = found.positive("factor", 1.0)?;
                plain.into_iter().map(|freq| freq / factor).collect()
            }
            "llama3" => llama3(&found, plain)?,
            other => {
                return Err(Error::unsupported(format!(
                    "rope_type is \"{other}\"; supported are default, linear and llama3"
                )));
            }
        };
        Ok(Self { inv_freq })
    }
}

/// Llama 3.1's stretching: long waves are slowed by `factor`, short ones stay, and between them the two are blended; transformers'
/// `_compute_llama3_parameters`.
fn llama3(found: &Fields, plain: Vec<f64>) -> Result<Vec<f64>> {
    for name in [
        "factor",
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
    ] {
        if found.get(name).is_none() {
            return Err(Error::unsupported(format!(
                "rope_type llama3 without {name}"
            )));
        }
    }
    let factor = found.positive("factor", 1.0)?;
    let low = found.positive("low_freq_factor", 1.0)?;
    let high = found.positive("high_freq_factor", 4.0)?;
    let context = found.positive("original_max_position_embeddings", 8192.0)?;
    if high <= low {
        return Err(Error::unsupported(format!(
            "high_freq_factor {high} is not above low_freq_factor {low}"
        )));
    }
    let stretch = |freq: f64| {
        let wave = 2.0 * std::f64::consts::PI / freq;
        if wave > context / low {
            return freq / factor;
        }
        if wave < context / high {
            return freq;
        }
        let smooth = (context / wave - low) / (high - low);
        (1.0 - smooth) * freq / factor + smooth * freq
    };
    Ok(plain.into_iter().map(stretch).collect())
}
