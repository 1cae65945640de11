//! What a run or an imported adapter gives: a language model that writes with and without tuning.

use burn::module::Module;

use crate::Result;
use crate::eval::complete::Writer;
use crate::eval::generate::last_logits;
use crate::eval::generation_options::GenerationOptions;
use crate::models::CausalLm;
use crate::models::size::{Shape, product};
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
    /// Whether it learnt conversations, so that its files must say how they are written down.
    pub chats: bool,
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
/// A prompt that leaves no position or does not fit into memory, settings out of range, failures of template or tokenizer.
pub fn writer(
    model: &LanguageModel,
    network: &CausalLm,
    prompt: &Prompt,
    options: GenerationOptions,
) -> Result<Writer> {
    let ids = model.prompt_ids(prompt)?;
    let positions = model.config.max_position_embeddings;
    let new = options
        .max_new_tokens
        .min(positions.saturating_sub(ids.len()));
    let writer = Writer::new(network, &ids, &model.ends, options)?;
    check_prompt(model, network, ids.len(), new)?;
    Ok(writer)
}

/// Refuses a prompt whose pass does not fit into memory, or the keys and values of `new` more tokens.
fn check_prompt(
    model: &LanguageModel,
    network: &CausalLm,
    tokens: usize,
    new: usize,
) -> Result<()> {
    let prompt = Shape::new(1, tokens).after(network.model.prefix_tokens());
    let (compute, held) = (&model.compute, held(model, network));
    (model.sizes()).check_generation(compute, "This prompt", prompt, new as u64, held)
}

/// Bytes that a network holds next to the weights of the loaded model: what was attached to it, or all of it if nothing was and it is another.
pub(super) fn held(model: &LanguageModel, network: &CausalLm) -> u64 {
    if std::ptr::eq(network, &model.model) {
        return 0;
    }
    let attached = network
        .num_params()
        .saturating_sub(model.model.num_params());
    if attached == 0 {
        model.sizes().weight_bytes()
    } else {
        product([4, attached as u64])
    }
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
    check_prompt(model, network, ids.len(), 0)?;
    last_logits(network, &ids, 0, None).await
}
