//! The GPU's own kernels against burn's operations on the CPU engine: values and gradients, at sizes that are no multiple of anything.

mod activation;
mod attention;
mod launches;
mod linear;
mod loss;
mod norm;
mod optimizer;
mod rotary;

use burn::tensor::{Device, Tensor, TensorData};
use webtune::device::{Compute, read};

/// Every kernel against the CPU engine, and what is bounded in launches.
pub async fn agree_with_the_cpu_engine(compute: &Compute) {
    norm::norms_agree(compute).await;
    activation::activations_agree(compute).await;
    linear::linears_agree(compute).await;
    loss::losses_agree(compute).await;
    loss::seeds_agree(compute).await;
    attention::attention_agrees(compute).await;
    rotary::rotary_agrees(compute).await;
    optimizer::optimizers_agree(compute).await;
    launches::heads_are_never_copied(compute);
    optimizer::optimizer_takes_few_launches(compute).await;
}

/// Runs the same on both engines and compares each of the lists that come back, by the largest difference over the largest number, at least 1.
async fn agrees(
    what: &str,
    compute: &Compute,
    limit: f32,
    run: impl AsyncFn(&Device) -> Vec<(&'static str, Vec<f32>)>,
) {
    let expected = run(&Compute::cpu().device).await;
    let found = run(&compute.device).await;
    assert_eq!(expected.len(), found.len(), "{what}");
    for ((name, expected), (_, found)) in expected.iter().zip(&found) {
        assert_eq!(expected.len(), found.len(), "{what}: {name}");
        assert!(!expected.is_empty(), "{what}: {name} is empty");
        let largest = expected
            .iter()
            .fold(1.0_f32, |most, value| most.max(value.abs()));
        let apart = expected.iter().zip(found).map(|(a, b)| (a - b).abs());
        // a NaN is larger than any limit
        let apart = apart.fold(
            0.0_f32,
            |most, value| if value <= most { most } else { value },
        );
        assert!(
            apart <= limit * largest,
            "{what}: {name} differs by {apart}, of {largest} at most"
        );
    }
}

/// Numbers in (-1, 1) that depend on the seed and their place alone.
fn some<const D: usize>(seed: usize, shape: [usize; D], device: &Device) -> Tensor<D> {
    let count = shape.iter().product::<usize>();
    let values = (0..count).map(|index| ((index * 37 + seed * 1013) as f32 * 0.731).sin());
    Tensor::from_data(TensorData::new(values.collect::<Vec<_>>(), shape), device)
}

/// The same as a leaf whose gradient is asked for.
fn leaf<const D: usize>(seed: usize, shape: [usize; D], device: &Device) -> Tensor<D> {
    some(seed, shape, device).autodiff().require_grad()
}

/// The gradients to `leaves` of what `y` and a fixed tensor give multiplied and summed.
macro_rules! gradients {
    ($y:expr, $device:expr, [$($name:literal: $leaf:expr),+ $(,)?]) => {{
        let weights = $crate::common::kernels::some(99, $y.dims(), $device).autodiff();
        let mut tape = ($y.clone() * weights).sum().backward();
        vec![
            ("value", $crate::common::kernels::values($y.clone().inner()).await),
            $(($name, $crate::common::kernels::values($leaf.grad_remove(&mut tape).unwrap()).await)),+
        ]
    }};
}
use gradients;

/// A tensor's numbers.
async fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    read(tensor).await.unwrap()
}
