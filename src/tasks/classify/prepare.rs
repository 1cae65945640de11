//! What a classifier's run does before it trains: the frozen network's features, the baselines on them, and the recipe.

use web_time::Instant;

use super::event::{ClassifyBaselines, ClassifyEvent};
use super::options::ClassifyOptions;
use super::recipe::{Speed, fit_to_time};
use super::task::{ClassifyTask, Preparation, Prepared};
use super::tuned::encode;
use crate::data::Truth;
use crate::eval::baseline::{centroids, zero_shot};
use crate::eval::evaluate::BaseFeatures;
use crate::eval::evaluation::BaselineHeads;
use crate::eval::probe::{ProbeData, fit_best};
use crate::models::{Classifier, HeadKind};
use crate::train::event::Event;
use crate::train::frozen::Frozen;
use crate::train::options::LoopOptions;
use crate::{Error, Result};

impl ClassifyTask {
    /// One batch of features; the baselines once there is none left.
    pub(super) async fn features(&mut self) -> Result<ClassifyEvent> {
        let (plan, model) = (&self.plan, &self.model);
        let Preparation::Features(pass, seconds) = &mut self.preparation else {
            return Err(Error::internal("features are computed once"));
        };
        // a batch's own time: what passes between two calls, in a pause or asleep, is none of the device's
        let (begun, before) = (Instant::now(), pass.positions);
        let pad = model.tokenizer.pad_id();
        let (encoder, pooling) = (&model.encoder, model.pooling);
        let team = &model.compute.team;
        let found = pass.advance(encoder, pooling, plan.head, pad, team).await?;
        if found {
            // the members' batches are computed at the same time
            let positions = (pass.positions - before).max(1) as f64 / team.size() as f64;
            seconds.push(begun.elapsed().as_secs_f64() / positions);
            let (done, total) = (pass.done, pass.total());
            return Ok(Event::Progress { done, total });
        }
        let share = plan.train.len() as f64 / pass.total() as f64;
        // a run that is resumed keeps to what it decided
        let seconds_per_position = match self.speed {
            Some(speed) => speed,
            // the first member's clock decides for all
            None => {
                team.share(
                    1,
                    async |_| Ok(median(seconds)),
                    |parts| parts.into_iter().sum(),
                )
                .await?
            }
        };
        self.speed = Some(seconds_per_position);
        let speed = Speed {
            seconds_per_position,
            positions: pass.positions as f64 * share,
        };
        let recipe = Preparation::Recipe(speed);
        let Preparation::Features(pass, _) = std::mem::replace(&mut self.preparation, recipe)
        else {
            return Err(Error::internal("features are computed once"));
        };
        let prepared = self.baselines(pass.finish()).await?;
        let validation = prepared.scores.clone();
        self.prepared = Some(prepared);
        Ok(Event::Baselines(ClassifyBaselines { validation }))
    }

    async fn baselines(&mut self, features: BaseFeatures) -> Result<Prepared> {
        let plan = &self.plan;
        let hidden = self.model.config.hidden_size;
        let names = plan.labels.names();
        let split = plan.train.len() * hidden;
        let bias = Classifier::has_bias(&self.model.encoder, plan.head);
        let data = |features: &[f32], labels: &Truth| {
            ProbeData::new(features.to_vec(), labels.clone(), bias)
        };
        let train = data(&features.head[..split], &plan.train.labels);
        let validation = data(&features.head[split..], &plan.validation.labels);
        let descriptions = names.iter().map(|name| {
            let given = self.options.own.label_descriptions.get(name);
            given.unwrap_or(name).as_str()
        });
        let descriptions = encode(&self.model, HeadKind::Mean, descriptions, plan.max_length)?;
        let described = self
            .model
            .vectors(&self.model.encoder, &descriptions)
            .await?;
        let mut heads = BaselineHeads {
            zero_shot: zero_shot(&described, hidden)?,
            centroid: centroids(
                &features.own[..split],
                &plan.train.labels,
                names.len(),
                hidden,
            )?,
            probe: fit_best(&train, &validation, names).await?,
            thresholds: None,
        };
        let of_validation = BaseFeatures {
            head: features.head[split..].to_vec(),
            own: features.own[split..].to_vec(),
            states: Vec::new(),
        };
        let logits = heads.logits(&of_validation);
        let scores = logits.report(&plan.validation.labels, names, None)?;
        heads.thresholds = scores.thresholds();
        self.cache.set_frozen(plan.frozen);
        match plan.frozen {
            Frozen::Nothing => {}
            Frozen::Layers(_) => {
                for (row, states) in features.states.into_iter().enumerate() {
                    self.cache.put(row, states);
                }
            }
            Frozen::Backbone => {
                for (row, vector) in features.head.chunks(hidden).enumerate() {
                    self.cache.put(row, vector.to_vec());
                }
            }
        }
        Ok(Prepared {
            scores,
            heads,
            logits,
        })
    }

    /// Decides what was left open, now that the speed is known.
    pub(super) fn recipe(&mut self, speed: &Speed) -> ClassifyEvent {
        let plan = &self.plan;
        let resolved = fit_to_time(&plan.given, plan.resolved.clone(), speed);
        let ClassifyOptions { own, common } = resolved.options;
        self.options = ClassifyOptions {
            own,
            common: LoopOptions {
                method: plan.method.clone(),
                max_length: Some(plan.max_length),
                head_seed: Some(common.head_seed()),
                data_seed: Some(common.data_seed()),
                gradient_checkpointing: Some(plan.gradient_checkpointing),
                ..common
            },
        };
        Event::Recipe {
            reasons: resolved.reasons,
            total_steps: plan.total_steps(&self.options),
            epochs: self.options.common.num_train_epochs,
            options: Box::new(self.options.clone()),
        }
    }
}

/// The middle one, or the mean of the two in the middle: one batch that took long, because the machine slept or did something else, decides nothing.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values {
        [] => 0.0,
        values => f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn one_slow_batch_decides_nothing() {
        assert_eq!(median(&mut [1.0, 900.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 900.0]), 3.0);
        assert_eq!(median(&mut []), 0.0);
    }
}
