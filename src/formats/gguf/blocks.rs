//! Blocks of 32 values, and the types without blocks, as f32. Layouts are those of ggml's `ggml-common.h`; the order of the operations is
//! ggml's too, so that each value is the one that llama.cpp computes with.

use super::super::dtype::Float;
use super::Kind;
use super::k_blocks::{self, half};

/// Blocks of 32 integers with a size each: a value is its integer times the size.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IntegerBlocks {
    /// In the order of the values.
    pub integers: Vec<i8>,
    /// One for every 32 of them.
    pub scales: Vec<f32>,
}

/// Bits of the integers of a type whose blocks are 32 integers and a size; none for other types.
pub(super) fn integer_bits(kind: Kind) -> Option<u32> {
    match kind {
        Kind::Q4_0 => Some(4),
        Kind::Q5_0 => Some(5),
        Kind::Q8_0 => Some(8),
        _ => None,
    }
}

/// Appends whole blocks of a type that [`integer_bits`] names; nothing of others.
pub(super) fn integers(kind: Kind, bytes: &[u8], found: &mut IntegerBlocks) {
    match kind {
        Kind::Q4_0 => each_integer(bytes, found, q4_0),
        Kind::Q5_0 => each_integer(bytes, found, q5_0),
        Kind::Q8_0 => each_integer(bytes, found, q8_0),
        _ => {}
    }
}

fn each_integer<const BYTES: usize>(
    bytes: &[u8],
    found: &mut IntegerBlocks,
    block: impl Fn(&[u8; BYTES]) -> (f32, [i8; 32]),
) {
    for (scale, integers) in bytes.as_chunks::<BYTES>().0.iter().map(block) {
        found.scales.push(scale);
        found.integers.extend(integers);
    }
}

/// Appends the values of whole blocks; a rest shorter than a block is not read. False for a type that is not among [`Kind::READ`].
pub(super) fn widen(kind: Kind, bytes: &[u8], values: &mut Vec<f32>) -> bool {
    match kind {
        Kind::F32 => Float::F32.widen(bytes, values),
        Kind::F16 => Float::F16.widen(bytes, values),
        Kind::BF16 => Float::BF16.widen(bytes, values),
        Kind::Q8_0 => each(bytes, values, |block| product(q8_0(block))),
        Kind::Q4_0 => each(bytes, values, |block| product(q4_0(block))),
        Kind::Q4_1 => each(bytes, values, q4_1),
        Kind::Q5_0 => each(bytes, values, |block| product(q5_0(block))),
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

fn product((scale, integers): (f32, [i8; 32])) -> [f32; 32] {
    integers.map(|integer| scale * f32::from(integer))
}

fn q8_0(block: &[u8; 34]) -> (f32, [i8; 32]) {
    let integers = std::array::from_fn(|i| block[2 + i] as i8);
    (half(block, 0), integers)
}

fn q4_0(block: &[u8; 18]) -> (f32, [i8; 32]) {
    let integers = std::array::from_fn(|i| nibble(&block[2..], i) as i8 - 8);
    (half(block, 0), integers)
}

fn q4_1(block: &[u8; 20]) -> [f32; 32] {
    let (scale, least) = (half(block, 0), half(block, 2));
    std::array::from_fn(|i| scale * f32::from(nibble(&block[4..], i)) + least)
}

fn q5_0(block: &[u8; 22]) -> (f32, [i8; 32]) {
    let value = |i| nibble(&block[6..], i) | fifth(&block[2..], i);
    let integers = std::array::from_fn(|i| value(i) as i8 - 16);
    (half(block, 0), integers)
}

fn q5_1(block: &[u8; 24]) -> [f32; 32] {
    let (scale, least) = (half(block, 0), half(block, 2));
    std::array::from_fn(|i| {
        let value = nibble(&block[8..], i) | fifth(&block[4..], i);
        scale * f32::from(value) + least
    })
}
