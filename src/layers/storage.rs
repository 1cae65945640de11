//! How frozen weights are stored: a weight's values become a tensor of fewer bits, and float32 again when they are used.

use burn::tensor::quantization::{QuantScheme, QuantValue, ScaleDtype};
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use half::f16;
use serde::{Deserialize, Serialize};

use crate::device::Compute;
use crate::{Error, Result};

/// How frozen weights are stored. What trains is float32 always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "WeightStorage"))]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// float32
    #[default]
    F32,
    /// float16
    F16,
    /// Blocks of 32 values: 8-bit integers and one float32 scale, symmetric around zero.
    Int8,
    /// The same with 4-bit integers.
    Int4,
}

/// Values that share a scale.
pub const BLOCK: usize = 32;

/// A table in fewer bits is widened in parts of at most this many bytes.
pub const WIDENED_PART: u64 = 8 << 20;

impl Storage {
    /// As options spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        }
    }

    /// Whether weights are stored in blocks.
    pub fn is_quantized(self) -> bool {
        matches!(self, Self::Int8 | Self::Int4)
    }

    /// Refuses a type that the engine cannot compute with: a shader that fails to compile makes the device unusable.
    ///
    /// # Errors
    /// [`Error::InvalidOption`].
    pub fn check_engine(self, compute: &Compute) -> Result<()> {
        if self != Self::F16 || compute.has_f16 {
            return Ok(());
        }
        Err(refused("this graphics adapter does not compute in f16 (WebGPU's shader-f16); choose f32, int8 or int4, or the CPU engine".into()))
    }

    /// Refuses a weight that cannot be stored this way; `tensor` is its name.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a number of values that is no multiple of a block, and for values beyond float16's largest, which would
    /// become infinite.
    pub fn check_values(self, tensor: &str, values: &[f32]) -> Result<()> {
        if self.is_quantized() && !values.len().is_multiple_of(BLOCK) {
            return Err(refused(format!(
                "{} stores blocks of {BLOCK} values, and {tensor} has {}, which is no multiple of it; choose f32 or f16",
                self.as_str(),
                values.len()
            )));
        }
        let lost = |value: &&f32| f16::from_f32(**value).is_infinite();
        match values.iter().find(lost).filter(|_| self == Self::F16) {
            None => Ok(()),
            Some(value) => Err(refused(format!(
                "{tensor} holds {value}, and f16 reaches to {} only; choose f32",
                f16::MAX
            ))),
        }
    }

    /// Bytes in float32 of the largest part that a table of words is cut into.
    pub fn part_bytes(self, compute: &Compute) -> u64 {
        match self {
            Self::F32 => compute.max_binding,
            _ => compute.max_binding.min(WIDENED_PART),
        }
    }

    /// Bytes of a weight of that many values. `packed`: whether the engine puts two 4-bit values into a byte and keeps scales once; burn's CPU
    /// engine gives each value a byte, and holds the scales of 8-bit ones twice.
    pub fn bytes(self, values: u64, packed: bool) -> u64 {
        let scales = (values / BLOCK as u64).saturating_mul(4);
        match (self, packed) {
            (Self::F32, _) => values.saturating_mul(4),
            (Self::F16, _) => values.saturating_mul(2),
            (Self::Int8, true) => values.saturating_add(scales),
            (Self::Int4, true) => values / 2 + scales,
            (Self::Int8, false) => values.saturating_add(scales.saturating_mul(2)),
            (Self::Int4, false) => values.saturating_add(scales),
        }
    }

    /// Puts a weight on the device. A quantised one becomes rows of one block each, `[values / 32, 32]`, whatever its shape is, so that a
    /// matrix whose width is no multiple of 32 can be stored too; [`widen`] gives the shape back. The caller has asked [`Self::check_values`].
    pub fn store(self, values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
        let (value, largest) = match self {
            Self::F32 => return Tensor::from_data(TensorData::new(values, shape), device),
            Self::F16 => {
                let half = values.into_iter().map(f16::from_f32);
                let data = TensorData::new(half.collect::<Vec<_>>(), shape);
                return Tensor::from_data(data, (device, DType::F16));
            }
            Self::Int8 => (QuantValue::Q8S, 127.0),
            Self::Int4 => (QuantValue::Q4S, 7.0),
        };
        let scheme = QuantScheme::default()
            .with_value(value)
            .per_block([BLOCK as u8], ScaleDtype::F32);
        let (integers, scales) = quantize(&values, largest);
        let mut bytes = match self {
            Self::Int4 => pack_nibbles(&integers),
            _ => integers.iter().map(|integer| *integer as u8).collect(),
        };
        bytes.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
        let shape = [values.len() / BLOCK, BLOCK];
        let data = TensorData::from_bytes_vec(bytes, shape, DType::QFloat(scheme));
        Tensor::from_data(data, device)
    }
}

fn refused(reason: String) -> Error {
    Error::option("storage", reason)
}

/// Integers from `-largest` to `largest`, and for each block the size of one.
fn quantize(values: &[f32], largest: f32) -> (Vec<i8>, Vec<f32>) {
    let mut integers = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(values.len() / BLOCK);
    for block in values.chunks(BLOCK) {
        let peak = block
            .iter()
            .fold(0.0_f32, |peak, value| peak.max(value.abs()));
        // a block of zeros has any scale
        let scale = if peak > 0.0 { peak / largest } else { 1.0 };
        scales.push(scale);
        integers.extend(
            block
                .iter()
                .map(|value| (value / scale).round().clamp(-largest, largest) as i8),
        );
    }
    (integers, scales)
}

/// Two integers a byte, the first in the lower half. burn's `TensorData::quantized` leaves this out, and its reader expects it.
fn pack_nibbles(integers: &[i8]) -> Vec<u8> {
    let pairs = integers.chunks(2);
    pairs
        .map(|pair| match pair {
            [low, high] => (low & 15) as u8 | ((high & 15) as u8) << 4,
            rest => rest.iter().map(|low| (low & 15) as u8).sum(),
        })
        .collect()
}

/// A stored weight in float32 and in its own shape.
pub fn widen(stored: Tensor<2>, shape: [usize; 2]) -> Tensor<2> {
    match stored.dtype() {
        DType::F32 => stored,
        DType::QFloat(_) => stored.dequantize().reshape(shape),
        _ => stored.cast(FloatDType::F32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_nearly() {
        let device = Device::flex();
        let shape = [4, 24];
        let values = (0..96).map(|n| ((n * 37 % 96) as f32 / 48.0 - 1.0) * (1.0 + n as f32));
        let values = values.collect::<Vec<_>>();
        for (storage, error) in [
            (Storage::F32, 0.0),
            (Storage::F16, 1.0 / 2048.0),
            (Storage::Int8, 0.5 / 127.0),
            (Storage::Int4, 0.5 / 7.0),
        ] {
            let stored = storage.store(values.clone(), shape, &device);
            let wide = widen(stored, shape);
            assert_eq!(wide.dims(), shape);
            let found = wide.into_data().try_into_vec::<f32>().unwrap();
            for (block, chunk) in values.chunks(BLOCK).enumerate() {
                let peak = chunk.iter().fold(0.0_f32, |peak, v| peak.max(v.abs()));
                for (index, value) in chunk.iter().enumerate() {
                    let difference = (found[block * BLOCK + index] - value).abs();
                    assert!(difference <= error * peak * 1.0001, "{storage:?} {value}");
                }
            }
        }
    }

    #[test]
    fn a_weight_that_would_be_lost_is_refused_by_name() {
        let check = |storage: Storage, values: &[f32]| storage.check_values("h.0.weight", values);
        let odd = [0.0; 31 * 33];
        assert!(check(Storage::F16, &odd).is_ok());
        let error = check(Storage::Int8, &odd).unwrap_err().to_string();
        assert!(error.contains("h.0.weight has 1023"), "{error}");
        // halfway between float16's largest number and the next one that it would have, ties go to the latter
        let mut large = [0.0; 64];
        large[40] = -65519.0;
        assert!(check(Storage::F16, &large).is_ok());
        large[40] = -65520.0;
        let error = check(Storage::F16, &large).unwrap_err().to_string();
        assert!(
            error.starts_with("storage: h.0.weight holds -65520, and f16 reaches to 65504 only"),
            "{error}"
        );
        for storage in [Storage::F32, Storage::Int8, Storage::Int4] {
            assert!(check(storage, &large).is_ok());
        }
    }
}
