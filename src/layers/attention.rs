//! Each position's mixture of values, by queries and keys (Vaswani et al. 2017).

use burn::tensor::{Device, Tensor, TensorData, activation::softmax};

use super::Dropout;
#[cfg(feature = "webgpu")]
use crate::kernels;

/// What a masked score is lowered by: finite, because a row of minus infinities alone would give NaN.
pub const MASKED: f64 = -1e9;

/// Turns a mask of ones (real) and zeros (padding), `[batch, keys]`, into a bias `[batch, 1, 1, keys]` for [`attend`].
pub fn padding_bias(mask: Tensor<2>) -> Tensor<4> {
    let [batch, keys] = mask.dims();
    ((mask - 1.0) * -MASKED).reshape([batch, 1, 1, keys])
}

/// A bias `[1, 1, tokens, tokens]` for [`attend`] that lets a token see those at most `reach` places away.
pub fn window_bias(tokens: usize, reach: usize, device: &Device) -> Tensor<4> {
    let bias = |place: usize| {
        let (query, key) = (place / tokens, place % tokens);
        if query.abs_diff(key) > reach {
            MASKED as f32
        } else {
            0.0
        }
    };
    let values = (0..tokens * tokens).map(bias).collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(values, [1, 1, tokens, tokens]), device)
}

/// Scaled dot-product attention of `heads` heads.
///
/// `query`: `[batch, tokens, heads * width]`; `key`, `value`: `[batch, keys, heads * width]`; `bias` is added to the scores
/// and broadcasts to `[batch, heads, tokens, keys]`; `dropout` is of the weights. Returns `[batch, tokens, heads * width]`.
pub fn attend(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    bias: Tensor<4>,
    heads: usize,
    dropout: &Dropout,
) -> Tensor<3> {
    let [query, key, value] = [query, key, value].map(|x| split_heads(x, heads));
    attend_heads(query, key, value, bias, dropout)
}

/// `[batch, length, heads * width]` to `[batch, heads, length, width]`.
pub fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, length, hidden] = x.dims();
    x.reshape([batch, length, heads, hidden / heads])
        .swap_dims(1, 2)
}

/// [`attend`] of heads that are split already, by [`split_heads`]. Returns `[batch, tokens, heads * width]`.
pub fn attend_heads(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    bias: Tensor<4>,
    dropout: &Dropout,
) -> Tensor<3> {
    let scale = (query.dims()[3] as f64).powf(-0.5);
    #[cfg(feature = "webgpu")]
    if !dropout.is_active()
        && let Some(mixed) = kernels::attend(&query, &key, &value, &bias, scale)
    {
        return mixed;
    }
    // scaled before the product: [tokens, width] is smaller than [tokens, keys]
    let query = query * scale;
    let scores = query.matmul(key.swap_dims(2, 3)); // [batch, heads, query, key]
    let weights = dropout.forward(softmax(scores + bias, 3));
    join_heads(weights.matmul(value))
}

/// `[batch, heads, length, width]` to `[batch, length, heads * width]`.
fn join_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, heads, length, width] = x.dims();
    x.swap_dims(1, 2).reshape([batch, length, heads * width])
}

/// The same if several heads share one head's keys and values (Ainslie et al. 2023), heads already split.
///
/// `query`: `[batch, heads, tokens, width]`, scaled here by `scale`; `key`, `value`: `[batch, key heads, keys, width]`, where each key head
/// serves `heads / key heads` heads that follow one another; `bias` broadcasts to `[batch, heads, tokens, keys]`. Returns
/// `[batch, tokens, heads * width]`.
pub fn attend_grouped(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    bias: Tensor<4>,
    scale: f64,
) -> Tensor<3> {
    #[cfg(feature = "webgpu")]
    if let Some(mixed) = kernels::attend(&query, &key, &value, &bias, scale) {
        return mixed;
    }
    let [batch, heads, tokens, width] = query.dims();
    let [_, key_heads, keys, _] = key.dims();
    let group = heads / key_heads;
    // the queries of a group are rows of one matrix, so that keys and values need not be repeated
    let query = (query * scale).reshape([batch, key_heads, group * tokens, width]);
    let scores = query.matmul(key.swap_dims(2, 3)); // [batch, key heads, group * tokens, keys]
    let scores = scores.reshape([batch, heads, tokens, keys]);
    let weights = softmax(scores + bias, 3);
    let weights = weights.reshape([batch, key_heads, group * tokens, keys]);
    join_heads(weights.matmul(value).reshape([batch, heads, tokens, width]))
}

/// [`attend`] of query, key and value that lie side by side, `[batch, tokens, 3 * heads * width]`, without taking them apart. None where
/// there is no kernel for it, and the caller must.
pub fn attend_joined(
    joined: &Tensor<3>,
    bias: &Tensor<4>,
    heads: usize,
    scale: f64,
) -> Option<Tensor<3>> {
    #[cfg(feature = "webgpu")]
    return kernels::attend_joined(joined, bias, heads, scale);
    #[cfg(not(feature = "webgpu"))]
    {
        let _ = (joined, bias, heads, scale);
        None
    }
}
