//! The engine that computes, opened before a model is loaded.

use wasm_bindgen::prelude::*;

use super::convert::{Answer, error};
use crate::device::Compute;
use crate::{Error, Result};

/// An opened engine. Models keep what they need of it.
#[wasm_bindgen]
pub struct Device {
    pub(super) compute: Compute,
}

/// Opens the device. `memory_limit`, and `largest_tensor` of a graphics card, in bytes. WebGPU can be opened once in an instance.
#[wasm_bindgen(js_name = openDevice)]
pub async fn open_device(
    device: &str,
    memory_limit: f64,
    largest_tensor: Option<f64>,
) -> Answer<Device> {
    let compute = match device {
        "cpu" => Compute::cpu(),
        "webgpu" => {
            let compute = webgpu().await.map_err(error)?;
            match largest_tensor {
                Some(bytes) => compute.with_max_binding(bytes as u64),
                None => compute,
            }
        }
        other => {
            let found = format!("\"{other}\"");
            return Err(error(Error::out_of_range(
                "device",
                "\"webgpu\" or \"cpu\"",
                found,
            )));
        }
    };
    Ok(Device {
        compute: compute.with_memory_limit(memory_limit as u64),
    })
}

#[cfg(feature = "webgpu")]
async fn webgpu() -> Result<Compute> {
    Compute::webgpu().await
}

/// A module with the CPU engine alone.
#[cfg(not(feature = "webgpu"))]
async fn webgpu() -> Result<Compute> {
    let reason = "this WebAssembly module has the CPU engine alone".into();
    Err(Error::NoWebgpu { reason })
}

#[wasm_bindgen]
impl Device {
    /// Bytes of the buffers that the device's allocator holds, in use or kept for the next step; 0 on the CPU engine.
    #[wasm_bindgen(js_name = bufferBytes)]
    pub fn buffer_bytes(&self) -> f64 {
        let usage = self.compute.device.memory_pool_usage();
        usage.map_or(0.0, |usage| usage.bytes_reserved as f64)
    }
}
