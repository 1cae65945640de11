//! The folder around weights or an adapter under a `mean` head that Sentence-Transformers loads as one model.

use serde_json::json;

use super::file::{ExportedFile, json_file};
use super::subject::Subject;
use crate::Result;

/// modules.json and its modules but the Dense module's weights: transformer (weights or adapter next to it), mean pooling,
/// normalisation, and the head as a Dense module whose output is the logits.
///
/// # Errors
/// None in practice: all of it is serialisable.
pub fn folder<N>(subject: &Subject<N>) -> Result<Vec<ExportedFile>> {
    let facts = subject.of_classifier()?;
    let module = |idx: usize, path: &str, kind: &str| {
        json!({
            "idx": idx,
            "name": idx.to_string(),
            "path": path,
            "type": format!("sentence_transformers.models.{kind}")
        })
    };
    let hidden = facts.hidden_size;
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
            &json!({"max_seq_length": facts.max_length, "do_lower_case": false}),
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
        dense_config(subject)?,
        // folders cannot be exported empty, and some versions look for the module's folder
        json_file("2_Normalize/config.json", &json!({}))?,
    ];
    files.extend(subject.tokenizer.iter().cloned());
    Ok(files)
}

/// The head's settings.
///
/// # Errors
/// None in practice: all of it is serialisable.
pub fn dense_config<N>(subject: &Subject<N>) -> Result<ExportedFile> {
    let facts = subject.of_classifier()?;
    json_file(
        "3_Dense/config.json",
        &json!({
            "in_features": facts.hidden_size,
            "out_features": facts.labels.len(),
            "bias": true,
            // without this line Sentence-Transformers would apply tanh
            "activation_function": "torch.nn.modules.linear.Identity"
        }),
    )
}
