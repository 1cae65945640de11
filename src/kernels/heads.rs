//! Where the heads of a layer lie in memory: split heads are views of the rows that linear layers give, and kernels read them in place.

use burn::backend::TensorMetadata;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::empty;

/// Distances between rows that follow one another in a batch, a head or a text, and the first row's place; in vectors.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub struct Place {
    batch: u32,
    head: u32,
    token: u32,
    first: u32,
}

/// The place of a row.
#[cube]
pub fn row(place: &Place, batch: usize, head: usize, token: usize) -> usize {
    batch * place.batch as usize
        + head * place.head as usize
        + token * place.token as usize
        + place.first as usize
}

/// `[batch, heads, length, width]` in a tensor of any layout that keeps each row together.
#[derive(Debug, Clone)]
pub struct Heads {
    /// The memory; its own shape does not matter.
    pub tensor: CubeTensor,
    pub shape: [usize; 4],
    /// Between batches, heads and rows, in numbers.
    strides: [usize; 3],
    /// The first row's place, in numbers.
    first: usize,
}

impl Heads {
    /// Of a tensor `[batch, heads, length, width]` that is read in vectors of `vector` numbers. It is copied where its rows are not whole.
    pub fn new(tensor: CubeTensor, vector: usize) -> Self {
        let whole = |tensor: &CubeTensor| {
            let (shape, strides) = (tensor.shape(), tensor.meta.strides());
            let starts = |axis: usize| shape[axis] == 1 || strides[axis].is_multiple_of(vector);
            strides[3] == 1 && (0..3).all(starts)
        };
        let tensor = if whole(&tensor) {
            tensor
        } else {
            into_contiguous(tensor)
        };
        let axes = |axes: &[usize]| [axes[0], axes[1], axes[2]];
        let width = tensor.shape()[3];
        let [batch, heads, length] = axes(&tensor.shape()[..3]);
        Self {
            shape: [batch, heads, length, width],
            strides: axes(&tensor.meta.strides()[..3]),
            first: 0,
            tensor,
        }
    }

    /// Query, key and value side by side in `[batch, tokens, 3 * heads * width]`, without gaps.
    pub fn side_by_side(tensor: &CubeTensor, heads: usize) -> [Self; 3] {
        let shape = tensor.shape();
        let [batch, tokens, all] = [shape[0], shape[1], shape[2]];
        let width = all / (3 * heads);
        [0, 1, 2].map(|part| Self {
            tensor: tensor.clone(),
            shape: [batch, heads, tokens, width],
            strides: [tokens * all, width, all],
            first: part * heads * width,
        })
    }

    /// The same layout in another tensor.
    pub fn in_tensor(&self, tensor: CubeTensor) -> Self {
        Self {
            tensor,
            ..self.clone()
        }
    }

    /// Memory for each of `several` in one piece, their axes in the order that they have in memory, without gaps.
    pub fn room<const N: usize>(several: [&Self; N]) -> [Self; N] {
        /// Numbers in the alignment that any adapter takes for a view's start.
        const ALIGNED: usize = 64;
        let sizes = several.map(|heads| heads.shape.iter().product::<usize>());
        let spans = sizes.map(|size| size.next_multiple_of(ALIGNED));
        let all = empty(&several[0].tensor, [spans.iter().sum::<usize>()]);
        let mut first = 0;
        let mut index = 0;
        several.map(|heads| {
            let like = Self {
                tensor: all.clone(),
                shape: heads.shape,
                strides: heads.dense(),
                first,
            };
            first += spans[index];
            index += 1;
            like
        })
    }

    /// The strides without gaps, in the order that they have now.
    fn dense(&self) -> [usize; 3] {
        let mut order = [0, 1, 2];
        order.sort_by_key(|axis| self.strides[*axis]);
        let mut strides = [0; 3];
        let mut next = self.shape[3];
        for axis in order {
            strides[axis] = next;
            next *= self.shape[axis];
        }
        strides
    }

    /// The tensor `[batch, heads, length, width]` of what [`Self::room`] gave.
    pub fn into_tensor(self) -> CubeTensor {
        let CubeTensor {
            client,
            handle,
            meta,
            device,
            dtype,
            ..
        } = self.tensor;
        let bytes = |numbers: usize| (numbers * dtype.size()) as u64;
        let end = self.first + self.shape.iter().product::<usize>();
        let handle = handle
            .offset_start(bytes(self.first))
            .offset_end(bytes(meta.num_elements() - end));
        let mut tensor =
            CubeTensor::new_contiguous(client, device, self.shape.into(), handle, dtype);
        tensor.meta.strides_mut()[..3].copy_from_slice(&self.strides);
        tensor
    }

    /// What a kernel needs to know, for vectors of `vector` numbers.
    pub fn place(&self, vector: usize) -> PlaceLaunch {
        let [batch, head, token] = self.strides.map(|stride| (stride / vector) as u32);
        PlaceLaunch::new(batch, head, token, (self.first / vector) as u32)
    }
}
