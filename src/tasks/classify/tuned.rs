//! What a run or an imported adapter gives: a classifier that answers with and without tuning.

use serde::{Deserialize, Serialize};

use crate::data::{Example, Label, LabelMap, ProblemType, Truth, truth};
use crate::eval::evaluate::{BaseFeatures, EVALUATION_BATCH, FeaturePass, logits};
use crate::eval::evaluation::{BaselineHeads, Baselines, Evaluation};
use crate::eval::forgetting::Forgetting;
use crate::eval::metrics::{Report, largest, softmax};
use crate::eval::scores::Scores;
use crate::eval::several::{given, sigmoid};
use crate::models::size::Shape;
use crate::models::{Classifier, Family, HeadKind};
use crate::peft::freeze::trained_parameters;
use crate::peft::{Method, MethodType, Trainable};
use crate::tasks::classify::event::KeptStage;
use crate::tasks::classify::model::Pretrained;
use crate::text::{Encoding, Texts};
use crate::{Error, Result};

/// Which model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "WhichModel"))]
#[serde(rename_all = "camelCase")]
pub enum Which {
    /// What the loaded model became.
    Tuned,
    /// The loaded model; of a classifier with the fitted head.
    Baseline,
}

/// A tuned classifier next to the baselines that it has to beat.
#[derive(Debug, Clone)]
pub struct Tuned {
    /// Without gradients.
    pub classifier: Classifier,
    /// What it was tuned with, in the form that its files have.
    pub method: Method,
    /// What the method trained.
    pub trainable: Trainable,
    /// The heads on the untuned model. An adapter that another tool made comes without.
    pub baselines: Option<BaselineHeads>,
    /// Label names in the order of the logits.
    pub labels: LabelMap,
    /// The probability above which a text is given a label, in the order of the logits; only where texts may have several labels.
    pub thresholds: Option<Vec<f64>>,
    /// Tokens kept of a text.
    pub max_length: usize,
    /// Whether it learnt pairs of texts; unknown of an adapter that another tool made.
    pub pairs: Option<bool>,
    /// What the model card says of the run.
    pub card: Card,
}

/// Where the model card comes from.
#[derive(Debug, Clone)]
pub enum Card {
    /// Written from what a run of this session found.
    Run(Box<RunCard>),
    /// The text that came with an imported adapter.
    Imported(String),
}

/// A run's settings, counts and scores; never its data.
#[derive(Debug, Clone)]
pub struct RunCard {
    /// The options as JSON.
    pub options: serde_json::Value,
    pub train_rows: usize,
    pub validation_rows: usize,
    /// Label and number of rows.
    pub label_counts: Vec<(String, usize)>,
    pub steps: usize,
    pub kept_epoch: usize,
    pub kept_stage: KeptStage,
    /// On the validation rows.
    pub baselines: Baselines,
    /// On the validation rows.
    pub tuned: Report,
    pub verdict: String,
    pub forgetting: Forgetting,
    pub trained_parameters: u64,
    pub total_parameters: u64,
}

/// One text's answer.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Prediction {
    /// A list where texts may have several labels: those whose probability is over their threshold.
    pub label: Label,
    /// In the order of the labels. They sum to 1 where a text has one label; where it may have several, each is that label's own.
    pub probabilities: Vec<f64>,
    pub logits: Vec<f32>,
    pub labels: Vec<String>,
    /// In the order of the labels; only where texts may have several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Vec<f64>>,
}

impl Prediction {
    /// `thresholds`: where texts may have several labels.
    fn new(names: &[String], row: &[f32], thresholds: Option<&Vec<f64>>) -> Self {
        let (label, probabilities) = match thresholds {
            None => (Label::One(names[largest(row)].clone()), softmax(row)),
            Some(thresholds) => (
                Label::Several(given(row, thresholds).map(|id| names[id].clone()).collect()),
                row.iter().copied().map(sigmoid).collect(),
            ),
        };
        Self {
            label,
            probabilities,
            logits: row.to_vec(),
            labels: names.to_vec(),
            thresholds: thresholds.cloned(),
        }
    }
}

/// Encodes texts, or pairs of them, for a head on a model.
///
/// # Errors
/// Failures of the tokenizer; [`Error::InvalidData`] for a text, counted from 1, with a token that the model has no vector for.
pub fn encode<'a>(
    model: &Pretrained,
    head: HeadKind,
    texts: impl Iterator<Item = impl Into<Texts<'a>>>,
    max_length: usize,
) -> Result<Vec<Encoding>> {
    let pad = match (model.config.family, head) {
        (Family::Decoder(_), HeadKind::Cls) => model.tokenizer.pad_token(),
        _ => None,
    };
    texts
        .enumerate()
        .map(|(index, text)| {
            let encoded = model.tokenizer.encode(text, max_length);
            let mut encoding = encoded.map_err(|error| match error {
                Error::InvalidData { reason, .. } => Error::data("texts", index + 1, reason),
                other => other,
            })?;
            // transformers reads a decoder's last token that is no padding, whoever wrote it
            while pad.is_some() && encoding.ids.len() > 1 && encoding.ids.last().copied() == pad {
                encoding.ids.pop();
                encoding.type_ids.pop();
            }
            Ok(encoding)
        })
        .collect()
}

impl Tuned {
    /// Which head answers.
    pub fn head(&self) -> HeadKind {
        self.classifier.head.kind()
    }

    /// Whether it gives a text one label, or any number of them.
    pub fn problem(&self) -> ProblemType {
        match self.thresholds {
            Some(_) => ProblemType::MultiLabel,
            None => ProblemType::SingleLabel,
        }
    }

    /// `instead`: what can be done without.
    fn baselines(&self, instead: &str) -> Result<&BaselineHeads> {
        let baselines = self.baselines.as_ref();
        baselines.ok_or_else(|| {
            Error::state(format!(
                "this adapter came without baseline_head.safetensors, the heads on the untuned model, so that there is nothing to compare it with: it \
                 was made by another tool. {instead}; a run of its own measures baselines"
            ))
        })
    }

    /// Bytes of the method's weights in an export; all of the network's where all of it was trained.
    pub fn export_bytes(&self) -> u64 {
        let count = match self.method.kind() {
            MethodType::Full => burn::module::Module::num_params(&self.classifier) as u64,
            _ => trained_parameters(&self.classifier, &self.trainable),
        };
        4 * count
    }

    /// Rows of texts that fit into one pass.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the longest alone does not.
    fn rows_that_fit(&self, model: &Pretrained, encodings: &[Encoding]) -> Result<usize> {
        let longest = encodings.iter().map(|encoding| encoding.ids.len()).max();
        let longest = longest.unwrap_or(1);
        let (sizes, compute, held) = (model.sizes(), &model.compute, self.export_bytes());
        let row = Shape::new(1, longest).after(self.method.virtual_tokens());
        sizes.check_pass(compute, "The longest text", row, held)?;
        Ok(sizes.rows_that_fit(compute, row, EVALUATION_BATCH, held))
    }

    /// What the untuned encoder gives for texts, `most` rows at a time.
    async fn base_features(
        &self,
        model: &Pretrained,
        encodings: &[Encoding],
        most: usize,
    ) -> Result<BaseFeatures> {
        let mut pass = FeaturePass::new(encodings.to_vec(), None, most)?;
        let pad = model.tokenizer.pad_id();
        let (encoder, pooling) = (&model.encoder, model.pooling);
        let team = &model.compute.team;
        while pass
            .advance(encoder, pooling, self.head(), pad, team)
            .await?
        {}
        Ok(pass.finish())
    }

    /// Checks that rows are of the kind that was learnt: a model of pairs makes nothing of one text, nor the other way round.
    fn check_kind(&self, what: &str, texts: &[Texts]) -> Result<()> {
        let Some(learnt) = self.pairs else {
            return Ok(());
        };
        let Some(row) = (texts.iter()).position(|texts| texts.pair.is_some() != learnt) else {
            return Ok(());
        };
        let reason = if learnt {
            "this classifier learnt pairs of texts, and here is one text alone; give the second one as textPair"
        } else {
            "this classifier learnt single texts, and here is a pair; leave textPair out"
        };
        Err(Error::data(what, row + 1, reason))
    }

    /// Classifies texts, or pairs of them.
    ///
    /// # Errors
    /// [`Error::InvalidData`] for one text where pairs were learnt, or a pair where single texts were; [`Error::OutOfMemory`] for a text that is too long; [`Error::InvalidState`] without baselines; failures of the tokenizer or the device.
    pub async fn predict<'a, T>(
        &self,
        model: &Pretrained,
        texts: &'a [T],
        which: Which,
    ) -> Result<Vec<Prediction>>
    where
        &'a T: Into<Texts<'a>>,
    {
        let texts = texts.iter().map(Into::into).collect::<Vec<Texts>>();
        self.check_kind("texts", &texts)?;
        let encodings = encode(model, self.head(), texts.into_iter(), self.max_length)?;
        let most = self.rows_that_fit(model, &encodings)?;
        let (logits, thresholds) = match which {
            Which::Tuned => {
                let logits = logits(&self.classifier, model.encoded(&encodings, most)).await?;
                (logits, self.thresholds.as_ref())
            }
            Which::Baseline => {
                let features = self.base_features(model, &encodings, most).await?;
                let heads = self.baselines("It classifies texts")?;
                let thresholds = heads.thresholds.as_ref().map(|all| &all.probe);
                (heads.logits(&features).probe, thresholds)
            }
        };
        let names = self.labels.names();
        Ok(logits
            .chunks(names.len())
            .map(|row| Prediction::new(names, row, thresholds))
            .collect())
    }

    /// Scores it next to the baselines on labelled rows.
    ///
    /// # Errors
    /// [`Error::InvalidData`] for a label that was not trained, and for rows of another kind than was learnt (pairs, single texts); [`Error::InvalidState`] without baselines; [`Error::OutOfMemory`] for a text that is too long; failures of the tokenizer or the device.
    pub async fn evaluate(&self, model: &Pretrained, examples: &[Example]) -> Result<Evaluation> {
        let baselines = self.baselines("`score` scores it alone")?;
        let (texts, truth) = self.labelled(examples)?;
        let encodings = encode(model, self.head(), texts.iter().copied(), self.max_length)?;
        let most = self.rows_that_fit(model, &encodings)?;
        let tuned = logits(&self.classifier, model.encoded(&encodings, most)).await?;
        let features = self.base_features(model, &encodings, most).await?;
        let given = self
            .thresholds
            .as_deref()
            .zip(baselines.thresholds.as_ref());
        let baselines = baselines.logits(&features);
        let names = self.labels.names();
        Evaluation::new(names, &texts, &truth, &tuned, &baselines, given)
    }

    /// Scores it alone on labelled rows, which needs no baselines.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub async fn score(&self, model: &Pretrained, examples: &[Example]) -> Result<Scores> {
        let (texts, truth) = self.labelled(examples)?;
        let encodings = encode(model, self.head(), texts.iter().copied(), self.max_length)?;
        let most = self.rows_that_fit(model, &encodings)?;
        let tuned = logits(&self.classifier, model.encoded(&encodings, most)).await?;
        let thresholds = self.thresholds.as_deref();
        Scores::new(self.labels.names(), &texts, &truth, &tuned, thresholds)
    }

    /// Examples as this classifier takes them: what is encoded, and the ids of their labels.
    fn labelled<'a>(&self, examples: &'a [Example]) -> Result<(Vec<Texts<'a>>, Truth)> {
        let truth = truth(examples, &self.labels, self.problem())?;
        let texts = examples.iter().map(Example::texts).collect::<Vec<_>>();
        self.check_kind("examples", &texts)?;
        Ok((texts, truth))
    }
}
