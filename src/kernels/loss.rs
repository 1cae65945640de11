//! Cross-entropy over a vocabulary with its gradient in the logits' own memory: one launch, nothing of the logits' size besides them.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Int, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{cubes, empty, rows};

/// Units that share a row.
const UNITS: usize = 64;
/// Below any logit.
const LOWEST: f32 = -3.0e38;

/// The operation for burn's dispatch.
#[backend_extension(Cube)]
pub trait LossOps: Backend {
    /// The rows' losses, `[rows]`, and their gradients to the logits, `[rows, words]`, both times `scale`.
    fn cross_entropies(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        scale: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

impl LossOps for CubeBackend {
    fn cross_entropies(
        logits: CubeTensor,
        labels: CubeTensor,
        scale: f32,
    ) -> (CubeTensor, CubeTensor) {
        let logits = into_contiguous(logits);
        let logits = if logits.can_mut() {
            logits
        } else {
            logits.copy()
        };
        let labels = into_contiguous(labels);
        let [count, words] = rows(&logits);
        let losses = empty(&logits, [count]);
        let client = logits.client.clone();
        // SAFETY: the kernel bounds rows by `count` and words by their number; labels are word ids.
        unsafe {
            cross_entropy_rows::launch_unchecked(
                &client,
                cubes(count),
                CubeDim::new_1d(UNITS as u32),
                logits.clone().into_buffer_arg(),
                labels.into_buffer_arg(),
                losses.clone().into_buffer_arg(),
                scale,
                count as u32,
                words as u32,
                words.div_ceil(UNITS) as u32,
            );
        }
        (losses, logits)
    }
}

/// One cube a row, whose logits become their gradient.
#[cube(launch_unchecked)]
fn cross_entropy_rows(
    logits: &mut [f32],
    labels: &[i32],
    losses: &mut [f32],
    scale: f32,
    rows: u32,
    words: u32,
    rounds: u32,
) {
    let row = CUBE_POS;
    if row >= rows as usize {
        terminate!();
    }
    let words = words as usize;
    let base = row * words;
    let unit = UNIT_POS_X as usize;
    let mut shared = Shared::<[f32]>::new_slice(comptime!(2 * UNITS));
    let label = labels[row] as usize;

    // each unit's largest logit and the sum of what is below it
    let mut most = f32::new(LOWEST);
    let mut sum = 0.0f32;
    for round in 0..rounds as usize {
        let i = round * UNITS + unit;
        if i < words {
            let value = logits[base + i];
            let larger = value.max(most);
            sum = sum * (most - larger).exp() + (value - larger).exp();
            most = larger;
        }
    }
    shared[unit] = most;
    shared[UNITS + unit] = sum;
    // before any unit writes its gradient
    let of_label = logits[base + label];
    sync_cube();
    let mut largest = f32::new(LOWEST);
    #[unroll]
    for i in 0..UNITS {
        largest = largest.max(shared[i]);
    }
    let mut total = 0.0f32;
    #[unroll]
    for i in 0..UNITS {
        total += shared[UNITS + i] * (shared[i] - largest).exp();
    }
    for round in 0..rounds as usize {
        let i = round * UNITS + unit;
        if i < words {
            let share = (logits[base + i] - largest).exp() / total;
            logits[base + i] = (share - select(i == label, 1.0f32, 0.0f32)) * scale;
        }
    }
    if unit == 0 {
        losses[row] = (total.ln() + largest - of_label) * scale;
    }
}

/// The sum of the rows' cross-entropies times `scale`, `[1]`, and its gradient to the logits, `[rows, words]`. `logits`: `[rows, words]`, without
/// gradients, on a device that [`super::takes`] names; `labels`: `[rows]`.
pub fn cross_entropy(
    logits: Tensor<2>,
    labels: Tensor<1, Int>,
    scale: f64,
) -> (Tensor<1>, Tensor<2>) {
    // a device with autodiff marks even ids, and this operation has no backward pass
    let (losses, gradient) = Dispatch::cross_entropies(
        logits.inner().into_dispatch(),
        labels.inner().into_dispatch(),
        scale as f32,
    );
    let losses = Tensor::<1>::from_dispatch(losses);
    (losses.sum(), Tensor::from_dispatch(gradient))
}
