//! ggml's K types: blocks of 256 values, whose parts have small scales, and some small minima, of their own.

use half::f16;

/// The half float at two bytes of a block.
pub(super) fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Bits 2n and 2n + 1 of value `i`, 128 values in 32 bytes: the lowest bits of all bytes come first.
fn two_bits(bytes: &[u8], i: usize) -> u8 {
    (bytes[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3
}

/// The low bits of value `i`, 64 values in 32 bytes.
fn low(bytes: &[u8], i: usize) -> u8 {
    (bytes[i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4)) & 15
}

/// Bit `i / 32` of byte `i % 32`.
fn bit(bytes: &[u8], i: usize) -> u8 {
    (bytes[i % 32] >> (i / 32)) & 1
}

/// Eight scales and eight minima of six bits each in 12 bytes: the upper two bits of the last four are above those of the first four.
fn scales_and_minima(bytes: &[u8]) -> ([f32; 8], [f32; 8]) {
    let scale = |i: usize| match i {
        0..4 => bytes[i] & 63,
        _ => (bytes[i + 4] & 15) | (bytes[i - 4] >> 6 << 4),
    };
    let least = |i: usize| match i {
        0..4 => bytes[i + 4] & 63,
        _ => (bytes[i + 4] >> 4) | (bytes[i] >> 6 << 4),
    };
    (
        std::array::from_fn(|i| f32::from(scale(i))),
        std::array::from_fn(|i| f32::from(least(i))),
    )
}

pub(super) fn q2_k(block: &[u8; 84]) -> [f32; 256] {
    let (scales, quants) = block.split_at(16);
    let (scale, least) = (half(block, 80), half(block, 82));
    std::array::from_fn(|i| {
        let part = scales[i / 16];
        let (scale, least) = (scale * f32::from(part & 15), least * f32::from(part >> 4));
        scale * f32::from(two_bits(quants, i)) - least
    })
}

pub(super) fn q3_k(block: &[u8; 110]) -> [f32; 256] {
    let (high, quants, scales) = (&block[..32], &block[32..96], &block[96..108]);
    let whole = half(block, 108);
    let scales: [f32; 16] = std::array::from_fn(|i| {
        let low = (scales[i % 8] >> (i / 8 * 4)) & 15;
        let high = (scales[8 + i % 4] >> (i / 4 * 2)) & 3;
        whole * (f32::from(low | high << 4) - 32.0)
    });
    std::array::from_fn(|i| {
        // a bit that is not set takes four away
        let borrow = 4.0 * f32::from(1 - bit(high, i));
        scales[i / 16] * (f32::from(two_bits(quants, i)) - borrow)
    })
}

pub(super) fn q4_k(block: &[u8; 144]) -> [f32; 256] {
    let (scale, least) = (half(block, 0), half(block, 2));
    let (scales, minima) = scales_and_minima(&block[4..16]);
    std::array::from_fn(|i| {
        let (scale, least) = (scale * scales[i / 32], least * minima[i / 32]);
        scale * f32::from(low(&block[16..], i)) - least
    })
}

pub(super) fn q5_k(block: &[u8; 176]) -> [f32; 256] {
    let (scale, least) = (half(block, 0), half(block, 2));
    let (scales, minima) = scales_and_minima(&block[4..16]);
    let (high, quants) = block[16..].split_at(32);
    std::array::from_fn(|i| {
        let (scale, least) = (scale * scales[i / 32], least * minima[i / 32]);
        scale * f32::from(low(quants, i) | bit(high, i) << 4) - least
    })
}

pub(super) fn q6_k(block: &[u8; 210]) -> [f32; 256] {
    let (quants, rest) = block.split_at(128);
    let (high, scales) = rest.split_at(64);
    let whole = half(block, 208);
    std::array::from_fn(|i| {
        // 128 values in 64 bytes
        let low = (quants[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4)) & 15;
        let value = low | two_bits(high, i) << 4;
        let scale = whole * f32::from(scales[i / 16] as i8);
        scale * (f32::from(value) - 32.0)
    })
}
