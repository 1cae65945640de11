//! What of a tuned classifier is exported, and how an import becomes one.

use serde_json::{Value, json};

use super::classifier_card::facts;
use super::file::{
    ADAPTER_MODEL, BASELINE_HEADS, ExportedFile, LABELS, LabelsFile, LabelsGiven, file, json_file,
};
use super::folder::Folder;
use super::model::{Described, Imported, Model};
use super::subject::{Card, ClassifierFacts, Subject, TaskFacts};
use crate::data::{LABEL_COUNT, LabelMap, ProblemType};
use crate::eval::evaluation::{BaselineHeads, OfBaselines};
use crate::eval::several::DEFAULT_THRESHOLD;
use crate::formats::{Header, MemorySource};
use crate::models::backbone_config::Architecture;
use crate::models::classifier::HeadWeights;
use crate::models::{BackboneConfig, Classifier, Family, Head, HeadKind};
use crate::peft::adapter_file::{ADAPTER_CONFIG, modules_to_save};
use crate::peft::store::Tensors;
use crate::peft::{BaseModel, Method, MethodType, TaskType};
use crate::tasks::classify::model::Pretrained;
use crate::tasks::classify::options::DEFAULT_MAX_LENGTH;
use crate::tasks::classify::tuned::{self, Tuned};
use crate::tasks::files::json;
use crate::text::Tokenizer;
use crate::{Error, Result};

const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

impl Model for Pretrained {
    type Tuned = Tuned;
    type Network = Classifier;

    const MARK: &'static str = LABELS;

    fn subject<'a>(&'a self, tuned: &'a Tuned) -> Result<Subject<'a, Classifier>> {
        let family = self.config.family;
        let (layers, key_heads, key_width) = keys(&self.config);
        Ok(Subject {
            network: &tuned.classifier,
            method: &tuned.method,
            trainable: &tuned.trainable,
            base: BaseModel {
                name: &self.name,
                task: TaskType::of_head(tuned.head()),
                modules_to_save: tuned.classifier.modules_to_save(),
                conv1d: family.is_conv1d(),
                layers,
                key_heads,
                key_width,
            },
            storage: self.storage,
            config_json: &self.config_json,
            tokenizer: tokenizer(self)?,
            card: match &tuned.card {
                tuned::Card::Run(run) => Card::Run(Box::new(facts(run, tuned.labels.len()))),
                tuned::Card::Imported(text) => Card::Imported(text),
            },
            task: TaskFacts::Classifier(ClassifierFacts {
                network: &tuned.classifier,
                labels: &tuned.labels,
                problem: tuned.problem(),
                thresholds: tuned.thresholds.as_deref(),
                baselines: tuned.baselines.as_ref(),
                max_length: tuned.max_length,
                pairs: tuned.pairs,
                token_types: self.tokenizer.gives_types(),
                positions: self.config.max_tokens,
                family,
                names_head: family.names_head() || tuned.classifier.encoder.trains_pooler(),
                hidden_size: self.config.hidden_size,
                pad_token: pad_token(&self.tokenizer),
                pad_word: pad_token(&self.tokenizer)
                    .and_then(|pad| self.tokenizer.id_to_token(pad)),
            }),
        })
    }

    fn network<'a>(&self, tuned: &'a Tuned) -> &'a Classifier {
        &tuned.classifier
    }

    async fn described(&self, folder: &Folder) -> Result<Described> {
        let labels = labels(self, folder).await?;
        let count = labels.labels.len();
        if !LABEL_COUNT.contains(&count) {
            let [least, most] = [LABEL_COUNT.start(), LABEL_COUNT.end()];
            let reason = format!("labels: expected {least} to {most} of them, got {count}");
            return Err(Error::file(LABELS, reason));
        }
        LabelMap::from_names(labels.labels.clone()).map_err(|error| Error::file(LABELS, error))?;
        check_thresholds(&labels)?;
        Ok(Described {
            method: labels.method,
            task: TaskType::of_head(labels.head),
            labels: Some(labels),
            names_head: self.config.family.names_head() || self.encoder.trains_pooler(),
        })
    }

    fn check(&self, described: &Described, method: &Method) -> Result<()> {
        let labels = described.labels()?;
        let positions = self.config.max_tokens;
        let free = positions.saturating_sub(method.virtual_tokens());
        if (3..=free).contains(&labels.max_length) {
            return Ok(());
        }
        let taken = match method.virtual_tokens() {
            0 => String::new(),
            tokens => format!(", {tokens} of which the prefix takes"),
        };
        let reason = format!(
            "maxLength: expected 3 to {free}, because this model knows {positions} positions{taken}, got {}",
            labels.max_length
        );
        Err(Error::file(LABELS, reason))
    }

    fn blank(&self, described: &Described, folder: &Folder) -> Result<Classifier> {
        let labels = described.labels()?;
        let mut encoder = self.encoder.clone();
        if matches!(described.method, MethodType::Lora | MethodType::Prefix) {
            encoder.match_modules_to_save(&modules_to_save(folder.bytes(ADAPTER_CONFIG)?)?);
        }
        let zeros = HeadWeights::zeros(labels.labels.len(), self.config.hidden_size);
        let head = Head::new(labels.head, &zeros, &self.compute.device);
        Ok(Classifier::new(encoder, head))
    }

    async fn tuned(&self, imported: Imported<'_, Classifier>) -> Result<Tuned> {
        let labels = imported.described.labels()?;
        let names = labels.labels.clone();
        let map = LabelMap::from_names(names).map_err(|error| Error::file(LABELS, error))?;
        let heads = if imported.folder.has(BASELINE_HEADS) {
            Some(imported.folder.tensors(BASELINE_HEADS).await?)
        } else {
            None
        };
        let hidden = self.config.hidden_size;
        let heads = heads.map(|heads| baselines(&heads, map.len(), hidden, labels));
        Ok(Tuned {
            classifier: imported.network,
            method: imported.method,
            trainable: imported.trainable,
            baselines: heads.transpose()?,
            thresholds: labels.thresholds.clone(),
            labels: map,
            max_length: labels.max_length,
            pairs: labels.pairs,
            // the run is over and known only by its card, which goes on with the adapter
            card: tuned::Card::Imported(imported.card),
        })
    }
}

/// What labels.json says, and where it is silent or missing, as with an adapter that PEFT made, what its settings and the model's own say.
///
/// # Errors
/// Missing or broken files; [`Error::InvalidFile`] for settings of another task, or an adapter without a head.
async fn labels(model: &Pretrained, folder: &Folder) -> Result<LabelsFile> {
    let given = folder.labels()?;
    let problem = given.problem;
    if let LabelsGiven {
        labels: Some(labels),
        head: Some(head),
        max_length: Some(max_length),
        method,
        pairs,
        thresholds,
        baseline_thresholds,
        ..
    } = given
    {
        // files from before there was a choice say nothing of it
        let problem = problem.unwrap_or_default();
        return Ok(LabelsFile {
            thresholds: thresholds_of(problem, thresholds, labels.len()),
            baseline_thresholds,
            problem,
            labels,
            head,
            max_length,
            method: method.unwrap_or(MethodType::Lora),
            pairs,
        });
    }
    let bytes = folder.bytes(ADAPTER_CONFIG)?;
    let settings = json(ADAPTER_CONFIG, bytes)?;
    let method = match settings["peft_type"].as_str() {
        Some("PREFIX_TUNING") => MethodType::Prefix,
        // whose reader names any other
        _ => MethodType::Lora,
    };
    let head = match (given.head, settings["task_type"].as_str()) {
        (Some(head), _) => head,
        (None, Some("FEATURE_EXTRACTION")) => {
            let reason = format!(
                "task_type is FEATURE_EXTRACTION: this adapter has no labels, and a {LABELS} that names them is missing; a classifier's task_type is \
                 SEQ_CLS"
            );
            return Err(Error::file(ADAPTER_CONFIG, reason));
        }
        (None, _) => HeadKind::Cls,
    };
    let count = label_count(model, folder).await?;
    let names = match given.labels {
        Some(names) if names.len() == count => names,
        Some(names) => {
            let reason = format!(
                "labels: expected {count} names, as many as the adapter's head has outputs, got {}",
                names.len()
            );
            return Err(Error::file(LABELS, reason));
        }
        None => own_labels(&model.config_json, count),
    };
    let taken = settings["num_virtual_tokens"].as_u64().unwrap_or(0);
    let free = model.config.max_tokens.saturating_sub(taken as usize);
    let problem = match problem {
        Some(problem) => problem,
        // an adapter's own settings have no place for it
        None => own_problem(&model.config_json),
    };
    Ok(LabelsFile {
        thresholds: thresholds_of(problem, given.thresholds, count),
        baseline_thresholds: None,
        problem,
        labels: names,
        head,
        max_length: given.max_length.unwrap_or(DEFAULT_MAX_LENGTH.min(free)),
        method: given.method.unwrap_or(method),
        pairs: given.pairs,
    })
}

/// What the model's config.json says; transformers takes what it does not say from the labels of a batch.
fn own_problem(config: &Value) -> ProblemType {
    serde_json::from_value(config["problem_type"].clone()).unwrap_or_default()
}

/// One a label where a text may have several: those of the file, else what is usual.
fn thresholds_of(problem: ProblemType, given: Option<Vec<f64>>, labels: usize) -> Option<Vec<f64>> {
    match problem {
        ProblemType::SingleLabel => None,
        ProblemType::MultiLabel => Some(given.unwrap_or_else(|| vec![DEFAULT_THRESHOLD; labels])),
    }
}

/// # Errors
/// [`Error::InvalidFile`] for thresholds that are not one probability a label.
fn check_thresholds(labels: &LabelsFile) -> Result<()> {
    let count = labels.labels.len();
    let of_baselines = labels.baseline_thresholds.iter();
    let of_baselines = of_baselines.flat_map(|all| [&all.probe, &all.centroid, &all.zero_shot]);
    for thresholds in labels.thresholds.iter().chain(of_baselines) {
        let are_probabilities = thresholds.iter().all(|value| (0.0..=1.0).contains(value));
        if thresholds.len() != count || !are_probabilities {
            let reason = format!(
                "thresholds: expected {count} numbers from 0 to 1, one a label, got {thresholds:?}"
            );
            return Err(Error::file(LABELS, reason));
        }
    }
    Ok(())
}

/// Outputs of the head in the adapter's weights.
async fn label_count(model: &Pretrained, folder: &Folder) -> Result<usize> {
    let last = model.config.family.last_layer();
    let end = format!(".{last}.weight");
    let bytes = folder.bytes(ADAPTER_MODEL)?.to_vec();
    let header = Header::read(&MemorySource::new(ADAPTER_MODEL, bytes)).await?;
    let head = header
        .tensors()
        .iter()
        .find(|info| info.name.ends_with(&end));
    match head.map(|info| &info.shape[..]) {
        Some([labels, _]) => Ok(*labels),
        _ => Err(Error::file(
            ADAPTER_MODEL,
            format!(
                "holds no {last}.weight, so this is no classifier's adapter for a {} model",
                model.config.family.model_type()
            ),
        )),
    }
}

/// The model's own names if it has as many, else those that transformers gives.
fn own_labels(config: &Value, count: usize) -> Vec<String> {
    let own = config["id2label"].as_object();
    let named = |id: usize| own.and_then(|names| names[&id.to_string()].as_str());
    let fits = own.is_some_and(|names| names.len() == count);
    let names = (0..count).map(|id| match named(id) {
        Some(name) if fits => name.into(),
        _ => format!("LABEL_{id}"),
    });
    names.collect()
}

/// Layers, heads with keys of their own, and the width of all their keys.
fn keys(config: &BackboneConfig) -> (usize, usize, usize) {
    match &config.architecture {
        Architecture::Decoder(decoder) => {
            let heads = decoder.num_key_value_heads;
            (decoder.layers.len(), heads, heads * decoder.head_dim)
        }
        _ => (
            config.num_hidden_layers,
            config.num_attention_heads,
            config.hidden_size,
        ),
    }
}

fn baselines(
    tensors: &Tensors,
    labels: usize,
    hidden: usize,
    file: &LabelsFile,
) -> Result<BaselineHeads> {
    let head = |prefix: &str| -> Result<HeadWeights> {
        let weight = tensors.get(&format!("{prefix}weight"), &[labels, hidden])?;
        let bias = tensors.get(&format!("{prefix}bias"), &[labels])?;
        Ok(HeadWeights {
            weight: weight.to_vec(),
            bias: bias.to_vec(),
        })
    };
    Ok(BaselineHeads {
        probe: head("")?,
        centroid: head("centroid.")?,
        zero_shot: head("zero_shot.")?,
        thresholds: match file.problem {
            ProblemType::SingleLabel => None,
            ProblemType::MultiLabel => file.baseline_thresholds.clone().or_else(|| {
                let usual = vec![DEFAULT_THRESHOLD; labels];
                Some(OfBaselines {
                    zero_shot: usual.clone(),
                    centroid: usual.clone(),
                    probe: usual,
                })
            }),
        },
    })
}

/// The padding token that the model has a vector for.
fn pad_token(tokenizer: &Tokenizer) -> Option<u32> {
    tokenizer.pad_token().filter(|pad| tokenizer.has_row(*pad))
}

/// The tokenizer's files as they came; a decoder's with a padding token if they name none of the model's, because a batch needs one.
///
/// # Errors
/// [`Error::InvalidFile`] for a tokenizer_config.json that is no JSON.
fn tokenizer(model: &Pretrained) -> Result<Vec<ExportedFile>> {
    let files = model.tokenizer_files.iter();
    let mut files = files
        .map(|(name, bytes)| file(name, bytes.clone()))
        .collect::<Vec<_>>();
    let tokenizer = &model.tokenizer;
    let pad = pad_token(tokenizer).and_then(|pad| tokenizer.id_to_token(pad));
    let (Family::Decoder(_), Some(pad)) = (model.config.family, pad) else {
        return Ok(files);
    };
    let found = files.iter().position(|file| file.path == TOKENIZER_CONFIG);
    let mut settings = match found {
        Some(index) => json(TOKENIZER_CONFIG, &files[index].bytes)?,
        None => json!({}),
    };
    let own = &settings["pad_token"];
    let own = own.as_str().or_else(|| own["content"].as_str());
    let own = own.and_then(|word| tokenizer.token_to_id(word));
    if !own.is_some_and(|id| tokenizer.has_row(id)) {
        settings["pad_token"] = json!(pad);
        files.retain(|file| file.path != TOKENIZER_CONFIG);
        files.push(json_file(TOKENIZER_CONFIG, &settings)?);
    }
    Ok(files)
}
