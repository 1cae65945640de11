//! A table of words in parts: ids to the words' vectors, or hidden states to the words' logits.

use std::ops::Range;

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, module::embedding};

use super::product::matmul;
use super::storage::widen;

/// A table of words, `[rows, width]`, cut by rows into parts, because a GPU binds no buffer of any size and because a quantised table is
/// widened part by part.
#[derive(Module, Debug)]
pub struct WordTable {
    /// Each `[rows of the part, width]`, or as [`super::Storage::store`] leaves it.
    pub parts: Vec<Param<Tensor<2>>>,
    /// The row at which each part begins, and last the number of rows.
    pub starts: Vec<usize>,
    pub width: usize,
}

impl WordTable {
    /// Number of words.
    pub fn rows(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The rows of a part and their values in float32, `[rows of the part, width]`.
    fn part(&self, index: usize) -> (Range<usize>, Tensor<2>) {
        let rows = self.starts[index]..self.starts[index + 1];
        let values = widen(self.parts[index].val(), [rows.len(), self.width]);
        (rows, values)
    }

    /// `ids`: `[batch, tokens]`. Returns `[batch, tokens, width]`.
    pub fn lookup(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let (_, first) = self.part(0);
        if self.parts.len() == 1 {
            return embedding(first, ids);
        }
        let [batch, tokens] = ids.dims();
        let mut sum: Option<Tensor<3>> = None;
        for index in 0..self.parts.len() {
            let (rows, values) = self.part(index);
            let [start, end] = [rows.start as i64, rows.end as i64];
            let here = ids
                .clone()
                .greater_equal_scalar(start)
                .bool_and(ids.clone().lower_scalar(end));
            let local = ids.clone().sub_scalar(start).clamp(0, end - start - 1);
            let mask = here.float().reshape([batch, tokens, 1]);
            let found = embedding(values, local) * mask; // [batch, tokens, width]
            sum = Some(match sum {
                None => found,
                Some(sum) => sum + found,
            });
        }
        sum.unwrap_or_else(|| Tensor::zeros([batch, tokens, self.width], &ids.device()))
    }

    /// `hidden`: `[positions, width]`. Returns `[positions, rows]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let mut parts = (0..self.parts.len())
            .map(|index| matmul(hidden.clone(), self.part(index).1.transpose()))
            .collect::<Vec<_>>();
        match parts.len() {
            1 => parts.remove(0),
            _ => Tensor::cat(parts, 1),
        }
    }

    /// The gradient of [`Self::logits`] to its input. `gradient`: to the logits, `[positions, rows]`, without autodiff. Returns
    /// `[positions, width]`.
    pub fn logits_backward(&self, gradient: &Tensor<2>) -> Tensor<2> {
        let mut sum: Option<Tensor<2>> = None;
        for index in 0..self.parts.len() {
            let (rows, values) = self.part(index);
            let of_part = gradient.clone().narrow(1, rows.start, rows.len());
            let product = matmul(of_part, values.inner());
            sum = Some(match sum {
                None => product,
                Some(sum) => sum + product,
            });
        }
        let [positions, _] = gradient.dims();
        sum.unwrap_or_else(|| Tensor::zeros([positions, self.width], &gradient.device()))
    }
}
