//! Kernels of our own: what a training step on the GPU does most often, in as few launches as it takes.
//!
//! Each operation is a trait that burn's dispatch calls by a tensor's device. Its implementation for `CubeBackend` launches what is written in
//! `#[cube]`, which CubeCL turns into WGSL or SPIR-V; the one for `Autodiff` has a backward pass of its own. The functions on tensors give `None`
//! where burn's operations must serve, on the CPU engine above all: the layers compose those themselves, and the tests hold both against each
//! other.
//!
//! Barriers are few, because an adapter in software pays more for them than for arithmetic; sums are in float32 and in a fixed order.

mod activation;
mod attention;
mod heads;
mod launch;
mod linear;
mod loss;
mod norm;
mod optimizer;
mod rotary;
mod seed;

use burn::tensor::{DType, Tensor};

use crate::device::is_cpu;

pub use activation::{Curve, curve, gated};
pub use attention::{attend, attend_joined};
pub use linear::{linear, lora_linear};
pub use loss::cross_entropy;
pub use norm::{Norm, norm};
pub use optimizer::{Constants, Flat, MOST_BYTES, Move, OnGpu, Start};
pub use rotary::rotate;
pub use seed::backward_from;

/// Whether the kernels can take this tensor.
pub fn takes<const D: usize>(x: &Tensor<D>) -> bool {
    !is_cpu(&x.device()) && x.dtype() == DType::F32
}
