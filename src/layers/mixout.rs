//! A mixture of a weight and its pretrained value whose mean is the weight (Lee et al. 2020).

use burn::module::{Flag, Module, Param};
use burn::tensor::{Distribution, Tensor};

/// Replaces each entry of a weight by its pretrained value with probability `p`, while training only.
#[derive(Module, Debug)]
pub struct Mixout {
    /// In [0, 1).
    pub p: f64,
    /// Off in validation snapshots.
    pub training: Param<Flag>,
    /// Of the weight's shape; never trains.
    #[module(skip)]
    pub pretrained: Tensor<2>,
}

impl Mixout {
    /// Mixes while training.
    pub fn new(p: f64, pretrained: Tensor<2>) -> Self {
        Self {
            p,
            training: Param::from_bool(true),
            pretrained,
        }
    }

    /// `weight`: `[in, out]`. Returns the mixture, or the weight itself in a validation snapshot.
    pub fn forward(&self, weight: Tensor<2>) -> Tensor<2> {
        if self.p == 0.0 || !self.training.val().is_enabled() {
            return weight;
        }
        let mask = self.pretrained.random_like(Distribution::Bernoulli(self.p));
        mix(weight, self.pretrained.clone(), mask, self.p)
    }
}

/// `((1 - mask) w + mask w_pre - p w_pre) / (1 - p)`, where a mask of 1 takes the pretrained value; all of one shape. The last
/// term keeps the mean at `w`. The authors' `MixLinear` mixes weights and no biases.
pub fn mix(weight: Tensor<2>, pretrained: Tensor<2>, mask: Tensor<2>, p: f64) -> Tensor<2> {
    let kept = (mask.clone().neg() + 1.0) / (1.0 - p);
    let constant = pretrained * ((mask - p) / (1.0 - p));
    weight * kept + constant
}
