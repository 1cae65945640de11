use burn::tensor::Tensor;
use webtune::device::Compute;
use webtune::layers::{Rotary, inverse_frequencies, split_heads};

use super::{agrees, gradients, leaf};

/// Rotary positions of views and of tensors without gaps, shared by all rows or of each row's own; and beside values.
pub async fn rotary_agrees(compute: &Compute) {
    for ([batch, heads, tokens, width], own) in [
        ([2, 3, 5, 8], false),
        ([2, 3, 5, 8], true),
        ([1, 1, 1, 2], false),
        ([3, 2, 33, 6], true),
        ([1, 2, 33, 64], false),
    ] {
        let shape = [batch, heads, tokens, width];
        let count = if own { batch * tokens } else { tokens };
        let positions = (0..count).map(|index| (index * 7 + 3) % 40);
        let inv_freq = inverse_frequencies(100.0, width);
        agrees(
            &format!("rotary positions of {shape:?}"),
            compute,
            1e-5,
            async |device| {
                let rotary = Rotary::new(&inv_freq, positions.clone(), 1.0, device);
                let rows = leaf(1, [batch, tokens, heads * width], device);
                let whole = leaf(2, shape, device);
                let y =
                    rotary.apply(split_heads(rows.clone(), heads)) + rotary.apply(whole.clone());
                gradients!(y, device, ["rows": rows, "heads": whole])
            },
        )
        .await;
        agrees(
            &format!("joined rotary positions of {shape:?}"),
            compute,
            1e-5,
            async |device| {
                let rotary = Rotary::new(&inv_freq, positions.clone(), 1.0, device);
                let hidden = heads * width;
                let all = leaf(1, [batch, tokens, 3 * hidden], device);
                let turned = rotary.apply_joined(&all, heads);
                assert_eq!(turned.is_some(), *device != Compute::cpu().device);
                let y = turned.unwrap_or_else(|| {
                    let part = |index: usize| all.clone().narrow(2, index * hidden, hidden);
                    let turn = |part: Tensor<3>| {
                        let turned = rotary.apply(split_heads(part, heads));
                        turned.swap_dims(1, 2).reshape([batch, tokens, hidden])
                    };
                    Tensor::cat(vec![turn(part(0)), turn(part(1)), part(2)], 2)
                });
                gradients!(y, device, ["joined": all])
            },
        )
        .await;
    }
}
