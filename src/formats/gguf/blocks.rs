//! Blocks of 32 values, and the types without blocks, as f32. Layouts are those of ggml's `ggml-common.h`; the order of the operations is
//! ggml's too, so that each value is the one that llama.cpp computes with.

use super::super::dtype::Float;
use super::Kind;
use super::k_blocks::{self, half};

/// Appends the values of whole blocks; a rest shorter than a block is not read. False for a type that is not among [`Kind::READ`].
pub(super) fn widen(kind: Kind, bytes: &[u8], values: &mut Vec<f32>) -> bool {
    match kind {
        Kind::F32 => Float::F32.widen(bytes, values),
        Kind::F16 => Float::F16.widen(bytes, values),
        Kind::BF16 => Float::BF16.widen(bytes, values),
        Kind::Q8_0 => each(bytes, values, q8_0),
        Kind::Q4_0 => each(bytes, values, q4_0),
        Kind::Q4_1 => each(bytes, values, q4_1),
        Kind::Q5_0 => each(bytes, values, q5_0),
        Kind::Q5_1 => each(bytes, values, q5_1),
        Kind::Q2_K => each(bytes, values, k_blocks::q2_k),
        Kind::Q3_K => each(bytes, values, k_blocks::q3_k),
        Kind::Q4_K => each(bytes, values, k_blocks::q4_k),
        Kind::Q5_K => each(bytes, values, k_blocks::q5_k),
        Kind::Q6_K => each(bytes, values, k_blocks::q6_k),
        _ => return false,
    }
    true
}

fn each<const BYTES: usize, const VALUES: usize>(
    bytes: &[u8],
    values: &mut Vec<f32>,
    block: impl Fn(&[u8; BYTES]) -> [f32; VALUES],
) {
    let (blocks, _) = bytes.as_chunks::<BYTES>();
    values.extend(blocks.iter().flat_map(block));
}

/// Value `i` of 32 whose lower halves come first: 4 bits.
fn nibble(bytes: &[u8], i: usize) -> u8 {
    (bytes[i % 16] >> (4 * (i / 16))) & 15
}

/// The fifth bits of 32 values are four bytes.
fn fifth(bytes: &[u8], i: usize) -> u8 {
    ((bytes[i / 8] >> (i % 8)) & 1) << 4
}

fn q8_0(block: &[u8; 34]) -> [f32; 32] {
    let scale = half(block, 0);
    std::array::from_fn(|i| f32::from(block[2 + i] as i8) * scale)
}

fn q4_0(block: &[u8; 18]) -> [f32; 32] {
    let scale = half(block, 0);
    std::array::from_fn(|i| scale * (f32::from(nibble(&block[2..], i)) - 8.0))
}

fn q4_1(block: &[u8; 20]) -> [f32; 32] {
    let (scale, least) = (half(block, 0), half(block, 2));
    std::array::from_fn(|i| scale * f32::from(nibble(&block[4..], i)) + least)
}

fn q5_0(block: &[u8; 22]) -> [f32; 32] {
    let scale = half(block, 0);
    std::array::from_fn(|i| {
        let value = nibble(&block[6..], i) | fifth(&block[2..], i);
        scale * (f32::from(value) - 16.0)
    })
}

fn q5_1(block: &[u8; 24]) -> [f32; 32] {
    let (scale, least) = (half(block, 0), half(block, 2));
    std::array::from_fn(|i| {
        let value = nibble(&block[8..], i) | fifth(&block[4..], i);
        scale * f32::from(value) + least
    })
}
