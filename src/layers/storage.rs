//! Enters: a frozen weight's values. Leaves: a tensor that keeps them in fewer bits, and float32 again where it is used.

use burn::tensor::quantization::{QuantScheme, QuantValue, ScaleDtype};
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// How frozen weights are kept. What trains is float32 always.
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

impl Storage {
    /// As options spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        }
    }

    /// Whether weights are kept in blocks.
    pub fn is_quantized(self) -> bool {
        matches!(self, Self::Int8 | Self::Int4)
    }

    /// Whether a weight of that many values can be kept so.
    pub fn holds(self, values: usize) -> bool {
        !self.is_quantized() || values.is_multiple_of(BLOCK)
    }

    /// Bytes of a weight of that many values. `packed`: whether the engine puts two 4-bit values into a byte and keeps scales once; burn's CPU
    /// engine gives each value a byte and holds the scales twice.
    pub fn bytes(self, values: u64, packed: bool) -> u64 {
        let scales = (values / BLOCK as u64).saturating_mul(4);
        match (self, packed) {
            (Self::F32, _) => values.saturating_mul(4),
            (Self::F16, _) => values.saturating_mul(2),
            (Self::Int8, true) => values.saturating_add(scales),
            (Self::Int4, true) => values / 2 + scales,
            (Self::Int8 | Self::Int4, false) => values.saturating_add(scales.saturating_mul(2)),
        }
    }

    /// Puts a weight on the device. A quantised one becomes rows of one block each, `[values / 32, 32]`, whatever its shape is, so that a
    /// matrix whose width is no multiple of 32 can be kept too; [`widen`] gives the shape back. The caller has asked [`Self::holds`].
    pub fn store(self, values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
        let (value, largest) = match self {
            Self::F32 => return Tensor::from_data(TensorData::new(values, shape), device),
            Self::F16 => {
                let half = values.into_iter().map(half::f16::from_f32);
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
        assert!(!Storage::Int8.holds(31 * 33));
        assert!(Storage::F16.holds(31 * 33));
    }
}
