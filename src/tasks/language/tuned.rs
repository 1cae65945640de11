//! What a run or an imported adapter gives: a language model that writes with and without tuning.

use crate::Result;
use crate::eval::complete::Writer;
use crate::eval::generate::{GenerationOptions, last_logits};
use crate::models::CausalLm;
use crate::peft::{Method, Trainable};
use crate::tasks::language::event::LanguageFinished;
use crate::tasks::language::model::{LanguageModel, Prompt};

/// A tuned language model.
#[derive(Debug, Clone)]
pub struct TunedLanguage {
    /// Without gradients.
    pub model: CausalLm,
    /// What it was tuned with, in the form that its files have.
    pub method: Method,
    /// What the method trained.
    pub trainable: Trainable,
    /// What the model card says.
    pub card: CausalCard,
}

/// Where the model card comes from.
#[derive(Debug, Clone)]
pub enum CausalCard {
    /// Written from what a run of this session found.
    Run(Box<LanguageFinished>),
    /// The text that came with an imported adapter.
    Imported(String),
}

/// A text after a prompt, not yet begun.
///
/// # Errors
/// A prompt that leaves no position, settings out of range, failures of template or tokenizer.
pub fn writer(
    model: &LanguageModel,
    network: &CausalLm,
    prompt: &Prompt,
    options: GenerationOptions,
) -> Result<Writer> {
    Writer::new(network, &model.prompt_ids(prompt)?, &model.ends, options)
}

/// Logits of the token after a prompt, one a word of the vocabulary.
///
/// # Errors
/// As [`writer`]; failures of the device.
pub async fn next_logits(
    model: &LanguageModel,
    network: &CausalLm,
    prompt: &Prompt,
) -> Result<Vec<f32>> {
    let ids = model.prompt_ids(prompt)?;
    last_logits(network, &ids, 0, None).await
}
