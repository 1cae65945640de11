//! Values of one side of the border as values of the other.

use js_sys::{Array, Object, Reflect, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};

use crate::export::ExportedFile;
use crate::{Error, options};

/// What a call gives, or the `Error` object that it throws.
pub type Answer<T> = Result<T, JsValue>;

/// A call in the wrong order.
pub fn state(words: &str) -> JsValue {
    error(Error::state(words))
}

/// An `Error` object with the fields of an [`ErrorReport`](crate::error::ErrorReport).
pub fn error(error: Error) -> JsValue {
    let out = js_sys::Error::new(&error.to_string());
    if let Ok(fields) = serialized(&error.report()) {
        Object::assign(&out, fields.unchecked_ref());
    }
    out.into()
}

fn serialized(value: &impl Serialize) -> Result<JsValue, serde_wasm_bindgen::Error> {
    value.serialize(&serde_wasm_bindgen::Serializer::json_compatible())
}

/// Plain objects and arrays; numbers stay numbers.
pub fn to_js(value: &impl Serialize) -> Answer<JsValue> {
    serialized(value).map_err(|failure| error(Error::internal(failure)))
}

/// Reads an argument; `undefined` is an empty object.
pub fn from_js<T: DeserializeOwned>(value: JsValue, what: &str) -> Answer<T> {
    let value = if value.is_undefined() || value.is_null() {
        Object::new().into()
    } else {
        value
    };
    options::read(serde_wasm_bindgen::Deserializer::from(value), what).map_err(error)
}

/// Reads options. A number that JSON cannot hold would look like one that was left out, so it is refused by name.
pub fn options_from_js<T: DeserializeOwned>(value: JsValue) -> Answer<T> {
    check_numbers(&value, "options")?;
    from_js(value, "options")
}

fn check_numbers(value: &JsValue, name: &str) -> Answer<()> {
    if let Some(number) = value.as_f64()
        && !number.is_finite()
    {
        return Err(error(Error::option(
            name,
            format!("expected a number, got {number}"),
        )));
    }
    if !value.is_object() {
        return Ok(());
    }
    for entry in Object::entries(value.unchecked_ref()) {
        let entry: Array = entry.unchecked_into();
        let key = entry.get(0).as_string().unwrap_or_default();
        let name = if name == "options" {
            key
        } else {
            format!("{name}.{key}")
        };
        check_numbers(&entry.get(1), &name)?;
    }
    Ok(())
}

/// Exported files: `{ path, bytes: Uint8Array }[]`.
pub fn files_from_js(files: &JsValue) -> Answer<Vec<ExportedFile>> {
    let invalid = |reason: &str| error(Error::option("files", reason));
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

/// What a thrown value says.
pub fn words(thrown: &JsValue) -> String {
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => thrown.as_string().unwrap_or_else(|| format!("{thrown:?}")),
    }
}
