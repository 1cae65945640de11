//! Activations, each last axis with mean 0 and variance 1, scaled and shifted (Ba et al. 2016), or only divided
//! by its root mean square and scaled (Zhang & Sennrich 2019).

use burn::module::{Module, Param};
use burn::tensor::{Tensor, module::layer_norm};

#[cfg(feature = "webgpu")]
use crate::kernels;

/// Layer normalisation over the last axis, with the biased variance.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[width]`
    pub weight: Param<Tensor<1>>,
    /// `[width]`, if there is one.
    pub bias: Option<Param<Tensor<1>>>,
    /// Added to the variance.
    pub eps: f64,
}

impl LayerNorm {
    /// `x`: `[.., width]`. Returns the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(|bias| bias.val());
        #[cfg(feature = "webgpu")]
        if let Some(y) = kernels::norm(&x, None, self.weight.val(), bias.clone(), self.kernel()) {
            return y;
        }
        layer_norm(x, self.weight.val(), bias, self.eps)
    }

    /// The norm of `x + residual`, each `[.., width]`. Returns the same shape.
    pub fn forward_sum<const D: usize>(&self, x: Tensor<D>, residual: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "webgpu")]
        {
            let bias = self.bias.as_ref().map(|bias| bias.val());
            let (weight, norm) = (self.weight.val(), self.kernel());
            if let Some(y) = kernels::norm(&x, Some(&residual), weight, bias, norm) {
                return y;
            }
        }
        self.forward(x + residual)
    }

    #[cfg(feature = "webgpu")]
    fn kernel(&self) -> kernels::Norm {
        kernels::Norm {
            eps: self.eps as f32,
            offset: 0.0,
            centred: true,
        }
    }
}

/// Root-mean-square normalisation over the last axis.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[width]`
    pub weight: Param<Tensor<1>>,
    /// Added to the mean square.
    pub eps: f64,
    /// Added to the weight: 1 where a checkpoint stores the distance from 1, as Gemma's does.
    pub offset: f64,
}

impl RmsNorm {
    /// `x`: `[.., width]`. Returns the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "webgpu")]
        {
            let norm = kernels::Norm {
                eps: self.eps as f32,
                offset: self.offset as f32,
                centred: false,
            };
            if let Some(y) = kernels::norm(&x, None, self.weight.val(), None, norm) {
                return y;
            }
        }
        let mean_square = x.clone().square().mean_dim(D - 1); // [.., 1]
        let mut shape = [1; D];
        shape[D - 1] = x.dims()[D - 1];
        let mut weight = self.weight.val();
        if self.offset != 0.0 {
            weight = weight + self.offset;
        }
        x / (mean_square + self.eps).sqrt() * weight.reshape(shape)
    }
}
