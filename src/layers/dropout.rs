//! Activations with some elements zeroed and the rest scaled up, in training only.

use burn::module::{Flag, Module, Param};
use burn::tensor::{Distribution, Tensor};

/// Zeroes each element with probability `p` (Srivastava et al. 2014). A validation snapshot (`Module::valid`) drops nothing.
#[derive(Module, Debug)]
pub struct Dropout {
    /// In [0, 1).
    pub p: f64,
    /// Off in validation snapshots.
    pub training: Param<Flag>,
}

impl Dropout {
    /// Drops while training.
    pub fn new(p: f64) -> Self {
        Self {
            p,
            training: Param::from_bool(true),
        }
    }

    /// Never drops anything.
    pub fn off() -> Self {
        Self::new(0.0)
    }

    /// Whether [`Self::forward`] changes anything now.
    pub fn is_active(&self) -> bool {
        self.p > 0.0 && self.training.val().is_enabled()
    }

    /// Any shape; returns the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        if !self.is_active() {
            return x;
        }
        let keep = 1.0 - self.p;
        let mask = x.clone().inner().random_like(Distribution::Bernoulli(keep));
        x * mask / keep
    }
}
