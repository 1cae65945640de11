//! Training steps of random models and matrix products for a worker that times them; `npm run bench` builds a module with this class.

use wasm_bindgen::prelude::*;

use super::convert::{Answer, error, from_js, state};
use super::device::Device;
use crate::benchmark::{ClassifierBenchmark, matmul};
use crate::device::Compute;

/// Work to be timed on a device.
#[wasm_bindgen]
pub struct Benchmark {
    compute: Compute,
    prepared: Option<ClassifierBenchmark>,
}

#[wasm_bindgen]
impl Benchmark {
    /// On that device.
    #[wasm_bindgen(constructor)]
    pub fn new(device: &Device) -> Self {
        Self {
            compute: device.compute.clone(),
            prepared: None,
        }
    }

    /// Builds a random model of a shape with LoRA on query and value.
    pub async fn prepare(&mut self, shape: JsValue) -> Answer<()> {
        let shape = from_js(shape, "shape")?;
        let prepared = ClassifierBenchmark::new(shape, &self.compute).await;
        self.prepared = Some(prepared.map_err(error)?);
        Ok(())
    }

    fn prepared(&mut self) -> Answer<&mut ClassifierBenchmark> {
        let missing = || state("call prepare first");
        self.prepared.as_mut().ok_or_else(missing)
    }

    /// Floating-point operations of one step.
    pub fn flops(&mut self) -> Answer<f64> {
        Ok(self.prepared()?.flops())
    }

    /// One whole optimizer step; the loss.
    pub async fn step(&mut self) -> Answer<f32> {
        self.prepared()?.step().await.map_err(error)
    }

    /// `count` products `[m, k] x [k, n]`, until the last is read back.
    pub async fn matmul(&self, m: usize, k: usize, n: usize, count: usize) -> Answer<()> {
        matmul(&self.compute, [m, k, n], count).await.map_err(error)
    }
}
