//! The non-linearities that configurations name.

use burn::tensor::{Tensor, activation};

use crate::device::EngineKind;
#[cfg(feature = "webgpu")]
use crate::kernels::{self, Curve};

/// The non-linearity between two linear layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Exact GELU, `x / 2 (1 + erf(x / sqrt 2))`, in burn's fused kernel.
    FusedGelu,
    /// The same function from primitive operations. burn's GPU backends differentiate the fused kernel by the tanh
    /// approximation, which is wrong in the third digit.
    ComposedGelu,
    /// GELU's tanh approximation, transformers' `gelu_new` and `gelu_pytorch_tanh`.
    TanhGelu,
    /// `x sigmoid(x)`, also called SiLU.
    Swish,
    /// `max(x, 0)`
    Relu,
    /// Hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// Exact GELU, in the form that has an exact gradient on this engine.
    pub fn gelu(kind: EngineKind) -> Self {
        match kind {
            EngineKind::Cpu => Self::FusedGelu,
            EngineKind::Webgpu => Self::ComposedGelu,
        }
    }

    /// Applies the function elementwise.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "webgpu")]
        if let Some(y) = self.curve().and_then(|curve| kernels::curve(&x, curve)) {
            return y;
        }
        match self {
            Self::FusedGelu => activation::gelu(x),
            Self::ComposedGelu => {
                let cdf = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0;
                x * cdf * 0.5
            }
            Self::TanhGelu => {
                let cube = x.clone() * x.clone() * x.clone() * 0.044715;
                let inner = (x.clone() + cube) * (2.0 * std::f64::consts::FRAC_1_PI).sqrt();
                x * (inner.tanh() + 1.0) * 0.5
            }
            Self::Swish => x.clone() * activation::sigmoid(x),
            Self::Relu => activation::relu(x),
            Self::Tanh => x.tanh(),
        }
    }

    /// `f(gate) * x`, both of one shape.
    pub fn gate<const D: usize>(self, gate: Tensor<D>, x: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "webgpu")]
        if let Some(y) = self
            .curve()
            .and_then(|curve| kernels::gated(&gate, &x, curve))
        {
            return y;
        }
        self.forward(gate) * x
    }

    #[cfg(feature = "webgpu")]
    fn curve(self) -> Option<Curve> {
        match self {
            Self::FusedGelu | Self::ComposedGelu => Some(Curve::Gelu),
            Self::TanhGelu => Some(Curve::TanhGelu),
            Self::Swish => Some(Curve::Swish),
            Self::Relu | Self::Tanh => None,
        }
    }
}
