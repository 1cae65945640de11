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
    /// Blocks of 32 values: 8-bit integers and one float32 scale. A GGUF file's own where they fit, and symmetric around zero otherwise.
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

    /// Refuses a weight of so many values that cannot be stored this way; `tensor` is its name.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a number of values that is no multiple of a block.
    pub fn check_count(self, tensor: &str, values: usize) -> Result<()> {
        if !self.is_quantized() || values.is_multiple_of(BLOCK) {
            return Ok(());
        }
        Err(refused(format!(
            "{} stores blocks of {BLOCK} values, and {tensor} has {values}, which is no multiple of it; choose f32 or f16",
            self.as_str()
        )))
    }

    /// The same, and values that it cannot hold.
    ///
    /// # Errors
    /// As [`Self::check_count`], and for values beyond float16's largest, which would become infinite.
    pub fn check_values(self, tensor: &str, values: &[f32]) -> Result<()> {
        self.check_count(tensor, values.len())?;
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

    /// Bits of the integers in a block; 0 without blocks.
    pub fn bits(self) -> u32 {
        match self {
            Self::F32 | Self::F16 => 0,
            Self::Int8 => 8,
            Self::Int4 => 4,
        }
    }

    /// Puts a weight on the device, a quantised one as [`Self::store_blocks`] does. The caller has asked [`Self::check_values`].
    pub fn store(self, values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
        match self {
            Self::F32 => Tensor::from_data(TensorData::new(values, shape), device),
            Self::F16 => {
                let half = values.into_iter().map(f16::from_f32);
                let data = TensorData::new(half.collect::<Vec<_>>(), shape);
                Tensor::from_data(data, (device, DType::F16))
            }
            Self::Int8 | Self::Int4 => {
                let mut blocks = Blocks::with_capacity(values.len());
                self.quantize(&values, &mut blocks);
                self.store_blocks(blocks, device)
            }
        }
    }

    /// Appends values, whole blocks of them, rounded to integers that are symmetric around zero.
    pub fn quantize(self, values: &[f32], blocks: &mut Blocks) {
        let largest = (1_i32 << self.bits().saturating_sub(1)) as f32 - 1.0;
        for block in values.chunks(BLOCK) {
            let peak = block
                .iter()
                .fold(0.0_f32, |peak, value| peak.max(value.abs()));
            // a block of zeros has any scale
            let scale = if peak > 0.0 { peak / largest } else { 1.0 };
            blocks.scales.push(scale);
            let quotients = block.iter().map(|value| (value / scale).round());
            let integers = quotients.map(|value| value.clamp(-largest, largest) as i8);
            blocks.integers.extend(integers);
        }
    }

    /// Puts blocks on the device as rows of one block each, `[values / 32, 32]`, whatever the weight's shape is, so that a matrix whose width is
    /// no multiple of 32 can be stored too; [`widen`] gives the shape back. Their integers must fit the storage.
    pub fn store_blocks(self, blocks: Blocks, device: &Device) -> Tensor<2> {
        let Blocks { integers, scales } = blocks;
        let shape = [integers.len() / BLOCK, BLOCK];
        let (value, mut bytes) = match self {
            Self::Int4 => (QuantValue::Q4S, pack_nibbles(&integers)),
            // in place, with room for the scales
            _ => (
                QuantValue::Q8S,
                integers.into_iter().map(i8::cast_unsigned).collect(),
            ),
        };
        bytes.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
        let scheme = QuantScheme::default()
            .with_value(value)
            .per_block([BLOCK as u8], ScaleDtype::F32);
        let data = TensorData::from_bytes_vec(bytes, shape, DType::QFloat(scheme));
        Tensor::from_data(data, device)
    }
}

/// Integers, and for each 32 of them the size of one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Blocks {
    pub integers: Vec<i8>,
    pub scales: Vec<f32>,
}

impl Blocks {
    /// None yet, with room for so many values.
    pub fn with_capacity(values: usize) -> Self {
        let scales = values / BLOCK;
        Self {
            // the scales' bytes follow in the same place
            integers: Vec::with_capacity(values + size_of::<f32>() * scales),
            scales: Vec::with_capacity(scales),
        }
    }
}

fn refused(reason: String) -> Error {
    Error::option("storage", reason)
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

/// Whether a stored weight is in blocks.
pub fn is_quantized(stored: &Tensor<2>) -> bool {
    matches!(stored.dtype(), DType::QFloat(_))
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
    fn every_integer_of_so_many_bits_comes_back() {
        let device = Device::flex();
        for (storage, least) in [(Storage::Int8, -128_i32), (Storage::Int4, -8)] {
            let count = -2 * least;
            let integers = (0..count.max(32)).map(|n| (least + n % count) as i8);
            let integers = integers.collect::<Vec<_>>();
            // llama.cpp's Q4_0 has negative sizes
            let scales = (0..integers.len() / BLOCK).map(|n| (n as f32 - 0.5) * 0.25);
            let scales = scales.collect::<Vec<_>>();
            let expected = integers.iter().enumerate();
            let expected = expected.map(|(n, integer)| f32::from(*integer) * scales[n / BLOCK]);
            let expected = expected.collect::<Vec<_>>();
            let shape = [integers.len() / 16, 16];
            let stored = storage.store_blocks(Blocks { integers, scales }, &device);
            let wide = widen(stored, shape).into_data();
            assert_eq!(wide.try_into_vec::<f32>().unwrap(), expected, "{storage:?}");
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
