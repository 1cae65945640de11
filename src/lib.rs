//! webtune fine-tunes a small pretrained language model inside a browser tab.
//!
//! One walk, no way back: `formats` hands out checked weight bytes, `models` makes a frozen model of them, `peft`
//! fills its delta slots, `data` and `text` turn a person's rows into batches, `train` runs the one loop, `eval`
//! scores, `export` writes files that other tools load, and `wasm` is the only room that knows a browser.

pub mod benchmark;
pub mod choose;
pub mod data;
pub mod device;
pub mod error;
pub mod eval;
pub mod export;
pub mod formats;
pub mod language_model;
pub mod layers;
pub mod models;
pub mod peft;
pub mod pretrained;
pub mod preview;
pub mod rng;
pub mod score;
pub mod text;
pub mod train;
pub mod tuned;
pub mod tuned_language;
#[cfg(target_arch = "wasm32")]
pub mod wasm;

pub use error::{Error, Result};
