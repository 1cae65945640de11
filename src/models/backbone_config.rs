//! The configuration of the network below a classifier, and the head that the model's files ask for.

use super::decoder_config::DecoderConfig;
use super::family::Family;
use super::head::HeadKind;
use super::sentence::SentencePooling;
use crate::Result;

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

/// What BERT's relatives differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BertSettings {
    /// Rows of the position table.
    pub positions: usize,
    /// RoBERTa's padding id: padding has it as its position, and texts count from the next one.
    pub position_padding: Option<usize>,
    /// Rows of the segment table, if there is one.
    pub token_types: Option<usize>,
}

/// What a token of a ModernBERT layer attends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The whole text.
    Full,
    /// Tokens at most `local_attention / 2` places away.
    Sliding,
}

/// What a `cls` head reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The first token.
    Cls,
    /// The mean of the tokens.
    Mean,
}

/// What only ModernBERT's config.json says.
#[derive(Debug, Clone, PartialEq)]
pub struct ModernbertSettings {
    /// One a layer.
    pub layers: Vec<Span>,
    /// How far a sliding layer sees to either side.
    pub reach: usize,
    /// Base of the rotary frequencies in full and in sliding layers.
    pub thetas: [f64; 2],
    pub pooling: Pooling,
}

impl BackboneConfig {
    /// The head that the model's own files ask for, and why.
    ///
    /// `modules_json` is a Sentence-Transformers folder's `modules.json`, `pooling_json` its pooling module's
    /// `config.json`.
    ///
    /// # Errors
    /// [`crate::Error::InvalidFile`] for a pooling configuration that is not JSON.
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
        let pooling = SentencePooling::read(&SentencePooling::file(modules_json), json)?;
        let mean = |words: &str| (HeadKind::Mean, format!("its pooling module takes {words}"));
        let cls = |words: &str| (HeadKind::Cls, format!("its pooling module takes {words}"));
        let is_decoder = matches!(self.family, Family::Decoder(_));
        Ok(match pooling {
            Some(SentencePooling::Mean) => mean("the mean of the tokens"),
            Some(SentencePooling::Cls) => cls("the [CLS] token"),
            Some(SentencePooling::LastToken) if is_decoder => cls("the last token"),
            _ => mean("neither the mean nor the [CLS] token; the mean is the nearest"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_follows_the_files() {
        let json = serde_json::json!({
            "model_type": "bert", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 4
        });
        let config = BackboneConfig::parse(json.to_string().as_bytes()).unwrap();
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
