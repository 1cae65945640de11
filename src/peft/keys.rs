//! The key that a trained parameter has in the method's weight file, from its path in the Rust modules.

use super::adapter_file::TaskType;
use super::houlsby::ADAPTER_NAME;
use super::method::MethodType;

/// PEFT's own name of DoRA's magnitudes.
const MAGNITUDE: &str = ".lora_magnitude_vector";

/// The other name under which a file may hold the tensor of that key.
pub fn other_key(key: &str) -> Option<String> {
    match key.strip_suffix(".weight") {
        Some(module) if module.ends_with(MAGNITUDE) => Some(module.into()),
        None if key.ends_with(MAGNITUDE) => Some(format!("{key}.weight")),
        _ => None,
    }
}

/// The key that a trained parameter has in the method's weight file. `name`: its name in a checkpoint; `has_delta`: whether its module
/// has one.
///
/// PEFT puts `base_model.model.` before the module's name, writes `lora_A.weight` for what is `delta.lora_a` here, and puts a layer
/// with a delta below `base_layer`. AdapterHub and Transformers use the module's name, AdapterHub with the adapter's own in it.
/// A `mean` head is no other library's: its keys are those of the Sentence-Transformers Dense module. PEFT's prefix is one tensor that
/// no path names alone; see [`super::store`].
pub fn file_key(
    path: &str,
    name: &str,
    method: MethodType,
    task: TaskType,
    has_delta: bool,
) -> String {
    if path.starts_with("head.Mean.") {
        return name.into();
    }
    match method {
        MethodType::Full | MethodType::Probe => name.into(),
        MethodType::Houlsby => name
            .replace(
                ".adapter.adapter_down.",
                &format!(".adapters.{ADAPTER_NAME}.adapter_down.0."),
            )
            .replace(
                ".adapter.adapter_up.",
                &format!(".adapters.{ADAPTER_NAME}.adapter_up."),
            ),
        MethodType::Prefix => format!("base_model.{name}"),
        MethodType::Lora => {
            // Sentence-Transformers reads adapters through transformers, which knows the vector by this name alone; PEFT reads both
            let magnitude = match task {
                TaskType::SeqCls | TaskType::CausalLm => MAGNITUDE.to_string(),
                TaskType::FeatureExtraction => format!("{MAGNITUDE}.weight"),
            };
            lora_key(name, &magnitude, has_delta)
        }
    }
}

fn lora_key(name: &str, magnitude: &str, has_delta: bool) -> String {
    let name = name
        .replace(".delta.lora_a", ".lora_A.weight")
        .replace(".delta.lora_b", ".lora_B.weight")
        .replace(".delta.magnitude", magnitude);
    match name.strip_suffix(".bias") {
        Some(module) if has_delta => format!("base_model.model.{module}.base_layer.bias"),
        _ => format!("base_model.model.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::names::module_name;
    use crate::models::{Family, HeadKind};

    fn key(path: &str, method: MethodType, family: Family, head: HeadKind, delta: bool) -> String {
        let name = module_name(path, family, head);
        file_key(path, &name, method, TaskType::of_head(head), delta)
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn paths_become_the_keys_of_each_format() {
        use HeadKind::{Cls, Mean};
        use MethodType::{Full, Houlsby, Lora, Prefix};
        let query = "encoder.Bert.encoder.layer.0.attention.self_attention.query";
        let output = "encoder.Bert.encoder.layer.0.attention.output";
        for (path, method, head, delta, expected) in [
            (
                format!("{query}.delta.lora_a"),
                Lora,
                Cls,
                true,
                "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight",
            ),
            (
                format!("{query}.delta.lora_a"),
                Lora,
                Mean,
                true,
                "base_model.model.encoder.layer.0.attention.self.query.lora_A.weight",
            ),
            (
                format!("{query}.delta.magnitude"),
                Lora,
                Cls,
                true,
                "base_model.model.bert.encoder.layer.0.attention.self.query.lora_magnitude_vector",
            ),
            (
                format!("{query}.delta.magnitude"),
                Lora,
                Mean,
                true,
                "base_model.model.encoder.layer.0.attention.self.query.lora_magnitude_vector.weight",
            ),
            (
                format!("{query}.bias"),
                Lora,
                Cls,
                true,
                "base_model.model.bert.encoder.layer.0.attention.self.query.base_layer.bias",
            ),
            (
                format!("{query}.bias"),
                Lora,
                Cls,
                false,
                "base_model.model.bert.encoder.layer.0.attention.self.query.bias",
            ),
            (
                "head.Cls.classifier.bias".into(),
                Lora,
                Cls,
                false,
                "base_model.model.classifier.bias",
            ),
            (
                "head.Cls.classifier.bias".into(),
                Prefix,
                Cls,
                false,
                "base_model.classifier.bias",
            ),
            (
                "head.Mean.linear.weight".into(),
                Lora,
                Mean,
                false,
                "linear.weight",
            ),
            (
                format!("{output}.adapter.adapter_down.weight"),
                Houlsby,
                Cls,
                false,
                "bert.encoder.layer.0.attention.output.adapters.tune.adapter_down.0.weight",
            ),
            (
                format!("{output}.layer_norm.weight"),
                Full,
                Mean,
                false,
                "encoder.layer.0.attention.output.LayerNorm.weight",
            ),
        ] {
            assert_eq!(key(&path, method, Family::Bert, head, delta), expected);
        }
    }

    #[test]
    fn other_families_have_their_own_names() {
        use Family::{Distilbert, Modernbert, Roberta};
        use HeadKind::{Cls, Mean};
        use MethodType::{Full, Houlsby, Lora, Prefix};
        let layer = "encoder.Bert.encoder.layer.1";
        for (path, method, family, head, expected) in [
            (
                format!("{layer}.attention.self_attention.query.delta.lora_b"),
                Lora,
                Distilbert,
                Cls,
                "base_model.model.distilbert.transformer.layer.1.attention.q_lin.lora_B.weight",
            ),
            (
                format!("{layer}.output.adapter.adapter_down.weight"),
                Houlsby,
                Distilbert,
                Cls,
                "distilbert.transformer.layer.1.output_adapters.adapters.tune.adapter_down.0.weight",
            ),
            (
                format!("{layer}.attention.output.adapter.adapter_up.bias"),
                Houlsby,
                Distilbert,
                Mean,
                "transformer.layer.1.attention_adapters.adapters.tune.adapter_up.bias",
            ),
            (
                "encoder.Bert.pooler.dense.weight".into(),
                Lora,
                Distilbert,
                Cls,
                "base_model.model.pre_classifier.weight",
            ),
            (
                "encoder.Bert.pooler.dense.weight".into(),
                Prefix,
                Roberta,
                Cls,
                "base_model.classifier.dense.weight",
            ),
            (
                "head.Cls.classifier.bias".into(),
                Lora,
                Roberta,
                Cls,
                "base_model.model.classifier.out_proj.bias",
            ),
            (
                format!("{layer}.attention.output.layer_norm.bias"),
                Full,
                Roberta,
                Cls,
                "roberta.encoder.layer.1.attention.output.LayerNorm.bias",
            ),
            (
                "encoder.Modernbert.layers.3.mlp.wo.delta.lora_a".into(),
                Lora,
                Modernbert,
                Cls,
                "base_model.model.model.layers.3.mlp.Wo.lora_A.weight",
            ),
            (
                "encoder.Modernbert.pooler.norm.weight".into(),
                Full,
                Modernbert,
                Cls,
                "head.norm.weight",
            ),
        ] {
            assert_eq!(key(&path, method, family, head, false), expected);
        }
    }

    #[test]
    fn a_magnitude_has_two_names_and_nothing_else_has() {
        let [short, long] = [
            "query.lora_magnitude_vector",
            "query.lora_magnitude_vector.weight",
        ];
        assert_eq!(other_key(short).as_deref(), Some(long));
        assert_eq!(other_key(long).as_deref(), Some(short));
        assert_eq!(other_key("query.lora_A.weight"), None);
    }
}
