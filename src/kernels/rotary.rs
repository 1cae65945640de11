//! Rotary positions: one launch forward and one backward, which turns the other way.

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

/// The operation for burn's dispatch. The tables get no gradient.
#[backend_extension(Cube, Autodiff)]
pub trait RotaryOps: Backend {
    /// Turns the first `turned` heads of `[batch, heads, tokens, width]`.
    fn rotate(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        turned: usize,
    ) -> FloatTensor<Self>;
}

impl RotaryOps for CubeBackend {
    fn rotate(x: CubeTensor, cos: CubeTensor, sin: CubeTensor, turned: usize) -> CubeTensor {
        cube::rotate(x, [cos, sin], turned, 1.0)
    }
}

impl<C: CheckpointStrategy> RotaryOps for Autodiff<CubeBackend, C> {
    fn rotate(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        turned: usize,
    ) -> FloatTensor<Self> {
        let node = x.node();
        let tables = [cos, sin].map(|table| table.into_primitive());
        let y = cube::rotate(x.into_primitive(), tables.clone(), turned, 1.0);
        match RotateBackward
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish((tables, turned), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[derive(Debug)]
struct RotateBackward;

impl Backward<CubeBackend, 1> for RotateBackward {
    /// The tables, and how many heads are turned.
    type State = ([CubeTensor; 2], usize);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x] = ops.parents;
        let gradient = gradients.consume::<CubeBackend>(&ops.node);
        let (tables, turned) = ops.state;
        if let Some(node) = of_x {
            let to_x = cube::rotate(gradient, tables, turned, -1.0);
            gradients.register::<CubeBackend>(node.id, to_x);
        }
    }
}

/// `x cos + rotate_half(x) sin` of the first `turned` heads, the others as they are. `x`: `[batch, heads, tokens, width]`, also a view of rows
/// `[batch, tokens, heads * width]`, whose layout the result has; `cos`, `sin`: `[tokens, width]` or `[batch * tokens, width]`, whose two
/// halves are the same. None where burn's operations must serve.
pub fn rotate(x: &Tensor<4>, cos: &Tensor<2>, sin: &Tensor<2>, turned: usize) -> Option<Tensor<4>> {
    let [batch, heads, tokens, width] = x.dims();
    let some = batch * heads * tokens > 0 && width > 0 && width.is_multiple_of(2);
    if !takes(x) || !takes(cos) || !takes(sin) || !some {
        return None;
    }
    Some(Tensor::from_dispatch(Dispatch::rotate(
        x.clone().into_dispatch(),
        cos.clone().into_dispatch(),
        sin.clone().into_dispatch(),
        turned,
    )))
}
