//! The border to JavaScript. The only room that names js_sys and web_sys: it converts, the engine decides.
//!
//! `www/lib/worker/engine.ts` describes the same calls from the other side; the values that they carry are described in
//! `www/lib/types`, which is printed from the types of this crate.

#[cfg(feature = "bench")]
mod benchmark;
mod classifier;
mod convert;
mod device;
mod language;
mod memory;
mod panic;
mod runner;
mod source;
mod team;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use crate::eval::bootstrap;
use convert::{Answer, error, from_js, options_from_js, to_js};

unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Runs the static constructors, by which cubecl registers itself; only the first call does anything.
///
/// Unless their symbol is referenced, the linker wraps every export so that all of them run again at each call from
/// JavaScript: seconds per training step on WebGPU. Once it is, somebody must call them.
pub fn run_constructors() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    // SAFETY: the linker defines the function; it takes and gives nothing.
    ONCE.call_once(|| unsafe { __wasm_call_ctors() });
}

/// Runs once, when the module is instantiated.
#[wasm_bindgen(start)]
fn start() {
    run_constructors();
    std::panic::set_hook(Box::new(|info| panic::throw(&info.to_string())));
}

/// Reads a person's table; see [`crate::data::parse()`].
#[wasm_bindgen(js_name = parseTable)]
pub fn parse_table(name: &str, bytes: &[u8], options: JsValue) -> Answer<JsValue> {
    let options = options_from_js(options)?;
    to_js(&crate::data::parse(name, bytes, &options).map_err(error)?)
}

/// Reads rows for a language model from a file's bytes.
#[wasm_bindgen(js_name = parseTextRows)]
pub fn parse_text_rows(file: &str, bytes: Uint8Array, options: JsValue) -> Answer<JsValue> {
    let options = options_from_js(options)?;
    let bytes = bytes.to_vec();
    to_js(&crate::data::parse_text_rows(file, &bytes, &options).map_err(error)?)
}

/// B against A on the same rows: for each, whether it was labelled rightly; see [`crate::eval::bootstrap`].
#[wasm_bindgen(js_name = compareRuns)]
pub fn compare_runs(a: JsValue, b: JsValue) -> Answer<JsValue> {
    let a: Vec<bool> = from_js(a, "a")?;
    let b: Vec<bool> = from_js(b, "b")?;
    to_js(&bootstrap::compare(&a, &b, 0, bootstrap::RESAMPLES).map_err(error)?)
}
