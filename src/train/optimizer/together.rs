//! A step of everything that trains at once, by a few kernels of our own, where all of it is on a GPU in float32.

use std::collections::{BTreeSet, HashMap};

use burn::module::Module;
use burn::tensor::Tensor;

use super::at_once::{AtOnce, place};
use super::{AdamW, Factors, Means, Moments};
use crate::kernels::{Constants, Flat, Move, OnGpu, Start};
use crate::peft::freeze::values;

impl AdamW {
    /// The new values of everything that has made a step, this one included, by path; the gradients back if something is not on a GPU in
    /// float32. The arguments are those of [`Self::step`].
    pub(super) fn step_at_once(
        &mut self,
        network: &impl Module,
        gradients: Vec<(String, Tensor<1>)>,
        max_norm: f64,
        rate: &impl Fn(&str) -> f64,
    ) -> Result<HashMap<String, Tensor<1>>, Vec<(String, Tensor<1>)>> {
        let found = gradients.iter();
        let found = found.map(|(path, tensor)| Some((path.clone(), OnGpu::new(tensor.clone())?)));
        let ready = found
            .collect::<Option<HashMap<_, _>>>()
            .filter(|found| !found.is_empty())
            .and_then(|found| {
                let (all, values) = self.take_together(network, &found)?;
                Some((found, all, values))
            });
        let Some((mut found, mut all, values)) = ready else {
            self.take_apart();
            return Err(gradients);
        };
        // each buffer of them is free as soon as it is copied
        drop(gradients);
        let mut moves = Vec::new();
        for path in &all.paths {
            moves.push(found.remove(path).map(|gradient| {
                let old = self.moments.get(path);
                let steps = old.map_or(0, |old| old.steps) + 1;
                let means = Means::AtOnce;
                self.moments.insert(path.clone(), Moments { means, steps });
                self.factors(path, steps, rate(path)).of(gradient)
            }));
        }
        let constants = Constants {
            beta1: self.config.beta1,
            beta2: self.config.beta2,
            eps: self.config.eps,
            max_norm,
        };
        let new = all.flat.step(values, moves, &constants);
        let new = all.paths.iter().cloned().zip(new).collect();
        self.at_once = Some(all);
        Ok(new)
    }

    /// Everything that has made a step and what makes its first one now, with the values of now; laid out anew if something is new.
    fn take_together(
        &mut self,
        network: &impl Module,
        found: &HashMap<String, OnGpu>,
    ) -> Option<(AtOnce, Vec<OnGpu>)> {
        let knows = |all: &AtOnce| {
            let mut found = found.keys();
            found.all(|path| place(&all.paths, path).is_some())
        };
        if !self.at_once.as_ref().is_some_and(knows) {
            self.take_apart();
        }
        let paths = match &self.at_once {
            Some(all) => all.paths.clone(),
            None => {
                let paths = self.moments.keys().chain(found.keys()).cloned();
                paths.collect::<BTreeSet<_>>().into_iter().collect()
            }
        };
        let mut now = values(network, |path| place(&paths, path).is_some());
        let values = paths.iter().map(|path| OnGpu::new(now.remove(path)?));
        let values = values.collect::<Option<Vec<_>>>()?;
        if let Some(all) = self.at_once.take() {
            return Some((all, values));
        }
        let starts = paths.iter().zip(&values).map(|(path, value)| {
            let means = match self.moments.get(path).map(|old| &old.means) {
                Some(Means::Device(means)) => {
                    let [mean, square] = means.as_ref().clone();
                    Some([OnGpu::new(mean)?, OnGpu::new(square)?])
                }
                None => None,
                Some(Means::Host { .. } | Means::AtOnce) => return None,
            };
            Some(Start {
                value: value.clone(),
                means,
            })
        });
        let flat = Flat::new(starts.collect::<Option<_>>()?);
        for old in self.moments.values_mut() {
            old.means = Means::AtOnce;
        }
        Some((AtOnce { paths, flat }, values))
    }

    /// Gives each parameter's means back to itself.
    pub(super) fn take_apart(&mut self) {
        let Some(all) = self.at_once.take() else {
            return;
        };
        for path in &all.paths {
            if let (Some(old), Some(means)) = (self.moments.get_mut(path), all.means(path)) {
                old.means = Means::Device(Box::new(means));
            }
        }
    }
}

impl Factors {
    fn of(self, gradient: OnGpu) -> Move {
        Move {
            gradient,
            shrink: (1.0 - self.rate * self.decay) as f32,
            step: (self.rate / self.corrections[0]) as f32,
            root: self.corrections[1] as f32,
        }
    }
}
