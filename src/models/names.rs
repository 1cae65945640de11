//! Enters: a parameter's path in the Rust modules. Leaves: its name in a file. The only place that maps them.

use super::HeadKind;

/// The checkpoint's module name of a path below [`super::Classifier`], `bert.encoder.layer.0.attention.self.query`.
///
/// With a `mean` head the saved model is the bare encoder, whose names have no `bert.`.
pub fn module_name(path: &str, head: HeadKind) -> String {
    let name = path
        .replace(".self_attention.", ".self.")
        .replace(".layer_norm", ".LayerNorm")
        .replace("head.Cls.", "")
        .replace("head.Mean.", "");
    match (head, name.strip_prefix("bert.")) {
        (HeadKind::Mean, Some(bare)) => bare.into(),
        _ => name,
    }
}

/// The key in `adapter_model.safetensors` of a trained parameter's path: PEFT puts `base_model.model.` before the
/// module's name, and writes `lora_A.weight` for what is `delta.lora_a` here. A `mean` head is not PEFT's: its keys
/// are those of the Sentence-Transformers Dense module.
pub fn adapter_key(path: &str, head: HeadKind) -> String {
    let name = module_name(path, head)
        .replace(".delta.lora_a", ".lora_A.weight")
        .replace(".delta.lora_b", ".lora_B.weight");
    match path.starts_with("head.Mean.") {
        true => name,
        false => format!("base_model.model.{name}"),
    }
}

/// Whether a parameter is stored as the transpose of what files hold: all matrices of linear layers and deltas.
pub fn is_transposed(path: &str, dims: usize) -> bool {
    dims == 2 && !path.contains("embeddings.")
}

/// Whether a path belongs to the head and not to the encoder.
pub fn is_head(path: &str) -> bool {
    path.starts_with("head.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_pefts_keys() {
        let path = "bert.encoder.layer.0.attention.self_attention.query.delta.lora_a";
        assert_eq!(
            adapter_key(path, HeadKind::Cls),
            "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight"
        );
        assert_eq!(
            adapter_key(path, HeadKind::Mean),
            "base_model.model.encoder.layer.0.attention.self.query.lora_A.weight"
        );
        assert_eq!(
            adapter_key("head.Cls.classifier.bias", HeadKind::Cls),
            "base_model.model.classifier.bias"
        );
        assert_eq!(
            adapter_key("head.Mean.linear.weight", HeadKind::Mean),
            "linear.weight"
        );
    }
}
