//! What a folder's JSON files say of its chat template: the template itself and the names of special tokens.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The file in which older folders keep the template, and all keep the special tokens' names.
pub const CONFIG_FILE: &str = "tokenizer_config.json";

/// The object in a JSON file; an absent file holds nothing.
pub(super) fn object(file: &str, bytes: Option<&[u8]>) -> Result<Map<String, Value>> {
    match bytes {
        None => Ok(Map::new()),
        Some(bytes) => serde_json::from_slice(bytes)
            .map_err(|error| Error::file(file, format!("expected a JSON object: {error}"))),
    }
}

/// Every `..._token` with a text, which is a string or as the `content` of an object.
pub(super) fn special_tokens(file: &Map<String, Value>) -> BTreeMap<String, String> {
    file.iter()
        .filter(|(key, _)| key.ends_with("_token"))
        .filter_map(|(key, value)| {
            let text = value.as_str().or_else(|| value.get("content")?.as_str())?;
            Some((key.clone(), text.to_owned()))
        })
        .collect()
}

/// `chat_template` of a tokenizer_config.json: a string, or a list of named ones.
pub(super) fn template_of(config: &Map<String, Value>) -> Result<Option<String>> {
    match config.get("chat_template") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(source)) => Ok(Some(source.clone())),
        Some(Value::Array(named)) => {
            let name = |entry: &Value| Some(entry.get("name")?.as_str()?.to_owned());
            let source = named
                .iter()
                .find(|entry| name(entry).as_deref() == Some("default"))
                .and_then(|entry| entry.get("template")?.as_str());
            match source {
                Some(source) => Ok(Some(source.to_owned())),
                None => Err(Error::file(
                    CONFIG_FILE,
                    format!(
                        "chat_template: expected one named \"default\", found: {}",
                        named.iter().filter_map(name).collect::<Vec<_>>().join(", ")
                    ),
                )),
            }
        }
        Some(_) => Err(Error::file(
            CONFIG_FILE,
            "chat_template: expected a string or a list of {name, template}",
        )),
    }
}
