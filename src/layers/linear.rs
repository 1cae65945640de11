//! Enters: activations. Leaves: `x W + b`, plus what a fitted delta adds.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, module::linear};

use super::{Lora, Mixout};

/// A linear layer with slots for what a method adds. The weight is stored as `[in, out]`, the transpose of PyTorch's.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
    /// Filled by `peft`; empty in a plain model.
    pub delta: Option<Lora>,
    /// Filled by `peft` while the weight itself trains.
    pub mixout: Option<Mixout>,
}

impl Linear {
    /// A layer with empty slots. `weight`: `[in, out]`, `bias`: `[out]`.
    pub fn new(weight: Param<Tensor<2>>, bias: Option<Param<Tensor<1>>>) -> Self {
        Self {
            weight,
            bias,
            delta: None,
            mixout: None,
        }
    }

    /// `x`: `[.., in]`. Returns `[.., out]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(|bias| bias.val());
        let weight = match &self.mixout {
            Some(mixout) => mixout.forward(self.weight.val()),
            None => self.weight.val(),
        };
        match &self.delta {
            Some(delta) => delta.forward(x, weight, bias),
            None => linear(x, weight, bias),
        }
    }

    /// `[in, out]`
    pub fn shape(&self) -> [usize; 2] {
        self.weight.val().dims()
    }
}
