//! A network's parameters by path: which of them train, their values and gradients, and how many there are.

use std::collections::BTreeSet;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Gradients, Tensor};

/// The paths of all parameters that a method trains, whether or not they are frozen at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trainable(BTreeSet<String>);

impl Trainable {
    /// All paths of `network` that `rule` names.
    pub fn of(network: &impl Module, rule: impl Fn(&str) -> bool) -> Self {
        let mut paths = BTreeSet::new();
        walk(
            network,
            |path| {
                if rule(path) {
                    paths.insert(path.to_string());
                }
                false
            },
            |_, _, _| (),
        );
        Self(paths)
    }

    /// Whether a path trains.
    pub fn contains(&self, path: &str) -> bool {
        self.0.contains(path)
    }

    /// Whether a path is a bias whose layer has a delta that trains.
    pub fn has_delta(&self, bias: &str) -> bool {
        bias.strip_suffix(".bias")
            .is_some_and(|module| self.contains(&format!("{module}.delta.lora_a")))
    }

    /// All paths, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// A trained tensor: its path in the modules, its shape as stored here, and its value flattened in row order.
#[derive(Debug, Clone)]
pub struct TrainedTensor {
    pub path: String,
    pub shape: Vec<usize>,
    pub value: Tensor<1>,
}

/// Turns gradients on for the paths that `trains` names, and off for all others.
pub fn activate<M: Module>(network: M, trains: impl Fn(&str) -> bool) -> M {
    struct Activate<F> {
        path: Path,
        trains: F,
    }
    impl<F: Fn(&str) -> bool> ModuleMapper for Activate<F> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, tensor, mapper) = param.consume();
            let plain = tensor.inner();
            let tensor = if (self.trains)(&self.path.name()) {
                plain.autodiff().require_grad()
            } else {
                plain
            };
            Param::from_mapped_value(id, tensor, mapper)
        }
    }
    network.map(&mut Activate {
        path: Path::default(),
        trains,
    })
}

/// The tensors of `trainable`, in the order of the modules; their values without autodiff.
pub fn trained(network: &impl Module, trainable: &Trainable) -> Vec<TrainedTensor> {
    let mut out = Vec::new();
    walk(
        network,
        |path| trainable.contains(path),
        |path, shape, value| {
            out.push(TrainedTensor {
                path: path.into(),
                shape: shape.to_vec(),
                value,
            });
        },
    );
    out
}

/// The values of the parameters that `wanted` names, flattened and without autodiff.
#[cfg(feature = "webgpu")]
pub fn values(
    network: &impl Module,
    wanted: impl Fn(&str) -> bool,
) -> std::collections::HashMap<String, Tensor<1>> {
    let mut out = std::collections::HashMap::new();
    walk(network, wanted, |path, _, value| {
        out.insert(path.into(), value);
    });
    out
}

/// Numbers that train.
pub fn trained_parameters(network: &impl Module, trainable: &Trainable) -> u64 {
    trained(network, trainable)
        .iter()
        .map(|tensor| tensor.shape.iter().product::<usize>() as u64)
        .sum()
}

/// All numbers, frozen ones too.
pub fn total_parameters(network: &impl Module) -> u64 {
    network.num_params() as u64
}

/// Shows the float parameters that `wanted` names by their path: path, shape, value flattened and without autodiff. The values of
/// others are not touched.
fn walk(
    network: &impl Module,
    wanted: impl FnMut(&str) -> bool,
    see: impl FnMut(&str, &[usize], Tensor<1>),
) {
    struct Visit<W, F> {
        path: Path,
        wanted: W,
        see: F,
    }
    impl<W: FnMut(&str) -> bool, F: FnMut(&str, &[usize], Tensor<1>)> ModuleVisitor for Visit<W, F> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let path = self.path.name();
            if !(self.wanted)(&path) {
                return;
            }
            let tensor = param.val().inner();
            let shape = tensor.dims();
            let flat = tensor.reshape([shape.iter().product::<usize>()]);
            (self.see)(&path, &shape, flat);
        }
    }
    network.visit(&mut Visit {
        path: Path::default(),
        wanted,
        see,
    });
}

/// Replaces parameters by what `replace(path, flat value)` gives; `None` leaves one as it is. One that has a gradient keeps having one.
pub fn replace<M: Module>(
    network: M,
    replace: impl FnMut(&str, Tensor<1>) -> Option<Tensor<1>>,
) -> M {
    struct Replace<F> {
        path: Path,
        replace: F,
    }
    impl<F: FnMut(&str, Tensor<1>) -> Option<Tensor<1>>> ModuleMapper for Replace<F> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let tensor = param.val();
            if matches!(tensor.dtype(), DType::QFloat(_)) {
                // frozen for good
                return param;
            }
            let shape = tensor.dims();
            let trains = tensor.is_require_grad();
            let flat = tensor.inner().reshape([shape.iter().product::<usize>()]);
            let Some(new) = (self.replace)(&self.path.name(), flat) else {
                return param;
            };
            let (id, _, mapper) = param.consume();
            let new = new.reshape(shape);
            let new = if trains {
                new.autodiff().require_grad()
            } else {
                new
            };
            Param::from_mapped_value(id, new, mapper)
        }
    }
    network.map(&mut Replace {
        path: Path::default(),
        replace,
    })
}

/// The paths of all parameters that have gradients, in the order of [`take_gradients`].
pub fn tracked_paths(network: &impl Module) -> Vec<String> {
    #[derive(Default)]
    struct Tracked {
        path: Path,
        out: Vec<String>,
    }
    impl ModuleVisitor for Tracked {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.val().is_require_grad() {
                self.out.push(self.path.name());
            }
        }
    }
    let mut visitor = Tracked::default();
    network.visit(&mut visitor);
    visitor.out
}

/// The gradients of all parameters that have one, by path, flattened, taken out of `gradients`.
pub fn take_gradients(
    network: &impl Module,
    gradients: &mut Gradients,
) -> Vec<(String, Tensor<1>)> {
    struct Take<'a> {
        path: Path,
        gradients: &'a mut Gradients,
        out: Vec<(String, Tensor<1>)>,
    }
    impl ModuleVisitor for Take<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            if tensor.is_require_grad()
                && let Some(gradient) = tensor.grad_remove(self.gradients)
            {
                let count = gradient.dims().iter().product::<usize>();
                self.out.push((self.path.name(), gradient.reshape([count])));
            }
        }
    }
    let mut visitor = Take {
        path: Path::default(),
        gradients,
        out: Vec::new(),
    };
    network.visit(&mut visitor);
    visitor.out
}

/// Where a walk through the modules is.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn push(&mut self, name: &str) {
        self.0.push(name.into());
    }

    fn pop(&mut self) {
        self.0.pop();
    }

    fn name(&self) -> String {
        self.0.join(".")
    }
}
