//! RoBERTa's configuration (Liu et al. 2019; transformers' `RobertaModel`).
//!
//! The network is [`super::bert`]'s. Positions count from the one after the padding's id, which padding itself has; there are no segments;
//! and the head has a hidden layer of its own, `classifier.dense`, in place of BERT's pooler.

use super::backbone_config::{Architecture, BackboneConfig, BertSettings};
use super::bert;
use super::family::Family;
use super::fields::Fields;
use crate::{Error, Result};

/// Reads `config.json`, whose keys are BERT's.
///
/// # Errors
/// As [`BackboneConfig::parse`].
pub fn config(fields: &Fields) -> Result<BackboneConfig> {
    let padding = fields.token_id("pad_token_id", Some(1))?;
    let padding = padding.map_or(1, |id| id as usize);
    let bert = bert::sized(fields, 50265)?;
    let rows = bert.max_tokens;
    if rows <= padding + 1 {
        return Err(Error::unsupported(format!(
            "max_position_embeddings is {rows}, and texts start at position {}",
            padding + 1
        )));
    }
    Ok(BackboneConfig {
        family: Family::Roberta,
        max_tokens: rows - padding - 1,
        architecture: Architecture::Bert(BertSettings {
            positions: rows,
            position_padding: Some(padding),
            token_types: Some(fields.size("type_vocab_size", Some(2))?),
        }),
        ..bert
    })
}
