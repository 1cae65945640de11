//! The rows of a table that ids name.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, module::embedding};

/// A lookup table, `[rows, width]`.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[rows, width]`
    pub weight: Param<Tensor<2>>,
}

impl Embedding {
    /// `ids`: `[batch, tokens]`. Returns `[batch, tokens, width]`.
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        embedding(self.weight.val(), ids)
    }
}
