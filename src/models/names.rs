//! Enters: a parameter's path in the Rust modules. Leaves: its name in a file. Methods' own words: `peft::keys`.

use super::HeadKind;
use super::family::Family;
use super::network::{Place, layer_of};

/// What the Rust paths of the networks below a head begin with: a classifier's, then a language model's.
const BODIES: [&str; 4] = [
    "encoder.Bert.",
    "encoder.Modernbert.",
    "encoder.Decoder.",
    "model.",
];

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

/// The part of a network of that many layers that a path belongs to.
pub fn place(path: &str, layers: usize) -> Place {
    if is_head(path) || is_pooler(path) || path.starts_with("lm_head.") {
        return Place::Top;
    }
    // the number in such a path is the part's, not a layer's
    if is_table_part(path) {
        return Place::Embeddings;
    }
    let last = layers.checked_sub(1).filter(|_| is_last_norm(path));
    let layer = layer_of(path).or(last);
    layer.map_or(Place::Embeddings, Place::Layer)
}

/// Whether a path belongs to the norm above all layers.
fn is_last_norm(path: &str) -> bool {
    let below = BODIES.iter().find_map(|body| path.strip_prefix(body));
    below.is_some_and(|name| name.starts_with("norm.") || name.starts_with("final_norm."))
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

/// Whether a path belongs to a classifier's last layer and not to the network below it.
pub fn is_head(path: &str) -> bool {
    path.starts_with("head.")
}

/// Whether a path or name belongs to what a `cls` head has below its last layer.
pub fn is_pooler(path: &str) -> bool {
    path.split('.').any(|part| part == "pooler")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_place() {
        use Place::{Embeddings, Layer, Top};
        for (path, expected) in [
            ("encoder.Bert.embeddings.layer_norm.bias", Embeddings),
            ("encoder.Bert.encoder.layer.3.output.dense.bias", Layer(3)),
            ("encoder.Bert.pooler.dense.weight", Top),
            ("head.Mean.linear.bias", Top),
            ("encoder.Modernbert.embeddings.norm.weight", Embeddings),
            ("encoder.Modernbert.layers.0.mlp_norm.weight", Layer(0)),
            ("encoder.Modernbert.final_norm.weight", Layer(5)),
            ("encoder.Modernbert.pooler.norm.weight", Top),
            ("encoder.Decoder.embed_tokens.parts.2", Embeddings),
            ("encoder.Decoder.layers.2.Gpt2.ln_1.weight", Layer(2)),
            ("encoder.Decoder.norm.Rms.weight", Layer(5)),
            ("model.embed_tokens.parts.2", Embeddings),
            ("model.position_embeddings.weight", Embeddings),
            (
                "model.layers.4.Llama.self_attn.q_proj.delta.lora_a",
                Layer(4),
            ),
            ("model.layers.4.Llama.self_attn.q_norm.weight", Layer(4)),
            ("model.norm.Layer.bias", Layer(5)),
            ("lm_head.parts.1", Top),
        ] {
            assert_eq!(place(path, 6), expected, "{path}");
        }
    }
}
