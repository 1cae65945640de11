//! Everything about a language model's run that is known before anything is computed: tokens, their split, the method, memory.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use super::few_shot::{FewShotRows, few_shot, turns};
use super::model::LanguageModel;
use super::options::LanguageOptions;
use super::rows::{ScoringRows, encode, longest, max_length};
use super::samples::{Sample, samples};
use crate::data::rows::left_out;
use crate::data::{Encoded, Packed, ParsedText, Sequence, SkippedRow, TextRow, pack, stratified};
use crate::device::Compute;
use crate::models::size::{NetworkSizes, Shape};
use crate::models::{CausalLm, Network};
use crate::peft::freeze::{total_parameters, trained_parameters};
use crate::peft::lora_config::ALL_LINEAR;
use crate::peft::{LoraConfig, Method, TargetModules, attach, check_storage};
use crate::text::Message;
use crate::text::chat::Conversation;
use crate::train::memory::{Estimate, MemoryProfile, Pass, PassKind, choose_checkpointing};
use crate::train::parts::in_parts;
use crate::train::unfreeze::Groups;
use crate::{Error, Result};

/// Everything about a run that is known before anything is computed.
#[derive(Debug, Clone)]
pub struct LanguagePlan {
    /// With everything decided that was left out.
    pub options: LanguageOptions,
    /// Why.
    pub reasons: Vec<String>,
    pub train: Vec<Packed>,
    pub validation: Vec<Packed>,
    pub train_texts: usize,
    pub validation_texts: usize,
    pub truncated_tokens: usize,
    pub truncated_texts: usize,
    /// The validation texts after examples.
    pub few_shot: Option<FewShotRows>,
    pub samples: Vec<Sample>,
    pub trained_parameters: u64,
    pub total_parameters: u64,
    /// Estimated peak, bytes.
    pub memory: u64,
    /// What a person should know of their data.
    pub warnings: Vec<String>,
    /// Whether some of the texts are conversations.
    pub chats: bool,
    /// Rows that cannot be encoded, which were left out.
    pub skipped: Vec<SkippedRow>,
}

/// The texts in tokens, split into those that train and those that judge.
struct Split {
    train: Vec<usize>,
    validation: Vec<usize>,
    /// Sequences of each unit: of a text, or one block of a long plain text.
    units: Vec<Vec<Sequence>>,
    plain: bool,
}

impl LanguagePlan {
    /// Checks texts and options against the model. `file` is named in errors.
    ///
    /// # Errors
    /// [`Error::InvalidOption`], [`Error::InvalidData`], or [`Error::OutOfMemory`] before anything is allocated.
    pub fn new(
        model: &LanguageModel,
        file: &str,
        rows: &[ParsedText],
        options: LanguageOptions,
    ) -> Result<Self> {
        options.check()?;
        let max_length = max_length(&model.config, &options)?;
        let method = resolve(&model.model, &options.common.method);
        check_storage(&method, model.storage)?;
        let mut tuned = model.model.clone();
        let trainable = attach(&mut tuned, &method, options.common.head_seed())?;
        let groups = Groups::new(&trainable, &tuned);

        let (split, kept, skipped) = Split::new(model, file, rows, &options)?;
        let rows = kept.as_ref();
        let few_shot = split.few_shot(model, rows, &options)?;
        let blocks = split.pick(&split.validation);
        let samples = samples(
            model,
            rows,
            &split.validation,
            &blocks,
            &options,
            max_length,
        )?;
        let pack = |sequences: Vec<Sequence>| {
            if options.own.packing {
                pack(sequences, max_length)
            } else {
                Ok(sequences.into_iter().map(Packed::from).collect())
            }
        };
        let (train, validation) = (pack(split.pick(&split.train))?, pack(blocks)?);
        let mut plan = Self {
            train,
            validation,
            train_texts: split.train.len(),
            validation_texts: split.validation.len(),
            truncated_tokens: split.truncated().sum(),
            truncated_texts: split.truncated().filter(|tokens| *tokens > 0).count(),
            few_shot,
            samples,
            trained_parameters: trained_parameters(&tuned, &trainable),
            total_parameters: total_parameters(&tuned),
            memory: 0,
            warnings: Vec::new(),
            reasons: Vec::new(),
            chats: rows.iter().any(|row| !turns(&row.content).is_empty()),
            skipped,
            options,
        };
        plan.warn(model, rows, max_length)?;
        let layers = groups.frozen_layers(groups.len());
        let (checkpointing, estimate) = plan.checkpointing(model, &method, layers)?;
        plan.memory = estimate.total();
        let common = &mut plan.options.common;
        if common.gradient_checkpointing.is_none() && checkpointing {
            plan.reasons
                .push("layers are computed twice (gradientCheckpointing), to save memory".into());
        }
        common.method = method;
        common.max_length = Some(max_length);
        common.gradient_checkpointing = Some(checkpointing);
        Ok(plan)
    }

    /// Optimizer steps in one epoch.
    pub fn steps_per_epoch(&self) -> usize {
        let common = &self.options.common;
        self.train
            .len()
            .div_ceil(common.train_batch_size)
            .div_ceil(common.gradient_accumulation_steps)
    }

    /// Tokens of the longest training row.
    pub fn longest_trained(&self) -> usize {
        longest(&self.train)
    }

    /// How many rows pass together where texts are scored.
    pub(super) fn scoring<'a>(
        &self,
        network: &'a NetworkSizes,
        compute: &'a Compute,
    ) -> ScoringRows<'a> {
        let common = &self.options.common;
        ScoringRows {
            network,
            compute,
            batch: common.train_batch_size,
            longest_trained: self.longest_trained(),
            virtual_tokens: common.method.virtual_tokens(),
        }
    }

    /// Whether layers are computed twice, and what the run then takes.
    fn checkpointing(
        &self,
        model: &LanguageModel,
        method: &Method,
        frozen_layers: usize,
    ) -> Result<(bool, Estimate)> {
        let common = &self.options.common;
        let profile = self.profile(model, method, frozen_layers);
        let (checkpointing, _) = match common.gradient_checkpointing {
            Some(given) => (given, Estimate::default()),
            None => choose_checkpointing(&profile, &model.compute),
        };
        let profile = MemoryProfile {
            checkpointing,
            ..profile
        };
        Ok((checkpointing, profile.check(&model.compute)?))
    }

    fn profile(
        &self,
        model: &LanguageModel,
        method: &Method,
        frozen_layers: usize,
    ) -> MemoryProfile {
        let common = &self.options.common;
        let network = model.sizes();
        let scoring_rows = self.scoring(&network, &model.compute);
        let scoring = |kind, rows: &[Packed]| {
            let longest = longest(rows);
            let at_once = scoring_rows.most(longest).min(rows.len());
            Pass::new(kind, at_once, longest)
        };
        let mut passes = vec![scoring(PassKind::Evaluation, &self.validation)];
        if let Some(few_shot) = &self.few_shot {
            passes.push(scoring(PassKind::FewShot, &few_shot.rows));
        }
        let prompts = self.samples.iter().map(|sample| sample.ids.len());
        if let Some(prompt) = prompts.max() {
            passes.push(Pass::samples(prompt, self.options.own.sample_tokens));
        }
        let batch = common.train_batch_size.min(self.train.len());
        let training = Shape::new(batch, self.longest_trained());
        let profile =
            MemoryProfile::new(network, method.clone(), self.trained_parameters, training);
        MemoryProfile {
            trained_layers: model.config.layers.len().saturating_sub(frozen_layers) as u64,
            passes,
            ..in_parts(profile.with_options(common), model.compute.kind, common)
        }
    }

    fn warn(
        &mut self,
        model: &LanguageModel,
        rows: &[ParsedText],
        max_length: usize,
    ) -> Result<()> {
        self.warnings.extend(left_out(&self.skipped));
        self.warnings.extend(unwritten(model, rows)?);
        if self.truncated_texts > 0 {
            self.warnings.push(format!(
                "{} longer than {max_length} tokens; {} tokens were cut from the left of their prompts. \
                 A larger maxLength keeps more",
                counted(self.truncated_texts, "text is", "texts are"),
                self.truncated_tokens
            ));
        }
        let mut seen = HashSet::new();
        let repeated = rows
            .iter()
            .filter(|row| !seen.insert(format!("{:?}", row.content)))
            .count();
        if repeated > 0 {
            self.warnings.push(format!(
                "{} an earlier one; if one of the two trains and the other checks, the scores look better than they are",
                counted(repeated, "text repeats", "texts repeat")
            ));
        }
        Ok(())
    }
}

/// The number with the right one of two words.
fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Tells where a template leaves out what conversations hold beside their turns: it renders the same without it.
fn unwritten(model: &LanguageModel, rows: &[ParsedText]) -> Result<Vec<String>> {
    let (mut tools, mut reasoning) = (0, 0);
    for row in rows {
        let messages = turns(&row.content);
        let reasons = |message: &Message| message.reasoning_content.is_some();
        if row.tools.is_empty() && !messages.iter().any(reasons) {
            continue;
        }
        let render = |messages: &[Message], tools: &[Value]| {
            model
                .template
                .render(Conversation { messages, tools }, false)
        };
        let whole = render(&messages, &row.tools)?;
        tools += usize::from(!row.tools.is_empty() && render(&messages, &[])? == whole);
        let mut plain = messages.clone();
        for message in &mut plain {
            message.reasoning_content = None;
        }
        let reasons = messages != plain && render(&plain, &row.tools)? == whole;
        reasoning += usize::from(reasons);
    }
    let told = |count: usize, what: &str| {
        let rows = counted(count, "conversation", "conversations");
        format!(
            "the {what} of {rows} is not learnt: the model's chat template does not write it down"
        )
    };
    let found = [(tools, "list of tools"), (reasoning, "reasoning")];
    let found = found.into_iter().filter(|(count, _)| *count > 0);
    Ok(found.map(|(count, what)| told(count, what)).collect())
}

impl Split {
    /// The split, the rows that it is of, and those that were left out.
    fn new<'a>(
        model: &LanguageModel,
        file: &str,
        rows: &'a [ParsedText],
        options: &LanguageOptions,
    ) -> Result<(Self, Cow<'a, [ParsedText]>, Vec<SkippedRow>)> {
        let plain = rows
            .iter()
            .all(|row| matches!(row.content, TextRow::Text(_)));
        let Encoded {
            kept,
            sequences,
            skipped,
        } = encode(model, file, rows, options)?;
        let rows = if skipped.is_empty() {
            Cow::Borrowed(rows)
        } else {
            kept.iter().map(|row| rows[*row].clone()).collect()
        };
        // long plain texts are split by their blocks, everything else by the texts themselves
        let units: Vec<Vec<Sequence>> = if plain {
            let blocks = sequences.into_iter().flatten();
            blocks.map(|block| vec![block]).collect()
        } else {
            sequences
        };
        if units.len() < 2 {
            let note = if plain {
                " (a text shorter than maxLength tokens counts once)"
            } else {
                ""
            };
            return Err(Error::data(
                file,
                None,
                format!(
                    "expected at least 2 texts, one to learn from and one to judge by, found {}{note}",
                    units.len()
                ),
            ));
        }
        let common = &options.common;
        let split = stratified(&vec![0; units.len()], common.validation_split, common.seed)?;
        let split = Self {
            train: split.train,
            validation: split.validation,
            units,
            plain,
        };
        Ok((split, rows, skipped))
    }

    fn pick(&self, chosen: &[usize]) -> Vec<Sequence> {
        let picked = chosen.iter().flat_map(|unit| self.units[*unit].clone());
        picked.collect()
    }

    /// Tokens that were cut off each sequence.
    fn truncated(&self) -> impl Iterator<Item = usize> {
        self.units
            .iter()
            .flatten()
            .map(|sequence| sequence.truncated)
    }

    fn few_shot(
        &self,
        model: &LanguageModel,
        rows: &[ParsedText],
        options: &LanguageOptions,
    ) -> Result<Option<FewShotRows>> {
        if self.plain {
            return Ok(None);
        }
        let mut own = Vec::with_capacity(self.validation.len());
        for row in &self.validation {
            match self.units[*row].as_slice() {
                [one] => own.push((*row, one)),
                // a long plain text among other rows, which comes in blocks
                _ => return Ok(None),
            }
        }
        few_shot(model, rows, &self.train, &own, options)
    }
}

/// The method with `all-linear`, the default, written out as the layers' last names, as PEFT's own short lists.
fn resolve(model: &CausalLm, method: &Method) -> Method {
    match method {
        Method::Lora(config)
            if config.target_modules == TargetModules::Default
                || config.target_modules == TargetModules::Pattern(ALL_LINEAR.into()) =>
        {
            let mut names: Vec<String> = Vec::new();
            for (name, _) in model.clone().linears_mut() {
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
        other => other.resolve(model),
    }
}
