//! Enters: config.json, and modules.json where there is one. Leaves: a checked configuration and the head it asks for.

use super::bert::BertSettings;
use super::decoder::{self, DecoderConfig};
use super::family::Family;
use super::fields::Fields;
use super::modernbert_config::{self, ModernbertSettings};
use super::{HeadKind, bert, distilbert, roberta};
use crate::{Error, Result};

/// `config.json` of the network below a classifier, by BERT's names.
#[derive(Debug, Clone)]
pub struct BackboneConfig {
    /// Whose names the files use.
    pub family: Family,
    /// Rows of the word table.
    pub vocab_size: usize,
    /// Width of every position's vector.
    pub hidden_size: usize,
    /// Transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads in each layer; divides an encoder's `hidden_size`.
    pub num_attention_heads: usize,
    /// Width between the two feed-forward layers.
    pub intermediate_size: usize,
    /// Longest text in tokens.
    pub max_tokens: usize,
    /// Added to the variance in layer norms.
    pub norm_eps: f64,
    /// Standard deviation of fresh weights.
    pub initializer_range: f64,
    /// The classes that the file names.
    pub architectures: Vec<String>,
    /// What the network itself has beyond these numbers.
    pub architecture: Architecture,
}

/// Which network.
#[derive(Debug, Clone)]
pub enum Architecture {
    Bert(BertSettings),
    Modernbert(ModernbertSettings),
    Decoder(Box<DecoderConfig>),
}

/// No known encoder comes near it; it keeps the products of sizes below 2^64.
pub(super) const MAX_LAYERS: usize = 1000;

impl BackboneConfig {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for anything but a JSON object with the needed numbers, [`Error::UnsupportedModel`] for
    /// another family, activation, position scheme or an impossible number.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let fields = Fields::parse(json)?;
        let word = fields.family();
        let config = match Family::from_model_type(word) {
            Some(Family::Bert) => bert::config(&fields),
            Some(Family::Roberta) => roberta::config(&fields),
            Some(Family::Distilbert) => distilbert::config(&fields),
            Some(Family::Modernbert) => modernbert_config::config(&fields),
            Some(Family::Decoder(_)) => return Self::of_decoder(json, &fields),
            None => Err(Error::unsupported(format!(
                "model_type is \"{word}\"; supported are the encoders {} and the language models {}",
                quoted(Family::ENCODERS.map(Family::model_type)),
                quoted(decoder::DecoderFamily::ALL.map(decoder::DecoderFamily::word))
            ))),
        }?;
        config.check()?;
        Ok(config)
    }

    fn of_decoder(json: &[u8], fields: &Fields) -> Result<Self> {
        let settings = DecoderConfig::parse(json)?;
        Ok(Self {
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

    fn check(&self) -> Result<()> {
        if self.num_hidden_layers > MAX_LAYERS {
            return Err(Error::unsupported(format!(
                "num_hidden_layers is {}, more than {MAX_LAYERS}",
                self.num_hidden_layers
            )));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(Error::unsupported(format!(
                "hidden_size {} is not a multiple of num_attention_heads {}",
                self.hidden_size, self.num_attention_heads
            )));
        }
        Ok(())
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
            let named = self.architectures.first();
            let named = named.map_or("no architecture", String::as_str);
            let reason =
                format!("config.json names {named}, without a sentence-transformers modules.json");
            return Ok((HeadKind::Cls, reason));
        }
        let Some(json) = pooling_json else {
            let reason = "modules.json makes it a sentence-transformers model, whose usual pooling is the mean";
            return Ok((HeadKind::Mean, reason.into()));
        };
        let pooling: serde_json::Value = serde_json::from_slice(json)
            .map_err(|error| Error::file("1_Pooling/config.json", error))?;
        // older files have a switch per mode, newer ones a word
        let is = |mode: &str| {
            let switch = format!("pooling_mode_{mode}_tokens");
            let single = format!("pooling_mode_{mode}_token");
            [switch, single]
                .iter()
                .any(|key| pooling[key.as_str()] == true)
                || pooling["pooling_mode"] == mode
        };
        let last = is("lasttoken") || pooling["pooling_mode_lasttoken"] == true;
        Ok(match (is("mean"), is("cls")) {
            (true, _) => (
                HeadKind::Mean,
                "its pooling module takes the mean of the tokens".into(),
            ),
            (_, true) => (HeadKind::Cls, "its pooling module takes the [CLS] token".into()),
            _ if last && matches!(self.family, Family::Decoder(_)) => {
                (HeadKind::Cls, "its pooling module takes the last token".into())
            }
            _ => (
                HeadKind::Mean,
                "its pooling module takes neither the mean nor the [CLS] token; the mean is the nearest".into(),
            ),
        })
    }
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
        // texts start behind the padding's position, 1 unless the file says otherwise
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
