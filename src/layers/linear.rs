//! `x W + b`, plus what a fitted delta adds.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::product::product;
use super::storage::{is_quantized, widen};
use super::{Lora, Mixout};

/// A linear layer with slots for what a method adds. The weight is stored as `[in, out]`, the transpose of PyTorch's, or in blocks along
/// PyTorch's rows, as files of quantised weights have them.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`, or the blocks of `[out, in]` as [`super::Storage::store_blocks`] leaves them.
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
    dims: [usize; 2],
    /// Filled by `peft`; empty in a plain model.
    pub delta: Option<Lora>,
    /// Filled by `peft` while the weight itself trains.
    pub mixout: Option<Mixout>,
}

impl Linear {
    /// A layer with empty slots. `weight`: `[in, out]`, `bias`: `[out]`.
    pub fn new(weight: Param<Tensor<2>>, bias: Option<Param<Tensor<1>>>) -> Self {
        let shape = weight.val().dims();
        Self::stored(weight, bias, shape)
    }

    /// The same of a weight that is kept in fewer bits. `shape`: `[in, out]`.
    pub fn stored(
        weight: Param<Tensor<2>>,
        bias: Option<Param<Tensor<1>>>,
        shape: [usize; 2],
    ) -> Self {
        Self {
            weight,
            bias,
            dims: shape,
            delta: None,
            mixout: None,
        }
    }

    /// The weight in float32, `[in, out]`.
    pub fn weight(&self) -> Tensor<2> {
        let [input, output] = self.dims;
        let stored = self.weight.val();
        if is_quantized(&stored) {
            widen(stored, [output, input]).transpose()
        } else {
            widen(stored, self.dims)
        }
    }

    /// `x`: `[.., in]`. Returns `[.., out]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        if D == 2 || !is_quantized(&self.weight.val()) {
            return self.product(x);
        }
        // burn gives a weight as many dimensions as `x` has, and copies one that is turned
        let mut dims = x.dims();
        let [input, output] = self.dims;
        let rows = dims[..D - 1].iter().product::<usize>();
        dims[D - 1] = output;
        self.product(x.reshape([rows, input])).reshape(dims)
    }

    fn product<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(|bias| bias.val());
        let weight = match &self.mixout {
            Some(mixout) => mixout.forward(self.weight()),
            None => self.weight(),
        };
        match &self.delta {
            Some(delta) => delta.forward(x, weight, bias),
            None => product(x, weight, bias),
        }
    }

    /// `[in, out]`
    pub fn shape(&self) -> [usize; 2] {
        self.dims
    }
}
