//! PiSSA (Meng et al. 2024): fresh deltas become deltas that hold the principal part of their weights, and after training plain LoRA
//! deltas over the untouched weights.

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};

use crate::device::read;
use crate::layers::Linear;
use crate::linalg::{add, dot};
use crate::models::Network;
use crate::models::load::frozen;
use crate::rng::Rng;
use crate::{Error, Result};

/// What a layer's delta started from.
#[derive(Debug, Clone)]
pub struct Start {
    /// The layer's name.
    name: String,
    /// The weight before its principal part was taken off, shared with the model that was loaded.
    weight: Param<Tensor<2>>,
    /// `[in, r]`
    a: Tensor<2>,
    /// `[r, out]`
    b: Tensor<2>,
}

/// Sets every delta to `A = U sqrt(S / s)`, `B = sqrt(S / s) V` of the weight's largest singular values and takes their product off
/// the weight, so that the output stays as it was. Signs of singular vectors are free; the product is not. The weights are in float32:
/// see [`super::check_storage`].
///
/// # Errors
/// [`Error::InvalidOption`] where a rank exceeds a layer's width; failures of the device.
pub async fn start<N: Network>(network: &mut N) -> Result<Vec<Start>> {
    let mut started = Vec::new();
    for (name, linear) in network.linears_mut() {
        let Linear { weight, delta, .. } = linear;
        let Some(delta) = delta else { continue };
        let full = weight.val().inner(); // [in, out]
        let [input, output] = full.dims();
        let r = delta.lora_a.val().dims()[1];
        if r > input.min(output) {
            return Err(Error::option(
                "r",
                format!(
                    "{name} has {} singular values, and pissa cannot take {r} of them",
                    input.min(output)
                ),
            ));
        }
        let [rest, a, b] = split(full, r, delta.scaling).await?;
        let untouched = std::mem::replace(weight, frozen(rest));
        delta.lora_a = frozen(a.clone());
        delta.lora_b = frozen(b.clone());
        started.push(Start {
            name,
            weight: untouched,
            a,
            b,
        });
    }
    Ok(started)
}

/// What one weight `[in, out]` becomes: the rest `[in, out]`, A `[in, r]` and B `[r, out]`, of which `rest + scaling A B` is the weight.
///
/// # Errors
/// Failures of the device.
pub async fn split(weight: Tensor<2>, r: usize, scaling: f64) -> Result<[Tensor<2>; 3]> {
    let [input, output] = weight.dims();
    let device = weight.device();
    let values = read(weight.clone()).await?;
    let (a, b) = principal(&values, [input, output], r, scaling);
    let a = Tensor::<2>::from_data(TensorData::new(a, [input, r]), &device);
    let b = Tensor::<2>::from_data(TensorData::new(b, [r, output]), &device);
    let rest = weight - a.clone().matmul(b.clone()) * scaling;
    Ok([rest, a, b])
}

/// Factors of `A B - A0 B0`: `[in, 2 r]` and `[2 r, out]`.
pub fn difference([a, b]: [Tensor<2>; 2], [a0, b0]: [Tensor<2>; 2]) -> [Tensor<2>; 2] {
    [Tensor::cat(vec![a, a0], 1), Tensor::cat(vec![b, -b0], 0)]
}

/// Deltas over the untouched weights that give the same output: `[A, A0] [B; -B0]`, of twice the rank, as PEFT converts a PiSSA
/// adapter to LoRA. [`super::LoraConfig::doubled`] describes them.
pub fn plain<N: Network>(tuned: &N, start: &[Start]) -> N {
    let mut plain = tuned.clone();
    for (name, linear) in plain.linears_mut() {
        let started = start.iter().find(|start| start.name == name);
        if let (Some(delta), Some(started)) = (&mut linear.delta, started) {
            let tuned = [&delta.lora_a, &delta.lora_b].map(|factor| factor.val().inner());
            let [a, b] = difference(tuned, [started.a.clone(), started.b.clone()]);
            delta.lora_a = frozen(a);
            delta.lora_b = frozen(b);
            linear.weight = started.weight.clone();
        }
    }
    plain
}

/// The factors `[in, r]` and `[r, out]` of the best approximation of rank `r`, each in row order, divided by `sqrt(scaling)`.
fn principal(
    values: &[f32],
    [input, output]: [usize; 2],
    r: usize,
    scaling: f64,
) -> (Vec<f32>, Vec<f32>) {
    // the shorter side's singular vectors first: their matrix is the smaller
    let wide = input <= output;
    let (short, long) = if wide {
        (input, output)
    } else {
        (output, input)
    };
    let at = |near: usize, far: usize| {
        if wide {
            values[near * output + far]
        } else {
            values[far * output + near]
        }
    };
    // rows side by side in memory, whichever side is the shorter: every loop below reads along them
    let rows = (0..short)
        .map(|near| (0..long).map(|far| f64::from(at(near, far))).collect())
        .collect::<Vec<Vec<f64>>>(); // [short, long]
    let mut a = vec![0.0_f32; input * r];
    let mut b = vec![0.0_f32; r * output];
    for (rank, (square, near)) in largest_eigenvectors(&gram(&rows), short, r)
        .into_iter()
        .enumerate()
    {
        let singular = square.max(0.0).sqrt();
        // a direction that the weight does not have gives zeros on the far side
        let inverse = if singular > 0.0 { 1.0 / singular } else { 0.0 };
        let mut far = vec![0.0; long];
        for (row, share) in rows.iter().zip(&near) {
            add(&mut far, share * inverse, row);
        }
        let (left, right) = if wide { (near, far) } else { (far, near) };
        let root = (singular / scaling).sqrt();
        for (row, value) in left.iter().enumerate() {
            a[row * r + rank] = (value * root) as f32;
        }
        for (column, value) in right.iter().enumerate() {
            b[rank * output + column] = (value * root) as f32;
        }
    }
    (a, b)
}

/// `M M^T` of a matrix `[short, long]`, in row order. Squaring costs half of the digits, of which f64 has enough.
fn gram(rows: &[Vec<f64>]) -> Vec<f64> {
    let short = rows.len();
    let mut gram = vec![0.0; short * short];
    for i in 0..short {
        for j in 0..=i {
            let product = dot(&rows[i], &rows[j]);
            gram[i * short + j] = product;
            gram[j * short + i] = product;
        }
    }
    gram
}

/// Vectors iterated in addition to the wanted ones: the more, the faster the wanted ones settle.
const SPARE_VECTORS: usize = 24;
/// Enough for spectra that fall as slowly as those of trained weights; the iteration ends earlier where nothing moves any more.
const MAX_ITERATIONS: usize = 500;
/// Relative change of an eigenvalue at which it has settled. The eigenvector's error is of the order of its square root.
const SETTLED: f64 = 1e-15;

/// The largest eigenvalues of a symmetric positive semidefinite matrix `[n, n]` with their eigenvectors, in descending order: subspace
/// iteration with a Rayleigh-Ritz step (Halko, Martinsson & Tropp 2011, section 4.5).
fn largest_eigenvectors(matrix: &[f64], n: usize, count: usize) -> Vec<(f64, Vec<f64>)> {
    let width = (count + SPARE_VECTORS).min(n);
    let mut rng = Rng::stream(0, "pissa");
    let mut basis = (0..width)
        .map(|_| (0..n).map(|_| rng.normal()).collect::<Vec<_>>())
        .collect::<Vec<_>>();
    orthonormalise(&mut basis);
    let mut values = vec![0.0; width];
    for _ in 0..MAX_ITERATIONS {
        let images = basis
            .iter()
            .map(|vector| matrix.chunks_exact(n).map(|row| dot(row, vector)).collect())
            .collect::<Vec<Vec<f64>>>();
        // the matrix seen from the subspace, and its own eigenvectors there
        let small = basis
            .iter()
            .map(|vector| images.iter().map(|image| dot(vector, image)).collect())
            .collect::<Vec<Vec<f64>>>();
        let (found, rotation) = jacobi(small);
        let mut order = (0..width).collect::<Vec<_>>();
        order.sort_by(|a, b| found[*b].total_cmp(&found[*a]));
        basis = order
            .iter()
            .map(|column| {
                let mut turned = vec![0.0; n];
                for (image, row) in images.iter().zip(&rotation) {
                    add(&mut turned, row[*column], image);
                }
                turned
            })
            .collect();
        orthonormalise(&mut basis);
        let sorted = order
            .iter()
            .map(|column| found[*column])
            .collect::<Vec<_>>();
        let scale = sorted[0].abs().max(f64::MIN_POSITIVE);
        let moved = (sorted.iter().zip(&values).take(count))
            .any(|(new, old)| (new - old).abs() > SETTLED * scale);
        values = sorted;
        if !moved {
            break;
        }
    }
    values.into_iter().zip(basis).take(count).collect()
}

/// Gram-Schmidt, twice, because once leaves rounding errors. A vector that the others span becomes zero.
fn orthonormalise(vectors: &mut [Vec<f64>]) {
    for index in 0..vectors.len() {
        let (done, rest) = vectors.split_at_mut(index);
        let vector = &mut rest[0];
        let before = dot(vector, vector).sqrt();
        for _ in 0..2 {
            for other in done.iter() {
                let share = dot(vector, other);
                add(vector, -share, other);
            }
        }
        let length = dot(vector, vector).sqrt();
        let inverse = if length > 1e-12 * before {
            1.0 / length
        } else {
            0.0
        };
        vector.iter_mut().for_each(|value| *value *= inverse);
    }
}

/// All eigenvalues of a small symmetric matrix, and its eigenvectors as columns: cyclic Jacobi rotations.
fn jacobi(mut matrix: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = matrix.len();
    let mut vectors = vec![vec![0.0; n]; n];
    for (index, row) in vectors.iter_mut().enumerate() {
        row[index] = 1.0;
    }
    let scale = matrix
        .iter()
        .flatten()
        .map(|value| value * value)
        .sum::<f64>();
    for _ in 0..64 {
        let off = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
        if off.map(|(i, j)| matrix[i][j] * matrix[i][j]).sum::<f64>() <= 1e-32 * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if matrix[p][q] == 0.0 {
                    continue;
                }
                let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for row in &mut matrix {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                let (above, below) = matrix.split_at_mut(q);
                for (up, low) in above[p].iter_mut().zip(&mut below[0]) {
                    (*up, *low) = (c * *up - s * *low, s * *up + c * *low);
                }
                for row in &mut vectors {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
            }
        }
    }
    ((0..n).map(|index| matrix[index][index]).collect(), vectors)
}
