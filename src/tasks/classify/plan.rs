//! Everything about a classifier's run that is known before anything is computed: encoded rows, their split, the method, memory.

use super::memory::Planned;
use super::model::Pretrained;
use super::options::{ClassifyOptions, DEFAULT_MAX_LENGTH};
use super::recipe::{DataSummary, ResolvedOptions, UserOptions, resolve};
use super::rows::Learnable;
use crate::data::rows::left_out;
use crate::data::{
    Example, LabelMap, ProblemType, SkippedRow, Truth, check, stratified, stratified_by_set, truth,
};
use crate::hash::fnv1a;
use crate::models::names::is_pooler;
use crate::models::{Family, HeadKind};
use crate::peft::Method;
use crate::text::{Encoding, Texts};
use crate::train::frozen::Frozen;
use crate::{Error, Result};

/// Everything about a run that is known before anything is computed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What was given, for later choices.
    pub given: UserOptions,
    /// What follows from it, until the device's speed is known.
    pub resolved: ResolvedOptions,
    /// With short forms written out.
    pub method: Method,
    /// Tokens kept of a text.
    pub max_length: usize,
    pub head: HeadKind,
    pub labels: LabelMap,
    /// Whether its rows are pairs of texts.
    pub pairs: bool,
    /// Training rows first, then validation rows.
    pub encodings: Vec<Encoding>,
    pub train: Rows,
    pub validation: Rows,
    /// How much stays frozen throughout and is computed once.
    pub frozen: Frozen,
    /// Whether the output of what is frozen may be kept, throughout or for a while.
    pub may_cache: bool,
    /// Whether the method trains what a `cls` head reads through.
    pub pooler_trains: bool,
    /// Whether layers are computed twice.
    pub gradient_checkpointing: bool,
    /// Rows of a pass that is no training step.
    pub scoring_rows: usize,
    pub trained_parameters: u64,
    pub total_parameters: u64,
    /// Estimated peak, bytes.
    pub memory: u64,
    /// What a person should know of their data.
    pub warnings: Vec<String>,
    /// Label and number of rows.
    pub label_counts: Vec<(String, usize)>,
    /// Examples that cannot be learnt, which were left out.
    pub skipped: Vec<SkippedRow>,
}

/// Labelled rows; their encodings are in the plan.
#[derive(Debug, Clone)]
pub struct Rows {
    pub labels: Truth,
    /// As they came.
    pub examples: Vec<Example>,
}

impl Rows {
    fn pick(examples: &[Example], truth: &Truth, rows: &[usize]) -> Self {
        Self {
            labels: truth.pick(rows),
            examples: rows.iter().map(|row| examples[*row].clone()).collect(),
        }
    }

    /// What is read of each.
    pub fn texts(&self) -> Vec<Texts<'_>> {
        self.examples.iter().map(Example::texts).collect()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }
}

impl Plan {
    /// Checks examples and options against the model.
    ///
    /// # Errors
    /// [`Error::InvalidOption`], [`Error::InvalidData`], or [`Error::OutOfMemory`] before anything is allocated.
    pub fn new(model: &Pretrained, examples: &[Example], given: UserOptions) -> Result<Self> {
        // options first: a mistake there is reported whatever the examples are
        let problem = ProblemType::of(examples.iter().map(|example| &example.label));
        let data = DataSummary {
            rows: examples.len(),
            problem,
            labels: 1,
            tokens: 0.0,
            layers: model.config.num_hidden_layers,
            last_token: false,
        };
        let early = resolve(&given, &data)?.options;
        let max_length = max_length(model, &early)?;
        let head = early.own.head.resolve(model.default_head);
        let learnable = Learnable::new(model, examples, head, max_length, early.own.skip_bad)?;
        let Learnable {
            examples,
            encodings,
            skipped,
            ..
        } = &learnable;
        let labels = check(examples)?;
        check_descriptions(&early, &labels)?;
        check_dropout(model, &early)?;
        let ids = truth(examples, &labels, problem)?;
        let (share, seed) = (early.common.validation_split, early.common.seed);
        let split = match &ids {
            Truth::One(ids) => stratified(ids, share, seed),
            Truth::Several(rows) => stratified_by_set(rows, labels.len(), share, seed),
        }?;
        let tokens = encodings.iter().map(|encoding| encoding.ids.len());
        let data = DataSummary {
            rows: split.train.len(),
            labels: labels.len(),
            tokens: tokens.sum::<usize>() as f64 / encodings.len() as f64,
            last_token: head == HeadKind::Cls && matches!(model.config.family, Family::Decoder(_)),
            ..data
        };
        let resolved = resolve(&given, &data)?;
        let network = Planned::new(model, head, &resolved.options, labels.len())?;
        let memory = network.memory(model, &resolved.options, encodings, labels.len())?;
        let order = split.train.iter().chain(&split.validation);
        Ok(Self {
            warnings: warnings(&learnable, max_length),
            pairs: examples.iter().any(|example| example.text_pair.is_some()),
            label_counts: count(&labels, &ids),
            train: Rows::pick(examples, &ids, &split.train),
            validation: Rows::pick(examples, &ids, &split.validation),
            encodings: order.map(|row| encodings[*row].clone()).collect(),
            total_parameters: network.total,
            trained_parameters: network.trained,
            pooler_trains: network.trainable.paths().any(is_pooler),
            method: network.method,
            frozen: memory.frozen,
            may_cache: memory.may_cache,
            gradient_checkpointing: memory.checkpointing,
            scoring_rows: memory.scoring_rows,
            memory: memory.estimate.total(),
            given,
            resolved,
            max_length,
            head,
            labels,
            skipped: skipped.clone(),
        })
    }

    /// Whether each row has one label, or any number of them.
    pub fn problem(&self) -> ProblemType {
        self.train.labels.problem()
    }

    /// Tokens of each training row.
    pub fn train_lengths(&self) -> Vec<usize> {
        self.encodings[..self.train.len()]
            .iter()
            .map(|encoding| encoding.ids.len())
            .collect()
    }

    /// The validation rows' encodings.
    pub fn validation_encodings(&self) -> &[Encoding] {
        &self.encodings[self.train.len()..]
    }

    /// A fingerprint of the validation rows and their order; collisions are negligible.
    pub fn items_key(&self) -> String {
        let mut bytes = Vec::new();
        let rows = self.validation.texts();
        for (texts, ids) in rows.iter().zip(self.validation.labels.rows()) {
            let labels = ids.iter().map(|id| self.labels.names()[*id].as_str());
            for part in std::iter::once(texts.text).chain(labels).chain(texts.pair) {
                bytes.extend((part.len() as u64).to_le_bytes());
                bytes.extend(part.as_bytes());
            }
        }
        format!("{:016x}", fnv1a(&bytes))
    }

    /// Optimiser steps in one epoch of the classifying stage.
    pub fn steps_per_epoch(&self, options: &ClassifyOptions) -> usize {
        self.train
            .len()
            .div_ceil(options.common.train_batch_size)
            .div_ceil(options.common.gradient_accumulation_steps)
    }

    /// Optimiser steps of both stages.
    pub fn total_steps(&self, options: &ClassifyOptions) -> usize {
        let contrastive = options
            .own
            .contrastive
            .settings()
            .map_or(0, |stage| stage.steps);
        contrastive + self.steps_per_epoch(options) * options.common.num_train_epochs
    }
}

fn max_length(model: &Pretrained, options: &ClassifyOptions) -> Result<usize> {
    let virtual_tokens = options.common.method.virtual_tokens();
    let positions = model.config.max_tokens;
    let free = positions.saturating_sub(virtual_tokens);
    if free < 3 {
        return Err(Error::InvalidOption {
            option: "numVirtualTokens".into(),
            reason: format!(
                "expected at most {}, because this model knows {positions} positions and a text needs 3, got {virtual_tokens}",
                positions.saturating_sub(3)
            ),
        });
    }
    let max_length = options
        .common
        .max_length
        .unwrap_or(DEFAULT_MAX_LENGTH.min(free));
    if max_length > free {
        let besides = match virtual_tokens {
            0 => "the positions that this model knows".to_string(),
            some => format!(
                "the {positions} positions that this model knows without {some} virtual tokens"
            ),
        };
        return Err(Error::InvalidOption {
            option: "maxLength".into(),
            reason: format!("expected at most {free}, {besides}, got {max_length}"),
        });
    }
    Ok(max_length)
}

fn check_dropout(model: &Pretrained, options: &ClassifyOptions) -> Result<()> {
    match (model.config.family, options.own.dropout > 0.0) {
        (Family::Decoder(decoder), true) => Err(Error::InvalidOption {
            option: "dropout".into(),
            reason: format!(
                "the layers of a {} model have none; use loraDropout",
                decoder.model_type()
            ),
        }),
        _ => Ok(()),
    }
}

fn check_descriptions(options: &ClassifyOptions, labels: &LabelMap) -> Result<()> {
    let invalid = |reason: String| {
        Err(Error::InvalidOption {
            option: "labelDescriptions".into(),
            reason,
        })
    };
    for (label, description) in &options.own.label_descriptions {
        if labels.id(label).is_none() {
            return invalid(format!(
                "\"{label}\" is no label of the examples: {}",
                labels.names().join(", ")
            ));
        }
        if description.trim().is_empty() {
            return invalid(format!("the description of \"{label}\" is blank"));
        }
    }
    Ok(())
}

fn count(labels: &LabelMap, truth: &Truth) -> Vec<(String, usize)> {
    let of = |id| truth.rows().filter(|ids| ids.contains(&id)).count();
    labels
        .names()
        .iter()
        .cloned()
        .enumerate()
        .map(|(id, name)| (name, of(id)))
        .collect()
}

fn warnings(learnable: &Learnable, max_length: usize) -> Vec<String> {
    let Learnable {
        examples,
        encodings,
        places,
        skipped,
    } = learnable;
    let mut warnings = Vec::new();
    warnings.extend(left_out(skipped));
    let cut = encodings
        .iter()
        .zip(places)
        .filter_map(|(encoding, row)| encoding.truncated_from.map(|tokens| (row, tokens)))
        .collect::<Vec<_>>();
    if let Some((row, tokens)) = cut.iter().max_by_key(|(_, tokens)| *tokens) {
        let pairs = examples.iter().any(|example| example.text_pair.is_some());
        let (texts, are) = match (pairs, cut.len()) {
            (false, 1) => ("text is", "it is"),
            (false, _) => ("texts are", "they are"),
            (true, 1) => ("pair is", "the longer of its texts is"),
            (true, _) => ("pairs are", "the longer text of each is"),
        };
        warnings.push(format!(
            "{} {texts} longer than {max_length} tokens; {are} cut there. The longest, example {row}, has {tokens}. \
             A larger maxLength keeps more",
            cut.len()
        ));
    }
    let mut seen = std::collections::HashSet::new();
    let repeated = examples
        .iter()
        .filter(|example| !seen.insert((example.texts().trimmed(), example.label.set())))
        .count();
    if repeated > 0 {
        warnings.push(format!(
            "{repeated} example{} an earlier one; where one of the two trains and the other checks, the scores look better \
             than they are",
            if repeated == 1 { " repeats" } else { "s repeat" },
        ));
    }
    let mut labels_of = std::collections::HashMap::new();
    let conflicts = examples
        .iter()
        .zip(places)
        .filter(|(example, _)| {
            let labels = example.label.set();
            let first = labels_of
                .entry(example.texts().trimmed())
                .or_insert_with(|| labels.clone());
            *first != labels
        })
        .map(|(_, row)| row)
        .collect::<Vec<_>>();
    if let Some(first) = conflicts.first() {
        warnings.push(format!(
            "{} example{} the text of an earlier one under another label (first: example {first})",
            conflicts.len(),
            if conflicts.len() == 1 {
                " repeats"
            } else {
                "s repeat"
            },
        ));
    }
    warnings
}
