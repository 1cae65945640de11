//! ModernBERT's configuration.

use super::backbone_config::{Architecture, BackboneConfig, ModernbertSettings, Pooling, Span};
use super::family::Family;
use super::fields::{Fields, MAX_LAYERS};
use crate::{Error, Result};

/// Reads `config.json`; defaults are transformers' `ModernBertConfig`. Rotary settings are read as transformers 5 nests them and
/// as older files have them.
///
/// # Errors
/// As [`BackboneConfig::parse`].
pub fn config(fields: &Fields) -> Result<BackboneConfig> {
    for name in ["hidden_activation", "classifier_activation"] {
        fields.only(name, &["gelu".into()])?;
    }
    for name in ["attention_bias", "mlp_bias", "norm_bias", "classifier_bias"] {
        fields.only(name, &[false.into()])?;
    }
    fields.only("rope_scaling", &[])?;
    let count = fields.size("num_hidden_layers", Some(22))?;
    let hidden_size = fields.size("hidden_size", Some(768))?;
    let num_attention_heads = fields.size("num_attention_heads", Some(12))?;
    let width = hidden_size / num_attention_heads;
    if !width.is_multiple_of(2) {
        return Err(Error::unsupported(format!(
            "a head is {width} wide; rotary positions need an even width"
        )));
    }
    fields.only("head_dim", &[width.into()])?;
    fields.only("classifier_pooling", &["cls".into(), "mean".into()])?;
    let pooling = fields.get("classifier_pooling");
    Ok(BackboneConfig {
        family: Family::Modernbert,
        vocab_size: fields.size("vocab_size", Some(50368))?,
        hidden_size,
        num_hidden_layers: count,
        num_attention_heads,
        intermediate_size: fields.size("intermediate_size", Some(1152))?,
        max_tokens: fields.size("max_position_embeddings", Some(8192))?,
        norm_eps: fields.positive("norm_eps", 1e-5)?,
        initializer_range: fields.positive("initializer_range", 0.02)?,
        architectures: fields.words("architectures")?.unwrap_or_default(),
        architecture: Architecture::Modernbert(ModernbertSettings {
            layers: layer_types(fields, count)?,
            reach: fields.size("local_attention", Some(128))? / 2,
            thetas: [
                theta(fields, "full_attention", "global_rope_theta", 160_000.0)?,
                theta(fields, "sliding_attention", "local_rope_theta", 10_000.0)?,
            ],
            pooling: if pooling.is_some_and(|word| word == "mean") {
                Pooling::Mean
            } else {
                Pooling::Cls
            },
        }),
    })
}

/// `layer_types`, or the older `global_attn_every_n_layers`.
fn layer_types(fields: &Fields, count: usize) -> Result<Vec<Span>> {
    let Some(words) = fields.words("layer_types")? else {
        let every = fields.size("global_attn_every_n_layers", Some(3))?;
        return Ok((0..count.min(MAX_LAYERS + 1))
            .map(|layer| match layer % every {
                0 => Span::Full,
                _ => Span::Sliding,
            })
            .collect());
    };
    if words.len() != count {
        return Err(Error::unsupported(format!(
            "layer_types names {} layers, but num_hidden_layers is {count}",
            words.len()
        )));
    }
    words
        .iter()
        .map(|word| match word.as_str() {
            "full_attention" => Ok(Span::Full),
            "sliding_attention" => Ok(Span::Sliding),
            other => Err(Error::unsupported(format!(
                "layer_types has \"{other}\"; only \"full_attention\" and \"sliding_attention\" are supported"
            ))),
        })
        .collect()
}

/// The base of one kind of layers' frequencies: nested in `rope_parameters`, or at the top under its older name.
fn theta(fields: &Fields, kind: &str, older: &str, default: f64) -> Result<f64> {
    let default = fields.positive(older, default)?;
    let nested = match fields.object("rope_parameters")? {
        Some(all) => all.object(kind)?,
        None => None,
    };
    match nested {
        Some(nested) => {
            nested.only("rope_type", &["default".into()])?;
            nested.positive("rope_theta", default)
        }
        None => Ok(default),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings(more: Value) -> Result<ModernbertSettings> {
        let mut file = json!({"model_type": "modernbert", "num_hidden_layers": 4});
        if let (Some(file), Some(more)) = (file.as_object_mut(), more.as_object()) {
            file.extend(more.clone());
        }
        match BackboneConfig::parse(file.to_string().as_bytes())?.architecture {
            Architecture::Modernbert(settings) => Ok(settings),
            _ => Err(Error::unsupported("it is no ModernBERT")),
        }
    }

    #[test]
    fn both_ways_of_writing_positions_and_layers_are_read() {
        use Span::{Full, Sliding};
        let plain = settings(json!({})).unwrap();
        assert_eq!(plain.layers, [Full, Sliding, Sliding, Full]);
        assert_eq!((plain.reach, plain.pooling), (64, Pooling::Cls));
        assert_eq!(plain.thetas, [160_000.0, 10_000.0]);
        let older = settings(json!({
            "global_rope_theta": 5e4, "local_rope_theta": 2e4, "global_attn_every_n_layers": 2,
            "local_attention": 10, "classifier_pooling": "mean"
        }))
        .unwrap();
        assert_eq!(older.layers, [Full, Sliding, Full, Sliding]);
        assert_eq!((older.reach, older.pooling), (5, Pooling::Mean));
        assert_eq!(older.thetas, [5e4, 2e4]);
        let nested = settings(json!({
            "layer_types": ["full_attention", "full_attention", "sliding_attention", "full_attention"],
            "rope_parameters": {
                "full_attention": {"rope_type": "default", "rope_theta": 3e4},
                "sliding_attention": {"rope_type": "default", "rope_theta": 4e4}
            }
        }))
        .unwrap();
        assert_eq!(nested.layers, [Full, Full, Sliding, Full]);
        assert_eq!(nested.thetas, [3e4, 4e4]);
    }

    #[test]
    fn what_would_change_the_maths_is_refused_by_name() {
        for (more, words) in [
            (json!({"hidden_activation": "relu"}), "hidden_activation"),
            (
                json!({"classifier_activation": "silu"}),
                "classifier_activation",
            ),
            (json!({"attention_bias": true}), "attention_bias"),
            (json!({"norm_bias": true}), "norm_bias"),
            (json!({"classifier_pooling": "max"}), "classifier_pooling"),
            (json!({"layer_types": ["full_attention"]}), "layer_types"),
            (json!({"rope_scaling": {"factor": 2}}), "rope_scaling"),
            (
                json!({"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}),
                "rope_type",
            ),
            (json!({"num_attention_heads": 256}), "even"),
        ] {
            let error = settings(more.clone()).unwrap_err();
            assert_eq!(error.code(), "unsupportedModel", "{more}");
            assert!(error.to_string().contains(words), "{more}: {error}");
        }
    }
}
