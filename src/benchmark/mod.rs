//! Whole training steps of random models, and matrix products by which their speed is judged. The clock is outside, in a browser's
//! worker. Only the feature `bench` compiles this.

mod classifier;

use burn::tensor::{Distribution, Tensor};

use crate::Result;
use crate::device::{Compute, read};

pub use classifier::{ClassifierBenchmark, Shape};

/// Products `[m, k] x [k, n]` on fresh random matrices; one value of the last is read, so that all are done.
///
/// # Errors
/// Failures of the device.
pub async fn matmul(compute: &Compute, [m, k, n]: [usize; 3], count: usize) -> Result<()> {
    let random =
        |shape: [usize; 2]| Tensor::<2>::random(shape, Distribution::Default, &compute.device);
    let [a, b] = [random([m, k]), random([k, n])];
    let mut last = None;
    for _ in 0..count {
        last = Some(a.clone().matmul(b.clone()));
    }
    match last {
        Some(product) => read(product.narrow(0, 0, 1).narrow(1, 0, 1))
            .await
            .map(|_| ()),
        None => Ok(()),
    }
}
