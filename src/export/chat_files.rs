//! What the files of a language model that learnt conversations must say: how turns are written down, and which tokens end them.

use serde_json::{Value, json as value};

use super::file::{ExportedFile, file, json_file};
use super::folder::Folder;
use crate::Result;
use crate::tasks::files::json;
use crate::tasks::language::model::LanguageModel;
use crate::text::chat::{CONFIG_FILE, TEMPLATE_FILE};

const GENERATION_CONFIG: &str = "generation_config.json";

/// The tokenizer's files as they came. If the model learnt conversations: with the template that they were written by, where the
/// folder has none of its own, and with the tokens that end turns among those that end what it generates.
///
/// # Errors
/// `InvalidFile` for a file that is no JSON.
pub(super) fn tokenizer(model: &LanguageModel, chats: bool) -> Result<Vec<ExportedFile>> {
    let files = model.tokenizer_files.iter();
    let mut files: Vec<ExportedFile> = files
        .map(|(path, bytes)| file(path, bytes.clone()))
        .collect();
    if !chats {
        return Ok(files);
    }
    if model.template.is_default() {
        let mut settings = settings(&files, CONFIG_FILE)?.unwrap_or_else(|| value!({}));
        settings["chat_template"] = value!(model.template.source());
        replace(&mut files, CONFIG_FILE, &settings)?;
    }
    let config = &model.config_json;
    let mut generation = settings(&files, GENERATION_CONFIG)?.unwrap_or_else(|| {
        let named = ["bos_token_id", "pad_token_id", "eos_token_id"];
        let known = named
            .into_iter()
            .filter(|name| !config[*name].is_null())
            .map(|name| (name.to_owned(), config[name].clone()));
        Value::Object(known.collect())
    });
    let mut ends = match &generation["eos_token_id"] {
        Value::Array(ends) => ends.clone(),
        Value::Null => Vec::new(),
        end => vec![end.clone()],
    };
    let known = ends.len();
    for end in &model.ends {
        if !ends.contains(&value!(end)) {
            ends.push(value!(end));
        }
    }
    if ends.len() > known {
        generation["eos_token_id"] = value!(ends);
        replace(&mut files, GENERATION_CONFIG, &generation)?;
    }
    Ok(files)
}

/// Whether an imported folder says how conversations are written down.
pub(super) fn carries_template(folder: &Folder) -> bool {
    let has = |path| folder.bytes(path).is_ok();
    // the files of a tokenizer are optional beside an adapter, and the base model's are used
    let settings = folder.bytes(CONFIG_FILE).ok();
    let settings = settings.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    has(TEMPLATE_FILE) || settings.is_some_and(|settings| !settings["chat_template"].is_null())
}

/// A JSON object among the files.
fn settings(files: &[ExportedFile], path: &str) -> Result<Option<Value>> {
    let found = files.iter().find(|file| file.path == path);
    found.map(|file| json(path, &file.bytes)).transpose()
}

fn replace(files: &mut Vec<ExportedFile>, path: &str, settings: &Value) -> Result<()> {
    files.retain(|file| file.path != path);
    files.push(json_file(path, settings)?);
    Ok(())
}
