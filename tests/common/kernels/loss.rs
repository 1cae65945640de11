use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use webtune::device::{Compute, is_cpu};
use webtune::kernels::cross_entropy;
use webtune::train::gradients::backward_from;

use super::{agrees, leaf, some, values};

/// The cross-entropies of words and their gradient, at logits near each other and far apart, at vocabularies that fill no cube.
pub async fn losses_agree(compute: &Compute) {
    for (rows, words, reach) in [(1, 3, 1.0), (5, 64, 30.0), (7, 257, 300.0)] {
        let what = format!("cross-entropy of {rows} rows of {words} words to {reach}");
        agrees(&what, compute, 1e-5, async |device| {
            let logits = some(1, [rows, words], device) * reach;
            let ids = (0..rows).map(|row| (row * 31 % words) as i32);
            let data = TensorData::new(ids.collect::<Vec<_>>(), [rows]);
            let labels = Tensor::<1, Int>::from_data(data, &device.clone().autodiff());
            // what somebody else still holds is not written over
            let kept = logits.clone();
            let (loss, gradient) = if is_cpu(device) {
                composed(logits, labels, device)
            } else {
                cross_entropy(logits, labels, 0.25)
            };
            vec![
                ("loss", values(loss).await),
                ("gradient", values(gradient).await),
                ("logits", values(kept).await),
            ]
        })
        .await;
    }
}

fn composed(logits: Tensor<2>, labels: Tensor<1, Int>, device: &Device) -> (Tensor<1>, Tensor<2>) {
    let labels = labels.inner().unsqueeze_dim::<2>(1);
    let logs = log_softmax(logits, 1);
    let loss = logs.clone().gather(1, labels.clone()).sum().neg() * 0.25;
    let minus = Tensor::<2>::ones(labels.dims(), device).neg();
    let gradient = logs.exp().scatter(1, labels, minus, IndexingUpdateOp::Add);
    (loss, gradient * 0.25)
}

/// A backward pass that begins in the middle.
pub async fn seeds_agree(compute: &Compute) {
    agrees(
        "a backward pass from a gradient",
        compute,
        1e-6,
        async |device| {
            let shape = [2, 3, 5];
            let x = leaf(1, shape, device);
            let y = x.clone() * x.clone() + x.clone();
            let mut tape = backward_from(y, some(2, shape, device).autodiff());
            vec![("x", values(x.grad_remove(&mut tape).unwrap()).await)]
        },
    )
    .await;
}
