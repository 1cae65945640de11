//! Queries or keys of every head, turned by their positions (Su et al. 2021), in transformers' rotate-half form.

use burn::tensor::{Device, Tensor, TensorData};

#[cfg(feature = "webgpu")]
use super::split_heads;
#[cfg(feature = "webgpu")]
use crate::kernels;

/// `theta^(-2 i / width)` for every pair of a head's elements, `width / 2` numbers. `width`: of one head, even.
pub fn inverse_frequencies(theta: f64, width: usize) -> Vec<f64> {
    (0..width / 2)
        .map(|pair| theta.powf(-2.0 * pair as f64 / width as f64))
        .collect()
}

/// Cosine and sine of every position's angles, made once a forward pass and shared by its layers.
#[derive(Debug, Clone)]
pub struct Rotary {
    /// `[tokens, width]`, or `[batch * tokens, width]` where rows have positions of their own
    pub cos: Tensor<2>,
    /// As `cos`.
    pub sin: Tensor<2>,
}

impl Rotary {
    /// `inv_freq`: `[width / 2]`; `positions`: one a token; both tables are multiplied by `scale`, which is 1 for plain rotary positions.
    pub fn new(
        inv_freq: &[f64],
        positions: impl IntoIterator<Item = usize>,
        scale: f64,
        device: &Device,
    ) -> Self {
        // element i and element i + width / 2 of a head turn together
        let angles = positions
            .into_iter()
            .flat_map(|position| {
                let turn = inv_freq.iter().map(move |freq| position as f64 * freq);
                turn.clone().chain(turn)
            })
            .collect::<Vec<_>>();
        let width = 2 * inv_freq.len();
        let shape = [angles.len() / width.max(1), width];
        let table = |function: fn(f64) -> f64| {
            let values = angles
                .iter()
                .map(|angle| (function(*angle) * scale) as f32)
                .collect::<Vec<_>>();
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        Self {
            cos: table(f64::cos),
            sin: table(f64::sin),
        }
    }

    /// `x cos + rotate_half(x) sin`, where `rotate_half` of `[first, second]` is `[-second, first]`. `[batch, heads, tokens, width]`
    /// to the same.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "webgpu")]
        if let Some(turned) = kernels::rotate(&x, &self.cos, &self.sin, x.dims()[1]) {
            return turned;
        }
        let [_, _, tokens, width] = x.dims();
        let rows = self.cos.dims()[0] / tokens;
        let row = |table: &Tensor<2>| table.clone().reshape([rows, 1, tokens, width]);
        let half = width / 2;
        let first = x.clone().narrow(3, 0, half); // [batch, heads, tokens, width / 2]
        let second = x.clone().narrow(3, half, half);
        let rotated = Tensor::cat(vec![-second, first], 3); // [batch, heads, tokens, width]
        x * row(&self.cos) + rotated * row(&self.sin)
    }

    /// The same for queries and keys that lie side by side with values, `[batch, tokens, 3 * heads * width]`, without taking them apart.
    /// None where there is no kernel for it, and the caller must.
    pub fn apply_joined(&self, joined: &Tensor<3>, heads: usize) -> Option<Tensor<3>> {
        #[cfg(feature = "webgpu")]
        {
            let x = split_heads(joined.clone(), 3 * heads);
            let turned = kernels::rotate(&x, &self.cos, &self.sin, 2 * heads)?;
            Some(turned.swap_dims(1, 2).reshape(joined.dims()))
        }
        #[cfg(not(feature = "webgpu"))]
        {
            let _ = (joined, heads);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_turns_each_pair_by_its_angle() {
        let device = Device::flex();
        let inv_freq = inverse_frequencies(100.0, 4);
        assert!((inv_freq[0] - 1.0).abs() < 1e-12 && (inv_freq[1] - 0.1).abs() < 1e-12);
        let rotary = Rotary::new(&inv_freq, [0, 3], 1.0, &device);
        assert_eq!(rotary.cos.dims(), [2, 4]);
        let x = Tensor::<4>::ones([1, 1, 2, 4], &device);
        let turned = rotary
            .apply(x)
            .into_data()
            .try_into_vec::<f32>()
            .unwrap_or_default();
        let (a, b) = (3.0_f32, 0.3_f32);
        let expected = [
            1.0,
            1.0,
            1.0,
            1.0,
            a.cos() - a.sin(),
            b.cos() - b.sin(),
            a.cos() + a.sin(),
            b.cos() + b.sin(),
        ];
        assert_eq!(turned.len(), expected.len());
        for (found, expected) in turned.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
