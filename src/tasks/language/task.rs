//! What is particular to language modelling in the training loop: the untuned model's scores first, batches of tokens, samples.

use serde_json::{Map, Value};

use super::event::{
    FewShot, LanguageBaselines, LanguageEvaluated, LanguageEvent, LanguageFinished,
    LanguageResults, LanguageStarted,
};
use super::model::LanguageModel;
use super::options::LanguageOptions;
use super::plan::LanguagePlan;
use super::report::{message, verdict};
use super::rows::upload;
use super::samples::complete_all;
use super::score::likelihood;
use super::tuned::{CausalCard, TunedLanguage};
use crate::data::{Packed, ParsedText, batches};
use crate::eval::likelihood::{Likelihood, Sums};
use crate::models::{CausalBatch, CausalLm};
use crate::peft::{InitLoraWeights, Method, attach, full, pissa};
use crate::team::Team;
use crate::train::event::{Event, Finished, Stage};
use crate::train::fingerprint::{Fingerprint, hash};
use crate::train::options::LoopOptions;
use crate::train::parts::parts;
use crate::train::run::Run;
use crate::train::task::{Ended, Score, StagePlan, Start, StepRows, Task};
use crate::{Error, Result};

/// A language model's run.
pub type LanguageRun = Run<LanguageTask>;

/// Language modelling, with a model and a person's texts.
pub struct LanguageTask {
    model: LanguageModel,
    plan: LanguagePlan,
    preparation: Preparation,
    base: Option<Likelihood>,
    few_shot: Option<FewShot>,
    /// What PiSSA's adapters started from; the same for every seed.
    pissa: Option<Vec<pissa::Start>>,
    given: Map<String, Value>,
    fingerprint: Fingerprint,
}

/// The work before training.
enum Preparation {
    Scoring(Scoring),
    Recipe,
    Done,
}

/// The untuned model on the validation texts, batch by batch.
struct Scoring {
    /// Rows of the validation texts, then those of the few-shot texts.
    batches: Vec<(Texts, Vec<usize>)>,
    next: usize,
    base: Sums,
    few_shot: Sums,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Texts {
    Validation,
    FewShot,
}

/// Every option that has a value.
fn given(options: &LanguageOptions) -> Result<Map<String, Value>> {
    let json = serde_json::to_value(options).map_err(Error::internal)?;
    let Value::Object(map) = json else {
        return Err(Error::internal("options that are no object"));
    };
    Ok(map
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect())
}

impl Score for Likelihood {
    fn is_finite(&self) -> bool {
        self.loss.is_finite()
    }

    /// A lower loss.
    fn beats(&self, other: &Self) -> bool {
        self.loss < other.loss
    }

    fn value(&self) -> f64 {
        -self.loss
    }

    fn loss(&self) -> f64 {
        self.loss
    }

    /// Tokens of one text are not independent, so that their number says nothing of a mean loss's error.
    fn standard_error(_value: f64, _rows: usize) -> Option<f64> {
        None
    }
}

impl LanguageTask {
    /// Checks texts and options; computes nothing yet. `file` is named in errors.
    ///
    /// # Errors
    /// [`Error::InvalidOption`], [`Error::InvalidData`], and [`Error::OutOfMemory`] before anything is allocated.
    pub fn new(
        model: &LanguageModel,
        file: &str,
        rows: &[ParsedText],
        options: LanguageOptions,
    ) -> Result<Self> {
        let given = given(&options)?;
        let fingerprint = Fingerprint {
            model: model.digest,
            rows: hash(rows)?,
        };
        let plan = LanguagePlan::new(model, file, rows, options)?;
        let scoring = |texts, rows: &[Packed]| {
            let batches = plan.scoring(&model.sizes(), &model.compute).batches(rows)?;
            Ok::<_, Error>(batches.into_iter().map(move |rows| (texts, rows)))
        };
        let mut batches = scoring(Texts::Validation, &plan.validation)?.collect::<Vec<_>>();
        if let Some(few_shot) = &plan.few_shot {
            batches.extend(scoring(Texts::FewShot, &few_shot.rows)?);
        }
        Ok(Self {
            model: model.clone(),
            preparation: Preparation::Scoring(Scoring {
                batches,
                next: 0,
                base: Sums::default(),
                few_shot: Sums::default(),
            }),
            base: None,
            few_shot: None,
            pissa: None,
            given,
            fingerprint,
            plan,
        })
    }

    /// One batch of the untuned model's scores; the baselines once there is none left, or after a stop.
    async fn baselines(&mut self, stop: bool) -> Result<LanguageEvent> {
        let (plan, model) = (&self.plan, &self.model);
        let Preparation::Scoring(scoring) = &mut self.preparation else {
            return Err(Error::internal("the untuned model is scored once"));
        };
        let left = &scoring.batches[scoring.next..];
        let now = &left[..left.len().min(model.compute.team.size())];
        if !now.is_empty() && !stop {
            let compute = async |part: usize| {
                let (texts, rows) = &now[part];
                let all = match (texts, &plan.few_shot) {
                    (Texts::FewShot, Some(found)) => &found.rows,
                    _ => &plan.validation,
                };
                Sums::of(&model.model, &upload(model, all, rows)?).await
            };
            let parts: Vec<Sums> = (model.compute.team).all(now.len(), compute).await?;
            for ((texts, _), part) in now.iter().zip(parts) {
                match texts {
                    Texts::FewShot => scoring.few_shot.add(part),
                    Texts::Validation => scoring.base.add(part),
                }
            }
            scoring.next += now.len();
            return Ok(Event::Progress {
                done: scoring.next,
                total: scoring.batches.len(),
            });
        }
        // what is scored in part is no score
        let whole = |texts| left.iter().all(|(other, _)| *other != texts);
        self.base = whole(Texts::Validation).then(|| scoring.base.mean());
        self.few_shot = plan.few_shot.as_ref().and_then(|found| {
            whole(Texts::FewShot).then(|| FewShot {
                examples: found.examples,
                likelihood: scoring.few_shot.mean(),
            })
        });
        let tokens = plan.options.own.sample_tokens;
        let completions = if stop {
            Vec::new()
        } else {
            complete_all(model, &model.model, &plan.samples, tokens).await?
        };
        self.preparation = Preparation::Recipe;
        Ok(Event::Baselines(LanguageBaselines {
            base: self.base,
            few_shot: self.few_shot.clone(),
            completions,
        }))
    }
}

impl Task for LanguageTask {
    type Network = CausalLm;
    type Batch = CausalBatch;
    type Score = Likelihood;
    type Tuned = TunedLanguage;
    type Started = LanguageStarted;
    type Baselines = LanguageBaselines;
    type Options = LanguageOptions;
    type Evaluated = LanguageEvaluated;
    type Results = LanguageResults;

    const NAME: &'static str = "language model";
    const TEXTS: &'static [&'static str] = &["samplePrompts"];

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn given(&self) -> Map<String, Value> {
        self.given.clone()
    }

    fn decisions(&self) -> Vec<f64> {
        Vec::new()
    }

    fn decide(&mut self, _decisions: &[f64]) {}

    /// Without what was written; a resumed run reports no samples of the evaluations before.
    fn without_texts(&self, evaluated: &LanguageEvaluated) -> LanguageEvaluated {
        LanguageEvaluated {
            validation: evaluated.validation,
            completions: Vec::new(),
        }
    }

    fn with_texts(&self, evaluated: &LanguageEvaluated) -> LanguageEvaluated {
        evaluated.clone()
    }

    fn team(&self) -> &Team {
        &self.model.compute.team
    }

    fn caches(&self) -> bool {
        false
    }

    fn options(&self) -> &LoopOptions {
        &self.plan.options.common
    }

    fn started(&mut self) -> Result<LanguageEvent> {
        let plan = &self.plan;
        let common = &plan.options.common;
        let targets = |row: &Packed| row.targets.iter().filter(|target| **target).count();
        Ok(Event::Started {
            trained_parameters: plan.trained_parameters,
            total_parameters: plan.total_parameters,
            memory_estimate: plan.memory,
            warnings: plan.warnings.clone(),
            task: LanguageStarted {
                train_texts: plan.train_texts,
                validation_texts: plan.validation_texts,
                train_rows: plan.train.len(),
                train_tokens: plan.train.iter().map(Packed::len).sum(),
                train_targets: plan.train.iter().map(targets).sum(),
                truncated_tokens: plan.truncated_tokens,
                truncated_texts: plan.truncated_texts,
                max_length: common.max_length.unwrap_or_default(),
                skipped_rows: plan.skipped.clone(),
                gradient_checkpointing: common.gradient_checkpointing.unwrap_or_default(),
            },
        })
    }

    async fn prepare(&mut self, stop: bool) -> Result<Option<LanguageEvent>> {
        match &self.preparation {
            Preparation::Scoring(_) => self.baselines(stop).await.map(Some),
            Preparation::Recipe => {
                self.preparation = Preparation::Done;
                let plan = &self.plan;
                let epochs = plan.options.common.num_train_epochs;
                Ok(Some(Event::Recipe {
                    options: Box::new(plan.options.clone()),
                    reasons: plan.reasons.clone(),
                    total_steps: plan.steps_per_epoch() * epochs,
                    epochs,
                }))
            }
            Preparation::Done => Ok(None),
        }
    }

    fn stages(&self) -> Vec<StagePlan> {
        let common = &self.plan.options.common;
        vec![StagePlan {
            stage: Stage::Language,
            epochs: common.num_train_epochs,
            steps_per_epoch: self.plan.steps_per_epoch(),
            learning_rate: common.learning_rate,
            head_learning_rate: common.learning_rate,
            headless: false,
            unfreezes: true,
            scored_once: false,
        }]
    }

    async fn begin(&mut self, options: &LoopOptions) -> Result<Start<CausalLm, Likelihood>> {
        let mut network = self.model.model.clone();
        let trainable = attach(&mut network, &options.method, options.head_seed())?;
        if let Method::Lora(lora) = &options.method
            && lora.init_lora_weights == InitLoraWeights::Pissa
        {
            self.pissa = Some(pissa::start(&mut network).await?);
        }
        if options.mixout > 0.0 {
            full::mix(&mut network, options.mixout);
        }
        Ok(Start {
            network,
            trainable,
            score: self.base,
        })
    }

    fn epoch(&self, _stage: Stage, epoch: usize, options: &LoopOptions) -> Result<Vec<StepRows>> {
        let lengths = self.plan.train.iter().map(Packed::len).collect::<Vec<_>>();
        let seed = options.data_seed();
        let rows = batches(&lengths, options.train_batch_size, seed, epoch)?;
        let steps = rows.chunks(options.gradient_accumulation_steps);
        let kind = self.model.compute.kind;
        let cut = |step| parts(step, &lengths, kind, options);
        Ok(steps.map(cut).collect())
    }

    async fn batch(
        &mut self,
        _network: &CausalLm,
        _stage: Stage,
        rows: &[usize],
    ) -> Result<(CausalBatch, usize)> {
        let train = &self.plan.train;
        let tokens = rows.iter().map(|row| train[*row].len()).sum();
        Ok((upload(&self.model, train, rows)?, tokens))
    }

    fn set_frozen_layers(&mut self, _layers: usize) {}

    async fn end_stage(&mut self, _stage: Stage, network: CausalLm) -> Result<(CausalLm, bool)> {
        Ok((network, false))
    }

    async fn evaluate(&mut self, network: &CausalLm) -> Result<(Likelihood, LanguageEvaluated)> {
        let plan = &self.plan;
        let sizes = self.model.sizes();
        let scoring = plan.scoring(&sizes, &self.model.compute);
        let batches = scoring.batches(&plan.validation)?;
        let validation = likelihood(&self.model, network, &plan.validation, &batches).await?;
        let tokens = plan.options.own.sample_tokens;
        let completions = complete_all(&self.model, network, &plan.samples, tokens).await?;
        let evaluated = LanguageEvaluated {
            validation,
            completions,
        };
        Ok((validation, evaluated))
    }

    fn validation_rows(&self) -> usize {
        self.plan.validation.len()
    }

    fn draws(&self) -> bool {
        false
    }

    fn tuned(&mut self, ended: &Ended<Self>) -> Result<TunedLanguage> {
        let best = ended.best.network.clone();
        let (model, method) = match (&self.pissa, &ended.options.method) {
            (Some(start), Method::Lora(lora)) => {
                (pissa::plain(&best, start), Method::Lora(lora.doubled()))
            }
            (_, method) => (best, method.clone()),
        };
        Ok(TunedLanguage {
            model,
            method,
            trainable: ended.trainable.clone(),
            chats: self.plan.chats,
            // replaced by the report
            card: CausalCard::Imported(String::new()),
        })
    }

    async fn finished(
        &mut self,
        ended: Ended<Self>,
        tuned: &mut TunedLanguage,
    ) -> Result<LanguageFinished> {
        let plan = &self.plan;
        let results = LanguageResults {
            base: self.base,
            few_shot: self.few_shot.clone(),
            tuned: ended.best.score,
        };
        let finished = Finished {
            reason: ended.reason,
            message: message(&ended),
            error: ended.error.as_ref().map(ToString::to_string),
            error_code: ended.error.as_ref().map(Error::kind),
            kept_step: ended.best.step,
            kept_epoch: ended.best.epoch,
            verdict: verdict(&results, ended.best.step),
            steps: ended.steps,
            train_loss: ended.train_loss,
            seeds: ended.seeds,
            options: LanguageOptions {
                own: plan.options.own.clone(),
                common: ended.options,
            },
            trained_parameters: plan.trained_parameters,
            total_parameters: plan.total_parameters,
            export_bytes: 4 * plan.trained_parameters,
            task: results,
        };
        tuned.card = CausalCard::Run(Box::new(finished.clone()));
        Ok(finished)
    }
}
