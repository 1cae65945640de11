//! Enters: a linear layer's input. Leaves: `s (x A) B`, the low-rank change of its output (Hu et al. 2022).

use burn::module::{Module, Param};
use burn::tensor::{Distribution, Tensor, module::linear};

/// A low-rank delta. Both factors are stored transposed, as [`super::Linear`] stores its weight.
///
/// The product is taken from the input side, so that neither a dense `[in, out]` delta nor its gradient exists.
#[derive(Module, Debug)]
pub struct Lora {
    /// `[in, r]`; PEFT's `lora_A.weight` transposed.
    pub lora_a: Param<Tensor<2>>,
    /// `[r, out]`; PEFT's `lora_B.weight` transposed.
    pub lora_b: Param<Tensor<2>>,
    /// `loraAlpha / r`
    pub scaling: f64,
    /// Probability of zeroing an element of the input, while training only.
    pub dropout: f64,
}

impl Lora {
    /// `x`: `[.., in]`. Returns `[.., out]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let lora_a = self.lora_a.val();
        // a validation snapshot has no autodiff, and must not drop anything
        let x = if self.dropout > 0.0 && lora_a.is_autodiff() {
            let keep = 1.0 - self.dropout;
            let mask = x.clone().inner().random_like(Distribution::Bernoulli(keep));
            x * mask / keep
        } else {
            x
        };
        let down = linear(x, lora_a, None); // [.., r]
        linear(down * self.scaling, self.lora_b.val(), None)
    }
}
