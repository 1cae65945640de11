//! The launches and kernels of clipping and AdamW over flat buffers.

use burn::tensor::DType;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::kernels::launch::{cubes, empty, vector};

/// Numbers to whose multiple each tensor is filled up: 256 bytes, so that its part of a buffer can be bound on its own on any adapter.
pub const BLOCK: usize = 64;
/// Units that copy or update together.
const UNITS: usize = 32;
/// Units that add up the sums of squares.
const ADDING: usize = 256;
/// Numbers that a cube copies.
pub const CHUNK: usize = 1024;
/// The most tensors that one launch copies. The guaranteed bindings make it six.
const MOST: usize = 15;
/// Numbers of a row of the table.
pub const COLUMNS: usize = 4;

/// What all tensors have in common in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constants {
    /// Decay of the mean.
    pub beta1: f64,
    /// Decay of the mean square.
    pub beta2: f64,
    /// Added to the root of the mean square.
    pub eps: f64,
    /// Largest norm of all gradients together; 0 for no clipping.
    pub max_norm: f64,
}

/// What goes into a flat buffer: the first `count` numbers of `source` and then zeros, `width` numbers in all from `start` on.
#[derive(Debug, Clone)]
pub struct Piece {
    pub source: CubeTensor,
    pub count: usize,
    pub width: usize,
    pub start: usize,
}

impl Piece {
    fn chunks(&self) -> usize {
        self.width.div_ceil(CHUNK)
    }
}

/// The sums of squares that [`gather`] gives of these pieces.
pub fn sums_of(pieces: &[Piece]) -> usize {
    pieces.iter().map(Piece::chunks).sum()
}

/// Copies the pieces into `flat`, several a launch; and the sum of squares of each of their chunks to `sums_at` and after it, if that is given.
pub fn gather(flat: &CubeTensor, pieces: &[Piece], mut sums_at: Option<usize>) {
    let bindings = flat.client.properties().hardware.max_bindings as usize;
    let most = bindings.saturating_sub(1).clamp(1, MOST);
    let launches = pieces.len().div_ceil(most).max(1);
    // all launches alike, so that they share a pipeline
    let each = pieces.len().div_ceil(launches).max(1);
    for pieces in pieces.chunks(each) {
        let count = sums_of(pieces);
        let nothing = pieces.first().map(|first| Piece {
            count: 0,
            width: 0,
            ..first.clone()
        });
        let pieces = pieces.iter().chain(nothing.iter().cycle()).take(each);
        let pieces = pieces.cloned().collect::<Vec<_>>();
        let numbers = |of: fn(&Piece) -> usize| {
            let numbers = pieces.iter().map(|piece| of(piece) as u32);
            numbers.collect::<SequenceArg<u32>>()
        };
        let (counts, widths, starts) = (
            numbers(|piece| piece.count),
            numbers(|piece| piece.width),
            numbers(|piece| piece.start),
        );
        let sources = pieces.into_iter();
        let sources = sources.map(|piece| piece.source.into_buffer_arg());
        let sources = sources.collect::<SequenceArg<Box<[f32]>>>();
        // SAFETY: the kernel bounds reads by `counts` and writes by `widths`, and `flat` is as long as the last piece and the sums reach.
        unsafe {
            gather_pieces::launch_unchecked(
                &flat.client,
                cubes(count),
                CubeDim::new_1d(UNITS as u32),
                sources,
                counts,
                widths,
                starts,
                flat.clone().into_buffer_arg(),
                sums_at.unwrap_or_default() as u32,
                count as u32,
                sums_at.is_some(),
            );
        }
        sums_at = sums_at.map(|at| at + count);
    }
}

/// Adds `count` numbers of `flat` from `at` on to the table's first.
pub fn add_sums(flat: &CubeTensor, at: usize, count: usize, table: &CubeTensor) {
    // SAFETY: the kernel bounds reads by `at` and `count`.
    unsafe {
        add_sums_of_squares::launch_unchecked(
            &flat.client,
            CubeCount::new_single(),
            CubeDim::new_1d(ADDING as u32),
            flat.clone().into_buffer_arg(),
            table.clone().into_buffer_arg(),
            at as u32,
            count as u32,
        );
    }
}

/// The values after a step; the means change in place.
pub fn update(
    values: &CubeTensor,
    gradients: CubeTensor,
    [table, owners]: [&CubeTensor; 2],
    [means, squares]: [&CubeTensor; 2],
    constants: &Constants,
) -> CubeTensor {
    let length = values.meta.num_elements();
    let n = vector(values, BLOCK);
    let new = empty(values, [length]);
    let vectors = length / n;
    let [beta1, beta2] = [constants.beta1, constants.beta2];
    // SAFETY: the kernel bounds indices by `vectors`; owners are rows of the table.
    unsafe {
        adamw::launch_unchecked(
            &values.client,
            cubes(vectors.div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            n,
            values.clone().into_buffer_arg(),
            gradients.into_buffer_arg(),
            table.clone().into_buffer_arg(),
            owners.clone().into_buffer_arg(),
            new.clone().into_buffer_arg(),
            means.clone().into_buffer_arg(),
            squares.clone().into_buffer_arg(),
            beta1 as f32,
            (1.0 - beta1) as f32,
            beta2 as f32,
            (1.0 - beta2) as f32,
            constants.eps as f32,
            constants.max_norm as f32,
            vectors as u32,
            BLOCK / n,
            constants.max_norm > 0.0,
        );
    }
    new
}

/// A new buffer with these bytes on the device of `like`.
pub fn upload(like: &CubeTensor, bytes: &[u8], dtype: DType) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    let handle = client.create_from_slice(bytes);
    let shape = [bytes.len() / dtype.size()].into();
    CubeTensor::new_contiguous(client, device, shape, handle, dtype)
}

/// `count` numbers of a flat buffer from `start` on, which is a multiple of [`BLOCK`]; nothing is copied.
pub fn view(flat: &CubeTensor, start: usize, count: usize) -> CubeTensor {
    let bytes = |numbers: usize| (numbers * flat.dtype.size()) as u64;
    let handle = flat.handle.clone();
    let past = handle.size_in_used() - bytes(start + count);
    let handle = handle.offset_start(bytes(start)).offset_end(past);
    let (client, device) = (flat.client.clone(), flat.device.clone());
    CubeTensor::new_contiguous(client, device, [count].into(), handle, flat.dtype)
}

/// Whether two tensors are the same memory.
pub fn same(a: &CubeTensor, b: &CubeTensor) -> bool {
    let key = |tensor: &CubeTensor| tensor.handle.clone().binding().claim_key();
    key(a) == key(b)
}

/// A cube a chunk, the pieces' chunks one after the other.
#[cube(launch_unchecked)]
fn gather_pieces(
    sources: Sequence<Box<[f32]>>,
    counts: Sequence<u32>,
    widths: Sequence<u32>,
    starts: Sequence<u32>,
    flat: &mut [f32],
    sums_at: u32,
    chunks: u32,
    #[comptime] sums: bool,
) {
    let cube = CUBE_POS;
    if cube >= chunks as usize {
        terminate!();
    }
    let unit = UNIT_POS_X as usize;
    let rounds = comptime!(CHUNK / UNITS);
    let mut first = 0usize;
    let mut sum = 0.0f32;
    #[unroll]
    for k in 0..sources.len() {
        let source = sources.index(k);
        let count = *counts.index(k) as usize;
        let width = *widths.index(k) as usize;
        let start = *starts.index(k) as usize;
        let past = first + (width + comptime!(CHUNK - 1)) / CHUNK;
        if cube >= first && cube < past {
            let base = (cube - first) * CHUNK + unit;
            for round in 0..rounds {
                let i = base + round * UNITS;
                if i < width {
                    let mut value = 0.0f32;
                    if i < count {
                        value = source[i];
                    }
                    flat[start + i] = value;
                    sum += value * value;
                }
            }
        }
        first = past;
    }
    if comptime!(sums) {
        let mut shared = Shared::<[f32]>::new_slice(UNITS);
        shared[unit] = sum;
        sync_cube();
        if unit == 0 {
            let mut total = 0.0f32;
            #[unroll]
            for i in 0..UNITS {
                total += shared[i];
            }
            flat[sums_at as usize + cube] = total;
        }
    }
}

/// One cube.
#[cube(launch_unchecked)]
fn add_sums_of_squares(flat: &[f32], table: &mut [f32], at: u32, count: u32) {
    let unit = UNIT_POS_X as usize;
    let count = count as usize;
    let at = at as usize;
    let mut shared = Shared::<[f32]>::new_slice(ADDING);
    let mut sum = 0.0f32;
    for round in 0..(count + comptime!(ADDING - 1)) / ADDING {
        let i = unit + round * ADDING;
        if i < count {
            sum += flat[at + i];
        }
    }
    shared[unit] = sum;
    sync_cube();
    if unit == 0 {
        let mut total = table[0];
        for i in 0..ADDING {
            total += shared[i];
        }
        table[0] = total;
    }
}

/// A unit a vector. `owners`: of each block its row of the table, in which are what the value is multiplied by, the rate over the mean's correction,
/// the correction of the root of the mean square, and whether the tensor moves. `a_block`: a block's length in vectors.
#[cube(launch_unchecked)]
fn adamw<N: Size>(
    values: &[Vector<f32, N>],
    gradients: &[Vector<f32, N>],
    table: &[f32],
    owners: &[u32],
    new: &mut [Vector<f32, N>],
    means: &mut [Vector<f32, N>],
    squares: &mut [Vector<f32, N>],
    kept1: f32,
    new1: f32,
    kept2: f32,
    new2: f32,
    eps: f32,
    max_norm: f32,
    vectors: u32,
    #[comptime] a_block: usize,
    #[comptime] clips: bool,
) {
    let i = CUBE_POS * UNITS + UNIT_POS_X as usize;
    if i >= vectors as usize {
        terminate!();
    }
    let row = owners[i / a_block] as usize * COLUMNS;
    if table[row + 3] == 0.0f32 {
        new[i] = values[i];
    } else {
        let mut gradient = gradients[i];
        if comptime!(clips) {
            let scale = max_norm / (table[0].sqrt() + 1e-6f32);
            gradient *= Vector::new(select(scale > 1.0f32, 1.0f32, scale));
        }
        let mean = means[i] * Vector::new(kept1) + gradient * Vector::new(new1);
        let square = squares[i] * Vector::new(kept2) + gradient * gradient * Vector::new(new2);
        let root = square.sqrt() / Vector::new(table[row + 2]) + Vector::new(eps);
        new[i] = values[i] * Vector::new(table[row]) - mean / root * Vector::new(table[row + 1]);
        means[i] = mean;
        squares[i] = square;
    }
}
