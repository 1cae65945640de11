//! A backward pass that begins at a tensor whose gradient is known, without a loss to take it from.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients as Tape;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Gradients, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use super::launch::empty;
use super::takes;

/// The operation for burn's dispatch.
#[backend_extension(Cube, Autodiff)]
pub trait SeedOps: Backend {
    /// A number that means nothing, but whose backward pass hands `gradient` to `x`.
    fn start_backward(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl SeedOps for CubeBackend {
    fn start_backward(x: CubeTensor, _gradient: CubeTensor) -> CubeTensor {
        empty(&x, [1])
    }
}

impl<C: CheckpointStrategy> SeedOps for Autodiff<CubeBackend, C> {
    fn start_backward(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node(), gradient.node()];
        let (x, gradient) = (x.into_primitive(), gradient.into_primitive());
        let root = empty(&x, [1]);
        match SeedBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(gradient, root),
            OpsKind::UnTracked(prep) => prep.finish(root),
        }
    }
}

#[derive(Debug)]
struct SeedBackward;

impl Backward<CubeBackend, 2> for SeedBackward {
    type State = CubeTensor;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        gradients: &mut Tape,
        _checkpointer: &mut Checkpointer,
    ) {
        gradients.consume::<CubeBackend>(&ops.node);
        let [of_x, _] = ops.parents;
        if let Some(node) = of_x {
            gradients.register::<CubeBackend>(node.id, ops.state);
        }
    }
}

/// The gradients of everything below `x`, whose own gradient is given, of the same shape. None where burn's operations must serve.
pub fn backward_from<const D: usize>(x: &Tensor<D>, gradient: &Tensor<D>) -> Option<Gradients> {
    if !takes(x) {
        return None;
    }
    let [x, gradient] = [x, gradient].map(|tensor| tensor.clone().into_dispatch());
    Some(Tensor::<1>::from_dispatch(Dispatch::start_backward(x, gradient)).backward())
}
