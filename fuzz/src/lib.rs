//! What the fuzz targets do with their bytes: the same as `cargo test --test hostile`, whose functions these are.

#[path = "../../tests/hostile/entries/mod.rs"]
pub mod entries;
