//! A linear layer's output with a low-rank change (Hu et al. 2022), whose outputs may
//! have a trained magnitude (DoRA, Liu et al. 2024).

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Dropout;
use super::product::product;
#[cfg(feature = "webgpu")]
use crate::kernels;

/// A low-rank delta. Both factors are stored transposed, as [`super::Linear`] stores its weight.
///
/// The product is taken from the input side, so that neither a dense `[in, out]` delta nor its gradient exists.
#[derive(Module, Debug)]
pub struct Lora {
    /// `[in, r]`; PEFT's `lora_A.weight` transposed.
    pub lora_a: Param<Tensor<2>>,
    /// `[r, out]`; PEFT's `lora_B.weight` transposed.
    pub lora_b: Param<Tensor<2>>,
    /// DoRA's length of each output's weights, `[out]`; PEFT's `lora_magnitude_vector`.
    pub magnitude: Option<Param<Tensor<1>>>,
    /// What the product is multiplied by: `alpha / r`, or `alpha / sqrt(r)`.
    pub scaling: f64,
    /// Of the delta's input.
    pub dropout: Dropout,
}

impl Lora {
    /// The layer's output. `x`: `[.., in]`, `weight`: `[in, out]`, `bias`: `[out]`. Returns `[.., out]`.
    pub fn forward<const D: usize>(
        &self,
        x: Tensor<D>,
        weight: Tensor<2>,
        bias: Option<Tensor<1>>,
    ) -> Tensor<D> {
        #[cfg(feature = "webgpu")]
        if self.magnitude.is_none() && !self.dropout.is_active() {
            let factors = [&self.lora_a.val(), &self.lora_b.val()];
            let (bias, scale) = (bias.as_ref(), self.scaling);
            if let Some(y) = kernels::lora_linear(&x, &weight, bias, factors, scale) {
                return y;
            }
        }
        let dropped = self.dropout.forward(x.clone());
        let down = product(dropped.clone(), self.lora_a.val(), None); // [.., r]
        let delta = product(down * self.scaling, self.lora_b.val(), None); // [.., out]
        let Some(magnitude) = &self.magnitude else {
            return product(x, weight, bias) + delta;
        };
        // the norm is a constant to the gradient, as the paper's section 4.3 proposes and PEFT does
        let norm = self.norm(&weight); // [out]
        let scale = magnitude.val() / norm; // [out]
        let scale_row = scale.clone().reshape(last_axis::<D>(scale.dims()[0]));
        if !self.dropout.is_active() {
            let changed = (product(x, weight, None) + delta) * scale_row;
            return match bias {
                Some(bias) => changed + bias.clone().reshape(last_axis::<D>(bias.dims()[0])),
                None => changed,
            };
        }
        // with dropout PEFT leaves the frozen part's own output whole and drops only in what is added to it
        let plain = product(dropped, weight.clone(), None);
        product(x, weight, bias) + plain * (scale_row.clone() - 1.0) + delta * scale_row
    }

    /// Lengths of the columns of `W + s A B`, `[out]`, without that matrix:
    /// `|w|^2 + 2 s (W^T A) . B + s^2 B . (A^T A B)`, column by column.
    pub fn norm(&self, weight: &Tensor<2>) -> Tensor<1> {
        let (a, b) = (self.lora_a.val().inner(), self.lora_b.val().inner());
        let weight = weight.clone().inner();
        let s = self.scaling;
        let crossed = a.clone().transpose().matmul(weight.clone()) * b.clone(); // [r, out]
        let squared = a.clone().transpose().matmul(a).matmul(b.clone()) * b; // [r, out]
        let sum = |tensor: Tensor<2>| {
            let out = tensor.dims()[1];
            tensor.sum_dim(0).reshape([out])
        };
        let square = sum(weight.square()) + sum(crossed) * (2.0 * s) + sum(squared) * (s * s);
        // rounding may leave a tiny negative where the delta cancels a column
        square.clamp_min(0.0).sqrt()
    }
}

/// `[1, .., 1, width]`
fn last_axis<const D: usize>(width: usize) -> [usize; D] {
    let mut shape = [1; D];
    shape[D - 1] = width;
    shape
}
