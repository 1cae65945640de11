//! The launches of attention.

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernel::{self, BiasPlaceLaunch, PlacesLaunch, SizesLaunch};
use crate::kernels::heads::Heads;
use crate::kernels::launch::empty;

/// Numbers that a unit reads at once.
pub const VECTOR: usize = 4;
/// Rows of one head that a cube works on, a unit each: one warp.
const UNITS: usize = 32;

/// The inputs.
#[derive(Debug, Clone)]
pub struct Call {
    /// Query, key and value.
    pub parts: [Heads; 3],
    /// Broadcasts to `[batch, heads, tokens, keys]`.
    pub bias: CubeTensor,
    pub scale: f32,
}

/// The result, `[batch, tokens, heads * width]`, and after it what the backward pass needs to know of each row, a vector: the highest score,
/// one over the sum of the exponents, and the product of the result and its gradient.
#[derive(Debug, Clone)]
pub struct Kept {
    memory: CubeTensor,
    shape: [usize; 3],
}

impl Kept {
    fn empty(query: &Heads) -> Self {
        let [batch, heads, tokens, width] = query.shape;
        let rows = batch * heads * tokens;
        Self {
            memory: empty(&query.tensor, [rows * (width + VECTOR)]),
            shape: [batch, tokens, heads * width],
        }
    }

    /// The result alone.
    pub fn mixed(&self) -> CubeTensor {
        let memory = self.memory.clone();
        let rest = memory.shape().num_elements() - self.shape.iter().product::<usize>();
        let handle = memory
            .handle
            .offset_end((rest * memory.dtype.size()) as u64);
        CubeTensor::new_contiguous(
            memory.client,
            memory.device,
            self.shape.into(),
            handle,
            memory.dtype,
        )
    }
}

impl Call {
    fn places(&self) -> PlacesLaunch {
        let [query, key, value] = &self.parts;
        PlacesLaunch::new(
            query.place(VECTOR),
            key.place(VECTOR),
            value.place(VECTOR),
            self.bias_place(),
        )
    }

    /// An axis of length 1 is the same everywhere.
    fn bias_place(&self) -> BiasPlaceLaunch {
        let shape = self.bias.shape();
        let strides = self.bias.meta.strides();
        let stride = |axis: usize| {
            if shape[axis] == 1 {
                0
            } else {
                strides[axis] as u32
            }
        };
        BiasPlaceLaunch::new(stride(0), stride(1), stride(2), stride(3))
    }

    fn sizes(&self) -> SizesLaunch {
        let [query, key, _] = &self.parts;
        let [_, heads, tokens, _] = query.shape;
        let [_, key_heads, keys, _] = key.shape;
        SizesLaunch::new(
            tokens as u32,
            keys as u32,
            (heads / key_heads.max(1)) as u32,
        )
    }
}

/// A unit a row of a head, `[rows, heads, batch]`.
fn units(rows: usize, heads: usize, batch: usize) -> CubeCount {
    CubeCount::Static(rows.div_ceil(UNITS) as u32, heads as u32, batch as u32)
}

/// The result.
pub fn forward(call: &Call) -> Kept {
    let [query, key, value] = &call.parts;
    let [batch, heads, tokens, width] = query.shape;
    let kept = Kept::empty(query);
    // SAFETY: the kernel bounds tokens and keys by their numbers, heads and batches are those of the launch, and places are within tensors.
    unsafe {
        kernel::attention_forward::launch_unchecked(
            &query.tensor.client,
            units(tokens, heads, batch),
            CubeDim::new_1d(UNITS as u32),
            VECTOR,
            query.tensor.clone().into_buffer_arg(),
            key.tensor.clone().into_buffer_arg(),
            value.tensor.clone().into_buffer_arg(),
            call.bias.clone().into_buffer_arg(),
            kept.memory.clone().into_buffer_arg(),
            call.places(),
            call.sizes(),
            call.scale,
            width / VECTOR,
        );
    }
    kept
}

/// Writes the gradient to the queries, and to `kept` what [`backward_keys`] needs for that to the keys. `gradient` has no gaps.
pub fn backward_query(call: &Call, kept: &Kept, gradient: &CubeTensor, to_query: &Heads) {
    let [query, key, value] = &call.parts;
    let [batch, heads, tokens, width] = query.shape;
    // SAFETY: as above; `to_query` has the shape of the queries.
    unsafe {
        kernel::attention_backward_query::launch_unchecked(
            &query.tensor.client,
            units(tokens, heads, batch),
            CubeDim::new_1d(UNITS as u32),
            VECTOR,
            query.tensor.clone().into_buffer_arg(),
            key.tensor.clone().into_buffer_arg(),
            value.tensor.clone().into_buffer_arg(),
            call.bias.clone().into_buffer_arg(),
            gradient.clone().into_buffer_arg(),
            kept.memory.clone().into_buffer_arg(),
            to_query.tensor.clone().into_buffer_arg(),
            call.places(),
            to_query.place(VECTOR),
            call.sizes(),
            call.scale,
            width / VECTOR,
        );
    }
}

/// Writes the gradients to keys and values, which share one piece of memory; those that are wanted. `gradient` has no gaps.
pub fn backward_keys(
    call: &Call,
    kept: &Kept,
    gradient: &CubeTensor,
    room: &[Heads; 2],
    wanted: [bool; 2],
) {
    let [query, key, value] = &call.parts;
    let [batch, key_heads, keys, width] = key.shape;
    let kinds = wanted.iter().filter(|wanted| **wanted).count();
    let first = u32::from(!wanted[0]);
    let [to_key, to_value] = room;
    // SAFETY: as above; `room` has the shapes of the keys and the values.
    unsafe {
        kernel::attention_backward_keys::launch_unchecked(
            &query.tensor.client,
            units(keys, key_heads, batch * kinds),
            CubeDim::new_1d(UNITS as u32),
            VECTOR,
            query.tensor.clone().into_buffer_arg(),
            key.tensor.clone().into_buffer_arg(),
            value.tensor.clone().into_buffer_arg(),
            call.bias.clone().into_buffer_arg(),
            gradient.clone().into_buffer_arg(),
            kept.memory.clone().into_buffer_arg(),
            to_key.tensor.clone().into_buffer_arg(),
            call.places(),
            to_key.place(VECTOR),
            to_value.place(VECTOR),
            call.sizes(),
            kinds as u32,
            first,
            call.scale,
            width / VECTOR,
        );
    }
}
