//! Enters: config.json of a RoBERTa model. Leaves: its configuration and names (Liu et al. 2019; transformers' `RobertaModel`).
//!
//! The network is [`super::bert`]'s. Positions count from behind the padding's id, which padding itself has; there are no segments;
//! and the head has a hidden layer of its own, `classifier.dense`, in place of BERT's pooler.

use serde_json::Value;

use super::bert::{self, BertSettings};
use super::config::{Architecture, EncoderConfig, field};
use super::family::Family;
use crate::Result;

/// The head's tanh layer.
pub const HIDDEN_LAYER: &str = "classifier.dense";
/// The head's last layer.
pub const LAST_LAYER: &str = "classifier.out_proj";
/// BERT's names and RoBERTa's.
pub const NAMES: &[(&str, &str)] = &[("pooler.dense", HIDDEN_LAYER)];

/// Reads `config.json`, whose keys are BERT's.
///
/// # Errors
/// As [`EncoderConfig::parse`].
pub fn config(value: &Value) -> Result<EncoderConfig> {
    let padding = field(value, "pad_token_id", Some(1))?;
    let bert = bert::config(value)?;
    let rows = bert.max_tokens;
    Ok(EncoderConfig {
        family: Family::Roberta,
        max_tokens: rows.saturating_sub(padding.saturating_add(1)),
        architecture: Architecture::Bert(BertSettings {
            positions: rows,
            position_padding: Some(padding),
            token_types: Some(field(value, "type_vocab_size", Some(2))?),
        }),
        ..bert
    })
}
