//! What the writers of files need to know of a result, the same for both tasks.

use serde_json::{Value, json};

use super::continue_py::ContinueConfig;
use super::file::ExportedFile;
use crate::data::{LabelMap, ProblemType};
use crate::eval::evaluation::BaselineHeads;
use crate::layers::Storage;
use crate::models::{Classifier, DecoderConfig, Family};
use crate::peft::{BaseModel, Method, Trainable};
use crate::{Error, Result};

/// A tuned network next to the model that it was tuned from.
pub struct Subject<'a, N> {
    /// Without gradients.
    pub network: &'a N,
    /// What it was tuned with, in the form that its files have.
    pub method: &'a Method,
    /// What the method trained.
    pub trainable: &'a Trainable,
    pub base: BaseModel<'a>,
    /// How the loaded weights are stored.
    pub storage: Storage,
    /// The loaded model's own config.json.
    pub config_json: &'a Value,
    /// The tokenizer's files.
    pub tokenizer: Vec<ExportedFile>,
    pub card: Card<'a>,
    pub task: TaskFacts<'a>,
}

/// What only one of the tasks has.
pub enum TaskFacts<'a> {
    Classifier(ClassifierFacts<'a>),
    Language {
        config: &'a DecoderConfig,
        /// For the script that continues a run.
        run: Option<ContinueConfig>,
    },
}

/// What an import of a classifier needs besides other tools' files.
pub struct ClassifierFacts<'a> {
    pub network: &'a Classifier,
    /// In the order of the logits.
    pub labels: &'a LabelMap,
    pub problem: ProblemType,
    /// One a label, where a text may have several.
    pub thresholds: Option<&'a [f64]>,
    /// The heads on the untuned model, so that an import can show both.
    pub baselines: Option<&'a BaselineHeads>,
    /// Tokens kept of a text.
    pub max_length: usize,
    /// Whether it learnt pairs of texts, where that is known.
    pub pairs: Option<bool>,
    /// Whether its tokenizer gives the model token types.
    pub token_types: bool,
    /// Tokens of the longest text that the model can read.
    pub positions: usize,
    pub family: Family,
    /// Whether a `cls` head alone leaves under its names: where it is more than a layer upon what the bare encoder gives.
    pub names_head: bool,
    pub hidden_size: usize,
    /// The padding token, if the model has one.
    pub pad_token: Option<u32>,
    /// The same as a word, if the tokenizer has one.
    pub pad_word: Option<String>,
}

impl<N> Subject<'_, N> {
    /// The labels and the rest, if it is a classifier.
    pub fn classifier(&self) -> Option<&ClassifierFacts<'_>> {
        match &self.task {
            TaskFacts::Classifier(facts) => Some(facts),
            TaskFacts::Language { .. } => None,
        }
    }

    /// The same for files that only a classifier has.
    ///
    /// # Errors
    /// [`Error::Internal`] for a language model.
    pub fn of_classifier(&self) -> Result<&ClassifierFacts<'_>> {
        let facts = self.classifier();
        facts.ok_or_else(|| Error::internal("only a classifier has these files"))
    }
}

impl ClassifierFacts<'_> {
    /// Each label's place among the logits.
    pub fn label_ids(&self) -> Value {
        let names = self.labels.names().iter().enumerate();
        names
            .map(|(id, name)| (name.clone(), json!(id)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// Where the model card comes from.
pub enum Card<'a> {
    /// What a run of this session found.
    Run(Box<CardFacts>),
    /// The text that came with an imported adapter.
    Imported(&'a str),
}

/// What a run found, as the card says it.
pub struct CardFacts {
    /// What was tuned, as a sentence begins with it.
    pub what: String,
    /// What of a person's words the files hold by nature: a sentence, or empty.
    pub in_files: &'static str,
    /// The rows that the run had, and a table of them.
    pub data: Option<(String, Table)>,
    /// On the validation rows.
    pub scores: Table,
    /// Paragraphs after the scores.
    pub notes: Vec<String>,
    /// The options as JSON, as they were given and resolved.
    pub options: Value,
}

/// A table whose first column is words and whose others are numbers.
pub struct Table {
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}
