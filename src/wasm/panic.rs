//! What a panic looks like from JavaScript.
//!
//! After one the instance is of no use: what was borrowed stays borrowed. A trap alone says "unreachable executed", and an error
//! without a code could be any mistake of a caller, so that a worker would go on with a locked engine.

use wasm_bindgen::JsValue;

use super::convert::to_js;
use crate::error::{ErrorCode, ErrorReport};

/// What a panic says whose reason is a want of memory: a size beyond what a pointer reaches, or a graphics card that gives no buffer.
const OUT_OF_MEMORY: [&str; 2] = ["capacity overflow", "wgpu error: Out of Memory"];

/// Throws an `Error` with the panic's words, with code `crashed`, or `outOfMemory` for want of it, and marked as `fatal`.
pub fn throw(words: &str) -> ! {
    let out = js_sys::Error::new(words);
    let lacks_memory = OUT_OF_MEMORY.iter().any(|sign| words.contains(sign));
    let code = if lacks_memory {
        ErrorCode::OutOfMemory
    } else {
        ErrorCode::Crashed
    };
    let report = ErrorReport::new(code, words.to_owned());
    if let Ok(fields) = to_js(&report) {
        js_sys::Object::assign(&out, &js_sys::Object::from(fields));
    }
    // if this fails, the code alone has to do
    let _ = js_sys::Reflect::set(&out, &JsValue::from("fatal"), &JsValue::TRUE);
    wasm_bindgen::throw_val(JsValue::from(out))
}
