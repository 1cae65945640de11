//! The curves between two linear layers, alone or as the gate of a second input: one launch forward, one backward.

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

pub use cube::Curve;

/// The operations for burn's dispatch.
#[backend_extension(Cube, Autodiff)]
pub trait ActivationOps: Backend {
    /// `curve(x)`
    fn curve(x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self>;

    /// `curve(gate) * x`
    fn gated(gate: FloatTensor<Self>, x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self>;
}

impl ActivationOps for CubeBackend {
    fn curve(x: CubeTensor, curve: Curve) -> CubeTensor {
        cube::curve(x, curve)
    }

    fn gated(gate: CubeTensor, x: CubeTensor, curve: Curve) -> CubeTensor {
        cube::gated(gate, x, curve)
    }
}

impl<C: CheckpointStrategy> ActivationOps for Autodiff<CubeBackend, C> {
    fn curve(x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        let (node, x) = (x.node(), x.into_primitive());
        let y = cube::curve(x.clone(), curve);
        match CurveBackward
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish((x, curve), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn gated(gate: FloatTensor<Self>, x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        let nodes = [gate.node(), x.node()];
        let (gate, x) = (gate.into_primitive(), x.into_primitive());
        let y = cube::gated(gate.clone(), x.clone(), curve);
        match GatedBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((gate, x, curve), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[derive(Debug)]
struct CurveBackward;

impl Backward<CubeBackend, 1> for CurveBackward {
    type State = (CubeTensor, Curve);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = gradients.consume::<CubeBackend>(&ops.node);
        let (x, curve) = ops.state;
        if let [Some(node)] = ops.parents {
            let to_x = cube::curve_backward(x, gradient, curve);
            gradients.register::<CubeBackend>(node.id, to_x);
        }
    }
}

#[derive(Debug)]
struct GatedBackward;

impl Backward<CubeBackend, 2> for GatedBackward {
    type State = (CubeTensor, CubeTensor, Curve);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = gradients.consume::<CubeBackend>(&ops.node);
        let (gate, x, curve) = ops.state;
        let [to_gate, to_x] = cube::gated_backward(gate, x, gradient, curve);
        let [of_gate, of_x] = ops.parents;
        if let Some(node) = of_gate {
            gradients.register::<CubeBackend>(node.id, to_gate);
        }
        if let Some(node) = of_x {
            gradients.register::<CubeBackend>(node.id, to_x);
        }
    }
}

/// The curve of each number. None where burn's operations must serve.
pub fn curve<const D: usize>(x: &Tensor<D>, curve: Curve) -> Option<Tensor<D>> {
    takes(x).then(|| Tensor::from_dispatch(Dispatch::curve(x.clone().into_dispatch(), curve)))
}

/// `curve(gate) * x`, both of one shape. None where burn's operations must serve.
pub fn gated<const D: usize>(gate: &Tensor<D>, x: &Tensor<D>, curve: Curve) -> Option<Tensor<D>> {
    (takes(gate) && takes(x)).then(|| {
        let [gate, x] = [gate, x].map(|tensor| tensor.clone().into_dispatch());
        Tensor::from_dispatch(Dispatch::gated(gate, x, curve))
    })
}
