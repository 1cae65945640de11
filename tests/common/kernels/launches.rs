use std::sync::{Arc, Mutex};

use burn::tensor::{Device, Tensor};
use cubecl::logging::{LaunchObservation, LaunchObserver};
use webtune::device::Compute;
use webtune::layers::{
    Dropout, Rotary, attend, attend_grouped, attend_joined, inverse_frequencies, padding_bias,
    split_heads,
};

use super::{leaf, some};

#[derive(Default)]
struct Names(Mutex<Vec<&'static str>>);

impl LaunchObserver for Names {
    fn launched(&self, kernel: &'static str) {
        self.0.lock().unwrap().push(kernel);
    }
}

/// The kernels that `run` and the backward pass from its result launch.
fn launched(run: impl FnOnce() -> Tensor<3>) -> Vec<&'static str> {
    let names = Arc::new(Names::default());
    let watching = LaunchObservation::new(names.clone());
    let y = run();
    let device = y.clone().inner().device();
    let weights = some(99, y.dims(), &device).autodiff();
    drop((y * weights).sum().backward());
    drop(watching);
    let names = names.0.lock().unwrap();
    names.clone()
}

/// Attention and rotary positions of rows are a kernel forward and one or two backward; nothing is copied to split heads or to join them.
pub fn heads_are_never_copied(compute: &Compute) {
    let device = &compute.device;
    let (rows, heads, width) = ([2, 5], 6, 8);
    let bias = padding_bias(Tensor::ones(rows, device));
    let row = |seed: usize, heads: usize| leaf(seed, [rows[0], rows[1], heads * width], device);
    let (query, key, value) = (row(1, heads), row(2, heads), row(3, heads));
    let plain = launched(|| attend(query, key, value, bias.clone(), heads, &Dropout::off()));
    assert_launches(&plain, 3, 0);

    let rotary = turns(width, rows[1], device);
    let (query, key, value) = (row(1, heads), row(2, 2), row(3, 2));
    let grouped = launched(|| {
        let query = rotary.apply(split_heads(query, heads));
        let key = rotary.apply(split_heads(key, 2));
        attend_grouped(query, key, split_heads(value, 2), bias.clone(), 0.3)
    });
    assert_launches(&grouped, 3, 4);

    let all = row(1, 3 * heads);
    let joined = launched(|| {
        let turned = rotary.apply_joined(&all, heads).unwrap();
        attend_joined(&turned, &bias, heads, 0.3).unwrap()
    });
    assert_launches(&joined, 3, 2);
}

fn turns(width: usize, tokens: usize, device: &Device) -> Rotary {
    Rotary::new(&inverse_frequencies(100.0, width), 0..tokens, 1.0, device)
}

fn assert_launches(names: &[&str], attention: usize, rotary: usize) {
    let of = |word: &str| names.iter().filter(|name| name.contains(word)).count();
    assert_eq!(of("attention"), attention, "{names:#?}");
    assert_eq!(of("rotary"), rotary, "{names:#?}");
    // besides: the sum, the product before it and the gradient to its factors
    let others = names.len() - attention - rotary;
    assert!(others <= 8, "{names:#?}");
    let copies = names.iter().filter(|name| {
        let name = name.to_lowercase();
        name.contains("copy") || name.contains("contiguous") || name.contains("slice")
    });
    assert_eq!(copies.count(), 0, "{names:#?}");
}
