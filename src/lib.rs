//! webtune fine-tunes a small pretrained language model inside a browser tab.
//!
//! One walk, no way back: `formats` hands out checked weight bytes, `models` makes a frozen model of them, `peft`
//! fills its delta slots, `data` and `text` turn a person's rows into batches, `train` runs the one loop over what `tasks` gives it,
//! `eval` scores, `export` writes files that other tools load, and `wasm` is the only room that knows a browser.

// Here and not in Cargo.toml's [lints], which would bind the integration tests too.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[cfg(feature = "bench")]
pub mod benchmark;
pub mod data;
pub mod device;
pub mod error;
pub mod eval;
pub mod export;
pub mod formats;
pub mod layers;
mod linalg;
pub mod models;
pub mod options;
pub mod peft;
pub mod rng;
pub mod tasks;
pub mod text;
pub mod train;
#[cfg(test)]
mod types;
#[cfg(target_arch = "wasm32")]
pub mod wasm;

pub use error::{Error, Result};
