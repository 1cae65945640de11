//! Enters: a `mean` head. Leaves: the folder around weights or adapter that Sentence-Transformers loads as one model.

use serde_json::json;

use super::files::{ExportedFile, file, json_file};
use crate::Result;
use crate::models::Family;
use crate::tasks::classify::model::Pretrained;
use crate::tasks::classify::tuned::Tuned;
use crate::tasks::files::json;

const SETTINGS: &str = "tokenizer_config.json";

/// modules.json and its modules but the Dense module's weights: transformer (weights or adapter beside it), mean pooling,
/// normalisation, and the head as a Dense module whose output is the logits.
///
/// # Errors
/// None in practice: all of it is serialisable.
pub fn folder(model: &Pretrained, tuned: &Tuned) -> Result<Vec<ExportedFile>> {
    let module = |idx: usize, path: &str, kind: &str| {
        json!({
            "idx": idx,
            "name": idx.to_string(),
            "path": path,
            "type": format!("sentence_transformers.models.{kind}")
        })
    };
    let hidden = model.config.hidden_size;
    let mut files = vec![
        json_file(
            "modules.json",
            &json!([
                module(0, "", "Transformer"),
                module(1, "1_Pooling", "Pooling"),
                module(2, "2_Normalize", "Normalize"),
                module(3, "3_Dense", "Dense"),
            ]),
        )?,
        json_file(
            "sentence_bert_config.json",
            &json!({"max_seq_length": tuned.max_length, "do_lower_case": false}),
        )?,
        json_file(
            "1_Pooling/config.json",
            &json!({
                "word_embedding_dimension": hidden,
                "pooling_mode_cls_token": false,
                "pooling_mode_mean_tokens": true,
                "pooling_mode_max_tokens": false,
                "pooling_mode_mean_sqrt_len_tokens": false
            }),
        )?,
        dense_config(model, tuned)?,
        // folders cannot be exported empty, and some versions look for the module's folder
        json_file("2_Normalize/config.json", &json!({}))?,
    ];
    files.extend(tokenizer(model)?);
    Ok(files)
}

/// The head's settings.
///
/// # Errors
/// None in practice: all of it is serialisable.
pub fn dense_config(model: &Pretrained, tuned: &Tuned) -> Result<ExportedFile> {
    json_file(
        "3_Dense/config.json",
        &json!({
            "in_features": model.config.hidden_size,
            "out_features": tuned.labels.len(),
            "bias": true,
            // without this line Sentence-Transformers would apply tanh
            "activation_function": "torch.nn.modules.linear.Identity"
        }),
    )
}

/// The tokenizer's files as they came; a decoder's with a padding token where they name none, because a batch needs one.
///
/// # Errors
/// [`crate::Error::InvalidFile`] for a tokenizer_config.json that is no JSON.
pub fn tokenizer(model: &Pretrained) -> Result<Vec<ExportedFile>> {
    let files = model.tokenizer_files.iter();
    let mut files = files
        .map(|(name, bytes)| file(name, bytes.clone()))
        .collect::<Vec<_>>();
    let pad = model.tokenizer.id_to_token(model.tokenizer.pad_id());
    let (Family::Decoder(_), Some(pad)) = (model.config.family, pad) else {
        return Ok(files);
    };
    let found = files.iter().position(|file| file.path == SETTINGS);
    let mut settings = match found {
        Some(index) => json(SETTINGS, &files[index].bytes)?,
        None => json!({}),
    };
    if settings["pad_token"].is_null() {
        settings["pad_token"] = json!(pad);
        files.retain(|file| file.path != SETTINGS);
        files.push(json_file(SETTINGS, &settings)?);
    }
    Ok(files)
}
