//! Enters: a parameter's path and a step. Leaves: the group of layers it belongs to, that group's rate, and whether it trains yet.

use serde::Serialize;

use crate::models::names::{is_head, is_pooler, is_table_part};
use crate::models::network::layer_of;
use crate::peft::Trainable;
use crate::tasks::classify::TrainOptions;

/// Name of the topmost group.
pub const HEAD: &str = "head";

/// The groups in which a method trains something, bottom to top: embeddings, layers, head (the pooler belongs to it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    layers: usize,
    /// Places of the groups in which something trains, ascending.
    filled: Vec<usize>,
}

/// One group in one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupRate {
    pub name: String,
    pub learning_rate: f64,
    pub frozen: bool,
}

impl Groups {
    /// Of a model with so many layers.
    pub fn new(trainable: &Trainable, layers: usize) -> Self {
        let mut filled = trainable
            .paths()
            .map(|path| place(path, layers))
            .collect::<Vec<_>>();
        filled.sort_unstable();
        filled.dedup();
        Self { layers, filled }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.filled.len()
    }

    /// Whether nothing trains at all.
    pub fn is_empty(&self) -> bool {
        self.filled.is_empty()
    }

    /// What a path's rate is multiplied by: 1 at the head, `decay` in the last layer, `decay^2` in the one below, and so on
    /// (discriminative fine-tuning, Howard & Ruder 2018).
    pub fn factor(&self, path: &str, decay: f64) -> f64 {
        self.factor_at(place(path, self.layers), decay)
    }

    fn factor_at(&self, place: usize, decay: f64) -> f64 {
        decay.powi((self.layers + 1 - place) as i32)
    }

    /// How many groups train in a step, counted from the top: all of them, or one and then one more every so many steps or epochs
    /// (gradual unfreezing, Howard & Ruder 2018). `step` and `epoch` count from 0.
    pub fn active(&self, options: &TrainOptions, step: usize, epoch: usize) -> usize {
        let passed = match (options.unfreeze_every_steps, options.unfreeze_every_epochs) {
            (0, 0) => return self.len(),
            (0, epochs) => epoch / epochs,
            (steps, _) => step / steps,
        };
        (1 + passed).min(self.len())
    }

    /// Whether a path belongs to the topmost `active` groups.
    pub fn is_active(&self, path: &str, active: usize) -> bool {
        let lowest = self.filled.len().saturating_sub(active);
        self.filled
            .get(lowest)
            .is_some_and(|lowest| place(path, self.layers) >= *lowest)
    }

    /// Layers below the lowest of the topmost `active` groups: with the embeddings trained none, with the head alone all of them.
    pub fn frozen_layers(&self, active: usize) -> usize {
        let lowest = self.filled.len().saturating_sub(active);
        let lowest = self.filled.get(lowest).copied().unwrap_or(self.layers + 1);
        lowest.saturating_sub(1)
    }

    /// Every group's rate, bottom to top. `rate` is the peak below the head times the schedule's factor, `head_rate` the head's.
    pub fn rates(&self, active: usize, rate: f64, head_rate: f64, decay: f64) -> Vec<GroupRate> {
        let lowest = self.filled.len().saturating_sub(active);
        self.filled
            .iter()
            .enumerate()
            .map(|(index, place)| {
                let frozen = index < lowest;
                let peak = match *place == self.layers + 1 {
                    true => head_rate,
                    false => rate * self.factor_at(*place, decay),
                };
                GroupRate {
                    name: match *place {
                        0 => "embeddings".into(),
                        top if top == self.layers + 1 => HEAD.into(),
                        layer => format!("layer {}", layer - 1),
                    },
                    learning_rate: if frozen { 0.0 } else { peak },
                    frozen,
                }
            })
            .collect()
    }
}

/// 0 for the embeddings, 1 for layer 0, and so on, the last norm with the last layer; one past the last layer for head and pooler.
fn place(path: &str, layers: usize) -> usize {
    match layer_of(path) {
        _ if is_head(path) || is_pooler(path) => layers + 1,
        // the number of such a path is the part's
        _ if is_table_part(path) => 0,
        Some(layer) => layer + 1,
        // it lies upon the last layer
        None if path.contains(".final_norm.") || path.contains(".Decoder.norm.") => layers,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(filled: &[usize]) -> Groups {
        Groups {
            layers: 6,
            filled: filled.to_vec(),
        }
    }

    #[test]
    fn layer_factors_equal_the_golden_ones() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schedules.json");
        let file: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let golden = &file["layerwise_decay"];
        let decay = golden["decay"].as_f64().unwrap();
        let groups = groups(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let close = |path: &str, expected: &serde_json::Value| {
            // powers in f64, taken in another order of products
            let found = groups.factor(path, decay);
            assert!(
                (found - expected.as_f64().unwrap()).abs() < 1e-15,
                "{path}: {found}"
            );
        };
        close("head.Cls.classifier.weight", &golden["head"]);
        close(
            "encoder.Bert.embeddings.layer_norm.bias",
            &golden["embeddings"],
        );
        for (layer, factor) in golden["layer"].as_array().unwrap().iter().enumerate() {
            close(
                &format!("encoder.Bert.encoder.layer.{layer}.output.dense.bias"),
                factor,
            );
        }
    }

    #[test]
    fn groups_thaw_from_the_top() {
        let options = TrainOptions {
            unfreeze_every_epochs: 2,
            ..TrainOptions::default()
        };
        // LoRA trains nothing in the embeddings
        let groups = groups(&[1, 2, 3, 4, 5, 6, 7]);
        let at = |epoch| groups.active(&options, 0, epoch);
        assert_eq!([at(0), at(1), at(2), at(4), at(99)], [1, 1, 2, 3, 7]);
        let layer =
            |layer: usize| format!("encoder.Bert.encoder.layer.{layer}.output.dense.delta.lora_a");
        assert!(groups.is_active("head.Mean.linear.bias", 1));
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
        let groups = groups(&[6, 7]);
        let options = TrainOptions {
            unfreeze_every_steps: 10,
            ..TrainOptions::default()
        };
        assert_eq!(
            [0, 9, 10, 50].map(|step| groups.active(&options, step, 0)),
            [1, 1, 2, 2]
        );
        assert_eq!(groups.active(&TrainOptions::default(), 0, 0), 2);
        assert_eq!(groups.frozen_layers(2), 5);
    }
}
