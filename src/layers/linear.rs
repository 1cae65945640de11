//! Enters: activations. Leaves: `x W + b`, plus what a fitted delta adds.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, module::linear};

use super::Lora;

/// A linear layer with a slot for a trainable delta. The weight is stored as `[in, out]`, the transpose of PyTorch's.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
    /// Filled by `peft`; empty in a plain model.
    pub delta: Option<Lora>,
}

impl Linear {
    /// A layer without a delta. `weight`: `[in, out]`, `bias`: `[out]`.
    pub fn new(weight: Param<Tensor<2>>, bias: Option<Param<Tensor<1>>>) -> Self {
        Self {
            weight,
            bias,
            delta: None,
        }
    }

    /// `x`: `[.., in]`. Returns `[.., out]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(|bias| bias.val());
        match &self.delta {
            None => linear(x, self.weight.val(), bias),
            Some(delta) => linear(x.clone(), self.weight.val(), bias) + delta.forward(x),
        }
    }

    /// `[in, out]`
    pub fn shape(&self) -> [usize; 2] {
        self.weight.val().dims()
    }
}
