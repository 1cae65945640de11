//! Which random stream each part of a forward pass draws from: dropout and mixout.
//!
//! Every micro-batch of a step and every layer in it has a stream of its own. So a layer that is computed a second time draws the same, whatever
//! was computed in between, and accumulated micro-batches draw as independently as the rows of one large batch.

use burn::tensor::Device;

use crate::rng::Rng;

/// The streams of one micro-batch; none if nothing is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Noise(Option<u64>);

impl Noise {
    /// `step`: the seed of the optimizer step; `batch`: the number of the micro-batch in it.
    pub fn new(step: Option<u64>, batch: usize) -> Self {
        Self(step.map(|step| Rng::stream(step, &format!("batch/{batch}")).next_u64()))
    }

    /// Before the embeddings.
    pub fn embeddings(&self, device: &Device) {
        self.seed(device, 0);
    }

    /// Before a layer.
    pub fn layer(&self, device: &Device, index: usize) {
        self.seed(device, index + 1);
    }

    /// Before the head above this many layers.
    pub fn head(&self, device: &Device, layers: usize) {
        self.seed(device, layers + 1);
    }

    fn seed(&self, device: &Device, place: usize) {
        if let Some(seed) = self.0 {
            device.seed(seed.wrapping_add(place as u64));
        }
    }
}
