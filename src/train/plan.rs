//! Enters: a model, a person's examples and options. Leaves: a checked plan: encoded rows, their split, steps, memory.

use super::TrainOptions;
use super::config::{DEFAULT_MAX_LENGTH, Method};
use super::schedule::warmup_steps;
use crate::data::{Example, LabelMap, check, stratified};
use crate::eval::evaluate::EVALUATION_BATCH;
use crate::models::HeadKind;
use crate::models::bert::Bert;
use crate::peft::{LoraConfig, resolve};
use crate::pretrained::Pretrained;
use crate::text::Encoding;
use crate::tuned::encode;
use crate::{Error, Result};

/// Everything about a run that is known before anything is computed.
#[derive(Debug, Clone)]
pub struct Plan {
    pub options: TrainOptions,
    /// Tokens kept of a text.
    pub max_length: usize,
    pub lora: LoraConfig,
    pub head: HeadKind,
    pub labels: LabelMap,
    pub train: Rows,
    pub validation: Rows,
    pub steps_per_epoch: usize,
    pub total_steps: usize,
    pub warmup_steps: usize,
    /// Estimated peak, bytes.
    pub memory: u64,
    /// What a person should know of their data.
    pub warnings: Vec<String>,
    /// Label and number of rows.
    pub label_counts: Vec<(String, usize)>,
}

/// Encoded rows with their label ids.
#[derive(Debug, Clone)]
pub struct Rows {
    pub encodings: Vec<Encoding>,
    pub labels: Vec<usize>,
    pub texts: Vec<String>,
}

impl Rows {
    fn pick(examples: &[Example], encodings: &[Encoding], ids: &[usize], rows: &[usize]) -> Self {
        Self {
            encodings: rows.iter().map(|row| encodings[*row].clone()).collect(),
            labels: rows.iter().map(|row| ids[*row]).collect(),
            texts: rows.iter().map(|row| examples[*row].text.clone()).collect(),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Tokens of each row.
    pub fn lengths(&self) -> Vec<usize> {
        self.encodings
            .iter()
            .map(|encoding| encoding.ids.len())
            .collect()
    }
}

impl Plan {
    /// Checks examples and options against the model.
    ///
    /// # Errors
    /// [`Error::InvalidOption`], [`Error::InvalidData`], or [`Error::OutOfMemory`] before anything is allocated.
    pub fn new(model: &Pretrained, examples: &[Example], options: TrainOptions) -> Result<Self> {
        options.check()?;
        let positions = model.config.max_position_embeddings;
        let max_length = options
            .max_length
            .unwrap_or(DEFAULT_MAX_LENGTH.min(positions));
        if max_length > positions {
            return Err(Error::InvalidOption {
                option: "maxLength".into(),
                reason: format!(
                    "expected at most {positions}, the positions that this model knows, got {max_length}"
                ),
            });
        }
        let labels = check(examples)?;
        let head = options.head.resolve(model.default_head);
        model.check_head(head)?;
        let Method::Lora(lora) = &options.method;
        let lora = resolve(&model.bert, head, lora);
        let encodings = encode(
            model,
            examples.iter().map(|example| example.text.as_str()),
            max_length,
        )?;
        let ids = examples
            .iter()
            .filter_map(|example| labels.id(&example.label))
            .collect::<Vec<_>>();
        let split = stratified(&ids, options.validation_split, options.seed)?;
        let train = Rows::pick(examples, &encodings, &ids, &split.train);
        let validation = Rows::pick(examples, &encodings, &ids, &split.validation);
        let batches = train.len().div_ceil(options.train_batch_size);
        let steps_per_epoch = batches.div_ceil(options.gradient_accumulation_steps);
        let total_steps = steps_per_epoch * options.num_train_epochs;
        let longest = encodings
            .iter()
            .map(|encoding| encoding.ids.len())
            .max()
            .unwrap_or(1);
        let memory = estimate(
            model,
            &options,
            &lora,
            longest,
            labels.len(),
            examples.len(),
        );
        model.compute.check_memory(
            "This run",
            memory,
            "lower trainBatchSize (and raise gradientAccumulationSteps instead) or maxLength",
        )?;
        Ok(Self {
            max_length,
            warmup_steps: warmup_steps(options.warmup_ratio, total_steps)?,
            warnings: warnings(examples, &encodings, max_length),
            label_counts: count(&labels, &ids),
            lora,
            head,
            labels,
            train,
            validation,
            steps_per_epoch,
            total_steps,
            memory,
            options,
        })
    }
}

fn count(labels: &LabelMap, ids: &[usize]) -> Vec<(String, usize)> {
    let of = |id| ids.iter().filter(|other| **other == id).count();
    labels
        .names()
        .iter()
        .cloned()
        .enumerate()
        .map(|(id, name)| (name, of(id)))
        .collect()
}

/// Bytes at the peak: the weights; what one training batch keeps, or one evaluation batch holds; what trains five times
/// over (value, gradient, two moments, best epoch's copy); the probe's features (as computed, gathered, and as its
/// tensor), its products of rows and labels, and its solver's memory; the confusion matrices.
fn estimate(
    model: &Pretrained,
    options: &TrainOptions,
    lora: &LoraConfig,
    longest: usize,
    labels: usize,
    rows: usize,
) -> u64 {
    let config = &model.config;
    let [hidden, wide, layers, labels, rows, r] = [
        config.hidden_size,
        config.intermediate_size,
        config.num_hidden_layers,
        labels,
        rows,
        lora.r,
    ]
    .map(|n| n as u64);
    // as if every linear layer were a target
    let deltas = layers * r * (8 * hidden + 2 * (hidden + wide));
    let head = (hidden + 1) * labels;
    let kind = model.compute.kind;
    let batch = options.train_batch_size;
    let tokens = (batch * longest) as u64;
    // each of six deltas keeps its product with A twice, and its masked input and the mask where it drops any
    let dropped = if lora.lora_dropout > 0.0 {
        2 * (5 * hidden + wide)
    } else {
        0
    };
    let adapters = 4 * layers * tokens * (12 * r + dropped);
    let training = Bert::activation_bytes(config, batch, longest, kind) + adapters;
    let evaluation = Bert::activation_bytes(config, EVALUATION_BATCH, longest, kind) / (layers + 1);
    let probe = 12 * rows * hidden + 20 * rows * labels + 200 * head;
    4 * config.parameters()
        + training.max(evaluation)
        + 20 * (deltas + head)
        + probe
        + 16 * labels * labels
}

fn warnings(examples: &[Example], encodings: &[Encoding], max_length: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    let cut = encodings
        .iter()
        .enumerate()
        .filter_map(|(row, encoding)| encoding.truncated_from.map(|tokens| (row + 1, tokens)))
        .collect::<Vec<_>>();
    if let Some((row, tokens)) = cut.iter().max_by_key(|(_, tokens)| *tokens) {
        let (texts, are) = if cut.len() == 1 {
            ("text is", "it is")
        } else {
            ("texts are", "they are")
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
        .filter(|example| !seen.insert((example.text.trim(), example.label.as_str())))
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
        .enumerate()
        .filter(|(_, example)| {
            let first = labels_of
                .entry(example.text.trim())
                .or_insert(example.label.as_str());
            *first != example.label
        })
        .map(|(row, _)| row + 1)
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
