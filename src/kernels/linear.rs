//! Linear layers, with and without a low-rank delta: the delta is added where the product is written, forward and backward.

mod cube;

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Shape, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::launch::rows;
use super::takes;
use cube::{Delta, Matrix, over_rows, product};

/// Which of the tensors a call means; the others only fill a place, because burn's extensions know no optional tensors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Given {
    bias: bool,
    /// The delta's factor.
    delta: Option<f32>,
}

/// The operation for burn's dispatch.
#[backend_extension(Cube, Autodiff)]
pub trait LinearOps: Backend {
    /// `x W + b + s (x A) B`, over the last axis of `x`.
    fn lora_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        given: Given,
    ) -> FloatTensor<Self>;
}

/// What the backward pass reads.
#[derive(Debug, Clone)]
struct Kept {
    x: CubeTensor,
    weight: Matrix,
    /// `[in, r]`, `[r, out]` and `x A`.
    delta: Option<(Matrix, Matrix, CubeTensor, f32)>,
}

/// The result and what it was computed from.
fn forward(inputs: [CubeTensor; 5], given: Given) -> (CubeTensor, Kept) {
    let [x, weight, bias, a, b] = inputs;
    let (x, weight) = (into_contiguous(x), Matrix::new(weight));
    let bias = given.bias.then(|| into_contiguous(bias));
    let delta = given.delta.map(|scale| {
        let (a, b) = (Matrix::new(a), Matrix::new(b));
        let down = product(&x, &a, 1.0, None, None);
        (a, b, down, scale)
    });
    let added = delta.as_ref().map(|(_, b, down, scale)| Delta {
        lhs: down,
        rhs: b,
        scale: *scale,
    });
    let y = product(&x, &weight, 1.0, added.as_ref(), bias.as_ref());
    (y, Kept { x, weight, delta })
}

impl LinearOps for CubeBackend {
    fn lora_linear(
        x: CubeTensor,
        weight: CubeTensor,
        bias: CubeTensor,
        a: CubeTensor,
        b: CubeTensor,
        given: Given,
    ) -> CubeTensor {
        forward([x, weight, bias, a, b], given).0
    }
}

impl<C: CheckpointStrategy> LinearOps for Autodiff<CubeBackend, C> {
    fn lora_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        given: Given,
    ) -> FloatTensor<Self> {
        let inputs = [x, weight, bias, a, b];
        let nodes = inputs.each_ref().map(|tensor| tensor.node());
        let inputs = inputs.map(|tensor| tensor.into_primitive());
        let (y, kept) = forward(inputs, given);
        match LinearBackward
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish((kept, given), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[derive(Debug)]
struct LinearBackward;

impl Backward<CubeBackend, 5> for LinearBackward {
    type State = (Kept, Given);

    fn backward(
        self,
        ops: Ops<Self::State, 5>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x, of_weight, of_bias, of_a, of_b] = ops.parents;
        let gradient = into_contiguous(gradients.consume::<CubeBackend>(&ops.node));
        let (Kept { x, weight, delta }, given) = ops.state;
        if let Some(node) = of_weight {
            gradients.register::<CubeBackend>(node.id, over_rows(&x, &gradient, 1.0));
        }
        if let Some(node) = of_bias.filter(|_| given.bias) {
            gradients.register::<CubeBackend>(node.id, column_sums(gradient.clone()));
        }
        let Some((a, b, down, scale)) = delta else {
            if let Some(node) = of_x {
                let to_x = product(&gradient, &weight.transposed(), 1.0, None, None);
                gradients.register::<CubeBackend>(node.id, to_x);
            }
            return;
        };
        // to x A, which the other two need
        let to_down = product(&gradient, &b.transposed(), scale, None, None);
        if let Some(node) = of_b {
            gradients.register::<CubeBackend>(node.id, over_rows(&down, &gradient, scale));
        }
        if let Some(node) = of_a {
            gradients.register::<CubeBackend>(node.id, over_rows(&x, &to_down, 1.0));
        }
        if let Some(node) = of_x {
            let added = Delta {
                lhs: &to_down,
                rhs: &a.transposed(),
                scale: 1.0,
            };
            let to_x = product(&gradient, &weight.transposed(), 1.0, Some(&added), None);
            gradients.register::<CubeBackend>(node.id, to_x);
        }
    }
}

/// `[.., width]` to `[width]`.
fn column_sums(x: CubeTensor) -> CubeTensor {
    let [rows, width] = rows(&x);
    let x = burn_cubecl::ops::reshape(x, Shape::new([rows, width]));
    let sum = <CubeBackend as FloatTensorOps<CubeBackend>>::float_sum_dim(x, 0);
    burn_cubecl::ops::reshape(sum, Shape::new([width]))
}

/// Whether the kernels, which read four numbers at once, can take a product with that matrix.
fn fits(matrix: &Tensor<2>) -> bool {
    matrix.dtype() == DType::F32 && matrix.dims().iter().all(|n| n.is_multiple_of(4))
}

/// `x W + b`. `x`: `[.., in]`, `weight`: `[in, out]`, in whatever order, `bias`: `[out]`. Returns `[.., out]`; None where burn's operations must
/// serve.
pub fn linear<const D: usize>(
    x: &Tensor<D>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<D>> {
    call(x, weight, bias, None)
}

/// `x W + b + s (x A) B`. As [`linear`], and `a`: `[in, r]`, `b`: `[r, out]`.
pub fn lora_linear<const D: usize>(
    x: &Tensor<D>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
    [a, b]: [&Tensor<2>; 2],
    scale: f64,
) -> Option<Tensor<D>> {
    call(x, weight, bias, Some((a, b, scale as f32)))
}

fn call<const D: usize>(
    x: &Tensor<D>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
    delta: Option<(&Tensor<2>, &Tensor<2>, f32)>,
) -> Option<Tensor<D>> {
    let fits = fits(weight) && delta.is_none_or(|(a, b, _)| fits(a) && fits(b));
    if !takes(x) || !fits {
        return None;
    }
    let given = Given {
        bias: bias.is_some(),
        delta: delta.map(|(_, _, scale)| scale),
    };
    let filler = || x.clone().into_dispatch();
    let matrix = |given: Option<&Tensor<2>>| {
        given.map_or_else(filler, |matrix| matrix.clone().into_dispatch())
    };
    Some(Tensor::from_dispatch(Dispatch::lora_linear(
        filler(),
        weight.clone().into_dispatch(),
        bias.map_or_else(filler, |bias| bias.clone().into_dispatch()),
        matrix(delta.map(|(a, _, _)| a)),
        matrix(delta.map(|(_, b, _)| b)),
        given,
    )))
}
