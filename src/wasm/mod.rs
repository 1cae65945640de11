//! Enters: calls from JavaScript. Leaves: promises. The only room that names js_sys and web_sys; it converts, the
//! engine decides. `www/lib/protocol.ts` describes the same border from the other side.

#[cfg(feature = "bench")]
mod benchmark;
mod convert;
mod engine;
mod language;
mod source;

use wasm_bindgen::prelude::*;

pub use engine::Engine;

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
    // a trap alone says "unreachable executed"; the worker needs the reason
    std::panic::set_hook(Box::new(|info| {
        web_sys::console::error_1(&info.to_string().into());
        wasm_bindgen::throw_str(&info.to_string());
    }));
}

/// Reads a person's table; see [`crate::data::parse()`].
#[wasm_bindgen(js_name = parseTable)]
pub fn parse_table(name: &str, bytes: &[u8], options: JsValue) -> Result<JsValue, JsValue> {
    let options = convert::from_js(options, "options")?;
    let table = crate::data::parse(name, bytes, &options).map_err(convert::error)?;
    convert::to_js(&table)
}

/// B against A on the same rows: for each, whether it was labelled rightly; see [`crate::eval::bootstrap`].
#[wasm_bindgen(js_name = compareRuns)]
pub fn compare_runs(a: JsValue, b: JsValue) -> Result<JsValue, JsValue> {
    let a: Vec<bool> = convert::from_js(a, "a")?;
    let b: Vec<bool> = convert::from_js(b, "b")?;
    let comparison = crate::eval::bootstrap::compare(&a, &b, 0, crate::eval::bootstrap::RESAMPLES);
    convert::to_js(&comparison.map_err(convert::error)?)
}
