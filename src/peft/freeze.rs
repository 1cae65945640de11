//! Enters: a classifier. Leaves: what of it trains, by path, and how much that is.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::models::Classifier;

/// A trained tensor: its path in the modules, its shape as stored here, and its value flattened in row order.
#[derive(Debug, Clone)]
pub struct TrainedTensor {
    pub path: String,
    pub shape: Vec<usize>,
    pub value: Tensor<1>,
}

/// Makes the whole head trainable.
pub fn train_head(classifier: &mut Classifier) {
    struct Unfreeze;
    impl ModuleMapper for Unfreeze {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            Param::from_tensor(param.val().autodiff())
        }
    }
    classifier.head = classifier.head.clone().map(&mut Unfreeze);
}

/// All trained tensors, in the order of the modules; their values without autodiff.
pub fn trained(classifier: &Classifier) -> Vec<TrainedTensor> {
    let mut out = Vec::new();
    visit_trained(classifier, |path, tensor| {
        out.push(TrainedTensor {
            path: path.into(),
            shape: tensor.shape,
            value: tensor.value.inner(),
        });
    });
    out
}

/// Numbers that train.
pub fn trained_parameters(classifier: &Classifier) -> u64 {
    trained(classifier)
        .iter()
        .map(|tensor| tensor.shape.iter().product::<usize>() as u64)
        .sum()
}

/// All numbers, frozen ones too.
pub fn total_parameters(classifier: &Classifier) -> u64 {
    classifier.num_params() as u64
}

fn visit_trained(classifier: &Classifier, visit: impl FnMut(&str, Flat)) {
    struct Flatten<F> {
        path: Vec<String>,
        visit: F,
    }
    impl<F: FnMut(&str, Flat)> ModuleVisitor for Flatten<F> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            if tensor.is_require_grad() {
                let shape = tensor.dims().to_vec();
                let value = tensor.reshape([shape.iter().product::<usize>()]);
                (self.visit)(&self.path.join("."), Flat { shape, value });
            }
        }
    }
    let mut visitor = Flatten {
        path: Vec::new(),
        visit,
    };
    classifier.visit(&mut visitor);
}

struct Flat {
    shape: Vec<usize>,
    value: Tensor<1>,
}

/// Replaces trained tensors by what `replace(path, flat value)` gives; `None` leaves one as it is.
pub fn replace_trained(
    classifier: Classifier,
    replace: impl FnMut(&str, Tensor<1>) -> Option<Tensor<1>>,
) -> Classifier {
    struct Replace<F> {
        path: Vec<String>,
        replace: F,
    }
    impl<F: FnMut(&str, Tensor<1>) -> Option<Tensor<1>>> ModuleMapper for Replace<F> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let tensor = param.val();
            if !tensor.is_require_grad() {
                return param;
            }
            let shape = tensor.dims();
            let flat = tensor.inner().reshape([shape.iter().product::<usize>()]);
            match (self.replace)(&self.path.join("."), flat) {
                None => param,
                Some(new) => {
                    let (id, _, mapper) = param.consume();
                    let leaf = new.reshape(shape).autodiff().require_grad();
                    Param::from_mapped_value(id, leaf, mapper)
                }
            }
        }
    }
    classifier.map(&mut Replace {
        path: Vec::new(),
        replace,
    })
}

/// The gradients of all trained tensors by path, flattened, taken out of `gradients`.
pub fn take_gradients(
    classifier: &Classifier,
    gradients: &mut burn::tensor::Gradients,
) -> Vec<(String, Tensor<1>)> {
    struct Take<'a> {
        path: Vec<String>,
        gradients: &'a mut burn::tensor::Gradients,
        out: Vec<(String, Tensor<1>)>,
    }
    impl ModuleVisitor for Take<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.val().grad_remove(self.gradients) {
                let count = gradient.dims().iter().product::<usize>();
                self.out
                    .push((self.path.join("."), gradient.reshape([count])));
            }
        }
    }
    let mut visitor = Take {
        path: Vec::new(),
        gradients,
        out: Vec::new(),
    };
    classifier.visit(&mut visitor);
    visitor.out
}
