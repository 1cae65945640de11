//! The launches and kernels of matrix products.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::kernels::launch::{empty, rows};

/// Rows and columns of the result that a unit computes; numbers of a vector.
const TILE: usize = 4;
/// Units of a cube.
const UNITS: usize = 64;
/// How many units share the rows that [`over_rows`] sums over; the others of a cube have other columns.
const SPLITS: usize = 8;

/// A matrix, `[k, n]`, whose memory may hold its transpose.
#[derive(Debug, Clone)]
pub struct Matrix {
    memory: CubeTensor,
    shape: [usize; 2],
    /// Whether memory is in the order of `[n, k]`.
    turned: bool,
}

/// A second product that is added to the first.
pub struct Delta<'a> {
    /// `[rows, r]`
    pub lhs: &'a CubeTensor,
    /// `[r, n]`
    pub rhs: &'a Matrix,
    /// Its factor.
    pub scale: f32,
}

impl Matrix {
    /// `tensor`: `[k, n]`. Copies only what lies in neither of the two orders.
    pub fn new(tensor: CubeTensor) -> Self {
        let (dims, strides) = (tensor.shape(), tensor.meta.strides().clone());
        let shape = [dims[0], dims[1]];
        let turned = shape.iter().all(|n| *n > 1) && strides[0] == 1 && strides[1] == shape[0];
        let memory = if turned {
            tensor
        } else {
            into_contiguous(tensor)
        };
        Self {
            memory,
            shape,
            turned,
        }
    }

    /// Its transpose, in the same memory.
    pub fn transposed(&self) -> Self {
        let [k, n] = self.shape;
        Self {
            memory: self.memory.clone(),
            shape: [n, k],
            turned: !self.turned,
        }
    }
}

/// `scale (lhs rhs) + delta + bias`. `lhs`: contiguous, its last axis of k; `bias`: `[n]`. Returns `lhs`'s shape with n as the last axis.
pub fn product(
    lhs: &CubeTensor,
    rhs: &Matrix,
    scale: f32,
    delta: Option<&Delta>,
    bias: Option<&CubeTensor>,
) -> CubeTensor {
    let ([count, k], [_, n]) = (rows(lhs), rhs.shape);
    let mut shape = lhs.shape();
    let last = shape.num_dims() - 1;
    shape[last] = n;
    let out = empty(lhs, shape);
    let columns = n / TILE;
    let across = columns.next_power_of_two().min(8);
    let down = UNITS / across;
    let none = Delta {
        lhs,
        rhs,
        scale: 1.0,
    };
    let added = delta.unwrap_or(&none);
    let client = lhs.client.clone();
    // SAFETY: the kernel bounds rows by `count` and columns by n; k, n and r are multiples of a vector, as `takes` has seen.
    unsafe {
        products::launch_unchecked(
            &client,
            CubeCount::Static(
                columns.div_ceil(across) as u32,
                count.div_ceil(TILE).div_ceil(down) as u32,
                1,
            ),
            CubeDim::new_2d(across as u32, down as u32),
            TILE,
            lhs.clone().into_buffer_arg(),
            rhs.memory.clone().into_buffer_arg(),
            added.lhs.clone().into_buffer_arg(),
            added.rhs.memory.clone().into_buffer_arg(),
            bias.unwrap_or(lhs).clone().into_buffer_arg(),
            out.clone().into_buffer_arg(),
            scale,
            added.scale / scale,
            count as u32,
            (k / TILE) as u32,
            columns as u32,
            (added.rhs.shape[0] / TILE) as u32,
            rhs.turned,
            added.rhs.turned,
            delta.is_some(),
            bias.is_some(),
        );
    }
    out
}

/// `scale lhs^T rhs`, a sum over rows: `lhs` has m as its last axis, `rhs` n, both contiguous. Returns `[m, n]`.
pub fn over_rows(lhs: &CubeTensor, rhs: &CubeTensor, scale: f32) -> CubeTensor {
    let ([count, m], [_, n]) = (rows(lhs), rows(rhs));
    let out = empty(lhs, Shape::new([m, n]));
    let wide = n > m;
    let [along, other] = if wide { [n, m] } else { [m, n] }.map(|width| width / TILE);
    let across = UNITS / SPLITS;
    let client = lhs.client.clone();
    // SAFETY: the kernel bounds tiles by m and n, rows by `count`.
    unsafe {
        products_over_rows::launch_unchecked(
            &client,
            CubeCount::Static(along.div_ceil(across) as u32, other as u32, 1),
            CubeDim::new_2d(across as u32, SPLITS as u32),
            TILE,
            lhs.clone().into_buffer_arg(),
            rhs.clone().into_buffer_arg(),
            out.clone().into_buffer_arg(),
            scale,
            count as u32,
            (m / TILE) as u32,
            (n / TILE) as u32,
            wide,
        );
    }
    out
}

/// Four numbers along k times the four rows of `right`.
#[cube]
fn row_times<N: Size>(left: Vector<f32, N>, right: &Sequence<Vector<f32, N>>) -> Vector<f32, N> {
    Vector::new(left.extract(0usize)) * *right.index(0usize)
        + Vector::new(left.extract(1usize)) * *right.index(1usize)
        + Vector::new(left.extract(2usize)) * *right.index(2usize)
        + Vector::new(left.extract(3usize)) * *right.index(3usize)
}

/// Four rows of `rhs [k, n]` from `q` on in the tile's columns, both counted in vectors.
#[cube]
fn right_tile<N: Size>(
    rhs: &[Vector<f32, N>],
    q: usize,
    column: usize,
    k: usize,
    n: usize,
    #[comptime] turned: bool,
) -> Sequence<Vector<f32, N>> {
    let mut right = Sequence::<Vector<f32, N>>::new();
    if comptime!(turned) {
        let t0 = rhs[column * TILE * k + q];
        let t1 = rhs[(column * TILE + 1) * k + q];
        let t2 = rhs[(column * TILE + 2) * k + q];
        let t3 = rhs[(column * TILE + 3) * k + q];
        #[unroll]
        for j in 0..TILE {
            let mut line = Vector::<f32, N>::empty();
            line.insert(0usize, t0.extract(j));
            line.insert(1usize, t1.extract(j));
            line.insert(2usize, t2.extract(j));
            line.insert(3usize, t3.extract(j));
            right.push(line);
        }
    } else {
        #[unroll]
        for j in 0..TILE {
            right.push(rhs[(q * TILE + j) * n + column]);
        }
    }
    right
}

/// A unit a tile of 4 x 4. `k`, `columns` and `r` are counted in vectors.
#[cube(launch_unchecked)]
fn products<N: Size>(
    lhs: &[Vector<f32, N>],
    rhs: &[Vector<f32, N>],
    delta_lhs: &[Vector<f32, N>],
    delta_rhs: &[Vector<f32, N>],
    bias: &[Vector<f32, N>],
    out: &mut [Vector<f32, N>],
    scale: f32,
    delta_scale: f32,
    rows: u32,
    k: u32,
    columns: u32,
    r: u32,
    #[comptime] turned: bool,
    #[comptime] delta_turned: bool,
    #[comptime] adds: bool,
    #[comptime] biased: bool,
) {
    let column = ABSOLUTE_POS_X as usize;
    let first = ABSOLUTE_POS_Y as usize * TILE;
    let (rows, k, n) = (rows as usize, k as usize, columns as usize);
    if column >= n || first >= rows {
        terminate!();
    }
    let last = rows - 1;
    // past the end the last row once more, which is not written
    let r0 = first;
    let r1 = select(first + 1 < rows, first + 1, last);
    let r2 = select(first + 2 < rows, first + 2, last);
    let r3 = select(first + 3 < rows, first + 3, last);
    let mut s0 = Vector::<f32, N>::new(0.0f32);
    let mut s1 = Vector::<f32, N>::new(0.0f32);
    let mut s2 = Vector::<f32, N>::new(0.0f32);
    let mut s3 = Vector::<f32, N>::new(0.0f32);
    if comptime!(adds) {
        let r = r as usize;
        let factor = Vector::<f32, N>::new(delta_scale);
        for q in 0..r {
            let right = right_tile::<N>(delta_rhs, q, column, r, n, delta_turned);
            s0 += row_times::<N>(delta_lhs[r0 * r + q] * factor, &right);
            s1 += row_times::<N>(delta_lhs[r1 * r + q] * factor, &right);
            s2 += row_times::<N>(delta_lhs[r2 * r + q] * factor, &right);
            s3 += row_times::<N>(delta_lhs[r3 * r + q] * factor, &right);
        }
    }
    for q in 0..k {
        let right = right_tile::<N>(rhs, q, column, k, n, turned);
        s0 += row_times::<N>(lhs[r0 * k + q], &right);
        s1 += row_times::<N>(lhs[r1 * k + q], &right);
        s2 += row_times::<N>(lhs[r2 * k + q], &right);
        s3 += row_times::<N>(lhs[r3 * k + q], &right);
    }
    let mut added = Vector::<f32, N>::new(0.0f32);
    if comptime!(biased) {
        added = bias[column];
    }
    let factor = Vector::<f32, N>::new(scale);
    out[r0 * n + column] = s0 * factor + added;
    if first + 1 < rows {
        out[r1 * n + column] = s1 * factor + added;
    }
    if first + 2 < rows {
        out[r2 * n + column] = s2 * factor + added;
    }
    if first + 3 < rows {
        out[r3 * n + column] = s3 * factor + added;
    }
}

/// A unit a tile of 4 x 4 and every [`SPLITS`]th row; the units of a tile then add up what they found, in order. `m`, `columns`: in vectors.
#[cube(launch_unchecked)]
fn products_over_rows<N: Size>(
    lhs: &[Vector<f32, N>],
    rhs: &[Vector<f32, N>],
    out: &mut [Vector<f32, N>],
    scale: f32,
    rows: u32,
    m: u32,
    columns: u32,
    #[comptime] wide: bool,
) {
    let (rows, m, n) = (rows as usize, m as usize, columns as usize);
    let across = comptime!(UNITS / SPLITS);
    let unit = UNIT_POS_X as usize;
    let split = UNIT_POS_Y as usize;
    let along = CUBE_POS_X as usize * across + unit;
    let other = CUBE_POS_Y as usize;
    let mut shared = Shared::<[Vector<f32, N>]>::new_slice(comptime!(UNITS * TILE));
    // units past the end take the last tile, so that all reach the barrier, and write nothing
    let ends = if comptime!(wide) { n } else { m };
    let inside = along < ends;
    let along = select(inside, along, ends - 1);
    let tile_m = if comptime!(wide) { other } else { along };
    let tile_n = if comptime!(wide) { along } else { other };
    let mut s0 = Vector::<f32, N>::new(0.0f32);
    let mut s1 = Vector::<f32, N>::new(0.0f32);
    let mut s2 = Vector::<f32, N>::new(0.0f32);
    let mut s3 = Vector::<f32, N>::new(0.0f32);
    let rounds = (rows + SPLITS - 1 - split) / SPLITS;
    for round in 0..rounds {
        let row = round * SPLITS + split;
        let left = lhs[row * m + tile_m];
        let right = rhs[row * n + tile_n];
        s0 += Vector::new(left.extract(0usize)) * right;
        s1 += Vector::new(left.extract(1usize)) * right;
        s2 += Vector::new(left.extract(2usize)) * right;
        s3 += Vector::new(left.extract(3usize)) * right;
    }
    let place = split * TILE * across + unit;
    shared[place] = s0;
    shared[place + across] = s1;
    shared[place + 2 * across] = s2;
    shared[place + 3 * across] = s3;
    sync_cube();
    if inside && split < TILE {
        let mut sum = Vector::<f32, N>::new(0.0f32);
        #[unroll]
        for part in 0..SPLITS {
            sum += shared[(part * TILE + split) * across + unit];
        }
        out[(tile_m * TILE + split) * n + tile_n] = sum * Vector::new(scale);
    }
}
