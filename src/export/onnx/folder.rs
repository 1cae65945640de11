//! What lies next to an ONNX graph so that transformers.js and onnxruntime's users can run it: configuration, tokenizer, model card.

use serde_json::{Value, json};

use super::super::adapter::{config, with_labels};
use super::super::card::onnx_card;
use super::super::file::{CARD, ExportedFile, file, json_file};
use super::super::subject::Subject;
use crate::Result;
use crate::formats::Float;
use crate::models::HeadKind;
use crate::tasks::files::json;

const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// Where transformers.js looks for a graph of that type.
pub fn model_file(float: Float) -> &'static str {
    match float {
        Float::F32 | Float::F64 => "onnx/model.onnx",
        Float::F16 | Float::BF16 => "onnx/model_fp16.onnx",
    }
}

/// Everything but the graph.
///
/// # Errors
/// [`crate::Error::InvalidFile`] for a tokenizer_config.json that is no JSON.
pub fn files<N>(subject: &Subject<N>, float: Float) -> Result<Vec<ExportedFile>> {
    let facts = subject.of_classifier()?;
    let mut config = config(subject);
    if let Some(map) = config.as_object_mut() {
        // the graph has its head in it, of whichever kind that is
        with_labels(map, facts);
        let class = facts.family.model_class(HeadKind::Cls);
        map.insert("architectures".into(), json!([class]));
        let word = match float {
            Float::F32 | Float::F64 => "fp32",
            Float::F16 | Float::BF16 => "fp16",
        };
        // in a browser it would look for an 8-bit graph unless told otherwise
        map.insert("transformers.js_config".into(), json!({"dtype": word}));
    }
    let mut files = vec![
        json_file("config.json", &config)?,
        file(CARD, onnx_card(subject).into_bytes()),
    ];
    let others = subject.tokenizer.iter();
    files.extend(others.filter(|file| file.path != TOKENIZER_CONFIG).cloned());
    files.push(json_file(TOKENIZER_CONFIG, &tokenizer_config(subject)?)?);
    Ok(files)
}

/// The tokenizer's own settings. Texts are cut where training cut them, and those who read no tokenizer.json alone find a class.
fn tokenizer_config<N>(subject: &Subject<N>) -> Result<Value> {
    let facts = subject.of_classifier()?;
    let own = subject.tokenizer.iter();
    let mut settings = match own.into_iter().find(|file| file.path == TOKENIZER_CONFIG) {
        Some(own) => json(TOKENIZER_CONFIG, &own.bytes)?,
        None => json!({}),
    };
    settings["model_max_length"] = json!(facts.max_length);
    for (key, value) in [
        ("tokenizer_class", json!("PreTrainedTokenizerFast")),
        ("pad_token", json!(facts.pad_word)),
    ] {
        if settings[key].is_null() {
            settings[key] = value;
        }
    }
    Ok(settings)
}
