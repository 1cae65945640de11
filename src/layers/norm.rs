//! Enters: activations. Leaves: the same, each last axis with mean 0 and variance 1, scaled and shifted (Ba et al. 2016).

use burn::module::{Module, Param};
use burn::tensor::{Tensor, module::layer_norm};

/// Layer normalisation over the last axis, with the biased variance.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[width]`
    pub weight: Param<Tensor<1>>,
    /// `[width]`, where there is one.
    pub bias: Option<Param<Tensor<1>>>,
    /// Added to the variance.
    pub eps: f64,
}

impl LayerNorm {
    /// `x`: `[.., width]`. Returns the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(|bias| bias.val());
        layer_norm(x, self.weight.val(), bias, self.eps)
    }
}
