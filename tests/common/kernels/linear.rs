use burn::module::Param;
use burn::tensor::{Device, Tensor};
use webtune::device::Compute;
use webtune::layers::{Dropout, Linear, Lora};

use super::{agrees, gradients, leaf, some};

/// A layer whose weight is frozen.
fn frozen(weight: Tensor<2>, bias: Option<Tensor<1>>, delta: Option<Lora>) -> Linear {
    let fixed = Param::from_tensor(weight).set_require_grad(false);
    let bias = bias.map(|bias| Param::from_tensor(bias).set_require_grad(false));
    let mut linear = Linear::new(fixed, bias);
    linear.delta = delta;
    linear
}

fn lora(a: &Tensor<2>, b: &Tensor<2>) -> Lora {
    Lora {
        lora_a: Param::from_tensor(a.clone()),
        lora_b: Param::from_tensor(b.clone()),
        magnitude: None,
        scaling: 0.75,
        dropout: Dropout::off(),
    }
}

/// Linear layers with and without a bias and a low-rank delta, what trains being the weight, the bias, the delta, or the input alone; rows that
/// fill no tile, widths that fill none either, and widths that the kernels leave to burn.
pub async fn linears_agree(compute: &Compute) {
    for [rows, input, output, r] in [
        [1, 4, 4, 4],
        [5, 36, 68, 8],
        [7, 64, 12, 4],
        [67, 384, 384, 8],
        [33, 10, 6, 3],
    ] {
        let what = format!("{rows} rows, {input} to {output}, r {r}");
        let x = |device: &Device| leaf(1, [1, rows, input], device);
        agrees(&format!("delta: {what}"), compute, 2e-5, async |device| {
            let (x, bias) = (x(device), some(3, [output], device));
            let (a, b) = (leaf(4, [input, r], device), leaf(5, [r, output], device));
            let weight = some(2, [input, output], device);
            let linear = frozen(weight, Some(bias), Some(lora(&a, &b)));
            let y = linear.forward(x.clone());
            gradients!(y, device, ["x": x, "a": a, "b": b])
        })
        .await;
        agrees(
            &format!("delta below which nothing trains: {what}"),
            compute,
            2e-5,
            async |device| {
                let x = some(1, [1, rows, input], device);
                let (a, b) = (leaf(4, [input, r], device), leaf(5, [r, output], device));
                let weight = some(2, [output, input], device).transpose();
                let y = frozen(weight, None, Some(lora(&a, &b))).forward(x);
                gradients!(y, device, ["a": a, "b": b])
            },
        )
        .await;
        agrees(
            &format!("weight and bias: {what}"),
            compute,
            2e-5,
            async |device| {
                let x = x(device);
                let (weight, bias) = (leaf(2, [input, output], device), leaf(3, [output], device));
                let linear = Linear::new(
                    Param::from_tensor(weight.clone()),
                    Some(Param::from_tensor(bias.clone())),
                );
                let y = linear.forward(x.clone());
                gradients!(y, device, ["x": x, "weight": weight, "bias": bias])
            },
        )
        .await;
        agrees(
            &format!("a weight in its transpose's order: {what}"),
            compute,
            2e-5,
            async |device| {
                let x = x(device);
                let weight = some(2, [output, input], device).transpose();
                let y = frozen(weight, None, None).forward(x.clone());
                gradients!(y, device, ["x": x])
            },
        )
        .await;
    }
}
