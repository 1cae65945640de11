//! The memory that a language model's run would take, from `config.json` alone: for a person who has not loaded it yet.

use serde::Deserialize;

use crate::Result;
use crate::device::Compute;
use crate::layers::Storage;
use crate::models::DecoderConfig;
use crate::models::size::{NetworkSizes, Shape};
use crate::peft::{Method, check_storage};
use crate::train::memory::{Estimate, MemoryProfile, trained_by};

/// What an estimate is made for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "LanguageEstimateOptions"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EstimateOptions {
    /// How the frozen weights are stored.
    pub storage: Storage,
    /// What trains.
    pub method: Method,
    /// Rows per forward pass.
    pub train_batch_size: usize,
    /// Tokens of the longest row.
    pub max_length: usize,
    /// Whether each layer is computed a second time in the backward pass.
    pub gradient_checkpointing: bool,
}

/// Bytes at the peak of the run's training steps.
///
/// # Errors
/// [`crate::Error::InvalidOption`] for settings out of range and a storage that the device or the method cannot have.
pub fn estimate_run(
    config: &DecoderConfig,
    options: EstimateOptions,
    compute: &Compute,
) -> Result<Estimate> {
    options.storage.check_engine(compute)?;
    check_storage(&options.method, options.storage)?;
    let trained = trained_by(config, &options.method)?;
    let network = NetworkSizes::of_decoder(config, options.storage, compute.kind);
    let training = Shape::new(options.train_batch_size, options.max_length);
    let profile = MemoryProfile {
        checkpointing: options.gradient_checkpointing,
        ..MemoryProfile::new(network, options.method, trained, training)
    };
    Ok(profile.estimate())
}
