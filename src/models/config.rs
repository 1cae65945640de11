//! Reads a config.json: finds the model's family and lets that family's file read the rest.

use super::backbone_config::{Architecture, BackboneConfig};
use super::decoder_config::DecoderConfig;
use super::family::{DecoderFamily, Family};
use super::fields::{Fields, MAX_LAYERS};
use super::{bert, distilbert, gemma3, gpt2, llama, modernbert_config, qwen2, qwen3, roberta};
use crate::{Error, Result};

// The functions that read are here and not next to the types, because every family's file names these.
impl DecoderConfig {
    /// Reads and checks the `config.json` of a language model.
    ///
    /// # Errors
    /// [`crate::Error::InvalidFile`] for anything but a JSON object, [`crate::Error::UnsupportedModel`] naming what is not built here.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let fields = Fields::parse(json)?;
        let named = fields.family();
        match Family::from_model_type(named) {
            Some(Family::Decoder(family)) => decoder(&fields, family),
            _ => Err(Error::unsupported(format!(
                "model_type is \"{named}\"; supported language models are {}",
                DecoderFamily::ALL.map(DecoderFamily::model_type).join(", ")
            ))),
        }
    }
}

fn decoder(fields: &Fields, family: DecoderFamily) -> Result<DecoderConfig> {
    match family {
        DecoderFamily::Llama => llama::config(fields),
        DecoderFamily::Qwen2 => qwen2::config(fields),
        DecoderFamily::Qwen3 => qwen3::config(fields),
        DecoderFamily::Gemma3 => gemma3::config(fields),
        DecoderFamily::Gpt2 => gpt2::config(fields),
    }
}

impl BackboneConfig {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// [`crate::Error::InvalidFile`] for anything but a JSON object with the needed numbers, [`crate::Error::UnsupportedModel`] for
    /// another family, activation, position scheme or an impossible number.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let fields = Fields::parse(json)?;
        let word = fields.family();
        let config = match Family::from_model_type(word) {
            Some(Family::Bert) => bert::config(&fields),
            Some(Family::Roberta) => roberta::config(&fields),
            Some(Family::Distilbert) => distilbert::config(&fields),
            Some(Family::Modernbert) => modernbert_config::config(&fields),
            Some(Family::Decoder(family)) => return below_head(&fields, decoder(&fields, family)?),
            None => Err(Error::unsupported(format!(
                "model_type is \"{word}\"; supported are the encoders {} and the language models {}",
                quoted(Family::ENCODERS.map(Family::model_type)),
                quoted(DecoderFamily::ALL.map(DecoderFamily::model_type))
            ))),
        }?;
        check(&config)?;
        Ok(config)
    }
}

/// A language model's configuration as a classifier sees it.
fn below_head(fields: &Fields, settings: DecoderConfig) -> Result<BackboneConfig> {
    Ok(BackboneConfig {
        family: Family::Decoder(settings.family),
        vocab_size: settings.vocab_size,
        hidden_size: settings.hidden_size,
        num_hidden_layers: settings.layers.len(),
        num_attention_heads: settings.num_attention_heads,
        intermediate_size: settings.intermediate_size,
        max_tokens: settings.max_position_embeddings,
        norm_eps: settings.norm_eps,
        initializer_range: settings.initializer_range,
        architectures: fields.words("architectures")?.unwrap_or_default(),
        architecture: Architecture::Decoder(Box::new(settings)),
    })
}

fn check(config: &BackboneConfig) -> Result<()> {
    let (layers, hidden) = (config.num_hidden_layers, config.hidden_size);
    if layers > MAX_LAYERS {
        return Err(Error::unsupported(format!(
            "num_hidden_layers is {layers}, more than {MAX_LAYERS}"
        )));
    }
    if !hidden.is_multiple_of(config.num_attention_heads) {
        return Err(Error::unsupported(format!(
            "hidden_size {hidden} is not a multiple of num_attention_heads {}",
            config.num_attention_heads
        )));
    }
    Ok(())
}

fn quoted<const N: usize>(words: [&str; N]) -> String {
    words.map(|word| format!("\"{word}\"")).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl Fn(&mut serde_json::Value)) -> Result<BackboneConfig> {
        let mut value = serde_json::json!({
            "model_type": "bert", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 4
        });
        change(&mut value);
        BackboneConfig::parse(value.to_string().as_bytes())
    }

    #[test]
    fn names_what_it_does_not_support() {
        for (key, value, words) in [
            (
                "model_type",
                serde_json::json!("t5"),
                "model_type is \"t5\"",
            ),
            ("hidden_act", serde_json::json!("relu"), "hidden_act"),
            ("num_attention_heads", serde_json::json!(3), "multiple"),
            ("hidden_size", serde_json::json!(0), "hidden_size is 0"),
            ("is_decoder", serde_json::json!(true), "is_decoder"),
            (
                "position_embedding_type",
                serde_json::json!("relative_key"),
                "relative_key",
            ),
        ] {
            let error = config(|config| config[key] = value.clone()).unwrap_err();
            assert!(error.to_string().contains(words), "{key}: {error}");
        }
        assert!(config(|_| ()).is_ok());
        assert_eq!(
            BackboneConfig::parse(b"[").unwrap_err().code(),
            "invalidFile"
        );
    }

    #[test]
    fn families_have_their_own_keys() {
        let parse = |value: serde_json::Value| BackboneConfig::parse(value.to_string().as_bytes());
        let roberta = |change: &str, to: serde_json::Value| {
            let mut value = serde_json::json!({
                "model_type": "roberta", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 1,
                "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 514
            });
            value[change] = to;
            parse(value)
        };
        // texts start after the padding's position, 1 unless the file says otherwise
        assert_eq!(roberta("pad_token_id", 1.into()).unwrap().max_tokens, 512);
        assert_eq!(roberta("use_cache", true.into()).unwrap().max_tokens, 512);
        assert_eq!(roberta("pad_token_id", 9.into()).unwrap().max_tokens, 504);
        let distilbert = |change: &str, to: serde_json::Value| {
            let mut value = serde_json::json!({"model_type": "distilbert", "vocab_size": 10});
            value[change] = to;
            parse(value)
        };
        let config = distilbert("dim", 96.into()).unwrap();
        assert_eq!((config.hidden_size, config.intermediate_size), (96, 3072));
        assert_eq!(
            (config.num_hidden_layers, config.num_attention_heads),
            (6, 12)
        );
        for (found, words) in [
            (roberta("hidden_act", "relu".into()), "hidden_act"),
            (roberta("is_decoder", true.into()), "is_decoder"),
            (roberta("max_position_embeddings", 2.into()), "position 2"),
            (distilbert("activation", "relu".into()), "activation"),
            (
                distilbert("sinusoidal_pos_embds", true.into()),
                "sinusoidal",
            ),
            (distilbert("n_heads", 7.into()), "multiple"),
        ] {
            let error = found.unwrap_err();
            assert_eq!(error.code(), "unsupportedModel", "{words}");
            assert!(error.to_string().contains(words), "{words}: {error}");
        }
    }
}
