//! The GPU's own kernels where there is a native driver; the browser's tests run the same bodies.

#![cfg(feature = "webgpu")]

mod common;

use common::kernels;
use webtune::device::Compute;

#[test]
fn kernels_agree_with_the_cpu_engine() {
    pollster::block_on(async {
        let compute = Compute::webgpu().await.unwrap();
        kernels::agree_with_the_cpu_engine(&compute).await;
    });
}
