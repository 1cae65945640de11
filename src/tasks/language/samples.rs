//! The prompts that a language model's run completes at every evaluation, so that a person sees it learn.

use super::event::Completion;
use super::few_shot::turns;
use super::model::{LanguageModel, Prompt};
use super::options::LanguageOptions;
use crate::data::{ParsedText, Sequence, TextRow};
use crate::eval::complete::complete;
use crate::eval::generation_options::GenerationOptions;
use crate::models::CausalLm;
use crate::text::Message;
use crate::{Error, Result};

/// Validation texts whose prompts are completed if none are given.
const OWN_SAMPLES: usize = 2;
/// Tokens of a plain text that such a prompt shows.
const TEXT_PROMPT: usize = 16;

/// A prompt that is completed at every evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// As a person sees it.
    pub shown: String,
    pub ids: Vec<u32>,
}

/// Prompts in the form of the texts: given ones, or the first validation texts'. Each is cut from the left to `max_length` tokens, as the texts are.
///
/// # Errors
/// Failures of template or tokenizer.
pub fn samples(
    model: &LanguageModel,
    rows: &[ParsedText],
    validation: &[usize],
    blocks: &[Sequence],
    options: &LanguageOptions,
    max_length: usize,
) -> Result<Vec<Sample>> {
    if options.own.sample_tokens == 0 {
        return Ok(Vec::new());
    }
    let plain = rows
        .iter()
        .all(|row| matches!(row.content, TextRow::Text(_)));
    let mut samples = if !options.own.sample_prompts.is_empty() {
        let chat = rows.iter().any(|row| !turns(&row.content).is_empty());
        given(model, &options.own.sample_prompts, chat)?
    } else if plain {
        of_blocks(model, blocks)?
    } else {
        of_rows(model, rows, validation)?
    };
    for sample in &mut samples {
        let surplus = sample.ids.len().saturating_sub(max_length);
        sample.ids.drain(..surplus);
    }
    Ok(samples)
}

fn given(model: &LanguageModel, prompts: &[String], chat: bool) -> Result<Vec<Sample>> {
    let samples = prompts.iter().map(|text| {
        let prompt = if chat {
            Prompt::Chat(vec![Message::new("user", text)])
        } else {
            Prompt::Text(text.clone())
        };
        Ok(Sample {
            shown: text.clone(),
            ids: model.prompt_ids(&prompt)?,
        })
    });
    samples.collect()
}

fn of_rows(
    model: &LanguageModel,
    rows: &[ParsedText],
    validation: &[usize],
) -> Result<Vec<Sample>> {
    let own = validation
        .iter()
        .filter_map(|row| match &rows[*row].content {
            TextRow::PromptCompletion { prompt, .. } => {
                Some((prompt.clone(), Prompt::Text(prompt.clone())))
            }
            row => {
                let mut messages = turns(row);
                messages.truncate(messages.iter().rposition(Message::is_assistant)?);
                let shown = messages.last()?.content.clone();
                Some((shown, Prompt::Chat(messages)))
            }
        });
    let samples = own.take(OWN_SAMPLES).map(|(shown, prompt)| {
        Ok(Sample {
            ids: model.prompt_ids(&prompt)?,
            shown,
        })
    });
    samples.collect()
}

/// The beginnings of the first blocks.
fn of_blocks(model: &LanguageModel, blocks: &[Sequence]) -> Result<Vec<Sample>> {
    let long = blocks.iter().filter(|block| block.ids.len() > TEXT_PROMPT);
    let samples = long.take(OWN_SAMPLES).map(|block| {
        let ids = block.ids[..TEXT_PROMPT].to_vec();
        Ok(Sample {
            shown: model.tokenizer.decode(&ids, true)?,
            ids,
        })
    });
    samples.collect()
}

/// The prompts, completed greedily by `network`.
///
/// # Errors
/// Failures of tokenizer or device.
pub async fn complete_all(
    model: &LanguageModel,
    network: &CausalLm,
    samples: &[Sample],
    tokens: usize,
) -> Result<Vec<Completion>> {
    let options = GenerationOptions {
        max_new_tokens: tokens,
        ..GenerationOptions::default()
    };
    let compute = async |part: usize| {
        let (tokenizer, ends) = (&model.tokenizer, &model.ends);
        match complete(network, tokenizer, &samples[part].ids, ends, &options).await {
            Ok(written) => Ok(Some(written.text)),
            // a prompt that leaves no position has no completion
            Err(Error::InvalidData { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let texts: Vec<Option<String>> = (model.compute.team).all(samples.len(), compute).await?;
    let written = samples.iter().zip(texts).filter_map(|(sample, text)| {
        Some(Completion {
            prompt: sample.shown.clone(),
            text: text?,
        })
    });
    Ok(written.collect())
}
