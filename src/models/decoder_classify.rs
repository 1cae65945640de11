//! Enters: texts as ids. Leaves: what a classifier reads of a decoder, layer by layer; transformers' `GenericForSequenceClassification`.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::bert::TokenBatch;
use super::decoder::{Decoder, Layout};

impl Decoder {
    /// As [`super::Backbone::lower`].
    pub fn lower(&self, depth: usize, batch: &TokenBatch) -> Tensor<3> {
        let [rows, width] = batch.ids.dims();
        let context = self.context(&Layout::plain(rows, width));
        let x = self.embed(batch.ids.clone(), &context);
        self.run(0..depth, x)
    }

    /// As [`super::Backbone::upper`]. No mask is needed: texts are padded on the right, where no token looks.
    pub fn upper(&self, depth: usize, x: Tensor<3>) -> Tensor<3> {
        let x = self.run(depth..self.layers.len(), x);
        self.norm.forward(x)
    }

    /// As [`super::Backbone::layers`].
    pub fn run(&self, layers: Range<usize>, mut x: Tensor<3>) -> Tensor<3> {
        let [rows, width, _] = x.dims();
        let context = self.context(&Layout::plain(rows, width));
        for index in layers {
            x = self.layer(index, x, &context, None);
        }
        x
    }
}

/// The vector of each text's last token. `hidden`: `[batch, tokens, hidden]`, `mask`: `[batch, tokens]`. Returns `[batch, hidden]`. A text
/// without any token is read at its first position, as transformers does.
pub fn last_token(hidden: Tensor<3>, mask: Tensor<2>) -> Tensor<2> {
    let [rows, width, size] = hidden.dims();
    let last = mask.sum_dim(1).squeeze_dim::<1>(1).sub_scalar(1.0); // [batch]
    let last = last.clamp_min(0.0).int() + starts(rows, width, &hidden.device());
    hidden.reshape([rows * width, size]).select(0, last)
}

/// Where each row begins among all rows' positions, `[rows]`.
fn starts(rows: usize, width: usize, device: &Device) -> Tensor<1, Int> {
    let starts = (0..rows).map(|row| (row * width) as i32);
    Tensor::from_data(TensorData::new(starts.collect::<Vec<_>>(), [rows]), device)
}
