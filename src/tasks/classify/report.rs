//! What a classifier's run reports at its end: scores next to the baselines, what was forgotten, and what was kept and why.

use super::event::{ClassifyFinished, ClassifyResults, KeptStage};
use super::options::{ClassifyOptions, HeadInit};
use super::task::ClassifyTask;
use super::tuned::{Card, RunCard, Tuned, encode};
use crate::eval::evaluate::logits;
use crate::eval::evaluation::Evaluation;
use crate::eval::forgetting::{Forgetting, sentences};
use crate::models::{Backbone, Classifier, HeadKind};
use crate::peft::MethodType;
use crate::train::event::{FinishReason, Finished};
use crate::train::task::Ended;
use crate::{Error, Result};

impl ClassifyTask {
    async fn forgetting(&self, tuned: &Backbone, untouched: bool) -> Result<Forgetting> {
        let model = &self.model;
        let encodings = encode(model, HeadKind::Mean, sentences(), self.plan.max_length)?;
        let before = model.general_vectors(&encodings).await?;
        let after = if untouched {
            before.to_vec()
        } else {
            model.vectors(tuned, &encodings).await?
        };
        Forgetting::new(&before, &after, model.config.hidden_size)
    }

    async fn evaluation(&self, classifier: &Classifier) -> Result<Evaluation> {
        let plan = &self.plan;
        let validation = (self.model).encoded(plan.validation_encodings(), plan.scoring_rows);
        let tuned = logits(classifier, validation).await?;
        Evaluation::new(
            plan.labels.names(),
            &plan.validation.texts(),
            &plan.validation.labels,
            &tuned,
            &self.prepared()?.logits,
            None,
        )
    }

    /// The last event, and the card of what was found.
    pub(super) async fn report(
        &self,
        ended: Ended<Self>,
        tuned: &mut Tuned,
    ) -> Result<ClassifyFinished> {
        let plan = &self.plan;
        let evaluation = self.evaluation(&tuned.classifier).await?;
        tuned.thresholds = evaluation.tuned.thresholds();
        let untouched = tuned.method.kind() == MethodType::Probe;
        let forgetting = self
            .forgetting(&tuned.classifier.encoder, untouched)
            .await?;
        let options = ClassifyOptions {
            own: self.options.own.clone(),
            common: ended.options.clone(),
        };
        let kept_stage = KeptStage::of(ended.best.stage);
        tuned.card = Card::Run(Box::new(RunCard {
            options: serde_json::to_value(&options).map_err(Error::internal)?,
            train_rows: plan.train.len(),
            validation_rows: plan.validation.len(),
            label_counts: plan.label_counts.clone(),
            steps: ended.steps,
            kept_epoch: ended.best.epoch,
            kept_stage,
            baselines: evaluation.baselines.clone(),
            tuned: evaluation.tuned.clone(),
            verdict: evaluation.verdict(),
            forgetting: forgetting.clone(),
            trained_parameters: plan.trained_parameters,
            total_parameters: plan.total_parameters,
        }));
        Ok(Finished {
            reason: ended.reason,
            message: message(&ended, kept_stage, &options),
            error: ended.error.as_ref().map(ToString::to_string),
            error_code: ended.error.as_ref().map(Error::kind),
            kept_step: ended.best.step,
            kept_epoch: ended.best.epoch,
            steps: ended.steps,
            train_loss: ended.train_loss,
            verdict: evaluation.verdict(),
            seeds: ended.seeds,
            options,
            trained_parameters: plan.trained_parameters,
            total_parameters: plan.total_parameters,
            export_bytes: tuned.export_bytes(),
            task: ClassifyResults {
                kept_stage,
                evaluation,
                forgetting,
            },
        })
    }
}

fn message(ended: &Ended<ClassifyTask>, stage: KeptStage, options: &ClassifyOptions) -> String {
    let common = &options.common;
    let why = match (ended.reason, &ended.error) {
        (FinishReason::Completed, _) => match common.num_train_epochs {
            0 => "The contrastive stage is trained".to_string(),
            epochs => format!("All {epochs} epochs are trained"),
        },
        (FinishReason::EarlyStopping, _) => format!(
            "Training ended early: {} {} brought no gain on the validation rows",
            common.early_stopping_patience,
            if common.eval_steps == 0 {
                "epochs"
            } else {
                "evaluations"
            }
        ),
        (FinishReason::Stopped, _) => "Training was stopped".into(),
        (FinishReason::Unpromising, _) => "Other seeds did clearly better".into(),
        (FinishReason::Diverged, _) => format!(
            "Training diverged: after step {} the loss is not a number. Try a lower learningRate than {} and a \
             lower headLearningRate than {}",
            ended.steps, common.learning_rate, options.own.head_learning_rate
        ),
        (FinishReason::Failed, Some(error)) => {
            format!("Training failed after step {}: {error}", ended.steps)
        }
        (FinishReason::Failed, None) => format!("Training failed after step {}", ended.steps),
    };
    let (epoch, step) = (ended.best.epoch, ended.best.step);
    let what = match (stage, options.own.head_init) {
        (KeptStage::Classify, _) if common.eval_steps == 0 && !is_within_epoch(ended) => {
            format!("the state after epoch {epoch}, the best on the validation rows")
        }
        (KeptStage::Classify, _) => {
            format!("the state after step {step}, the best on the validation rows")
        }
        (KeptStage::Contrastive, _) => {
            "the state after the contrastive stage, with the head that was fitted then".into()
        }
        (KeptStage::Probe, HeadInit::Probe) => {
            "the fitted head on the untuned model, which no evaluation beat".into()
        }
        (KeptStage::Probe, HeadInit::Random) => {
            "the state before training, because no evaluation ended well".into()
        }
    };
    format!("{why}. Kept: {what}.")
}

/// Whether the kept state was made by a stop amid an epoch.
fn is_within_epoch(ended: &Ended<ClassifyTask>) -> bool {
    ended.reason == FinishReason::Stopped && ended.best.step == ended.steps
}
