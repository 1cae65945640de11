//! What a panic looks like from JavaScript.
//!
//! After one the instance is of no use: what was borrowed stays borrowed. A trap alone says "unreachable executed", and an error
//! without a code could be any mistake of a caller, so that a worker would go on with a locked engine.

use wasm_bindgen::JsValue;

use super::convert::to_js;
use crate::error::{ErrorCode, ErrorReport};

/// Throws an `Error` with code `crashed` and the panic's words.
pub fn throw(words: &str) -> ! {
    let out = js_sys::Error::new(words);
    let report = ErrorReport::new(ErrorCode::Crashed, words.to_owned());
    if let Ok(fields) = to_js(&report) {
        js_sys::Object::assign(&out, &js_sys::Object::from(fields));
    }
    wasm_bindgen::throw_val(JsValue::from(out))
}
