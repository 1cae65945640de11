//! For each text the label with the highest log-likelihood after a prompt with the
//! text: classification without any training.

use serde::{Deserialize, Serialize};

use crate::data::{Sequence, SequenceOptions, TextRow, encode_row};
use crate::eval::choices::{log_likelihoods, rows_at_once};
use crate::eval::metrics::{largest, softmax};
use crate::models::CausalLm;
use crate::models::size::Shape;
use crate::tasks::language::model::LanguageModel;
use crate::tasks::language::tuned::held;
use crate::{Error, Result};

/// The place of the text in a template.
const TEXT: &str = "{text}";
/// Where the labels' words go, separated by commas.
const LABELS: &str = "{labels}";

/// What labels are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Normalization {
    /// The log-probability of all of a label's tokens: lm-evaluation-harness' `acc`, by which it scores classification.
    #[default]
    Sum,
    /// The same over the number of the label's characters: its `acc_norm`, for labels of different lengths.
    Characters,
    /// The same over the number of tokens.
    Tokens,
}

/// How texts and labels are put to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ChoiceOptions {
    /// A prompt with `{text}` in it, and `{labels}` where the labels are to be named; a label follows after a space.
    pub template: String,
    /// What labels are ranked by.
    pub normalization: Normalization,
}

impl Default for ChoiceOptions {
    fn default() -> Self {
        Self {
            template: "Text: {text}\nLabels: {labels}\nLabel:".into(),
            normalization: Normalization::Sum,
        }
    }
}

/// One text's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    pub label: String,
    /// The softmax of what the labels are ranked by, in their order.
    pub probabilities: Vec<f64>,
    /// Of each label's words, in nats.
    pub log_likelihoods: Vec<f64>,
    /// Of each label's words.
    pub tokens: Vec<usize>,
    pub labels: Vec<String>,
}

/// Ranks the labels for each text by `network`: the model itself or what it was tuned to. A prompt that is too long is cut from its left.
///
/// Prompt and label are tokenized together after the tokens that begin every text; what a label is scored by begins with the first token that
/// holds a byte after the prompt, spaces at the prompt's end included, as in lm-evaluation-harness.
///
/// # Errors
/// [`Error::InvalidOption`] for labels or a template that cannot be used; [`Error::OutOfMemory`] for a prompt that does not fit; failures of tokenizer or device.
pub async fn choose(
    model: &LanguageModel,
    network: &CausalLm,
    texts: &[String],
    labels: &[String],
    options: &ChoiceOptions,
) -> Result<Vec<Choice>> {
    check(labels, options)?;
    let compute = async |part: usize| find(model, network, &texts[part], labels, options).await;
    let team = &model.compute.team;
    let found: Vec<Found> = team.all(texts.len(), compute).await?;
    let choices = found.into_iter().map(|found| {
        let scores = (0..labels.len()).map(|label| {
            let length = match options.normalization {
                Normalization::Sum => 1,
                Normalization::Characters => labels[label].chars().count(),
                Normalization::Tokens => found.tokens[label],
            };
            (found.log_likelihoods[label] / length as f64) as f32
        });
        let scores = scores.collect::<Vec<_>>();
        Choice {
            label: labels[largest(&scores)].clone(),
            probabilities: softmax(&scores),
            log_likelihoods: found.log_likelihoods,
            tokens: found.tokens,
            labels: labels.to_vec(),
        }
    });
    Ok(choices.collect())
}

/// Of each label's words.
#[derive(Serialize, Deserialize)]
struct Found {
    log_likelihoods: Vec<f64>,
    tokens: Vec<usize>,
}

async fn find(
    model: &LanguageModel,
    network: &CausalLm,
    text: &str,
    labels: &[String],
    options: &ChoiceOptions,
) -> Result<Found> {
    let sequences = encode(model, network, text, labels, options)?;
    let longest = sequences.iter().map(|s| s.ids.len()).max().unwrap_or(1);
    let rows = rows_at_once(longest).min(labels.len());
    let prompt = Shape::new(rows, longest).after(network.model.prefix_tokens());
    let held = held(model, network);
    (model.sizes()).check_generation(&model.compute, "This prompt", prompt, 0, held)?;
    Ok(Found {
        log_likelihoods: log_likelihoods(network, &sequences).await?,
        tokens: sequences.iter().map(Sequence::target_count).collect(),
    })
}

fn check(labels: &[String], options: &ChoiceOptions) -> Result<()> {
    if labels.len() < 2 {
        let reason = format!("expected at least two, got {}", labels.len());
        return Err(Error::option("labels", reason));
    }
    for (index, label) in labels.iter().enumerate() {
        if label.trim().is_empty() {
            return Err(Error::option(
                "labels",
                format!("label {} is blank", index + 1),
            ));
        }
        if labels[..index].contains(label) {
            return Err(Error::option(
                "labels",
                format!("\"{label}\" is listed twice"),
            ));
        }
    }
    if options.template.contains(TEXT) {
        Ok(())
    } else {
        Err(Error::option(
            "template",
            format!("expected {TEXT} in it, got {:?}", options.template),
        ))
    }
}

/// The prompt of a text; `{text}` in a label's or a text's own words stays.
fn prompt(text: &str, labels: &[String], template: &str) -> String {
    let named = labels.join(", ");
    let parts = template
        .split(TEXT)
        .map(|part| part.replace(LABELS, &named));
    parts.collect::<Vec<_>>().join(text)
}

/// A sequence a label, with the label's tokens as targets.
fn encode(
    model: &LanguageModel,
    network: &CausalLm,
    text: &str,
    labels: &[String],
    options: &ChoiceOptions,
) -> Result<Vec<Sequence>> {
    let whole = prompt(text, labels, &options.template);
    let before = whole.trim_end();
    let spaces = match &whole[before.len()..] {
        "" => " ",
        own => own,
    };
    let room = model.config.max_position_embeddings;
    let room = room.saturating_sub(network.model.prefix_tokens());
    let encoded = |label: &String| {
        let row = TextRow::PromptCompletion {
            prompt: before.into(),
            completion: format!("{spaces}{label}"),
        };
        let settings = SequenceOptions::default();
        let found = encode_row(
            &row,
            &[],
            &model.tokenizer,
            &model.template,
            room,
            &settings,
        )?;
        // a prompt with its completion is one sequence
        Ok(found.into_iter().next())
    };
    let sequences = labels.iter().map(encoded).collect::<Result<Vec<_>>>()?;
    Ok(sequences.into_iter().flatten().collect())
}
