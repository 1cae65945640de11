//! Learned keys and values before a layer's own, to which every text attends (Li & Liang 2021).

use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// Learned keys and values of one layer.
#[derive(Module, Debug)]
pub struct Prefix {
    /// `[virtual tokens, width]`, the width being that of all key heads together
    pub key: Param<Tensor<2>>,
    /// `[virtual tokens, width]`
    pub value: Param<Tensor<2>>,
}

impl Prefix {
    /// Number of virtual tokens.
    pub fn tokens(&self) -> usize {
        self.key.val().dims()[0]
    }

    /// Puts the prefix before each text's own. `key`, `value`: `[batch, tokens, hidden]`; returns
    /// `[batch, virtual + tokens, hidden]`.
    pub fn prepend(&self, key: Tensor<3>, value: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        let before = |prefix: &Param<Tensor<2>>, own: Tensor<3>| {
            let [batch, _, hidden] = own.dims();
            let prefix = prefix.val().unsqueeze_dim::<3>(0); // [1, virtual, hidden]
            let tokens = prefix.dims()[1];
            Tensor::cat(vec![prefix.expand([batch, tokens, hidden]), own], 1)
        };
        (before(&self.key, key), before(&self.value, value))
    }

    /// The same for keys and values whose heads are already split. `key`, `value`: `[batch, key heads, tokens, width]`; returns
    /// `[batch, key heads, virtual + tokens, width]`.
    pub fn prepend_heads(&self, key: Tensor<4>, value: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let before = |prefix: &Param<Tensor<2>>, own: Tensor<4>| {
            let [batch, heads, _, width] = own.dims();
            let prefix = prefix.val();
            let tokens = prefix.dims()[0];
            let split = prefix.reshape([1, tokens, heads, width]).swap_dims(1, 2);
            Tensor::cat(vec![split.expand([batch, heads, tokens, width]), own], 2)
        };
        (before(&self.key, key), before(&self.value, value))
    }
}
