//! Which tensor of a GGUF file is which of Transformers', and what llama.cpp's converter did to its values.

use std::collections::BTreeMap;

use crate::formats::{GgufTensor, GgufTensors, Metadata, Undo};
use crate::models::decoder_config::DecoderConfig;
use crate::models::family::DecoderFamily;
use crate::models::names::name_of_gguf;
use crate::models::network::layer_of;
use crate::{Error, Result};

/// Llama 3's stretched positions, as factors; the only tensor that is no weight.
pub(super) const ROPE_FACTORS: &str = "rope_freqs.weight";

/// The weights of a file.
///
/// # Errors
/// [`Error::UnsupportedFile`] for a tensor that the architecture does not have: to leave it out would be another model. As
/// [`GgufTensors::add`].
pub(super) fn tensors(
    metadata: &Metadata,
    family: DecoderFamily,
    stored: &BTreeMap<String, GgufTensor>,
) -> Result<GgufTensors> {
    let word = family.gguf_architecture();
    let count = |key: &str| metadata.whole(&format!("{word}.attention.{key}"));
    let all = count("head_count")?.unwrap_or(0);
    let heads = [all, count("head_count_kv")?.unwrap_or(all)];
    let heads = heads.map(|heads| usize::try_from(heads).unwrap_or(0));
    let mut found = GgufTensors::new(metadata.file());
    for (name, tensor) in stored.iter().filter(|(name, _)| *name != ROPE_FACTORS) {
        let known = name.rsplit_once('.').and_then(|(module, end)| {
            let own = name_of_gguf(module, family)?;
            Some((format!("{own}.{end}"), undo(family, module, end, heads)))
        });
        let Some((own, undo)) = known else {
            return Err(Error::UnsupportedFile {
                file: metadata.file().into(),
                reason: format!("a {word} model has no tensor {name} that is known here"),
            });
        };
        found.add(own, tensor, undo)?;
    }
    Ok(found)
}

/// What `convert_hf_to_gguf.py` did. `heads`: those of the queries and those of the keys.
fn undo(family: DecoderFamily, module: &str, end: &str, heads: [usize; 2]) -> Undo {
    let module = module.rsplit('.').next().unwrap_or(module);
    let is_weight = end == "weight";
    match (family, module) {
        (DecoderFamily::Llama, "attn_q") => Undo::HeadRows(heads[0]),
        (DecoderFamily::Llama, "attn_k") => Undo::HeadRows(heads[1]),
        (DecoderFamily::Gemma3, norm) if is_weight && norm.ends_with("norm") => Undo::PlusOne,
        (DecoderFamily::Gpt2, "attn_qkv" | "attn_output" | "ffn_up" | "ffn_down") if is_weight => {
            Undo::Transposition
        }
        _ => Undo::Nothing,
    }
}

/// Refuses a weight that a model of that configuration does not read: it would be another model without it.
///
/// # Errors
/// [`Error::UnsupportedFile`].
pub(super) fn check_used(file: &str, tensors: &GgufTensors, config: &DecoderConfig) -> Result<()> {
    let is_gpt2 = config.family == DecoderFamily::Gpt2;
    let is_used = |name: &str| {
        if layer_of(name).is_some_and(|layer| layer >= config.layers.len()) {
            return false;
        }
        let (module, end) = name.rsplit_once('.').unwrap_or((name, ""));
        let module = module.rsplit('.').next().unwrap_or(module);
        match (module, end) {
            ("q_norm" | "k_norm", "weight") => config.qk_norm,
            (_, "weight") => true,
            ("wte" | "wpe" | "lm_head", "bias") => false,
            (_, "bias") if is_gpt2 => true,
            ("q_proj" | "k_proj" | "v_proj", "bias") => config.qkv_bias,
            ("o_proj", "bias") => config.output_bias,
            ("gate_proj" | "up_proj" | "down_proj", "bias") => config.mlp_bias,
            _ => false,
        }
    };
    match tensors.names().find(|name| !is_used(name)) {
        None => Ok(()),
        Some(name) => Err(Error::UnsupportedFile {
            file: file.into(),
            reason: format!("{name} has no place in the model that its metadata describe"),
        }),
    }
}
