//! Enters: config.json, and modules.json where there is one. Leaves: a checked configuration and the head it asks for.

use serde::Deserialize;

use super::HeadKind;
use crate::{Error, Result};

/// `config.json` of a BERT model, by Hugging Face's names; defaults are transformers' `EncoderConfig`.
#[derive(Debug, Clone, Deserialize)]
pub struct EncoderConfig {
    /// Rows of the word table.
    pub vocab_size: usize,
    /// Width of every position's vector.
    pub hidden_size: usize,
    /// Transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads in each layer; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width between the two feed-forward layers.
    pub intermediate_size: usize,
    /// Longest text in tokens.
    pub max_position_embeddings: usize,
    /// Rows of the segment table.
    #[serde(default = "two")]
    pub type_vocab_size: usize,
    /// Added to the variance in layer norms.
    #[serde(default = "default_eps")]
    pub layer_norm_eps: f64,
    /// Standard deviation of fresh weights.
    #[serde(default = "default_range")]
    pub initializer_range: f64,
    #[serde(default = "default_act")]
    hidden_act: String,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default)]
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

/// No known encoder comes near it; it keeps the products of sizes below 2^64.
const MAX_LAYERS: usize = 1000;

fn two() -> usize {
    2
}
fn default_eps() -> f64 {
    1e-12
}
fn default_range() -> f64 {
    0.02
}
fn default_act() -> String {
    "gelu".into()
}

impl EncoderConfig {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for anything but a JSON object with the needed numbers, [`Error::UnsupportedModel`] for
    /// another family, activation, position scheme or an impossible number.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let invalid = |reason: String| Error::InvalidFile {
            file: "config.json".into(),
            reason,
        };
        let value: serde_json::Value =
            serde_json::from_slice(json).map_err(|error| invalid(error.to_string()))?;
        let family = value
            .get("model_type")
            .and_then(|family| family.as_str())
            .unwrap_or("none");
        if family != "bert" {
            return Err(unsupported(format!(
                "model_type is \"{family}\"; only \"bert\" is supported"
            )));
        }
        let config: Self =
            serde_json::from_value(value).map_err(|error| invalid(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        for (name, size) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ] {
            if size == 0 || size > 1 << 24 {
                return Err(unsupported(format!("{name} is {size}")));
            }
        }
        if self.num_hidden_layers > MAX_LAYERS {
            return Err(unsupported(format!(
                "num_hidden_layers is {}, more than {MAX_LAYERS}",
                self.num_hidden_layers
            )));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(unsupported(format!(
                "hidden_size {} is not a multiple of num_attention_heads {}",
                self.hidden_size, self.num_attention_heads
            )));
        }
        if self.hidden_act != "gelu" {
            return Err(unsupported(format!(
                "hidden_act is \"{}\"; only \"gelu\" is supported",
                self.hidden_act
            )));
        }
        match self.position_embedding_type.as_deref() {
            None | Some("absolute") => {}
            Some(other) => {
                return Err(unsupported(format!(
                    "position_embedding_type is \"{other}\"; only \"absolute\" is supported"
                )));
            }
        }
        if self.is_decoder {
            return Err(unsupported(
                "is_decoder is true; only encoders are supported".into(),
            ));
        }
        Ok(())
    }

    /// Numbers in the encoder, the pooler left out.
    pub fn parameters(&self) -> u64 {
        let [h, i] = [self.hidden_size, self.intermediate_size].map(|n| n as u64);
        let tables = (self.vocab_size + self.max_position_embeddings + self.type_vocab_size) as u64;
        let layer = 4 * (h * h + h) + 2 * h * i + i + h + 4 * h;
        tables * h + 2 * h + self.num_hidden_layers as u64 * layer
    }

    /// The head that the model's own files ask for, and why.
    ///
    /// `modules_json` is a Sentence-Transformers folder's `modules.json`, `pooling_json` its pooling module's
    /// `config.json`.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for a pooling configuration that is not JSON.
    pub fn default_head(
        &self,
        modules_json: Option<&[u8]>,
        pooling_json: Option<&[u8]>,
    ) -> Result<(HeadKind, String)> {
        if modules_json.is_none() {
            let named = self.architectures.iter().flatten().next();
            let named = named.map_or("no architecture", String::as_str);
            let reason =
                format!("config.json names {named}, without a sentence-transformers modules.json");
            return Ok((HeadKind::Cls, reason));
        }
        let Some(json) = pooling_json else {
            let reason = "modules.json makes it a sentence-transformers model, whose usual pooling is the mean";
            return Ok((HeadKind::Mean, reason.into()));
        };
        let pooling: serde_json::Value =
            serde_json::from_slice(json).map_err(|error| Error::InvalidFile {
                file: "1_Pooling/config.json".into(),
                reason: error.to_string(),
            })?;
        // older files have a switch per mode, newer ones a word
        let is = |mode: &str| {
            let switch = format!("pooling_mode_{mode}_tokens");
            let single = format!("pooling_mode_{mode}_token");
            [switch, single]
                .iter()
                .any(|key| pooling[key.as_str()] == true)
                || pooling["pooling_mode"] == mode
        };
        Ok(match (is("mean"), is("cls")) {
            (true, _) => (
                HeadKind::Mean,
                "its pooling module takes the mean of the tokens".into(),
            ),
            (_, true) => (HeadKind::Cls, "its pooling module takes the [CLS] token".into()),
            _ => (
                HeadKind::Mean,
                "its pooling module takes neither the mean nor the [CLS] token; the mean is the nearest".into(),
            ),
        })
    }
}

fn unsupported(reason: String) -> Error {
    Error::UnsupportedModel { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl Fn(&mut serde_json::Value)) -> Result<EncoderConfig> {
        let mut value = serde_json::json!({
            "model_type": "bert", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 4
        });
        change(&mut value);
        EncoderConfig::parse(value.to_string().as_bytes())
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
            EncoderConfig::parse(b"[").unwrap_err().code(),
            "invalidFile"
        );
    }

    #[test]
    fn head_follows_the_files() {
        let config = config(|_| ()).unwrap();
        let head =
            |modules: Option<&[u8]>, pooling: Option<&[u8]>| config.default_head(modules, pooling);
        assert_eq!(head(None, None).unwrap().0, HeadKind::Cls);
        assert_eq!(head(Some(b"[]"), None).unwrap().0, HeadKind::Mean);
        for (pooling, kind, words) in [
            (
                r#"{"pooling_mode_cls_token": true}"#,
                HeadKind::Cls,
                "[CLS]",
            ),
            (r#"{"pooling_mode": "cls"}"#, HeadKind::Cls, "[CLS]"),
            (
                r#"{"pooling_mode_mean_tokens": true}"#,
                HeadKind::Mean,
                "takes the mean",
            ),
            (
                r#"{"pooling_mode_max_tokens": true}"#,
                HeadKind::Mean,
                "neither",
            ),
        ] {
            let (found, reason) = head(Some(b"[]"), Some(pooling.as_bytes())).unwrap();
            assert_eq!(found, kind, "{pooling}");
            assert!(reason.contains(words), "{pooling}: {reason}");
        }
        assert_eq!(
            head(Some(b"[]"), Some(b"{")).unwrap_err().code(),
            "invalidFile"
        );
    }
}
