//! The launches and kernels of norms.

use burn::backend::TensorMetadata;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::kernels::launch::{cubes, empty, rows, vector};

/// Which norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    /// Added to the variance or the mean square.
    pub eps: f32,
    /// Added to the weight.
    pub offset: f32,
    /// Whether the mean is taken away first: layer norm, not RMS norm.
    pub centred: bool,
}

/// Which of the tensors a call means; the others only fill a place, because burn's extensions know no optional tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// What is added to x.
    pub residual: bool,
    /// What is added to the result.
    pub bias: bool,
}

/// Units that share a row: one warp, so that each adds up what the others found.
const UNITS: usize = 32;
/// Rows that one unit adds up for the gradient to a weight.
const ROWS_A_BLOCK: usize = 32;

/// The result, and each row's mean and one over its deviation, `[rows, 2]`. `inputs`: x, residual, weight and bias.
pub fn forward(inputs: [CubeTensor; 4], norm: Norm, given: Given) -> (CubeTensor, CubeTensor) {
    let [x, residual, weight, bias] = inputs.map(into_contiguous);
    let [rows, width] = rows(&x);
    let n = vector(&x, width);
    let y = empty(&x, x.shape());
    let stats = empty(&x, [rows, 2]);
    let client = x.client.clone();
    // SAFETY: the kernel bounds rows by `rows` and columns by a row's vectors, as long as the tensors are.
    unsafe {
        norm_forward::launch_unchecked(
            &client,
            cubes(rows),
            CubeDim::new_1d(UNITS as u32),
            n,
            x.into_buffer_arg(),
            residual.into_buffer_arg(),
            weight.into_buffer_arg(),
            bias.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            stats.clone().into_buffer_arg(),
            norm.eps,
            norm.offset,
            rows as u32,
            width / n,
            width,
            norm.centred,
            given.residual,
            given.bias,
        );
    }
    (y, stats)
}

/// The gradient to the sum that was normalised. `kept`: x, residual, weight and the statistics.
pub fn backward(
    kept: [CubeTensor; 4],
    gradient: CubeTensor,
    norm: Norm,
    given: Given,
) -> CubeTensor {
    let [x, residual, weight, stats] = kept.map(into_contiguous);
    let gradient = into_contiguous(gradient);
    let [rows, width] = rows(&x);
    let n = vector(&x, width);
    let to_x = empty(&x, x.shape());
    let client = x.client.clone();
    // SAFETY: as above.
    unsafe {
        norm_backward::launch_unchecked(
            &client,
            cubes(rows),
            CubeDim::new_1d(UNITS as u32),
            n,
            x.into_buffer_arg(),
            residual.into_buffer_arg(),
            weight.into_buffer_arg(),
            stats.into_buffer_arg(),
            gradient.into_buffer_arg(),
            to_x.clone().into_buffer_arg(),
            norm.offset,
            rows as u32,
            width / n,
            width,
            norm.centred,
            given.residual,
        );
    }
    to_x
}

/// The gradients to weight and bias, `[width]` each. `kept`: x, residual, weight and the statistics.
pub fn backward_weights(
    kept: [CubeTensor; 4],
    gradient: CubeTensor,
    given: Given,
) -> [CubeTensor; 2] {
    let [x, residual, _, stats] = kept.map(into_contiguous);
    let gradient = into_contiguous(gradient);
    let [rows, width] = rows(&x);
    let n = vector(&x, width);
    let blocks = rows.div_ceil(ROWS_A_BLOCK);
    let across = (width / n).div_ceil(UNITS) as u32;
    let shares = empty(&x, [2, blocks, width]);
    let [to_weight, to_bias] = [(); 2].map(|()| empty(&x, [width]));
    let client = x.client.clone();
    // SAFETY: the kernels bound columns by a row's vectors, rows by `rows`; `shares` has 2 * blocks rows.
    unsafe {
        norm_backward_weights::launch_unchecked(
            &client,
            CubeCount::Static(across, blocks as u32, 1),
            CubeDim::new_1d(UNITS as u32),
            n,
            x.into_buffer_arg(),
            residual.into_buffer_arg(),
            stats.into_buffer_arg(),
            gradient.into_buffer_arg(),
            shares.clone().into_buffer_arg(),
            rows as u32,
            width / n,
            given.residual,
        );
        add_shares::launch_unchecked(
            &client,
            CubeCount::Static(across, 1, 1),
            CubeDim::new_1d(UNITS as u32),
            n,
            shares.into_buffer_arg(),
            to_weight.clone().into_buffer_arg(),
            to_bias.clone().into_buffer_arg(),
            blocks as u32,
            width / n,
        );
    }
    [to_weight, to_bias]
}

/// Sums of two numbers over the units of the cube, the same in every unit. `shared`: `2 * UNITS` long.
#[cube]
fn cube_sums(a: f32, b: f32, shared: &mut Shared<[f32]>) -> (f32, f32) {
    let unit = UNIT_POS_X as usize;
    // what an earlier call left may still be being read
    sync_cube();
    shared[unit] = a;
    shared[UNITS + unit] = b;
    sync_cube();
    let mut sum_a = 0.0f32;
    let mut sum_b = 0.0f32;
    #[unroll]
    for i in 0..UNITS {
        sum_a += shared[i];
        sum_b += shared[UNITS + i];
    }
    (sum_a, sum_b)
}

/// What is normalised.
#[cube]
fn summed<N: Size>(
    x: &[Vector<f32, N>],
    residual: &[Vector<f32, N>],
    index: usize,
    #[comptime] added: bool,
) -> Vector<f32, N> {
    let mut value = x[index];
    if comptime!(added) {
        value += residual[index];
    }
    value
}

/// One cube a row. `columns`: the row's length in vectors, `width`: in numbers.
#[cube(launch_unchecked)]
fn norm_forward<N: Size>(
    x: &[Vector<f32, N>],
    residual: &[Vector<f32, N>],
    weight: &[Vector<f32, N>],
    bias: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    stats: &mut [f32],
    eps: f32,
    offset: f32,
    rows: u32,
    #[comptime] columns: usize,
    #[comptime] width: usize,
    #[comptime] centred: bool,
    #[comptime] added: bool,
    #[comptime] biased: bool,
) {
    let row = CUBE_POS;
    if row >= rows as usize {
        terminate!();
    }
    let base = row * columns;
    let unit = UNIT_POS_X as usize;
    let share = comptime!(1.0f32 / width as f32);
    let rounds = comptime!(columns.div_ceil(UNITS));
    let mut shared = Shared::<[f32]>::new_slice(comptime!(2 * UNITS));

    let mut mean = 0.0f32;
    if comptime!(centred) {
        let mut sum = 0.0f32;
        for round in 0..rounds {
            let i = unit + round * UNITS;
            if i < columns {
                sum += summed::<N>(x, residual, base + i, added).vector_sum();
            }
        }
        let (sum, _) = cube_sums(sum, 0.0f32, &mut shared);
        mean = sum * share;
    }
    let mut squares = 0.0f32;
    for round in 0..rounds {
        let i = unit + round * UNITS;
        if i < columns {
            let d = summed::<N>(x, residual, base + i, added) - Vector::new(mean);
            squares += (d * d).vector_sum();
        }
    }
    let (squares, _) = cube_sums(squares, 0.0f32, &mut shared);
    let scale = (squares * share + eps).inverse_sqrt();
    for round in 0..rounds {
        let i = unit + round * UNITS;
        if i < columns {
            let d = summed::<N>(x, residual, base + i, added) - Vector::new(mean);
            let mut out = d * Vector::new(scale) * (weight[i] + Vector::new(offset));
            if comptime!(biased) {
                out += bias[i];
            }
            y[base + i] = out;
        }
    }
    if unit == 0 {
        stats[row * 2] = mean;
        stats[row * 2 + 1] = scale;
    }
}

/// One cube a row.
#[cube(launch_unchecked)]
fn norm_backward<N: Size>(
    x: &[Vector<f32, N>],
    residual: &[Vector<f32, N>],
    weight: &[Vector<f32, N>],
    stats: &[f32],
    gradient: &[Vector<f32, N>],
    to_x: &mut [Vector<f32, N>],
    offset: f32,
    rows: u32,
    #[comptime] columns: usize,
    #[comptime] width: usize,
    #[comptime] centred: bool,
    #[comptime] added: bool,
) {
    let row = CUBE_POS;
    if row >= rows as usize {
        terminate!();
    }
    let base = row * columns;
    let unit = UNIT_POS_X as usize;
    let share = comptime!(1.0f32 / width as f32);
    let rounds = comptime!(columns.div_ceil(UNITS));
    let mut shared = Shared::<[f32]>::new_slice(comptime!(2 * UNITS));
    let mean = Vector::<f32, N>::new(stats[row * 2]);
    let scale = Vector::<f32, N>::new(stats[row * 2 + 1]);

    let mut sum = 0.0f32;
    let mut projected = 0.0f32;
    for round in 0..rounds {
        let i = unit + round * UNITS;
        if i < columns {
            let normed = (summed::<N>(x, residual, base + i, added) - mean) * scale;
            let of_normed = gradient[base + i] * (weight[i] + Vector::new(offset));
            sum += of_normed.vector_sum();
            projected += (of_normed * normed).vector_sum();
        }
    }
    let (sum, projected) = cube_sums(sum, projected, &mut shared);
    let mut centre = 0.0f32;
    if comptime!(centred) {
        centre = sum * share;
    }
    let centre = Vector::<f32, N>::new(centre);
    let along = Vector::<f32, N>::new(projected * share);
    for round in 0..rounds {
        let i = unit + round * UNITS;
        if i < columns {
            let normed = (summed::<N>(x, residual, base + i, added) - mean) * scale;
            let of_normed = gradient[base + i] * (weight[i] + Vector::new(offset));
            to_x[base + i] = (of_normed - centre - normed * along) * scale;
        }
    }
}

/// A unit a column of a block of rows: the block's share of both gradients, `shares [2, blocks, columns]`.
#[cube(launch_unchecked)]
fn norm_backward_weights<N: Size>(
    x: &[Vector<f32, N>],
    residual: &[Vector<f32, N>],
    stats: &[f32],
    gradient: &[Vector<f32, N>],
    shares: &mut [Vector<f32, N>],
    rows: u32,
    #[comptime] columns: usize,
    #[comptime] added: bool,
) {
    let i = ABSOLUTE_POS_X as usize;
    if i >= columns {
        terminate!();
    }
    let block = CUBE_POS_Y as usize;
    let rows = rows as usize;
    let first = block * ROWS_A_BLOCK;
    let last = select(first + ROWS_A_BLOCK < rows, first + ROWS_A_BLOCK, rows);
    let mut of_weight = Vector::<f32, N>::new(0.0f32);
    let mut of_bias = Vector::<f32, N>::new(0.0f32);
    for row in first..last {
        let index = row * columns + i;
        let g = gradient[index];
        let centred = summed::<N>(x, residual, index, added) - Vector::new(stats[row * 2]);
        of_weight += g * centred * Vector::new(stats[row * 2 + 1]);
        of_bias += g;
    }
    shares[block * columns + i] = of_weight;
    shares[(CUBE_COUNT_Y as usize + block) * columns + i] = of_bias;
}

/// The blocks' shares added up; a unit a column.
#[cube(launch_unchecked)]
fn add_shares<N: Size>(
    shares: &[Vector<f32, N>],
    to_weight: &mut [Vector<f32, N>],
    to_bias: &mut [Vector<f32, N>],
    blocks: u32,
    #[comptime] columns: usize,
) {
    let i = ABSOLUTE_POS_X as usize;
    if i >= columns {
        terminate!();
    }
    let blocks = blocks as usize;
    let mut of_weight = Vector::<f32, N>::new(0.0f32);
    let mut of_bias = Vector::<f32, N>::new(0.0f32);
    for block in 0..blocks {
        of_weight += shares[block * columns + i];
        of_bias += shares[(blocks + block) * columns + i];
    }
    to_weight[i] = of_weight;
    to_bias[i] = of_bias;
}
