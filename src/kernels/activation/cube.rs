//! The launches and kernels of non-linearities.

use burn::backend::TensorMetadata;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::kernels::launch::{cubes, empty, vector};

/// A non-linearity that has a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// Exact GELU.
    Gelu,
    /// Its tanh approximation.
    TanhGelu,
    /// `x sigmoid(x)`
    Swish,
}

/// Units of a cube.
const UNITS: usize = 64;

/// Numbers, vectors and cubes of a walk over all of a tensor.
fn walk(x: &CubeTensor) -> (usize, u32, CubeCount) {
    let count = x.shape().num_elements();
    let n = vector(x, count);
    let vectors = count / n;
    (n, vectors as u32, cubes(vectors.div_ceil(UNITS)))
}

/// `curve(x)`
pub fn curve(x: CubeTensor, curve: Curve) -> CubeTensor {
    let x = into_contiguous(x);
    let y = empty(&x, x.shape());
    let (n, count, cubes) = walk(&x);
    let client = x.client.clone();
    // SAFETY: the kernel bounds its one index by `count`.
    unsafe {
        curve_forward::launch_unchecked(
            &client,
            cubes,
            CubeDim::new_1d(UNITS as u32),
            n,
            x.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            count,
            curve,
        );
    }
    y
}

/// The gradient to x.
pub fn curve_backward(x: CubeTensor, gradient: CubeTensor, curve: Curve) -> CubeTensor {
    let [x, gradient] = [x, gradient].map(into_contiguous);
    let to_x = empty(&x, x.shape());
    let (n, count, cubes) = walk(&x);
    let client = x.client.clone();
    // SAFETY: as above.
    unsafe {
        curve_backward_kernel::launch_unchecked(
            &client,
            cubes,
            CubeDim::new_1d(UNITS as u32),
            n,
            x.into_buffer_arg(),
            gradient.into_buffer_arg(),
            to_x.clone().into_buffer_arg(),
            count,
            curve,
        );
    }
    to_x
}

/// `curve(gate) * x`
pub fn gated(gate: CubeTensor, x: CubeTensor, curve: Curve) -> CubeTensor {
    let [gate, x] = [gate, x].map(into_contiguous);
    let y = empty(&x, x.shape());
    let (n, count, cubes) = walk(&x);
    let client = x.client.clone();
    // SAFETY: as above; both are of one shape.
    unsafe {
        gated_forward::launch_unchecked(
            &client,
            cubes,
            CubeDim::new_1d(UNITS as u32),
            n,
            gate.into_buffer_arg(),
            x.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            count,
            curve,
        );
    }
    y
}

/// The gradients to gate and x.
pub fn gated_backward(
    gate: CubeTensor,
    x: CubeTensor,
    gradient: CubeTensor,
    curve: Curve,
) -> [CubeTensor; 2] {
    let [gate, x, gradient] = [gate, x, gradient].map(into_contiguous);
    let [to_gate, to_x] = [(); 2].map(|()| empty(&x, x.shape()));
    let (n, count, cubes) = walk(&x);
    let client = x.client.clone();
    // SAFETY: as above.
    unsafe {
        gated_backward_kernel::launch_unchecked(
            &client,
            cubes,
            CubeDim::new_1d(UNITS as u32),
            n,
            gate.into_buffer_arg(),
            x.into_buffer_arg(),
            gradient.into_buffer_arg(),
            to_gate.clone().into_buffer_arg(),
            to_x.clone().into_buffer_arg(),
            count,
            curve,
        );
    }
    [to_gate, to_x]
}

/// `tanh(sqrt(2 / pi) (x + 0.044715 x^3))`, the argument kept where some drivers' tanh is still a number.
#[cube]
fn bend<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
    let inner = Vector::new(0.797_884_6f32) * (x + Vector::new(0.044715f32) * x * x * x);
    let inner = inner.max(Vector::new(-15.0f32)).min(Vector::new(15.0f32));
    inner.tanh()
}

/// The curve itself.
#[cube]
fn value<N: Size>(x: Vector<f32, N>, #[comptime] curve: Curve) -> Vector<f32, N> {
    let one = Vector::<f32, N>::new(1.0f32);
    let half = Vector::<f32, N>::new(0.5f32);
    match comptime!(curve) {
        Curve::Gelu => half * x * (one + (x * Vector::new(0.707_106_77f32)).erf()),
        Curve::TanhGelu => half * x * (one + bend::<N>(x)),
        Curve::Swish => x / (one + (-x).exp()),
    }
}

/// Its derivative.
#[cube]
fn slope<N: Size>(x: Vector<f32, N>, #[comptime] curve: Curve) -> Vector<f32, N> {
    let one = Vector::<f32, N>::new(1.0f32);
    let half = Vector::<f32, N>::new(0.5f32);
    match comptime!(curve) {
        Curve::Gelu => {
            let share = half * (one + (x * Vector::new(0.707_106_77f32)).erf());
            let density = Vector::new(0.398_942_3f32) * (-half * x * x).exp();
            share + x * density
        }
        Curve::TanhGelu => {
            let t = bend::<N>(x);
            let inner = Vector::new(0.797_884_6f32) * (one + Vector::new(0.134145f32) * x * x);
            half * (one + t) + half * x * (one - t * t) * inner
        }
        Curve::Swish => {
            let share = one / (one + (-x).exp());
            share * (one + x * (one - share))
        }
    }
}

#[cube(launch_unchecked)]
fn curve_forward<N: Size>(
    x: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    count: u32,
    #[comptime] curve: Curve,
) {
    let i = ABSOLUTE_POS;
    if i < count as usize {
        y[i] = value::<N>(x[i], curve);
    }
}

#[cube(launch_unchecked)]
fn curve_backward_kernel<N: Size>(
    x: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    to_x: &mut [Vector<f32, N>],
    count: u32,
    #[comptime] curve: Curve,
) {
    let i = ABSOLUTE_POS;
    if i < count as usize {
        to_x[i] = gradient[i] * slope::<N>(x[i], curve);
    }
}

#[cube(launch_unchecked)]
fn gated_forward<N: Size>(
    gate: &[Vector<f32, N>],
    x: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    count: u32,
    #[comptime] curve: Curve,
) {
    let i = ABSOLUTE_POS;
    if i < count as usize {
        y[i] = value::<N>(gate[i], curve) * x[i];
    }
}

#[cube(launch_unchecked)]
fn gated_backward_kernel<N: Size>(
    gate: &[Vector<f32, N>],
    x: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    to_gate: &mut [Vector<f32, N>],
    to_x: &mut [Vector<f32, N>],
    count: u32,
    #[comptime] curve: Curve,
) {
    let i = ABSOLUTE_POS;
    if i < count as usize {
        let g = gate[i];
        to_gate[i] = gradient[i] * x[i] * slope::<N>(g, curve);
        to_x[i] = gradient[i] * value::<N>(g, curve);
    }
}
