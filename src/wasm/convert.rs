//! Enters: values of one side. Leaves: values of the other.

use js_sys::{Array, Reflect, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};

use crate::Error;
use crate::export::ExportedFile;

/// An `Error` object with a `code`.
pub fn error(error: Error) -> JsValue {
    let out = js_sys::Error::new(&error.to_string());
    // setting a property of a fresh object cannot fail
    let _ = Reflect::set(&out, &"code".into(), &error.code().into());
    out.into()
}

/// Plain objects and arrays; numbers stay numbers.
pub fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|failure| error(Error::InvalidState(failure.to_string())))
}

/// Reads an argument; `undefined` is an empty object.
pub fn from_js<T: DeserializeOwned>(value: JsValue, what: &str) -> Result<T, JsValue> {
    let value = match value.is_undefined() || value.is_null() {
        true => js_sys::Object::new().into(),
        false => value,
    };
    serde_path_to_error::deserialize(serde_wasm_bindgen::Deserializer::from(value)).map_err(
        |failure| {
            let path = failure.path().to_string();
            error(Error::InvalidOption {
                option: match path.as_str() {
                    "." => what.into(),
                    _ => path,
                },
                // serde-wasm-bindgen puts JavaScript's own prefix before its words
                reason: failure
                    .inner()
                    .to_string()
                    .trim_start_matches("Error: ")
                    .into(),
            })
        },
    )
}

/// `{ path, bytes: Uint8Array }[]`
pub fn files_to_js(files: Vec<ExportedFile>) -> Result<JsValue, JsValue> {
    let list = Array::new();
    for file in files {
        let entry = js_sys::Object::new();
        Reflect::set(&entry, &"path".into(), &file.path.into())?;
        Reflect::set(
            &entry,
            &"bytes".into(),
            &Uint8Array::from(file.bytes.as_slice()),
        )?;
        list.push(&entry);
    }
    Ok(list.into())
}

/// The same backwards.
pub fn files_from_js(files: &JsValue) -> Result<Vec<ExportedFile>, JsValue> {
    let invalid = |reason: &str| {
        error(Error::InvalidOption {
            option: "files".into(),
            reason: reason.into(),
        })
    };
    let list = files
        .dyn_ref::<Array>()
        .ok_or_else(|| invalid("expected an array of { path, bytes }"))?;
    list.iter()
        .map(|entry| {
            let path = Reflect::get(&entry, &"path".into())?.as_string();
            let bytes = Reflect::get(&entry, &"bytes".into())?
                .dyn_into::<Uint8Array>()
                .ok();
            match (path, bytes) {
                (Some(path), Some(bytes)) => Ok(ExportedFile {
                    path,
                    bytes: bytes.to_vec(),
                }),
                _ => Err(invalid("each needs a path and bytes in a Uint8Array")),
            }
        })
        .collect()
}
