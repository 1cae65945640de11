//! Which tensor of a GGUF file is which of Transformers', and what llama.cpp's converter did to its values.

use std::collections::BTreeMap;

use crate::formats::{GgufTensor, GgufTensors, Metadata, Undo};
use crate::models::family::DecoderFamily;
use crate::models::names::name_of_gguf;
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
