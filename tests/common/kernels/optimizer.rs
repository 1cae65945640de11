use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use cubecl::logging::{LaunchObservation, LaunchObserver};
use webtune::device::Compute;
use webtune::peft::Trainable;
use webtune::peft::freeze::{activate, trained};
use webtune::train::optimizer::{AdamW, AdamWConfig};

use super::{agrees, some, values};

/// Tensors of odd sizes.
#[derive(Module, Debug)]
struct Sizes {
    one: Param<Tensor<1>>,
    norm: Vec<Param<Tensor<1>>>,
    block: Param<Tensor<2>>,
    more: Param<Tensor<1>>,
    many: Vec<Param<Tensor<2>>>,
    never: Param<Tensor<1>>,
}

impl Sizes {
    fn new(device: &Device) -> Self {
        let network = Self {
            one: Param::from_tensor(some(1, [1], device)),
            norm: vec![Param::from_tensor(some(2, [3], device))],
            block: Param::from_tensor(some(3, [8, 8], device)),
            more: Param::from_tensor(some(4, [65], device)),
            many: (5..25)
                .map(|seed| Param::from_tensor(some(seed, [25, 40 + seed], device)))
                .collect(),
            never: Param::from_tensor(some(25, [7], device)),
        };
        activate(network, |path| path != "never")
    }

    fn paths(&self) -> Vec<String> {
        let all = Trainable::of(self, |_| true);
        all.paths().map(String::from).collect()
    }

    /// Everything, one after the other.
    async fn values(&self) -> Vec<f32> {
        let mut out = Vec::new();
        for tensor in trained(self, &Trainable::of(self, |_| true)) {
            out.extend(values(tensor.value).await);
        }
        out
    }

    /// Gradients of the tensors that `moves` names, another in each step.
    fn gradients(&self, step: usize, moves: impl Fn(&str) -> bool) -> Vec<(String, Tensor<1>)> {
        let tensors = trained(self, &Trainable::of(self, moves)).into_iter();
        let gradients = tensors.enumerate().map(|(index, tensor)| {
            let [count] = tensor.value.dims();
            let seed = 100 * step + index;
            let gradient = some(seed, [count], &tensor.value.device()) * 10.0;
            (tensor.path, gradient)
        });
        gradients.collect()
    }
}

/// Which tensors have a gradient in a step: some miss one, and some join late.
fn moves(step: usize, path: &str) -> bool {
    match path {
        "never" => false,
        "block" => step != 2,
        "many.3" => step >= 3,
        "more" | "many.0" => step < 4,
        _ => true,
    }
}

fn config() -> AdamWConfig {
    AdamWConfig {
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        weight_decay: 0.1,
        decay_bias_and_norm: false,
    }
}

fn rate(path: &str) -> f64 {
    0.01 / path.len() as f64
}

/// AdamW over several steps with and without clipping, in which the set of tensors changes and the state goes through a checkpoint; and that
/// values of an earlier step and copies of the optimizer stay what they are.
pub async fn optimizers_agree(compute: &Compute) {
    for max_norm in [0.0, 1.0, 1e4] {
        agrees(
            &format!("AdamW clipped to {max_norm}"),
            compute,
            1e-6,
            async |device| {
                let mut network = Sizes::new(device);
                let mut optimizer = AdamW::new(config());
                let mut out = Vec::new();
                for step in 1..=5 {
                    let (before, start) = (network.clone(), network.values().await);
                    // where nobody holds the means they change in place
                    let copy = (step % 2 == 0).then(|| optimizer.clone());
                    let held = means(&optimizer).await;
                    let gradients = network.gradients(step, |path| moves(step, path));
                    network = optimizer.step(network, gradients, max_norm, rate);
                    assert_eq!(
                        before.values().await,
                        start,
                        "step {step} changed earlier values"
                    );
                    if let Some(copy) = copy {
                        assert_eq!(
                            means(&copy).await,
                            held,
                            "step {step} changed a copy's means"
                        );
                    }
                    out.push(("values", network.values().await));
                    let [means, squares] = means(&optimizer).await;
                    out.extend([("means", means), ("squares", squares)]);
                    if step == 4 {
                        optimizer = restored(&optimizer, device).await;
                    }
                }
                let steps = optimizer.steps();
                let steps: Vec<_> = steps.iter().map(|(_, steps)| *steps as f32).collect();
                assert_eq!(steps.len(), network.paths().len() - 1);
                out.push(("steps", steps));
                out
            },
        )
        .await;
    }
}

/// All means and all mean squares, one after the other.
async fn means(optimizer: &AdamW) -> [Vec<f32>; 2] {
    let mut out = [vec![0.0], vec![0.0]];
    for (path, _) in optimizer.steps() {
        for (out, squared) in out.iter_mut().zip([false, true]) {
            out.extend(optimizer.mean(&path, squared).await.unwrap());
        }
    }
    out
}

/// What a checkpoint makes of an optimizer.
async fn restored(optimizer: &AdamW, device: &Device) -> AdamW {
    let mut out = AdamW::new(config());
    for (path, steps) in optimizer.steps() {
        let mean = optimizer.mean(&path, false).await.unwrap();
        let square = optimizer.mean(&path, true).await.unwrap();
        out.restore(&path, steps, [mean, square], device);
    }
    out
}

/// A step of 24 tensors takes no more launches than six tensors a copy allow, with one for the norm and one for the step.
pub async fn optimizer_takes_few_launches(compute: &Compute) {
    struct Count(AtomicUsize);
    impl LaunchObserver for Count {
        fn launched(&self, _kernel: &'static str) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    for (max_norm, most) in [(0.0, 5), (1.0, 6)] {
        let mut network = Sizes::new(&compute.device);
        let mut optimizer = AdamW::new(config());
        for step in 1..=3 {
            let gradients = network.gradients(step, |path| path != "never");
            assert_eq!(gradients.len(), 24);
            let count = Arc::new(Count(AtomicUsize::new(0)));
            let watch = LaunchObservation::new(count.clone());
            network = optimizer.step(network, gradients, max_norm, rate);
            drop(watch);
            let count = count.0.load(Ordering::Relaxed);
            assert!(count > 0);
            // the first step lays everything out
            assert!(
                step == 1 || count <= most,
                "{count} launches, clipped to {max_norm}"
            );
        }
        // a process must not end while its device works
        assert!(network.values().await.iter().all(|value| value.is_finite()));
    }
}
