//! A recipe: what a person gave, and what is known of data and device, decide all options, with a reason for each choice.
//!
//! Explicit options win over everything here. docs/recipes.md holds the measurements that the numbers rest on.

use serde_json::{Map, Value, json};

use super::options::{ClassifyOptions, RecipeName};
use crate::data::ProblemType;
use crate::train::options::over_method;
use crate::{Error, Result};

/// The options as they were given: known names, right types, nothing filled in.
#[derive(Debug, Clone, Default)]
pub struct UserOptions(Map<String, Value>);

/// What is known before anything is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DataSummary {
    /// Rows that train.
    pub rows: usize,
    pub labels: usize,
    /// Whether each row has one of them, or any number.
    pub problem: ProblemType,
    /// Tokens of a text, on average.
    pub tokens: f64,
    pub layers: usize,
    /// Whether the head reads a decoder's last token.
    pub last_token: bool,
}

/// What the first pass over the texts has shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Seconds of a forward pass, per token position.
    pub seconds_per_position: f64,
    /// Token positions of all training rows, padding included.
    pub positions: f64,
}

/// Options with one sentence for each that a recipe chose.
#[derive(Debug, Clone)]
pub struct ResolvedOptions {
    pub options: ClassifyOptions,
    pub reasons: Vec<String>,
}

impl UserOptions {
    /// Checks names and types.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] naming the option.
    pub fn parse(value: Value) -> Result<Self> {
        let map = match value {
            Value::Object(map) => map,
            Value::Null => Map::new(),
            other => {
                return Err(Error::out_of_range("options", "an object", other));
            }
        };
        // an absent option and one that is undefined or null are the same to JavaScript
        let map = map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect::<Map<_, _>>();
        ClassifyOptions::read(&map)?;
        Ok(Self(map))
    }

    /// By name.
    pub fn map(&self) -> &Map<String, Value> {
        &self.0
    }

    fn has(&self, option: &str) -> bool {
        self.0.contains_key(option)
    }
}

/// Training rows a label up to which a contrastive stage comes first. Measured with 7; more than 10 would be a guess.
const FEW_ROWS: f64 = 10.0;

/// The options whose default is chosen by method, data and device.
#[cfg(test)]
pub const CHOSEN: [&str; 7] = [
    "method",
    "contrastive",
    "learningRate",
    "headLearningRate",
    "warmupRatio",
    "numTrainEpochs",
    "seeds",
];

/// Fills what was not given.
///
/// # Errors
/// [`Error::InvalidOption`] as [`ClassifyOptions::check`].
pub fn resolve(given: &UserOptions, data: &DataSummary) -> Result<ResolvedOptions> {
    let recipe = ClassifyOptions::read(&given.0)?.own.recipe;
    let mut choice = Choice {
        given,
        map: given.0.clone(),
        reasons: Vec::new(),
    };
    let per_label = data.rows as f64 / data.labels.max(1) as f64;
    choose_method(&mut choice, recipe, data);
    let contrastive = match data.problem {
        ProblemType::SingleLabel => choose_contrastive(&mut choice, per_label),
        ProblemType::MultiLabel => without_contrastive(&mut choice, per_label)?,
    };
    choose_rates(&mut choice, contrastive, data);
    choose_length(&mut choice, recipe, contrastive);
    let options = ClassifyOptions::read(&choice.map)?;
    options.check()?;
    Ok(ResolvedOptions {
        options,
        reasons: choice.reasons,
    })
}

/// The options while they are being chosen.
struct Choice<'a> {
    given: &'a UserOptions,
    map: Map<String, Value>,
    reasons: Vec<String>,
}

impl Choice<'_> {
    /// Sets an option that was not given; true if it was set.
    fn set(&mut self, option: &str, value: Value) -> bool {
        let free = !self.given.has(option);
        if free {
            self.map.insert(option.into(), value);
        }
        free
    }

    fn because(&mut self, reason: impl Into<String>) {
        self.reasons.push(reason.into());
    }

    fn method(&self) -> String {
        let method = self
            .map
            .get("method")
            .and_then(|method| method["type"].as_str());
        method.unwrap_or("lora").into()
    }
}

fn choose_method(choice: &mut Choice<'_>, recipe: RecipeName, data: &DataSummary) {
    let lowest = data.layers.saturating_sub(2);
    let (method, reason) = match recipe {
        RecipeName::Fast => (
            json!({"type": "lora", "r": 8, "layersToTransform": (lowest..data.layers).collect::<Vec<_>>()}),
            "LoRA of rank 8 in the top two layers: those below are computed once and reused in every epoch",
        ),
        RecipeName::Balanced | RecipeName::Best => (
            json!({"type": "lora"}),
            "LoRA of rank 4 in all layers: under 1% of the parameters",
        ),
    };
    match choice.map.get("method") {
        // one field of a method is not the whole of it
        Some(given) => {
            let whole = over_method(&method, given);
            choice.map.insert("method".into(), whole);
        }
        None => {
            choice.map.insert("method".into(), method);
            choice.because(reason);
        }
    }
}

/// Peak rates that suit the method, below the head and at it.
fn rates(method: &str) -> (f64, f64) {
    match method {
        "full" => (2e-5, 1e-2),
        "prefix" => (1e-2, 1e-2),
        _ => (1e-3, 1e-2),
    }
}

/// The head's peak rate over a decoder's last token. AdamW moves each weight by about the rate, and so a logit by the rate times the sum of all
/// features: they are unbounded here, and many.
const LAST_TOKEN_RATE: f64 = 1e-3;

/// Whether there is a contrastive stage. What a person left out of its settings is filled too.
fn choose_contrastive(choice: &mut Choice<'_>, per_label: f64) -> bool {
    let (rate, _) = rates(&choice.method());
    // few and absolute: the encoder forgets more than it learns in further steps, whatever the number of rows
    let stage = json!({"steps": 20, "batchSize": 32, "learningRate": rate, "temperature": 0.1});
    match choice.given.0.get("contrastive") {
        Some(Value::Object(given)) => {
            let mut filled = stage;
            if let Value::Object(filled) = &mut filled {
                filled.extend(given.clone());
            }
            choice.map.insert("contrastive".into(), filled);
            true
        }
        Some(_) => false,
        None => {
            let unfreezes = ["unfreezeEverySteps", "unfreezeEveryEpochs"]
                .iter()
                .any(|option| choice.given.has(option));
            let random = choice
                .given
                .0
                .get("headInit")
                .is_some_and(|init| init == "random");
            let wanted =
                per_label <= FEW_ROWS && choice.method() != "probe" && !unfreezes && !random;
            if wanted {
                choice.map.insert("contrastive".into(), stage);
                choice.because(format!(
                    "a contrastive stage first, because {per_label:.0} training rows a label are few (up to {FEW_ROWS:.0})"
                ));
            }
            wanted
        }
    }
}

/// No such stage: texts that share one of several labels are neither alike nor unlike.
fn without_contrastive(choice: &mut Choice<'_>, per_label: f64) -> Result<bool> {
    if matches!(choice.given.0.get("contrastive"), Some(Value::Object(_))) {
        return Err(Error::option(
            "contrastive",
            "this stage pulls texts of one label together, and here a text may have several labels; leave it out, or give each text one label",
        ));
    }
    if per_label <= FEW_ROWS {
        choice.because(format!(
            "no contrastive stage, although {per_label:.0} training rows a label are few: it pulls texts of one label together, and here a text \
             may have several"
        ));
    }
    Ok(false)
}

fn choose_rates(choice: &mut Choice<'_>, contrastive: bool, data: &DataSummary) {
    let (rate, head_rate) = rates(&choice.method());
    let head_rate = if data.last_token {
        LAST_TOKEN_RATE
    } else {
        head_rate
    };
    // a contrastive stage leaves little to learn
    let share = if contrastive { 0.5 } else { 1.0 };
    choice.set("learningRate", json!(share * rate));
    choice.set("headLearningRate", json!(share * head_rate));
    if !choice.given.has("warmupSteps") {
        choice.set("warmupRatio", json!(0.1));
    }
}

/// Epochs and seeds.
fn choose_length(choice: &mut Choice<'_>, recipe: RecipeName, contrastive: bool) {
    let (epochs, reason) = match (recipe, contrastive) {
        (RecipeName::Best, _) => (8, "8 epochs at most"),
        (_, true) => (
            0,
            "no epochs: a head is fitted on what the contrastive stage has made of the encoder",
        ),
        (RecipeName::Fast, false) => (4, "4 epochs"),
        (RecipeName::Balanced, false) => (5, "5 epochs"),
    };
    if choice.set("numTrainEpochs", json!(epochs)) {
        choice.because(reason);
    }
    if recipe == RecipeName::Best && choice.set("seeds", json!(3)) {
        choice.because("3 seeds, of which the best on the validation rows is kept");
    }
}

/// Seconds that the training of a recipe should not exceed by its own choice.
fn budget(recipe: RecipeName) -> f64 {
    match recipe {
        RecipeName::Fast => 60.0,
        RecipeName::Balanced => 600.0,
        RecipeName::Best => 3600.0,
    }
}

/// Fewer seeds, then fewer epochs, if this device is slow. A step is taken to cost as much as three forward passes.
pub fn fit_to_time(
    given: &UserOptions,
    resolved: ResolvedOptions,
    speed: &Speed,
) -> ResolvedOptions {
    let ResolvedOptions {
        mut options,
        mut reasons,
    } = resolved;
    let epoch = 3.0 * speed.seconds_per_position * speed.positions;
    let allowed = budget(options.own.recipe);
    let common = &mut options.common;
    let seconds = |epochs: usize, seeds: usize| epoch * (epochs * seeds) as f64;
    let slow = format!("because an epoch takes about {epoch:.0} s on this device");
    let long = seconds(common.num_train_epochs, common.seeds) > allowed;
    if !given.has("seeds") && common.seeds > 1 && long {
        reasons.push(format!("1 instead of {} seeds, {slow}", common.seeds));
        common.seeds = 1;
    }
    let long = seconds(common.num_train_epochs, common.seeds) > allowed;
    if !given.has("numTrainEpochs") && common.num_train_epochs > 1 && long {
        let each = epoch * common.seeds as f64;
        let epochs = ((allowed / each) as usize).clamp(1, common.num_train_epochs);
        reasons.push(format!(
            "{epochs} instead of {} epochs, {slow}",
            common.num_train_epochs
        ));
        common.num_train_epochs = epochs;
    }
    ResolvedOptions { options, reasons }
}
