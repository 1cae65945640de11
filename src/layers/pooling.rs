//! One vector for each text from the vectors of its tokens.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// Mean of the unmasked tokens: `[batch, tokens, hidden]` and `[batch, tokens]` to `[batch, hidden]`.
pub fn masked_mean(hidden: Tensor<3>, mask: Tensor<2>) -> Tensor<2> {
    let mask = mask.unsqueeze_dim::<3>(2); // [batch, tokens, 1]
    let count = mask.clone().sum_dim(1).squeeze_dim::<2>(1); // [batch, 1]
    let sum = (hidden * mask).sum_dim(1).squeeze_dim::<2>(1); // [batch, hidden]
    sum / count.clamp_min(1e-9)
}

/// Divides each row by its L2 norm, at least 1e-12 as in `torch.nn.functional.normalize`.
pub fn normalize(x: Tensor<2>) -> Tensor<2> {
    let norm = x.clone().square().sum_dim(1).sqrt(); // [batch, 1]
    x / norm.clamp_min(1e-12)
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
