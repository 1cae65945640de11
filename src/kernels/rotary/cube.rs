//! The launch and the kernel of rotary positions.

use burn::backend::TensorMetadata;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::kernels::heads::{Heads, Place, row};
use crate::kernels::launch::{cubes, vector};

const UNITS: usize = 64;

/// `x`: `[batch, heads, tokens, width]`, `tables`: cosine and sine; `sign` is -1 to turn back.
pub fn rotate(x: CubeTensor, tables: [CubeTensor; 2], turned: usize, sign: f32) -> CubeTensor {
    let [cos, sin] = tables.map(into_contiguous);
    let half = x.shape()[3] / 2;
    let n = vector(&x, half);
    let x = Heads::new(x, n);
    let [batch, heads, tokens, _] = x.shape;
    // rows have positions of their own, or all the same
    let own = cos.shape()[0] > tokens;
    let count = batch * heads * tokens * half / n;
    let [y] = Heads::room([&x]);
    // SAFETY: the kernel bounds its place by `count`; the tables have a row for every token.
    unsafe {
        turn::launch_unchecked(
            &x.tensor.client,
            cubes(count.div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            n,
            x.tensor.clone().into_buffer_arg(),
            cos.into_buffer_arg(),
            sin.into_buffer_arg(),
            y.tensor.clone().into_buffer_arg(),
            x.place(n),
            y.place(n),
            heads as u32,
            tokens as u32,
            turned as u32,
            if own { tokens as u32 } else { 0 },
            count as u32,
            sign,
            half / n,
        );
    }
    y.into_tensor()
}

/// A unit two vectors of a row, which turn together. `rows`: between the tables' rows of two batches, 0 if those share them; `half`: vectors
/// of half a row.
#[cube(launch_unchecked)]
fn turn<N: Size>(
    x: &[Vector<f32, N>],
    cos: &[Vector<f32, N>],
    sin: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    from: Place,
    to: Place,
    heads: u32,
    tokens: u32,
    turned: u32,
    rows: u32,
    count: u32,
    sign: f32,
    #[comptime] half: usize,
) {
    let index = ABSOLUTE_POS;
    if index >= count as usize {
        terminate!();
    }
    let heads = heads as usize;
    let tokens = tokens as usize;
    let i = index % half;
    let head = index / half % heads;
    let token = index / (half * heads) % tokens;
    let batch = index / (half * heads * tokens);
    let at = row(&from, batch, head, token) + i;
    let place = row(&to, batch, head, token) + i;
    let first = x[at];
    let second = x[at + half];
    if head < turned as usize {
        let of_table = (batch * rows as usize + token) * half * 2 + i;
        let cos = cos[of_table];
        let sin = sin[of_table] * Vector::new(sign);
        y[place] = first * cos - second * sin;
        y[place + half] = second * cos + first * sin;
    } else {
        y[place] = first;
        y[place + half] = second;
    }
}
