//! A burn device together with the facts that the engine decides by: its kind, what it can compute with, and how much memory it may take.

use burn::tensor::{DType, Device, Tensor};

use crate::team::Team;
use crate::{Error, Result};

/// Which engine a device belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// burn-flex: WebAssembly SIMD in a browser, native SIMD elsewhere.
    Cpu,
    /// burn-wgpu: WebGPU in a browser, the platform's graphics API elsewhere.
    Webgpu,
}

/// A burn device together with the facts the engine decides by.
#[derive(Debug, Clone)]
pub struct Compute {
    /// Without autodiff; training parameters switch it on for themselves.
    pub device: Device,
    /// CPU or GPU.
    pub kind: EngineKind,
    /// Bytes that models and training may take together.
    pub memory_limit: u64,
    /// Bytes of the largest buffer that a shader may bind, and so of the largest tensor.
    pub max_binding: u64,
    /// Whether it computes in float16: the CPU engine does, an adapter only with WebGPU's `shader-f16`.
    pub has_f16: bool,
    /// The engines that it works together with.
    pub team: Team,
}

/// WebGPU's own default of `maxStorageBufferBindingSize`, which every adapter grants.
#[cfg(feature = "webgpu")]
pub const GUARANTEED_BINDING: u64 = 128 << 20;

/// A WebAssembly memory ends at 4 GiB; half a GiB of it is kept for code, text and fragmentation.
pub const DEFAULT_MEMORY_LIMIT: u64 = 3584 << 20;

/// Whether tensors of `device` are the CPU engine's.
pub fn is_cpu(device: &Device) -> bool {
    *device == Device::flex()
}

impl Compute {
    /// The CPU engine.
    pub fn cpu() -> Self {
        let device = Device::flex();
        Self {
            has_f16: device.supports_dtype(DType::F16),
            device,
            kind: EngineKind::Cpu,
            memory_limit: DEFAULT_MEMORY_LIMIT,
            max_binding: u64::MAX,
            team: Team::default(),
        }
    }

    /// The GPU engine, on the adapter that the platform prefers. May be called once per WebAssembly instance.
    ///
    /// # Errors
    /// [`Error::NoWebgpu`] with the platform's words.
    #[cfg(feature = "webgpu")]
    pub async fn webgpu() -> Result<Self> {
        let device =
            Device::wgpu_options()
                .init_async()
                .await
                .map_err(|error| Error::NoWebgpu {
                    reason: error.to_string(),
                })?;
        Ok(Self {
            has_f16: device.supports_dtype(DType::F16),
            device,
            kind: EngineKind::Webgpu,
            memory_limit: DEFAULT_MEMORY_LIMIT,
            max_binding: GUARANTEED_BINDING,
            team: Team::default(),
        })
    }

    /// Replaces the limit; bytes.
    pub fn with_memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// Replaces the largest buffer that a shader may bind; bytes.
    pub fn with_max_binding(mut self, bytes: u64) -> Self {
        self.max_binding = bytes;
        self
    }

    /// Whether it puts two 4-bit values into a byte.
    pub fn packs_bits(&self) -> bool {
        self.kind == EngineKind::Webgpu
    }

    /// Refuses work that would not fit, before anything is allocated.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] with both numbers and `advice`, what a person could do.
    pub fn check_memory(&self, what: &str, needed: u64, advice: &str) -> Result<()> {
        if needed <= self.memory_limit {
            return Ok(());
        }
        Err(Error::OutOfMemory {
            what: what.into(),
            needed,
            available: self.memory_limit,
            advice: advice.into(),
        })
    }

    /// Refuses a tensor that no shader could bind, before anything is allocated.
    ///
    /// # Errors
    /// [`Error::BufferTooLarge`] with both numbers and `advice`.
    pub fn check_buffer(&self, what: &str, needed: u64, advice: &str) -> Result<()> {
        if needed <= self.max_binding {
            return Ok(());
        }
        Err(Error::BufferTooLarge {
            what: what.into(),
            needed,
            available: self.max_binding,
            advice: advice.into(),
        })
    }
}

/// Waits for a tensor's values, in row order.
///
/// # Errors
/// [`Error::Device`] if the device failed meanwhile.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.into_data_async().await.map_err(failed)?;
    data.try_into_vec::<f32>().map_err(failed)
}

/// A failure of the device in a sentence: burn writes its causes in lines, the same one twice, with a trace that no release build has.
fn failed(error: impl std::fmt::Display) -> Error {
    let words = error.to_string();
    let causes = words.split("Caused by:").flat_map(str::lines);
    let causes = causes.map(str::trim).filter(|cause| {
        !cause.is_empty() && !cause.contains("Backtrace") && !cause.contains("No backtrace")
    });
    let mut causes = causes.collect::<Vec<_>>();
    causes.dedup();
    match causes.as_slice() {
        [lost, why @ ..] if lost.contains("poisoned") && !why.is_empty() => {
            Error::device(format!("the graphics card was lost ({})", why.join(" ")))
        }
        causes => Error::device(causes.join(": ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_graphics_card_is_reported_in_one_sentence() {
        let burn = "The device is poisoned\nCaused by:\n  The device is poisoned\n  Caused by: Unknown: A valid external Instance reference no \
            longer exists.\nBacktrace:\n  No backtrace available";
        assert_eq!(
            failed(burn).to_string(),
            "the compute device failed: the graphics card was lost (Unknown: A valid external Instance reference no longer exists.)"
        );
        let other = failed("The kernel failed\nBacktrace:\n  No backtrace available");
        assert_eq!(
            other.to_string(),
            "the compute device failed: The kernel failed"
        );
    }
}
