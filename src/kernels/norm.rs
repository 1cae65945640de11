//! Layer norm and RMS norm, with the sum before them where there is one: one launch forward, one backward, two more for a trained weight.

mod cube;

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use super::takes;
use cube::Given;

pub use cube::Norm;

/// The operation for burn's dispatch.
#[backend_extension(Cube, Autodiff)]
pub trait NormOps: Backend {
    /// The norm of `x + residual` over the last axis, times the weight, plus the bias.
    fn norm(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        norm: Norm,
        given: Given,
    ) -> FloatTensor<Self>;
}

impl NormOps for CubeBackend {
    fn norm(
        x: CubeTensor,
        residual: CubeTensor,
        weight: CubeTensor,
        bias: CubeTensor,
        norm: Norm,
        given: Given,
    ) -> CubeTensor {
        cube::forward([x, residual, weight, bias], norm, given).0
    }
}

impl<C: CheckpointStrategy> NormOps for Autodiff<CubeBackend, C> {
    fn norm(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        norm: Norm,
        given: Given,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), residual.node(), weight.node(), bias.node()];
        let inputs = [x, residual, weight, bias].map(|tensor| tensor.into_primitive());
        match NormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let [x, residual, weight, _] = inputs.clone();
                let (y, stats) = cube::forward(inputs, norm, given);
                prep.finish(([x, residual, weight, stats], norm, given), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(cube::forward(inputs, norm, given).0),
        }
    }
}

#[derive(Debug)]
struct NormBackward;

impl Backward<CubeBackend, 4> for NormBackward {
    /// The inputs without the bias, and the rows' statistics.
    type State = ([CubeTensor; 4], Norm, Given);

    fn backward(
        self,
        ops: Ops<Self::State, 4>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x, of_residual, of_weight, of_bias] = ops.parents;
        let gradient = gradients.consume::<CubeBackend>(&ops.node);
        let (kept, norm, given) = ops.state;
        let of_residual = of_residual.filter(|_| given.residual);
        let of_bias = of_bias.filter(|_| given.bias);
        if of_weight.is_some() || of_bias.is_some() {
            let [to_weight, to_bias] =
                cube::backward_weights(kept.clone(), gradient.clone(), given);
            if let Some(node) = of_weight {
                gradients.register::<CubeBackend>(node.id, to_weight);
            }
            if let Some(node) = of_bias {
                gradients.register::<CubeBackend>(node.id, to_bias);
            }
        }
        if of_x.is_some() || of_residual.is_some() {
            // a sum's gradient goes to both alike
            let to_sum = cube::backward(kept, gradient, norm, given);
            for node in [of_x, of_residual].into_iter().flatten() {
                gradients.register::<CubeBackend>(node.id, to_sum.clone());
            }
        }
    }
}

/// The norm of `x`, or of `x + residual`, over the last axis, times `weight`, plus `bias`: `[.., width]` to the same, the other two `[width]`.
/// None where burn's operations must serve.
pub fn norm<const D: usize>(
    x: &Tensor<D>,
    residual: Option<&Tensor<D>>,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    norm: Norm,
) -> Option<Tensor<D>> {
    if !takes(x) {
        return None;
    }
    let given = Given {
        residual: residual.is_some(),
        bias: bias.is_some(),
    };
    Some(Tensor::from_dispatch(Dispatch::norm(
        x.clone().into_dispatch(),
        residual.unwrap_or(x).clone().into_dispatch(),
        weight.clone().into_dispatch(),
        bias.unwrap_or(weight).into_dispatch(),
        norm,
        given,
    )))
}
