//! Enters: a plan and what the frozen encoder gave. Leaves: one run's steps and epochs, and the best state found. The only training loop.

use burn::module::Module;
use burn::tensor::Tensor;

use super::batch::{Target, TrainBatch, upload_labels};
use super::contrast::{Pairs, balanced_batches};
use super::event::{FinishReason, KeptStage, Stage, TrainEvent};
use super::options::TrainOptions;
use super::options::{ContrastiveOptions, HeadInit};
use super::plan::Plan;
use crate::Result;
use crate::data::batches;
use crate::device::read;
use crate::eval::evaluate::scoring_batches;
use crate::eval::metrics::{Report, report};
use crate::eval::probe::{ProbeData, fit};
use crate::models::classifier::HeadWeights;
use crate::models::names::{is_head, is_pooler};
use crate::models::{Classifier, Head, Inputs, Network};
use crate::peft::freeze::activate;
use crate::peft::{InitLoraWeights, Method, Trainable, attach, full, pissa};
use crate::rng::Rng;
use crate::tasks::classify::model::Pretrained;
use crate::train::cache::{Frozen, FrozenCache, frozen_part};
use crate::train::gradients::PassSettings;
use crate::train::optimizer::{AdamW, AdamWConfig};
use crate::train::penalty::Penalty;
use crate::train::schedule::Schedule;
use crate::train::step::{Rules, train_step};
use crate::train::unfreeze::{Groups, HEAD};

/// Inverse strength of the L2 penalty (scikit-learn's `C`) of the head that is fitted after a contrastive stage. One value, because where
/// such a stage helps most, the validation rows are too few to choose by.
const REFIT_PENALTY: f64 = 10.0;

/// What a run stands on.
pub struct Ground<'a> {
    pub model: &'a Pretrained,
    pub plan: &'a Plan,
    /// Of this run; its seeds may differ from the plan's.
    pub options: &'a TrainOptions,
    /// The head fitted on frozen features, and its scores on the validation rows.
    pub probe: &'a HeadWeights,
    pub probe_scores: &'a Report,
}

/// One run in the middle of its work.
pub struct Training {
    classifier: Classifier,
    trainable: Trainable,
    groups: Groups,
    optimizer: AdamW,
    penalty: Option<Penalty>,
    pissa: Option<Vec<pissa::Start>>,
    cache: FrozenCache,
    stage: Stage,
    schedule: Schedule,
    /// Groups that train now, from the top; 0 before the first step of a stage.
    active: usize,
    epoch: usize,
    /// Rows of this epoch or stage: per optimiser step, per forward pass.
    steps: Vec<Vec<Vec<usize>>>,
    next: usize,
    /// Steps of this stage.
    stage_steps: usize,
    /// Steps of all stages.
    pub done: usize,
    epochs_without_gain: usize,
    pub best: Best,
    /// Best accuracy so far after each epoch.
    pub curve: Vec<f64>,
    pub train_loss: Vec<f32>,
    /// Set where the run is over.
    pub finish: Option<FinishReason>,
}

/// The best state so far, judged on the validation rows.
pub struct Best {
    /// Without gradients.
    pub classifier: Classifier,
    pub stage: KeptStage,
    /// 0 outside the classifying stage.
    pub epoch: usize,
    /// Accuracy and loss; `None` before anything that may be kept was scored.
    pub scores: Option<(f64, f64)>,
}

impl Best {
    /// Higher accuracy, or the same with a lower loss. A score that is not a number never wins. After a contrastive stage equal accuracy
    /// is enough to replace the probe: so few rows judge then that their losses say little.
    fn loses_to(&self, report: &Report, stage: KeptStage) -> bool {
        if !report.loss.is_finite() {
            return false;
        }
        let tie = self.stage == KeptStage::Probe && stage == KeptStage::Contrastive;
        self.scores.is_none_or(|(accuracy, loss)| {
            report.accuracy > accuracy
                || (report.accuracy == accuracy && (tie || report.loss < loss))
        })
    }
}

impl Training {
    /// Attaches the method and sets the head where it starts. `cache` may hold the frozen part's output already.
    ///
    /// # Errors
    /// Settings that do not fit the model; failures of the device.
    pub async fn new(ground: &Ground<'_>, cache: FrozenCache) -> Result<Self> {
        let Ground {
            model,
            plan,
            options,
            probe,
            probe_scores,
        } = ground;
        let start = match options.head_init {
            HeadInit::Probe => (*probe).clone(),
            HeadInit::Random => fresh_head(ground),
        };
        let head = Head::new(plan.head, &start, &model.compute.device);
        let mut classifier = Classifier::new(model.encoder.clone(), head);
        let trainable = attach(&mut classifier, &plan.method, options.head_seed())?;
        let pissa = match &plan.method {
            Method::Lora(lora) if lora.init_lora_weights == InitLoraWeights::Pissa => {
                Some(pissa::start(&mut classifier).await?)
            }
            _ => None,
        };
        if options.mixout > 0.0 {
            full::mix(&mut classifier, options.mixout);
        }
        if options.dropout > 0.0 {
            classifier.set_dropout(options.dropout);
        }
        let scores = match options.head_init {
            HeadInit::Probe => Some((probe_scores.accuracy, probe_scores.loss)),
            HeadInit::Random => None,
        };
        let mut training = Self {
            groups: Groups::new(&trainable, &classifier),
            penalty: Penalty::new(&classifier, &trainable, options.l2_sp),
            optimizer: AdamW::new(AdamWConfig::from(*options)),
            best: Best {
                classifier: classifier.valid(),
                stage: KeptStage::Probe,
                epoch: 0,
                scores,
            },
            stage: Stage::Contrastive,
            schedule: schedule(options, 0),
            active: 0,
            epoch: 0,
            steps: Vec::new(),
            next: 0,
            stage_steps: 0,
            done: 0,
            epochs_without_gain: 0,
            curve: Vec::new(),
            train_loss: Vec::new(),
            finish: None,
            classifier,
            trainable,
            pissa,
            cache,
        };
        match options.contrastive.settings() {
            Some(stage) => training.begin_contrastive(ground, stage),
            None => training.begin_classify(ground)?,
        }
        Ok(training)
    }

    fn begin_contrastive(&mut self, ground: &Ground<'_>, stage: &ContrastiveOptions) {
        let labels = &ground.plan.train.labels;
        let seed = ground.options.data_seed();
        self.steps = balanced_batches(labels, stage.batch_size, stage.steps, seed)
            .into_iter()
            .map(|batch| vec![batch])
            .collect();
        self.schedule = schedule(ground.options, stage.steps);
    }

    fn begin_classify(&mut self, ground: &Ground<'_>) -> Result<()> {
        let options = ground.options;
        let steps = ground.plan.steps_per_epoch(options) * options.num_train_epochs;
        self.stage = Stage::Classify;
        self.schedule = schedule(options, steps);
        self.optimizer = AdamW::new(AdamWConfig::from(options));
        (self.active, self.stage_steps) = (0, 0);
        match options.num_train_epochs {
            0 => self.finish = Some(FinishReason::Completed),
            _ => self.next_epoch(ground)?,
        }
        Ok(())
    }

    fn next_epoch(&mut self, ground: &Ground<'_>) -> Result<()> {
        let options = ground.options;
        self.epoch += 1;
        self.next = 0;
        self.steps = batches(
            &ground.plan.train_lengths(),
            options.train_batch_size,
            options.data_seed(),
            self.epoch,
        )?
        .chunks(options.gradient_accumulation_steps)
        .map(<[Vec<usize>]>::to_vec)
        .collect();
        Ok(())
    }

    /// Works until there is something to tell.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn advance(&mut self, ground: &Ground<'_>) -> Result<TrainEvent> {
        match (self.next < self.steps.len(), self.stage) {
            (true, _) => self.step(ground).await,
            (false, Stage::Contrastive) => self.end_contrastive(ground).await,
            (false, Stage::Classify) => self.end_epoch(ground).await,
        }
    }

    /// Freezes all but the topmost `active` groups, and the head too while no head is trained.
    fn thaw(&mut self, ground: &Ground<'_>, active: usize) {
        if self.active == active {
            return;
        }
        self.active = active;
        let headless = self.stage == Stage::Contrastive;
        let (trainable, groups) = (&self.trainable, &self.groups);
        self.classifier = activate(self.classifier.clone(), |path| {
            trainable.contains(path)
                && groups.is_active(path, active)
                && !(headless && is_head(path))
        });
        // the plan has found room for what stays frozen throughout; what is frozen for a while is deeper and no larger
        let plan = ground.plan;
        let pooler_trains = trainable.paths().any(is_pooler);
        let caching = plan.frozen != Frozen::Nothing || active < groups.len();
        let frozen = match caching && ground.options.frozen_cache && ground.options.dropout == 0.0 {
            true => frozen_part(
                groups.frozen_layers(active),
                ground.model.config.num_hidden_layers,
                plan.head,
                pooler_trains,
            ),
            false => Frozen::Nothing,
        };
        self.cache.set_frozen(frozen);
    }

    async fn step(&mut self, ground: &Ground<'_>) -> Result<TrainEvent> {
        let Ground {
            model,
            plan,
            options,
            ..
        } = ground;
        let active = match self.stage {
            Stage::Contrastive => self.groups.len(),
            Stage::Classify => self
                .groups
                .active(options, self.stage_steps, self.epoch - 1),
        };
        self.thaw(ground, active);
        let mut tokens = 0;
        let mut uploaded = Vec::new();
        for rows in self.steps[self.next].clone() {
            let inputs = self
                .cache
                .inputs(&self.classifier.valid(), &plan.encodings, &rows)
                .await?;
            let labels = (rows.iter().map(|row| plan.train.labels[*row])).collect::<Vec<_>>();
            tokens += (rows.iter().map(|row| plan.encodings[*row].ids.len())).sum::<usize>();
            let device = &model.compute.device;
            let contrastive = options.contrastive.settings();
            let (target, count) = match (self.stage, contrastive) {
                (Stage::Contrastive, Some(stage)) => {
                    let pairs = Pairs::new(&labels, stage.temperature, device);
                    let anchors = pairs.anchors;
                    (Target::Pairs(Box::new(pairs)), anchors)
                }
                _ => (
                    Target::Labels(Box::new(upload_labels(&labels, device))),
                    rows.len(),
                ),
            };
            uploaded.push(TrainBatch {
                inputs,
                target,
                rows: count,
            });
        }
        let factor = self.schedule.factor(self.stage_steps);
        let (peak, head_peak) = match (self.stage, options.contrastive.settings()) {
            (Stage::Contrastive, Some(stage)) => (stage.learning_rate, 0.0),
            _ => (options.learning_rate, options.head_learning_rate),
        };
        let [rate, head_rate] = [peak * factor, head_peak * factor];
        // a stream of its own for each step, so that a run that is taken up again drops the same
        let name = format!("dropout/{}", self.done);
        let seed = Rng::stream(options.data_seed(), &name).next_u64();
        let draws = options.dropout > 0.0 || options.mixout > 0.0 || plan.method.draws();
        let (groups, decay) = (&self.groups, options.layer_lr_decay);
        let mut told = groups.rates(active, rate, head_rate, decay);
        if self.stage == Stage::Contrastive
            && let Some(top) = told.iter_mut().find(|group| group.name == HEAD)
        {
            // without a head, the pooler alone may train in its group
            let pooler = self.trainable.paths().any(is_pooler);
            top.frozen = !pooler;
            top.learning_rate = if pooler { rate } else { 0.0 };
        }
        let by_path = |path: &str| match is_head(path) {
            true => head_rate,
            false => rate * groups.factor(path, decay),
        };
        let rules = Rules {
            trainable: &self.trainable,
            penalty: self.penalty.as_ref(),
            max_grad_norm: options.max_grad_norm,
            pass: PassSettings {
                checkpointing: options.gradient_checkpointing,
                noise: draws.then_some(seed),
            },
        };
        let (classifier, loss) = train_step(
            self.classifier.clone(),
            &mut self.optimizer,
            &uploaded,
            &rules,
            by_path,
        );
        self.classifier = classifier;
        self.next += 1;
        self.stage_steps += 1;
        self.done += 1;
        let loss = read(loss).await?.first().copied().unwrap_or(f32::NAN);
        self.train_loss.push(loss);
        if !loss.is_finite() {
            self.finish = Some(FinishReason::Diverged);
        }
        Ok(TrainEvent::Step {
            stage: self.stage,
            step: self.done,
            total_steps: plan.total_steps(options),
            epoch: self.epoch,
            loss,
            learning_rate: rate,
            head_learning_rate: head_rate,
            groups: told,
            tokens,
        })
    }

    /// Fits a head on the encoder as it is now and scores both.
    async fn end_contrastive(&mut self, ground: &Ground<'_>) -> Result<TrainEvent> {
        let plan = ground.plan;
        let snapshot = self.classifier.valid();
        let features = self
            .score(ground, 0..plan.train.len(), |inputs| {
                snapshot.features(inputs)
            })
            .await?;
        let fitted = match features.iter().flatten().all(|value| value.is_finite()) {
            true => {
                let bias = Classifier::has_bias(&self.classifier.encoder, plan.head);
                let data = ProbeData::new(features.concat(), plan.train.labels.clone(), bias);
                fit(&data, plan.labels.len(), REFIT_PENALTY, None).await?
            }
            // a diverged encoder: the scores will tell
            false => ground.probe.clone(),
        };
        let device = &ground.model.compute.device;
        self.classifier
            .set_head(Head::new(plan.head, &fitted, device));
        if let Some(penalty) = &mut self.penalty {
            penalty.restart(&self.classifier, &self.trainable, is_head);
        }
        let event = self.evaluate(ground, KeptStage::Contrastive).await?;
        if self.finish.is_none() {
            self.begin_classify(ground)?;
        }
        Ok(event)
    }

    async fn end_epoch(&mut self, ground: &Ground<'_>) -> Result<TrainEvent> {
        let event = self.evaluate(ground, KeptStage::Classify).await?;
        let accuracy = self.best.scores.map_or(0.0, |(accuracy, _)| accuracy);
        self.curve.push(accuracy);
        let options = ground.options;
        let patience = options.early_stopping_patience;
        if self.finish.is_some() {
            return Ok(event);
        }
        if self.epoch == options.num_train_epochs {
            self.finish = Some(FinishReason::Completed);
        } else if patience > 0 && self.epochs_without_gain >= patience {
            self.finish = Some(FinishReason::EarlyStopping);
        } else {
            self.next_epoch(ground)?;
        }
        Ok(event)
    }

    /// Scores the state of now on the validation rows and keeps it where it is the best.
    async fn evaluate(&mut self, ground: &Ground<'_>, stage: KeptStage) -> Result<TrainEvent> {
        let plan = ground.plan;
        let classifier = self.classifier.valid();
        let rows = plan.train.len()..plan.train.len() + plan.validation.len();
        let logits = self
            .score(ground, rows, |inputs| classifier.forward(inputs))
            .await?
            .concat();
        let validation = report(&plan.validation.labels, &logits, plan.labels.names())?;
        if !validation.loss.is_finite() {
            // the update of the epoch's last step made it: no later step would show it
            self.finish = Some(FinishReason::Diverged);
        }
        let best = self.best.loses_to(&validation, stage);
        if best {
            self.best = Best {
                classifier,
                stage,
                epoch: self.epoch,
                scores: Some((validation.accuracy, validation.loss)),
            };
            self.epochs_without_gain = 0;
        } else if stage == KeptStage::Classify {
            self.epochs_without_gain += 1;
        }
        Ok(TrainEvent::Evaluation {
            stage: self.stage,
            step: self.done,
            epoch: self.epoch,
            validation,
            best,
        })
    }

    /// What `forward` gives for rows of the plan, in their order; the cache is used and filled.
    async fn score(
        &mut self,
        ground: &Ground<'_>,
        rows: std::ops::Range<usize>,
        forward: impl Fn(&Inputs) -> Tensor<2>,
    ) -> Result<Vec<Vec<f32>>> {
        let encodings = &ground.plan.encodings;
        let snapshot = self.classifier.valid();
        let mut out = vec![Vec::new(); rows.len()];
        for batch in scoring_batches(&encodings[rows.clone()])? {
            let places = (batch.iter().map(|row| row + rows.start)).collect::<Vec<_>>();
            let inputs = self.cache.inputs(&snapshot, encodings, &places).await?;
            let values = read(forward(&inputs)).await?;
            let columns = values.len() / batch.len();
            for (row, values) in batch.iter().zip(values.chunks(columns)) {
                out[*row] = values.to_vec();
            }
        }
        Ok(out)
    }

    /// The best classifier as it leaves: without gradients, in the form that its files have; and the method that describes it.
    pub fn result(self, ground: &Ground<'_>) -> (Classifier, Method, Trainable) {
        let method = &ground.plan.method;
        let best = self.best.classifier;
        if let (Some(start), Method::Lora(lora)) = (&self.pissa, method) {
            let plain = pissa::plain(&best, start);
            return (plain, Method::Lora(lora.doubled()), self.trainable);
        }
        let fitted =
            self.best.stage == KeptStage::Probe && ground.options.head_init == HeadInit::Probe;
        if fitted && matches!(method, Method::Houlsby(_) | Method::Prefix(_)) {
            // a fresh bottleneck or prefix is not without effect: what won was the head on the bare encoder
            let head = Head::new(ground.plan.head, ground.probe, &ground.model.compute.device);
            let bare = Classifier::new(ground.model.encoder.clone(), head);
            let trainable = Trainable::of(&bare, |path| bare.is_head(path));
            return (bare.valid(), Method::Probe(Default::default()), trainable);
        }
        (best, method.clone(), self.trainable)
    }
}

fn schedule(options: &TrainOptions, steps: usize) -> Schedule {
    Schedule::new(
        options.lr_scheduler_type,
        steps,
        options.warmup_ratio.unwrap_or(0.0),
        options.warmup_steps.map(|warmup| warmup.min(steps)),
    )
}

/// Hugging Face's fresh head: normal with the model's `initializer_range`, biases zero. `[labels, hidden]`.
fn fresh_head(ground: &Ground<'_>) -> HeadWeights {
    let mut rng = Rng::stream(ground.options.head_seed(), "init/head");
    let config = &ground.model.config;
    let labels = ground.plan.labels.len();
    HeadWeights {
        weight: (0..labels * config.hidden_size)
            .map(|_| (rng.normal() * config.initializer_range) as f32)
            .collect(),
        bias: vec![0.0; labels],
    }
}
