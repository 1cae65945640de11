//! A sublayer's output plus a narrow detour through a non-linearity (Houlsby et al. 2019).

use burn::module::Module;
use burn::tensor::Tensor;

use super::{Activation, Linear};

/// `h + up(f(down(h)))`, by the names of AdapterHub's files.
#[derive(Module, Debug)]
pub struct Bottleneck {
    /// `[hidden, narrow]`
    pub adapter_down: Linear,
    /// `[narrow, hidden]`
    pub adapter_up: Linear,
    /// Between the two.
    #[module(skip)]
    pub activation: Activation,
}

impl Bottleneck {
    /// `[batch, tokens, hidden]` to the same.
    pub fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let narrow = self.adapter_down.forward(hidden.clone()); // [batch, tokens, narrow]
        hidden + self.adapter_up.forward(self.activation.forward(narrow))
    }
}
