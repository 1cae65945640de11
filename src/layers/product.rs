//! Products of activations and weights: by the GPU's own kernels where they take them, else by burn.

use burn::tensor::{Tensor, module::linear};

#[cfg(feature = "webgpu")]
use crate::kernels;

/// `x W + b`. `x`: `[.., in]`, `weight`: `[in, out]`, `bias`: `[out]`. Returns `[.., out]`.
pub fn product<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    #[cfg(feature = "webgpu")]
    if let Some(y) = kernels::linear(&x, &weight, bias.as_ref()) {
        return y;
    }
    linear(x, weight, bias)
}

/// `[rows, k]` and `[k, n]` to `[rows, n]`.
pub fn matmul(rows: Tensor<2>, matrix: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "webgpu")]
    if let Some(product) = kernels::linear(&rows, &matrix, None) {
        return product;
    }
    rows.matmul(matrix)
}
