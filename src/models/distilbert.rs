//! DistilBERT's configuration (Sanh et al. 2019; transformers' `DistilBertModel`).
//!
//! The network is [`super::bert`]'s without segments and under other names. The head has a hidden layer of its own, `pre_classifier`
//! with ReLU, in place of BERT's pooler.

use super::backbone_config::{Architecture, BackboneConfig, BertSettings};
use super::family::Family;
use super::fields::Fields;
use crate::Result;

/// Reads `config.json`; defaults are transformers' `DistilBertConfig`.
///
/// # Errors
/// As [`BackboneConfig::parse`].
pub fn config(fields: &Fields) -> Result<BackboneConfig> {
    fields.only("activation", &["gelu".into()])?;
    // transformers would not train such positions
    fields.only("sinusoidal_pos_embds", &[false.into()])?;
    let positions = fields.size("max_position_embeddings", Some(512))?;
    Ok(BackboneConfig {
        family: Family::Distilbert,
        vocab_size: fields.size("vocab_size", Some(30522))?,
        hidden_size: fields.size("dim", Some(768))?,
        num_hidden_layers: fields.size("n_layers", Some(6))?,
        num_attention_heads: fields.size("n_heads", Some(12))?,
        intermediate_size: fields.size("hidden_dim", Some(3072))?,
        max_tokens: positions,
        // fixed in transformers' code
        norm_eps: 1e-12,
        initializer_range: fields.positive("initializer_range", 0.02)?,
        architectures: fields.words("architectures")?.unwrap_or_default(),
        architecture: Architecture::Bert(BertSettings {
            positions,
            position_padding: None,
            token_types: None,
        }),
    })
}
