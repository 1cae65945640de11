//! Rates by layer and gradual unfreezing: the group of layers that a parameter belongs to, that group's rate, and whether it trains yet.

use std::collections::BTreeMap;

use serde::Serialize;

use super::options::LoopOptions;
use crate::models::network::{Network, Place};
use crate::peft::Trainable;

/// Name of the topmost group.
pub const HEAD: &str = "head";

/// The groups in which a method trains something, bottom to top: embeddings, layers, head (the pooler belongs to it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    layers: usize,
    /// The place of each path that trains.
    places: BTreeMap<String, Place>,
    /// The groups in which something trains, ascending.
    filled: Vec<Place>,
}

/// One group in one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct GroupRate {
    pub name: String,
    pub learning_rate: f64,
    pub frozen: bool,
}

impl Groups {
    /// Of what trains in a network.
    pub fn new(trainable: &Trainable, network: &impl Network) -> Self {
        let places = trainable
            .paths()
            .map(|path| (path.to_string(), network.place(path)));
        Self::of(network.num_layers(), places.collect())
    }

    fn of(layers: usize, places: BTreeMap<String, Place>) -> Self {
        let mut filled = places.values().copied().collect::<Vec<_>>();
        filled.sort_unstable();
        filled.dedup();
        Self {
            layers,
            places,
            filled,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.filled.len()
    }

    /// What a path's rate is multiplied by: 1 at the head, `decay` in the last layer, `decay^2` in the one below, and so on
    /// (discriminative fine-tuning, Howard & Ruder 2018). A path that does not train has no rate that this could change.
    pub fn factor(&self, path: &str, decay: f64) -> f64 {
        let place = self.places.get(path);
        place.map_or(1.0, |place| self.factor_at(*place, decay))
    }

    fn factor_at(&self, place: Place, decay: f64) -> f64 {
        let steps = match place {
            Place::Embeddings => self.layers + 1,
            Place::Layer(index) => self.layers.saturating_sub(index),
            Place::Top => 0,
        };
        decay.powi(steps as i32)
    }

    /// How many groups train in a step, counted from the top: all of them, or one at first and one more after each given number of
    /// steps or epochs (gradual unfreezing, Howard & Ruder 2018). `step` and `epoch` count from 0.
    pub fn active(&self, options: &LoopOptions, step: usize, epoch: usize) -> usize {
        let passed = match (options.unfreeze_every_steps, options.unfreeze_every_epochs) {
            (0, 0) => return self.len(),
            (0, epochs) => epoch / epochs,
            (steps, _) => step / steps,
        };
        (1 + passed).min(self.len())
    }

    /// Whether a path belongs to the topmost `active` groups.
    pub fn is_active(&self, path: &str, active: usize) -> bool {
        match (self.lowest(active), self.places.get(path)) {
            (Some(lowest), Some(place)) => *place >= lowest,
            _ => false,
        }
    }

    /// The lowest of the topmost `active` groups.
    fn lowest(&self, active: usize) -> Option<Place> {
        let index = self.filled.len().saturating_sub(active);
        self.filled.get(index).copied()
    }

    /// Layers below the lowest of the topmost `active` groups: with the embeddings trained none, with the head alone all of them.
    pub fn frozen_layers(&self, active: usize) -> usize {
        match self.lowest(active) {
            Some(Place::Embeddings) => 0,
            Some(Place::Layer(index)) => index,
            Some(Place::Top) | None => self.layers,
        }
    }

    /// Every group's rate, bottom to top. `rate` is the peak below the head times the schedule's factor, `head_rate` the head's.
    pub fn rates(&self, active: usize, rate: f64, head_rate: f64, decay: f64) -> Vec<GroupRate> {
        let lowest = self.filled.len().saturating_sub(active);
        self.filled
            .iter()
            .enumerate()
            .map(|(index, place)| {
                let frozen = index < lowest;
                let (name, peak) = match place {
                    Place::Embeddings => ("embeddings".into(), rate),
                    Place::Layer(index) => (format!("layer {index}"), rate),
                    Place::Top => (HEAD.into(), head_rate),
                };
                let peak = peak * self.factor_at(*place, decay);
                GroupRate {
                    name,
                    learning_rate: if frozen { 0.0 } else { peak },
                    frozen,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "encoder.Bert.embeddings.layer_norm.bias";
    const HEAD_BIAS: &str = "head.Mean.linear.bias";

    fn layer(index: usize) -> String {
        format!("encoder.Bert.encoder.layer.{index}.output.dense.delta.lora_a")
    }

    /// Of a BERT with this many layers.
    fn groups(layers: usize, paths: impl IntoIterator<Item = String>) -> Groups {
        let paths = paths.into_iter();
        let places = paths.map(|path| {
            let place = crate::models::names::place(&path, layers);
            (path, place)
        });
        Groups::of(layers, places.collect())
    }

    /// Those of the upper layers, from `first` on, and of the head.
    fn upper(layers: usize, first: usize) -> Vec<String> {
        let mut paths = (first..layers).map(layer).collect::<Vec<_>>();
        paths.push(HEAD_BIAS.into());
        paths
    }

    #[test]
    fn layer_factors_equal_the_golden_ones() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schedules.json");
        let file: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let golden = &file["layerwise_decay"];
        let decay = golden["decay"].as_f64().unwrap();
        let layers = golden["layer"].as_array().unwrap();
        let mut paths = upper(layers.len(), 0);
        paths.push(TABLE.into());
        let groups = groups(layers.len(), paths);
        let close = |path: &str, expected: &serde_json::Value| {
            // powers in f64, taken in another order of products
            let found = groups.factor(path, decay);
            assert!(
                (found - expected.as_f64().unwrap()).abs() < 1e-15,
                "{path}: {found}"
            );
        };
        close(HEAD_BIAS, &golden["head"]);
        close(TABLE, &golden["embeddings"]);
        for (index, factor) in layers.iter().enumerate() {
            close(&layer(index), factor);
        }
    }

    #[test]
    fn groups_thaw_from_the_top() {
        let options = LoopOptions {
            unfreeze_every_epochs: 2,
            ..LoopOptions::for_tests()
        };
        // LoRA trains nothing in the embeddings
        let groups = groups(6, upper(6, 0));
        let at = |epoch| groups.active(&options, 0, epoch);
        assert_eq!([at(0), at(1), at(2), at(4), at(99)], [1, 1, 2, 3, 7]);
        assert!(groups.is_active(HEAD_BIAS, 1));
        assert!(!groups.is_active(&layer(5), 1));
        assert!(groups.is_active(&layer(5), 2) && !groups.is_active(&layer(4), 2));
        assert_eq!(
            [1, 2, 7].map(|active| groups.frozen_layers(active)),
            [6, 5, 0]
        );
        let rates = groups.rates(2, 1.0, 3.0, 0.5);
        assert_eq!(rates.len(), 7);
        assert_eq!((rates[4].frozen, rates[4].learning_rate), (true, 0.0));
        assert_eq!(
            (rates[5].name.as_str(), rates[5].learning_rate),
            ("layer 5", 0.5)
        );
        assert_eq!(
            (rates[6].name.as_str(), rates[6].learning_rate),
            ("head", 3.0)
        );
    }

    #[test]
    fn steps_count_too_and_nothing_given_means_all() {
        let groups = groups(6, upper(6, 5));
        let options = LoopOptions {
            unfreeze_every_steps: 10,
            ..LoopOptions::for_tests()
        };
        assert_eq!(
            [0, 9, 10, 50].map(|step| groups.active(&options, step, 0)),
            [1, 1, 2, 2]
        );
        assert_eq!(groups.active(&LoopOptions::for_tests(), 0, 0), 2);
        assert_eq!(groups.frozen_layers(2), 5);
    }
}
