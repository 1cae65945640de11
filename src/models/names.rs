//! Enters: a parameter's path in the Rust modules. Leaves: its name in a file. Methods' own words: `peft::keys`.

use super::HeadKind;
use super::family::Family;

/// The checkpoint's name of a path below [`super::Classifier`]: `bert.encoder.layer.0.attention.self.query` for
/// `encoder.Bert.encoder.layer.0.attention.self_attention.query`.
///
/// With a `mean` head the saved model is the bare encoder, whose names have no `bert.`.
pub fn module_name(path: &str, family: Family, head: HeadKind) -> String {
    let name = path
        .replace(".self_attention.", ".self.")
        .replace(".layer_norm", ".LayerNorm");
    let body = ["encoder.Bert.", "encoder.Modernbert.", "encoder.Decoder."]
        .iter()
        .find_map(|module| name.strip_prefix(module));
    match (body, head) {
        (Some(bare), HeadKind::Mean) => family.name(bare),
        (Some(bare), HeadKind::Cls) => family.with_prefix(&family.name(bare)),
        (None, _) => name
            .replace("head.Cls.classifier", family.last_layer())
            .replace("head.Mean.", ""),
    }
}

/// Whether a parameter is stored as the transpose of what files hold: all matrices of linear layers and deltas, but for GPT-2's own, which
/// its files hold as they are here.
pub fn is_transposed(path: &str, dims: usize) -> bool {
    let table = path.contains("embeddings.") || is_table_part(path);
    let conv1d = path.contains(".Gpt2.") && !is_delta(path);
    dims == 2 && !table && !conv1d && !is_prefix(path)
}

/// Whether a path is a part of a table of words that is kept in parts.
pub fn is_table_part(path: &str) -> bool {
    path.contains(".parts.")
}

/// Whether a path belongs to a LoRA delta.
pub fn is_delta(path: &str) -> bool {
    path.contains(".delta.")
}

/// Whether a path belongs to a bottleneck.
pub fn is_bottleneck(path: &str) -> bool {
    path.contains(".adapter.adapter_")
}

/// Whether a path belongs to a learned prefix.
pub fn is_prefix(path: &str) -> bool {
    path.contains(".prefix.")
}

/// Whether a path is a bias or belongs to a norm, which weight decay usually spares.
pub fn is_bias_or_norm(path: &str) -> bool {
    path.ends_with(".bias") || path.contains("norm.") || path.contains(".ln_")
}

/// Whether a path belongs to the head's last layer and not to the encoder.
pub fn is_head(path: &str) -> bool {
    path.starts_with("head.")
}

/// Whether a path or name belongs to what a `cls` head has below its last layer.
pub fn is_pooler(path: &str) -> bool {
    path.split('.').any(|part| part == "pooler")
}
