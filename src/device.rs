//! Enters: which engine is wanted. Leaves: a burn device that knows its kind, estimates of what will be allocated, and values read back.

use burn::tensor::{DType, Device, Tensor};

use crate::layers::Storage;
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
}

/// WebGPU's own default of `maxStorageBufferBindingSize`, which every adapter grants.
pub const GUARANTEED_BINDING: u64 = 128 << 20;

/// A table in fewer bits is widened in parts of at most this size.
pub const WIDENED_PART: u64 = 8 << 20;

/// A WebAssembly memory ends at 4 GiB; half a GiB of it is kept for code, text and fragmentation.
pub const DEFAULT_MEMORY_LIMIT: u64 = 3584 << 20;

/// Whether tensors of `device` are the CPU engine's.
pub fn is_cpu(device: &Device) -> bool {
    *device == Device::flex()
}

impl Compute {
    /// The CPU engine.
    pub fn cpu() -> Self {
        Self {
            device: Device::flex(),
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

    /// Replaces the largest binding; bytes.
    pub fn with_max_binding(mut self, bytes: u64) -> Self {
        self.max_binding = bytes;
        self
    }

    /// Bytes in float32 of the largest part that a table of words is cut into.
    pub fn part_bytes(&self, storage: Storage) -> u64 {
        match storage {
            Storage::F32 => self.max_binding,
            _ => self.max_binding.min(WIDENED_PART),
        }
    }

    /// Whether it puts two 4-bit values into a byte.
    pub fn packs_bits(&self) -> bool {
        self.kind == EngineKind::Webgpu
    }

    /// Refuses weights in a type that the adapter cannot compute with: a shader that it does not compile takes the device with it.
    ///
    /// # Errors
    /// [`Error::InvalidOption`].
    pub fn check_storage(&self, storage: Storage) -> Result<()> {
        if storage != Storage::F16 || self.device.supports_dtype(DType::F16) {
            return Ok(());
        }
        Err(Error::option(
            "storage",
            "this graphics adapter does not compute in f16 (WebGPU's shader-f16); choose f32, int8 or int4, or the CPU engine",
        ))
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
/// [`Error::Device`] where the device failed meanwhile.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let failed = |error: &dyn std::fmt::Display| Error::device(error);
    let data = tensor
        .into_data_async()
        .await
        .map_err(|error| failed(&error))?;
    data.try_into_vec::<f32>().map_err(|error| failed(&error))
}
