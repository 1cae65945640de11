//! A burn device together with the facts that the engine decides by: its kind, what it can compute with, and how much memory it may take.

use burn::tensor::{DType, Device, Tensor};

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
    /// Bytes of the largest buffer that a shader may bind.
    pub max_binding: u64,
    /// Whether it computes in float16: the CPU engine does, an adapter only with WebGPU's `shader-f16`.
    pub has_f16: bool,
}

/// WebGPU's own default of `maxStorageBufferBindingSize`, which every adapter grants.
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
        }
    }

    /// The GPU engine, on the adapter that the platform prefers. May be called once per WebAssembly instance.
    ///
    /// # Errors
    /// [`Error::NoWebgpu`] with the platform's words.
    #[cfg(any(target_arch = "wasm32", feature = "webgpu"))]
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
        })
    }

    /// Replaces the limit; bytes.
    pub fn with_memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = bytes;
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
}

/// Waits for a tensor's values, in row order.
///
/// # Errors
/// [`Error::Device`] if the device failed meanwhile.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let failed = |error: &dyn std::fmt::Display| Error::device(error);
    let data = tensor
        .into_data_async()
        .await
        .map_err(|error| failed(&error))?;
    data.try_into_vec::<f32>().map_err(|error| failed(&error))
}
