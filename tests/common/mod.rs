//! Test bodies that run on any engine, natively and in the browser, and the golden values they compare with.

#![allow(dead_code)] // every test crate uses its own part

pub mod causal;
pub mod choices;
pub mod contrast;
pub mod every;
pub mod failing;
pub mod files;
pub mod golden;
#[cfg(feature = "webgpu")]
pub mod kernels;
pub mod loops;
pub mod matrix;
pub mod parity;
pub mod pissa;
pub mod safeguards;
pub mod table;
pub mod tiny;
pub mod tiny_language;
pub mod training;
pub mod words;
