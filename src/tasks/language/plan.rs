//! Enters: a language model, a person's texts and options. Leaves: a checked plan: tokens, their split, the method, memory.

use super::estimate::{Work, estimate};
use super::options::{CausalOptions, DEFAULT_MAX_LENGTH};
use crate::data::{
    Packed, ParsedText, Sequence, SequenceOptions, TextRow, encode_row, encode_rows, pack,
    stratified,
};
use crate::models::Network;
use crate::peft::freeze::{total_parameters, trained_parameters};
use crate::peft::lora::ALL_LINEAR;
use crate::peft::{
    InitLoraWeights, LoraConfig, Method, TargetModules, Trainable, attach, check_storage,
};
use crate::rng::Rng;
use crate::tasks::language::model::{LanguageModel, Prompt};
use crate::text::Message;
use crate::{Error, Result};

/// Validation texts whose prompts are completed where none are given.
const OWN_SAMPLES: usize = 2;
/// Tokens of a plain text that such a prompt shows.
const TEXT_PROMPT: usize = 16;

/// Everything about a run that is known before anything is computed.
#[derive(Debug, Clone)]
pub struct CausalPlan {
    pub options: CausalOptions,
    /// With short forms written out.
    pub method: Method,
    pub trainable: Trainable,
    /// Tokens kept of a text.
    pub max_length: usize,
    pub train: Vec<Packed>,
    pub validation: Vec<Packed>,
    pub train_texts: usize,
    pub validation_texts: usize,
    pub truncated_tokens: usize,
    pub truncated_texts: usize,
    /// The validation texts behind examples.
    pub few_shot: Option<FewShotRows>,
    pub samples: Vec<Sample>,
    pub gradient_checkpointing: bool,
    pub trained_parameters: u64,
    pub total_parameters: u64,
    /// Estimated peak, bytes.
    pub memory: u64,
    /// What a person should know of their data.
    pub warnings: Vec<String>,
}

/// Validation texts with examples in the prompt.
#[derive(Debug, Clone)]
pub struct FewShotRows {
    /// Examples before each.
    pub examples: usize,
    pub rows: Vec<Packed>,
}

/// A prompt that is completed at every evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// As a person sees it.
    pub shown: String,
    pub ids: Vec<u32>,
}

impl CausalPlan {
    /// Checks texts and options against the model. `file` stands in errors.
    ///
    /// # Errors
    /// [`Error::InvalidOption`], [`Error::InvalidData`], or [`Error::OutOfMemory`] before anything is allocated.
    pub fn new(
        model: &LanguageModel,
        file: &str,
        rows: &[ParsedText],
        options: CausalOptions,
    ) -> Result<Self> {
        options.check()?;
        if let Method::Lora(lora) = &options.method
            && lora.init_lora_weights == InitLoraWeights::Pissa
        {
            return Err(Error::InvalidOption {
                option: "initLoraWeights".into(),
                reason: "\"pissa\" is for text classification; a language model starts from true or \"gaussian\"".into(),
            });
        }
        let max_length = max_length(model, &options)?;
        let method = resolve(model, &options.method);
        check_storage(&method, model.storage)?;
        let mut tuned = model.model.clone();
        let trainable = attach(&mut tuned, &method, options.seed)?;
        let trained_parameters = trained_parameters(&tuned, &trainable);

        let plain = rows
            .iter()
            .all(|row| matches!(row.content, TextRow::Text(_)));
        let encode = |rows: &[ParsedText]| encode(model, file, rows, &options);
        // long plain texts are split by their blocks, everything else by the texts themselves
        let units = match plain {
            true => encode(rows)?.into_iter().map(|block| vec![block]).collect(),
            false => {
                let each = rows.iter().map(|row| encode(std::slice::from_ref(row)));
                each.collect::<Result<Vec<_>>>()?
            }
        };
        if units.len() < 2 {
            return Err(Error::InvalidData {
                file: file.into(),
                row: None,
                reason: format!(
                    "expected at least 2 texts, one to learn from and one to judge by, found {}{}",
                    units.len(),
                    if plain {
                        " (a text shorter than maxLength tokens counts once)"
                    } else {
                        ""
                    }
                ),
            });
        }
        let split = stratified(
            &vec![0; units.len()],
            options.validation_split,
            options.seed,
        )?;
        let pick = |chosen: &[usize]| {
            let picked = chosen.iter().flat_map(|unit| units[*unit].clone());
            picked.collect::<Vec<Sequence>>()
        };
        let (train, validation) = (pick(&split.train), pick(&split.validation));
        let cut = units.iter().flatten().map(|sequence| sequence.truncated);
        let truncated_texts = cut.clone().filter(|tokens| *tokens > 0).count();
        let truncated_tokens = cut.sum();
        let few_shot = match plain {
            true => None,
            false => few_shot(model, rows, &split.train, &split.validation, &options)?,
        };
        let samples = match plain {
            true => text_samples(model, &validation, &options)?,
            false => row_samples(model, rows, &split.validation, &options)?,
        };
        let rows_of = |sequences: Vec<Sequence>| match options.packing {
            true => pack(sequences, max_length),
            false => Ok(sequences.into_iter().map(Packed::from).collect()),
        };
        let (train, validation) = (rows_of(train)?, rows_of(validation)?);
        let longest = train.iter().chain(&validation).map(Packed::len).max();
        let work = Work {
            storage: model.storage,
            packed: model.compute.packs_bits(),
            batch: options.train_batch_size,
            longest: longest.unwrap_or(1),
            trained: trained_parameters,
            checkpointing: false,
        };
        let (gradient_checkpointing, memory) = checkpointing(model, &options, &method, &work)?;
        let mut warnings = Vec::new();
        if truncated_texts > 0 {
            warnings.push(format!(
                "{truncated_texts} {} longer than {max_length} tokens; {truncated_tokens} tokens were cut from the left of their prompts. \
                 A larger maxLength keeps more",
                if truncated_texts == 1 { "text is" } else { "texts are" }
            ));
        }
        Ok(Self {
            method,
            trainable,
            max_length,
            train,
            validation,
            train_texts: split.train.len(),
            validation_texts: split.validation.len(),
            truncated_tokens,
            truncated_texts,
            few_shot,
            samples,
            gradient_checkpointing,
            trained_parameters,
            total_parameters: total_parameters(&tuned),
            memory,
            warnings,
            options,
        })
    }

    /// Optimiser steps in one epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.train
            .len()
            .div_ceil(self.options.train_batch_size)
            .div_ceil(self.options.gradient_accumulation_steps)
    }

    /// Optimiser steps of the run.
    pub fn total_steps(&self) -> usize {
        self.steps_per_epoch() * self.options.num_train_epochs
    }
}

/// The sequences of rows, cut and marked as a run with these options does. `file` stands in errors.
///
/// # Errors
/// As [`encode_rows`]; [`Error::InvalidOption`] for more tokens than the model has positions.
pub fn encode(
    model: &LanguageModel,
    file: &str,
    rows: &[ParsedText],
    options: &CausalOptions,
) -> Result<Vec<Sequence>> {
    let max_length = max_length(model, options)?;
    let settings = sequence_options(model, options);
    let (tokenizer, template) = (&model.tokenizer, &model.template);
    encode_rows(file, rows, tokenizer, template, max_length, &settings)
}

/// Which tokens of a text are learnt.
fn sequence_options(model: &LanguageModel, options: &CausalOptions) -> SequenceOptions {
    SequenceOptions {
        assistant_only_loss: options.completion_only_loss,
        completion_only_loss: options.completion_only_loss,
        eos_token_id: model.eos_id,
    }
}

/// The method with `all-linear`, the default, written out as the layers' last names, as PEFT's own short lists.
fn resolve(model: &LanguageModel, method: &Method) -> Method {
    match method {
        Method::Lora(config)
            if config.target_modules == TargetModules::Default
                || config.target_modules == TargetModules::Pattern(ALL_LINEAR.into()) =>
        {
            let mut names: Vec<String> = Vec::new();
            for (name, _) in model.model.clone().linears_mut() {
                let last = name.rsplit('.').next().unwrap_or_default();
                if !names.iter().any(|other| other == last) {
                    names.push(last.into());
                }
            }
            Method::Lora(LoraConfig {
                target_modules: TargetModules::Suffixes(names),
                ..config.clone()
            })
        }
        other => other.clone(),
    }
}

/// Tokens kept of a text.
///
/// # Errors
/// [`Error::InvalidOption`] where more are asked for than the model has positions.
fn max_length(model: &LanguageModel, options: &CausalOptions) -> Result<usize> {
    let virtual_tokens = match &options.method {
        Method::Prefix(config) => config.num_virtual_tokens,
        _ => 0,
    };
    let positions = model.config.max_position_embeddings;
    let free = positions.saturating_sub(virtual_tokens);
    let wanted = options.max_length.unwrap_or(DEFAULT_MAX_LENGTH.min(free));
    if wanted > free || free < 2 {
        return Err(Error::InvalidOption {
            option: "maxLength".into(),
            reason: format!(
                "expected at most {free}, because this model knows {positions} positions{}, got {wanted}",
                match virtual_tokens {
                    0 => String::new(),
                    some => format!(", {some} of which the prefix takes"),
                }
            ),
        });
    }
    Ok(wanted)
}

/// Whether layers are computed twice, and the memory that the run then takes. Left open, it is done where weights are kept in fewer bits,
/// because all of them would otherwise stand widened from the forward to the backward pass, and where memory is short.
fn checkpointing(
    model: &LanguageModel,
    options: &CausalOptions,
    method: &Method,
    work: &Work,
) -> Result<(bool, u64)> {
    let bytes = |checkpointing: bool| {
        let work = Work {
            checkpointing,
            ..*work
        };
        estimate(&model.config, method, &work).total()
    };
    let on = options.gradient_checkpointing.unwrap_or_else(|| {
        model.storage.is_quantized() || model.compute.check_memory("", bytes(false), "").is_err()
    });
    let memory = bytes(on);
    model.compute.check_memory(
        "This run",
        memory,
        match on {
            true => "lower trainBatchSize (and raise gradientAccumulationSteps instead) or maxLength, or keep the weights in fewer bits",
            false => "turn gradientCheckpointing on, or lower trainBatchSize or maxLength",
        },
    )?;
    Ok((on, memory))
}

/// The validation texts behind as many training texts as asked, or as many fewer as all fit with; none where not even one does.
fn few_shot(
    model: &LanguageModel,
    rows: &[ParsedText],
    train: &[usize],
    validation: &[usize],
    options: &CausalOptions,
) -> Result<Option<FewShotRows>> {
    let settings = sequence_options(model, options);
    let mut order = train.to_vec();
    Rng::stream(options.seed, "few-shot").shuffle(&mut order);
    let context = model.config.max_position_embeddings.min(2048);
    for examples in (1..=options.few_shot_examples.min(order.len())).rev() {
        let shown = order[..examples].iter().map(|row| &rows[*row].content);
        let shown = shown.collect::<Vec<_>>();
        let mut found = Vec::with_capacity(validation.len());
        for row in validation {
            let Some(long) = behind(&shown, &rows[*row].content) else {
                return Ok(None);
            };
            match encode_row(&long, &model.tokenizer, &model.template, context, &settings) {
                Ok(sequences) => found.extend(sequences),
                // an answer longer than the context: no example fits before it either
                Err(Error::InvalidData { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        if found.iter().all(|sequence| sequence.truncated == 0) {
            let rows = found.into_iter().map(Packed::from).collect();
            return Ok(Some(FewShotRows { examples, rows }));
        }
    }
    Ok(None)
}

/// A text behind examples; only its own answer counts.
fn behind(examples: &[&TextRow], row: &TextRow) -> Option<TextRow> {
    match row {
        TextRow::Chat(_) | TextRow::ChatCompletion { .. } => {
            let (system, own): (Vec<_>, Vec<_>) = turns(row).into_iter().partition(is_system);
            let others = examples.iter().flat_map(|row| turns(row));
            let others = others.filter(|message| !is_system(message));
            let answers = own.iter().rposition(Message::is_assistant)?;
            let prompt = system
                .into_iter()
                .chain(others)
                .chain(own[..answers].to_vec());
            Some(TextRow::ChatCompletion {
                prompt: prompt.collect(),
                completion: own[answers..=answers].to_vec(),
            })
        }
        TextRow::PromptCompletion { prompt, completion } => {
            let mut long = String::new();
            for example in examples {
                if let TextRow::PromptCompletion { prompt, completion } = example {
                    long.push_str(&format!("{prompt}{completion}\n\n"));
                }
            }
            long.push_str(prompt);
            Some(TextRow::PromptCompletion {
                prompt: long,
                completion: completion.clone(),
            })
        }
        TextRow::Text(_) => None,
    }
}

fn is_system(message: &Message) -> bool {
    message.role == "system"
}

/// All turns of a conversation.
fn turns(row: &TextRow) -> Vec<Message> {
    match row {
        TextRow::Chat(messages) => messages.clone(),
        TextRow::ChatCompletion { prompt, completion } => [prompt.as_slice(), completion].concat(),
        _ => Vec::new(),
    }
}

/// Prompts in the form of the texts: given ones, or the first validation texts'.
fn row_samples(
    model: &LanguageModel,
    rows: &[ParsedText],
    validation: &[usize],
    options: &CausalOptions,
) -> Result<Vec<Sample>> {
    let chat = rows.iter().any(|row| !turns(&row.content).is_empty());
    let given = options.sample_prompts.iter().map(|text| {
        let prompt = match chat {
            true => Prompt::Chat(vec![Message::new("user", text)]),
            false => Prompt::Text(text.clone()),
        };
        (text.clone(), prompt)
    });
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
    let chosen: Vec<_> = match options.sample_prompts.is_empty() {
        true => own.take(OWN_SAMPLES).collect(),
        false => given.collect(),
    };
    let samples = chosen.into_iter().map(|(shown, prompt)| {
        Ok(Sample {
            ids: model.prompt_ids(&prompt)?,
            shown,
        })
    });
    samples.collect()
}

/// Prompts of plain texts: given ones, or the beginnings of the first validation blocks.
fn text_samples(
    model: &LanguageModel,
    validation: &[Sequence],
    options: &CausalOptions,
) -> Result<Vec<Sample>> {
    if options.sample_prompts.is_empty() {
        let blocks = validation
            .iter()
            .filter(|block| block.ids.len() > TEXT_PROMPT);
        return blocks
            .take(OWN_SAMPLES)
            .map(|block| {
                let ids = block.ids[..TEXT_PROMPT].to_vec();
                Ok(Sample {
                    shown: model.tokenizer.decode(&ids, true)?,
                    ids,
                })
            })
            .collect();
    }
    let given = options.sample_prompts.iter().map(|text| {
        Ok(Sample {
            shown: text.clone(),
            ids: model.prompt_ids(&Prompt::Text(text.clone()))?,
        })
    });
    given.collect()
}
