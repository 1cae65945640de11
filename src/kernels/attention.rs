//! Attention without its scores in memory (Dao 2023): one launch forward and two backward, heads read and written where they lie.

mod cube;
mod kernel;

use burn::backend::TensorMetadata;
use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use self::cube::{Call, Kept, VECTOR};
use super::heads::Heads;
use super::launch::empty;
use super::takes;

/// The widest head: a unit keeps three rows of its width.
const WIDEST: usize = 128;

/// The operations for burn's dispatch. `bias` gets no gradient.
#[backend_extension(Cube, Autodiff)]
pub trait AttentionOps: Backend {
    /// Query `[batch, heads, tokens, width]`, key and value `[batch, key heads, keys, width]` to `[batch, tokens, heads * width]`.
    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: f32,
    ) -> FloatTensor<Self>;

    /// `[batch, tokens, 3 * heads * width]` to `[batch, tokens, heads * width]`.
    fn attend_joined(
        joined: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        heads: usize,
        scale: f32,
    ) -> FloatTensor<Self>;
}

/// The call whose query, key and value are tensors of their own.
fn apart(inputs: [CubeTensor; 3], bias: CubeTensor, scale: f32) -> Call {
    Call {
        parts: inputs.map(|tensor| Heads::new(tensor, VECTOR)),
        bias,
        scale,
    }
}

/// The call whose query, key and value are one tensor.
fn joined(tensor: CubeTensor, bias: CubeTensor, heads: usize, scale: f32) -> Call {
    Call {
        parts: Heads::side_by_side(&into_contiguous(tensor), heads),
        bias,
        scale,
    }
}

impl AttentionOps for CubeBackend {
    fn attend(
        query: CubeTensor,
        key: CubeTensor,
        value: CubeTensor,
        bias: CubeTensor,
        scale: f32,
    ) -> CubeTensor {
        cube::forward(&apart([query, key, value], bias, scale)).mixed()
    }

    fn attend_joined(tensor: CubeTensor, bias: CubeTensor, heads: usize, scale: f32) -> CubeTensor {
        cube::forward(&joined(tensor, bias, heads, scale)).mixed()
    }
}

impl<C: CheckpointStrategy> AttentionOps for Autodiff<CubeBackend, C> {
    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: f32,
    ) -> FloatTensor<Self> {
        let nodes = [query.node(), key.node(), value.node()];
        let inputs = [query, key, value].map(|tensor| tensor.into_primitive());
        let call = apart(inputs, bias.into_primitive(), scale);
        let kept = cube::forward(&call);
        let mixed = kept.mixed();
        match AttendBackward
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish((call, kept), mixed),
            OpsKind::UnTracked(prep) => prep.finish(mixed),
        }
    }

    fn attend_joined(
        tensor: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        heads: usize,
        scale: f32,
    ) -> FloatTensor<Self> {
        let nodes = [tensor.node()];
        let call = joined(tensor.into_primitive(), bias.into_primitive(), heads, scale);
        let kept = cube::forward(&call);
        let mixed = kept.mixed();
        match JoinedBackward
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish((call, kept), mixed),
            OpsKind::UnTracked(prep) => prep.finish(mixed),
        }
    }
}

#[derive(Debug)]
struct AttendBackward;

impl Backward<CubeBackend, 3> for AttendBackward {
    type State = (Call, Kept);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_query, of_key, of_value] = ops.parents;
        let gradient = into_contiguous(gradients.consume::<CubeBackend>(&ops.node));
        let (call, kept) = ops.state;
        // the gradient to the keys needs what the one to the queries finds out
        if of_query.is_some() || of_key.is_some() {
            let [to_query] = Heads::room([&call.parts[0]]);
            cube::backward_query(&call, &kept, &gradient, &to_query);
            if let Some(node) = of_query {
                gradients.register::<CubeBackend>(node.id, to_query.into_tensor());
            }
        }
        if of_key.is_some() || of_value.is_some() {
            let room = Heads::room([&call.parts[1], &call.parts[2]]);
            let wanted = [of_key.is_some(), of_value.is_some()];
            cube::backward_keys(&call, &kept, &gradient, &room, wanted);
            for (node, to_part) in [of_key, of_value].into_iter().zip(room) {
                if let Some(node) = node {
                    gradients.register::<CubeBackend>(node.id, to_part.into_tensor());
                }
            }
        }
    }
}

#[derive(Debug)]
struct JoinedBackward;

impl Backward<CubeBackend, 1> for JoinedBackward {
    type State = (Call, Kept);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_joined] = ops.parents;
        let gradient = into_contiguous(gradients.consume::<CubeBackend>(&ops.node));
        let (call, kept) = ops.state;
        if let Some(node) = of_joined {
            let tensor = &call.parts[0].tensor;
            let to_joined = empty(tensor, tensor.shape());
            let [query, key, value] = &call.parts;
            let [query, key, value] =
                [query, key, value].map(|part| part.in_tensor(to_joined.clone()));
            cube::backward_query(&call, &kept, &gradient, &query);
            cube::backward_keys(&call, &kept, &gradient, &[key, value], [true; 2]);
            gradients.register::<CubeBackend>(node.id, to_joined);
        }
    }
}

/// Whether the kernels know heads of that width and can be started for that many.
fn fits(batch: usize, heads: usize, lengths: [usize; 2], width: usize) -> bool {
    /// Of a launch's axis; the batch's has two cubes a text.
    const LONGEST: usize = 65535;
    let some = lengths.iter().all(|length| *length > 0) && batch > 0 && heads > 0;
    let few = heads <= LONGEST && 2 * batch <= LONGEST;
    some && few && width > 0 && width.is_multiple_of(VECTOR) && width <= WIDEST
}

/// Softmax of `query key^T scale + bias` times `value`. `query`: `[batch, heads, tokens, width]`; `key`, `value`:
/// `[batch, key heads, keys, width]`, each key head for `heads / key heads` heads that follow one another; `bias`, which gets no gradient,
/// broadcasts to `[batch, heads, tokens, keys]`. Views of rows `[batch, tokens, heads * width]` are read in place, and the gradients have
/// their layout. Returns `[batch, tokens, heads * width]`; None where burn's operations must serve.
pub fn attend(
    query: &Tensor<4>,
    key: &Tensor<4>,
    value: &Tensor<4>,
    bias: &Tensor<4>,
    scale: f64,
) -> Option<Tensor<3>> {
    let [batch, heads, tokens, width] = query.dims();
    let keys = key.dims()[2];
    let known = takes(query) && takes(key) && takes(value) && takes(bias);
    let same = key.dims() == value.dims() && key.dims()[3] == width;
    if !known || !same || !fits(batch, heads, [tokens, keys], width) {
        return None;
    }
    Some(Tensor::from_dispatch(Dispatch::attend(
        query.clone().into_dispatch(),
        key.clone().into_dispatch(),
        value.clone().into_dispatch(),
        bias.clone().into_dispatch(),
        scale as f32,
    )))
}

/// The same for query, key and value that lie side by side, `[batch, tokens, 3 * heads * width]`: their gradient is one tensor too.
pub fn attend_joined(
    joined: &Tensor<3>,
    bias: &Tensor<4>,
    heads: usize,
    scale: f64,
) -> Option<Tensor<3>> {
    let [batch, tokens, all] = joined.dims();
    let known = takes(joined) && takes(bias);
    if !known || !fits(batch, heads, [tokens, tokens], all / (3 * heads.max(1))) {
        return None;
    }
    Some(Tensor::from_dispatch(Dispatch::attend_joined(
        joined.clone().into_dispatch(),
        bias.clone().into_dispatch(),
        heads,
        scale as f32,
    )))
}
