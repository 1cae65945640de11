//! webtune fine-tunes a small pretrained language model inside a browser tab.
//!
//! One walk, no way back: `formats` hands out checked weight bytes, `models` makes a frozen model of them, `peft`
//! fills its delta slots, `data` and `text` turn a person's rows into batches, `train` runs the one loop over what `tasks` gives it,
//! `eval` scores, `export` writes files that other tools load, and `wasm` is the only room that knows a browser.

// Here and not in Cargo.toml's [lints], which would bind the integration tests and their tables of cases too.
#![warn(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::too_many_lines
)]
#![cfg_attr(not(feature = "internals"), warn(missing_docs))]
// Natively nothing calls what only `wasm` uses, and some of what the rooms show at their front door only tests name.
#![cfg_attr(not(feature = "internals"), allow(unused_imports))]
#![cfg_attr(feature = "internals", allow(clippy::len_without_is_empty))]
#![cfg_attr(
    not(any(feature = "internals", target_arch = "wasm32")),
    allow(dead_code)
)]

// The rooms, each in its own folder or file next to this one. Tests and benches of this crate see them all, through the
// feature that its dev-dependency on itself turns on; for everybody else they are private, so that the compiler finds
// what nobody uses.
#[path = "."]
mod house {
    #[cfg(feature = "bench")]
    pub mod benchmark;
    pub mod data;
    pub mod device;
    pub mod error;
    pub mod eval;
    pub mod export;
    pub mod formats;
    pub mod hash;
    pub mod json;
    #[cfg(feature = "webgpu")]
    pub mod kernels;
    pub mod layers;
    pub mod linalg;
    pub mod models;
    pub mod options;
    pub mod peft;
    pub mod rng;
    pub mod tasks;
    pub mod team;
    pub mod text;
    pub mod train;
    #[cfg(test)]
    pub mod types;
    #[cfg(target_arch = "wasm32")]
    pub mod wasm;
}

#[cfg(not(feature = "internals"))]
use house::*;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub use house::*;

pub use data::{Example, TextRow};
pub use device::{Compute, EngineKind};
pub use error::{Error, ErrorCode, Result};
pub use export::{ExportedFile, Format, files as export_files, import};
pub use formats::{MemorySource, Source};
pub use tasks::classify::model::Pretrained;
pub use tasks::classify::tuned::Tuned;
pub use tasks::classify::{ClassifyRun, ClassifyTask, UserOptions};
pub use tasks::language::model::LanguageModel;
pub use tasks::language::tuned::TunedLanguage;
pub use tasks::language::{LanguageOptions, LanguageRun, LanguageTask};
