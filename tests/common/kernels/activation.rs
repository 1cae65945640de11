use webtune::device::{Compute, EngineKind};
use webtune::layers::Activation;

use super::{agrees, gradients, leaf};

/// Every curve alone and as a gate, at numbers from far below to far above zero.
pub async fn activations_agree(compute: &Compute) {
    for activation in [
        Activation::gelu(EngineKind::Cpu),
        Activation::TanhGelu,
        Activation::Swish,
        Activation::Relu,
        Activation::Tanh,
    ] {
        for (shape, reach) in [([1, 3, 8], 3.0), ([2, 5, 7], 1.0), ([1, 1, 129], 60.0)] {
            let what = format!("{activation:?} of {shape:?} to {reach}");
            agrees(&what, compute, 1e-5, async |device| {
                let x = leaf(1, shape, device);
                let y = activation.forward(x.clone() * reach);
                gradients!(y, device, ["x": x])
            })
            .await;
            agrees(
                &format!("a gate of {what}"),
                compute,
                1e-5,
                async |device| {
                    let (gate, x) = (leaf(1, shape, device), leaf(2, shape, device));
                    let y = activation.gate(gate.clone() * reach, x.clone());
                    gradients!(y, device, ["gate": gate, "x": x])
                },
            )
            .await;
        }
    }
}
