//! What is particular to classifying in the training loop: features and baselines first, stages, batches from the frozen cache, scores.

use burn::module::Module;
use serde_json::{Map, Value};

use super::batch::{Target, TrainBatch};
use super::cache::FrozenCache;
use super::contrast::{Pairs, balanced_batches};
use super::event::{
    ClassifyBaselines, ClassifyEvaluated, ClassifyEvent, ClassifyFinished, ClassifyResults,
    ClassifyStarted,
};
use super::model::Pretrained;
use super::options::{ClassifyOptions, HeadInit};
use super::plan::Plan;
use super::recipe::{Speed, UserOptions};
use super::score::ClassifyScore;
use super::tuned::{Card, Tuned};
use crate::data::{Example, ProblemType, batches};
use crate::eval::evaluate::FeaturePass;
use crate::eval::evaluation::{BaselineHeads, Baselines, OfBaselines};
use crate::eval::several::{DEFAULT_THRESHOLD, score};
use crate::models::classifier::HeadWeights;
use crate::models::{Classifier, Head, Inputs, Network};
use crate::peft::{InitLoraWeights, Method, Trainable, attach, full, pissa};
use crate::rng::Rng;
use crate::team::Team;
use crate::train::event::{Event, Stage};
use crate::train::fingerprint::{Fingerprint, hash};
use crate::train::frozen::{Frozen, frozen_part};
use crate::train::options::LoopOptions;
use crate::train::parts::parts;
use crate::train::run::Run;
use crate::train::task::{Best, Ended, Score, StagePlan, Start, StepRows, Task};
use crate::{Error, Result};

/// A classifier's run.
pub type ClassifyRun = Run<ClassifyTask>;

/// Classifying, with a model and a person's examples.
pub struct ClassifyTask {
    pub(super) model: Pretrained,
    pub(super) plan: Plan,
    pub(super) options: ClassifyOptions,
    pub(super) preparation: Preparation,
    pub(super) prepared: Option<Prepared>,
    pub(super) cache: FrozenCache,
    /// What PiSSA's adapters started from; the same for every seed.
    pissa: Option<Vec<pissa::Start>>,
    fingerprint: Fingerprint,
    /// Seconds of a forward pass per token position, by which the recipe was chosen.
    pub(super) speed: Option<f64>,
}

/// The work before training.
pub(super) enum Preparation {
    /// The frozen network's features, with the seconds a token position took in each batch.
    Features(Box<FeaturePass>, Vec<f64>),
    Recipe(Speed),
    Done,
}

/// What every seed's run shares.
pub(super) struct Prepared {
    pub heads: BaselineHeads,
    pub scores: Baselines,
    /// Of the validation rows.
    pub logits: OfBaselines<Vec<f32>>,
}

impl ClassifyTask {
    /// Checks examples and options; computes nothing yet.
    ///
    /// # Errors
    /// [`Error::InvalidOption`], also for targets that match no layer, [`Error::InvalidData`], and [`Error::OutOfMemory`] before anything is
    /// allocated.
    pub fn new(model: &Pretrained, examples: &[Example], given: UserOptions) -> Result<Self> {
        let plan = Plan::new(model, examples, given)?;
        let tap = match plan.frozen {
            Frozen::Layers(layers) => Some(layers),
            _ => None,
        };
        let pass = FeaturePass::new(plan.encodings.clone(), tap, plan.scoring_rows)?;
        let cache = FrozenCache::new(
            plan.encodings.len(),
            model.config.hidden_size,
            model.tokenizer.pad_id(),
            model.compute.device.clone(),
        );
        Ok(Self {
            options: plan.resolved.options.clone(),
            model: model.clone(),
            preparation: Preparation::Features(Box::new(pass), Vec::new()),
            prepared: None,
            cache,
            pissa: None,
            fingerprint: Fingerprint {
                model: model.digest,
                rows: hash(examples)?,
            },
            speed: None,
            plan,
        })
    }

    pub(super) fn prepared(&self) -> Result<&Prepared> {
        self.prepared
            .as_ref()
            .ok_or_else(|| Error::internal("a run without its baselines"))
    }

    /// Hugging Face's fresh head: normal with the model's `initializer_range`, biases zero. `[labels, hidden]`.
    fn fresh_head(&self, options: &LoopOptions) -> HeadWeights {
        let mut rng = Rng::stream(options.head_seed(), "init/head");
        let config = &self.model.config;
        let labels = self.plan.labels.len();
        HeadWeights {
            weight: (0..labels * config.hidden_size)
                .map(|_| (rng.normal() * config.initializer_range) as f32)
                .collect(),
            bias: vec![0.0; labels],
        }
    }

    /// The best classifier as it leaves, in the form that its files have, and the method that describes it.
    fn result(&self, ended: &Ended<Self>) -> Result<(Classifier, Method, Trainable)> {
        let method = &self.plan.method;
        let best = ended.best.network.clone();
        let trainable = ended.trainable.clone();
        if let (Some(start), Method::Lora(lora)) = (&self.pissa, method) {
            let plain = pissa::plain(&best, start);
            return Ok((plain, Method::Lora(lora.doubled()), trainable));
        }
        let fitted = ended.best.stage.is_none() && self.options.own.head_init == HeadInit::Probe;
        if fitted && matches!(method, Method::Houlsby(_) | Method::Prefix(_)) {
            // a fresh bottleneck or prefix already changes the output: what won was the head on the bare encoder
            let probe = &self.prepared()?.heads.probe;
            let head = Head::new(self.plan.head, probe, &self.model.compute.device);
            let bare = Classifier::new(self.model.encoder.clone(), head);
            let trainable = Trainable::of(&bare, |path| bare.is_head(path));
            return Ok((bare.valid(), Method::Probe(Default::default()), trainable));
        }
        Ok((best, method.clone(), trainable))
    }
}

impl Task for ClassifyTask {
    type Network = Classifier;
    type Batch = TrainBatch;
    type Score = ClassifyScore;
    type Tuned = Tuned;
    type Started = ClassifyStarted;
    type Baselines = ClassifyBaselines;
    type Options = ClassifyOptions;
    type Evaluated = ClassifyEvaluated;
    type Results = ClassifyResults;

    const NAME: &'static str = "classifier";
    const TEXTS: &'static [&'static str] = &["labelDescriptions"];

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn given(&self) -> Map<String, Value> {
        self.plan.given.map().clone()
    }

    fn decisions(&self) -> Vec<f64> {
        self.speed.into_iter().collect()
    }

    fn decide(&mut self, decisions: &[f64]) {
        self.speed = decisions.first().copied();
    }

    /// Without the labels' names.
    fn without_texts(&self, evaluated: &ClassifyEvaluated) -> ClassifyEvaluated {
        let mut evaluated = evaluated.clone();
        for class in &mut evaluated.validation.per_class {
            class.label.clear();
        }
        evaluated
    }

    fn with_texts(&self, evaluated: &ClassifyEvaluated) -> ClassifyEvaluated {
        let mut evaluated = evaluated.clone();
        let classes = evaluated.validation.per_class.iter_mut();
        for (class, name) in classes.zip(self.plan.labels.names()) {
            class.label.clone_from(name);
        }
        evaluated
    }

    fn team(&self) -> &Team {
        &self.model.compute.team
    }

    fn caches(&self) -> bool {
        self.plan.may_cache
    }

    fn options(&self) -> &LoopOptions {
        &self.options.common
    }

    fn started(&mut self) -> Result<ClassifyEvent> {
        let plan = &self.plan;
        Ok(Event::Started {
            trained_parameters: plan.trained_parameters,
            total_parameters: plan.total_parameters,
            memory_estimate: plan.memory,
            warnings: plan.warnings.clone(),
            task: ClassifyStarted {
                labels: plan.labels.names().to_vec(),
                problem_type: plan.problem(),
                train_rows: plan.train.len(),
                validation_rows: plan.validation.len(),
                skipped_rows: plan.skipped.clone(),
                head: plan.head,
                items_key: plan.items_key(),
                cached_layers: match plan.frozen {
                    Frozen::Nothing => 0,
                    Frozen::Layers(layers) => layers,
                    Frozen::Backbone => self.model.config.num_hidden_layers,
                },
            },
        })
    }

    /// A stop changes nothing here: without the baselines there is no classifier to keep.
    async fn prepare(&mut self, _stop: bool) -> Result<Option<ClassifyEvent>> {
        match &self.preparation {
            Preparation::Features(..) => self.features().await.map(Some),
            Preparation::Recipe(speed) => {
                let speed = *speed;
                self.preparation = Preparation::Done;
                Ok(Some(self.recipe(&speed)))
            }
            Preparation::Done => Ok(None),
        }
    }

    fn stages(&self) -> Vec<StagePlan> {
        let ClassifyOptions { own, common } = &self.options;
        let contrastive = own.contrastive.settings().map(|stage| StagePlan {
            stage: Stage::Contrastive,
            epochs: 1,
            steps_per_epoch: stage.steps,
            learning_rate: stage.learning_rate,
            head_learning_rate: 0.0,
            headless: true,
            unfreezes: false,
            scored_once: true,
        });
        let classify = StagePlan {
            stage: Stage::Classify,
            epochs: common.num_train_epochs,
            steps_per_epoch: self.plan.steps_per_epoch(&self.options),
            learning_rate: common.learning_rate,
            head_learning_rate: own.head_learning_rate,
            headless: false,
            unfreezes: true,
            scored_once: false,
        };
        contrastive.into_iter().chain([classify]).collect()
    }

    async fn begin(&mut self, options: &LoopOptions) -> Result<Start<Classifier, ClassifyScore>> {
        let prepared = self.prepared()?;
        let (weights, score) = match self.options.own.head_init {
            HeadInit::Probe => {
                let probe = &prepared.scores.probe;
                (prepared.heads.probe.clone(), Some(probe.into()))
            }
            HeadInit::Random => (self.fresh_head(options), None),
        };
        let plan = &self.plan;
        let head = Head::new(plan.head, &weights, &self.model.compute.device);
        let mut network = Classifier::new(self.model.encoder.clone(), head);
        let trainable = attach(&mut network, &plan.method, options.head_seed())?;
        if let Method::Lora(lora) = &plan.method
            && lora.init_lora_weights == InitLoraWeights::Pissa
        {
            self.pissa = Some(pissa::start(&mut network).await?);
        }
        if options.mixout > 0.0 {
            full::mix(&mut network, options.mixout);
        }
        if self.options.own.dropout > 0.0 {
            network.set_dropout(self.options.own.dropout);
        }
        Ok(Start {
            network,
            trainable,
            score,
        })
    }

    fn epoch(&self, stage: Stage, epoch: usize, options: &LoopOptions) -> Result<Vec<StepRows>> {
        let seed = options.data_seed();
        if let (Stage::Contrastive, Some(contrastive)) =
            (stage, self.options.own.contrastive.settings())
        {
            let labels = self.plan.train.labels.one()?;
            let steps = balanced_batches(labels, contrastive.batch_size, contrastive.steps, seed);
            return Ok(steps.into_iter().map(|batch| vec![batch]).collect());
        }
        let lengths = self.plan.train_lengths();
        let rows = batches(&lengths, options.train_batch_size, seed, epoch)?;
        let steps = rows.chunks(options.gradient_accumulation_steps);
        let kind = self.model.compute.kind;
        let cut = |step| parts(step, &lengths, kind, options);
        Ok(steps.map(cut).collect())
    }

    async fn batch(
        &mut self,
        network: &Classifier,
        stage: Stage,
        rows: &[usize],
    ) -> Result<(TrainBatch, usize)> {
        let plan = &self.plan;
        let inputs = self.cache.inputs(network, &plan.encodings, rows).await?;
        let labels = plan.train.labels.pick(rows);
        let tokens = (rows.iter().map(|row| plan.encodings[*row].ids.len())).sum();
        let device = &self.model.compute.device;
        let (target, rows) = match (stage, self.options.own.contrastive.settings()) {
            (Stage::Contrastive, Some(stage)) => {
                let pairs = Pairs::new(labels.one()?, stage.temperature, device);
                let anchors = pairs.anchors;
                (Target::Pairs(Box::new(pairs)), anchors)
            }
            _ => (Target::of(&labels, plan.labels.len(), device), rows.len()),
        };
        let batch = TrainBatch {
            inputs,
            target,
            rows,
        };
        Ok((batch, tokens))
    }

    fn set_frozen_layers(&mut self, layers: usize) {
        let plan = &self.plan;
        let frozen = if plan.may_cache {
            let all = self.model.config.num_hidden_layers;
            frozen_part(layers, all, plan.head, plan.pooler_trains)
        } else {
            Frozen::Nothing
        };
        self.cache.set_frozen(frozen);
    }

    async fn end_stage(
        &mut self,
        stage: Stage,
        mut network: Classifier,
    ) -> Result<(Classifier, bool)> {
        if stage != Stage::Contrastive {
            return Ok((network, false));
        }
        let fitted = self.refit(&network).await?;
        let head = Head::new(self.plan.head, &fitted, &self.model.compute.device);
        network.set_head(head);
        Ok((network, true))
    }

    async fn evaluate(
        &mut self,
        network: &Classifier,
    ) -> Result<(ClassifyScore, ClassifyEvaluated)> {
        let train = self.plan.train.len();
        let rows = train..train + self.plan.validation.len();
        let forward = |inputs: &Inputs| network.forward(inputs);
        let logits = self.score(network, rows, forward).await?.concat();
        let plan = &self.plan;
        let validation = score(&plan.validation.labels, &logits, plan.labels.names(), None)?;
        let score = ClassifyScore::from(&validation);
        Ok((score, ClassifyEvaluated { validation }))
    }

    /// After a contrastive stage an equal value is enough to replace the probe: so few rows judge then that their losses say little.
    fn replaces(
        &self,
        score: &ClassifyScore,
        stage: Stage,
        best: &Best<Classifier, ClassifyScore>,
    ) -> bool {
        let tie = best.stage.is_none() && stage == Stage::Contrastive;
        score.is_finite()
            && best
                .score
                .as_ref()
                .is_none_or(|best| score.beats(best) || (tie && score.value == best.value))
    }

    fn validation_rows(&self) -> usize {
        self.plan.validation.len()
    }

    fn draws(&self) -> bool {
        self.options.own.dropout > 0.0
    }

    fn tuned(&mut self, ended: &Ended<Self>) -> Result<Tuned> {
        let (classifier, method, trainable) = self.result(ended)?;
        Ok(Tuned {
            classifier,
            method,
            trainable,
            baselines: Some(self.prepared()?.heads.clone()),
            labels: self.plan.labels.clone(),
            // as the card, replaced by the report
            thresholds: (self.plan.problem() == ProblemType::MultiLabel)
                .then(|| vec![DEFAULT_THRESHOLD; self.plan.labels.len()]),
            max_length: self.plan.max_length,
            pairs: Some(self.plan.pairs),
            // replaced by the report, if that can be made
            card: Card::Imported(format!(
                "# A classifier tuned from {}\n\nThe run that made it ended before its report.\n",
                self.model.name
            )),
        })
    }

    async fn finished(
        &mut self,
        ended: Ended<Self>,
        tuned: &mut Tuned,
    ) -> Result<ClassifyFinished> {
        self.report(ended, tuned).await
    }
}
