use burn::module::Param;
use webtune::device::Compute;
use webtune::layers::{LayerNorm, RmsNorm};

use super::{agrees, gradients, leaf, some};

/// Layer norm with and without a bias and a sum before it, RMS norm with and without an offset, trained weights and frozen ones.
pub async fn norms_agree(compute: &Compute) {
    for shape in [[2, 3, 32], [1, 5, 33], [3, 7, 30], [1, 2, 384], [1, 1, 4]] {
        let [.., width] = shape;
        agrees(&format!("layer norm of {shape:?}"), compute, 1e-5, async |device| {
            let (x, residual) = (leaf(1, shape, device), leaf(2, shape, device));
            let (weight, bias) = (leaf(3, [width], device), leaf(4, [width], device));
            let norm = LayerNorm {
                weight: Param::from_tensor(weight.clone()),
                bias: Some(Param::from_tensor(bias.clone())),
                eps: 1e-5,
            };
            let y = norm.forward_sum(x.clone(), residual.clone());
            gradients!(y, device, ["x": x, "residual": residual, "weight": weight, "bias": bias])
        })
        .await;
        agrees(
            &format!("frozen layer norm of {shape:?}"),
            compute,
            1e-5,
            async |device| {
                let x = leaf(1, shape, device);
                let norm = LayerNorm {
                    weight: Param::from_tensor(some(3, [width], device)).set_require_grad(false),
                    bias: None,
                    eps: 1e-12,
                };
                let y = norm.forward(x.clone());
                gradients!(y, device, ["x": x])
            },
        )
        .await;
        for offset in [0.0, 1.0] {
            agrees(
                &format!("RMS norm of {shape:?}"),
                compute,
                1e-5,
                async |device| {
                    let (x, weight) = (leaf(1, shape, device), leaf(3, [width], device));
                    let norm = RmsNorm {
                        weight: Param::from_tensor(weight.clone()),
                        eps: 1e-6,
                        offset,
                    };
                    let y = norm.forward(x.clone());
                    gradients!(y, device, ["x": x, "weight": weight])
                },
            )
            .await;
        }
    }
}
