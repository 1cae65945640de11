//! What all launches need: sizes, vectors and room for the result.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Memory for a tensor of that shape on the device of `like`; whatever was there before is still in it.
pub fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), like.dtype)
}

/// The most numbers, at most four, that divide `width` and that the device reads at once.
pub fn vector(tensor: &CubeTensor, width: usize) -> usize {
    let sizes = tensor.client.io_optimized_vector_sizes(tensor.dtype.size());
    sizes
        .filter(|size| *size <= 4 && width.is_multiple_of(*size))
        .max()
        .unwrap_or(1)
}

/// The number of rows and their width, a row being the last axis.
pub fn rows(tensor: &CubeTensor) -> [usize; 2] {
    let shape = tensor.shape();
    let width = shape[shape.num_dims() - 1];
    [shape.num_elements() / width.max(1), width]
}

/// `count` cubes, in two dimensions where one would be too long. A kernel must leave out what is past `count`.
pub fn cubes(count: usize) -> CubeCount {
    const LONGEST: usize = 65535;
    let x = count.clamp(1, LONGEST);
    CubeCount::Static(x as u32, count.div_ceil(x).max(1) as u32, 1)
}
