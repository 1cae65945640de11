//! What of a tuned language model is exported, and how an import becomes one.

use super::chat_files;
use super::continue_py::{ContinueConfig, Task};
use super::folder::Folder;
use super::model::{Described, Imported, Model};
use super::subject::{Card, CardFacts, Subject, Table, TaskFacts};
use crate::models::CausalLm;
use crate::peft::adapter_file::{ADAPTER_CONFIG, peft_type};
use crate::peft::{BaseModel, Method, MethodType, TaskType};
use crate::tasks::language::LanguageOptions;
use crate::tasks::language::event::LanguageFinished;
use crate::tasks::language::model::LanguageModel;
use crate::tasks::language::options::DEFAULT_MAX_LENGTH;
use crate::tasks::language::tuned::{CausalCard, TunedLanguage};
use crate::train::options::LrSchedulerType;
use crate::{Error, Result};

impl Model for LanguageModel {
    type Tuned = TunedLanguage;
    type Network = CausalLm;

    const MARK: &'static str = ADAPTER_CONFIG;

    fn subject<'a>(&'a self, tuned: &'a TunedLanguage) -> Result<Subject<'a, CausalLm>> {
        let config = &self.config;
        let run = match &tuned.card {
            CausalCard::Run(run) => Some(run),
            CausalCard::Imported(_) => None,
        };
        Ok(Subject {
            network: &tuned.model,
            method: &tuned.method,
            trainable: &tuned.trainable,
            base: BaseModel {
                name: &self.name,
                task: TaskType::CausalLm,
                modules_to_save: None,
                conv1d: config.family.is_conv1d(),
                layers: config.layers.len(),
                key_heads: config.num_key_value_heads,
                key_width: config.num_key_value_heads * config.head_dim,
            },
            storage: self.storage,
            config_json: &self.config_json,
            tokenizer: chat_files::tokenizer(self, tuned.chats)?,
            card: match &tuned.card {
                CausalCard::Run(run) => Card::Run(Box::new(facts(run))),
                CausalCard::Imported(text) => Card::Imported(text),
            },
            task: TaskFacts::Language {
                config,
                run: run.map(|run| continued(&self.name, &run.options)),
            },
        })
    }

    fn network<'a>(&self, tuned: &'a TunedLanguage) -> &'a CausalLm {
        &tuned.model
    }

    async fn described(&self, folder: &Folder) -> Result<Described> {
        let settings = folder.bytes(ADAPTER_CONFIG)?;
        Ok(Described {
            method: match peft_type(settings)?.as_str() {
                "PREFIX_TUNING" => MethodType::Prefix,
                // whose reader names any other
                _ => MethodType::Lora,
            },
            task: TaskType::CausalLm,
            labels: None,
            names_head: false,
        })
    }

    fn check(&self, _described: &Described, method: &Method) -> Result<()> {
        let positions = self.config.max_position_embeddings;
        let taken = method.virtual_tokens();
        // a token to read and one to write
        if positions.saturating_sub(taken) >= 2 || taken == 0 {
            return Ok(());
        }
        let reason = format!(
            "num_virtual_tokens is {taken}, expected at most {}, because this model knows {positions} positions and a text needs 2",
            positions.saturating_sub(2)
        );
        Err(Error::file(ADAPTER_CONFIG, reason))
    }

    fn blank(&self, _described: &Described, _folder: &Folder) -> Result<CausalLm> {
        Ok(self.model.clone())
    }

    async fn tuned(&self, imported: Imported<'_, CausalLm>) -> Result<TunedLanguage> {
        Ok(TunedLanguage {
            model: imported.network,
            method: imported.method,
            trainable: imported.trainable,
            chats: chat_files::carries_template(imported.folder),
            card: CausalCard::Imported(imported.card),
        })
    }
}

/// What the model card says of a run.
fn facts(run: &LanguageFinished) -> CardFacts {
    let results = &run.task;
    let few_shot = results.few_shot.as_ref().map(|few_shot| {
        let name = format!("untuned, {} examples in the prompt", few_shot.examples);
        (name, few_shot.likelihood)
    });
    let scores = [
        results.base.map(|score| ("untuned".to_string(), score)),
        few_shot,
        results.tuned.map(|score| ("tuned".to_string(), score)),
    ];
    CardFacts {
        what: "A language model".into(),
        in_files: "",
        data: None,
        scores: Table {
            columns: vec!["model", "perplexity", "loss", "token accuracy"],
            rows: scores
                .into_iter()
                .flatten()
                .map(|(name, score)| {
                    vec![
                        name,
                        format!("{:.3}", score.perplexity),
                        format!("{:.4}", score.loss),
                        format!("{:.1}%", 100.0 * score.token_accuracy),
                    ]
                })
                .collect(),
        },
        notes: vec![
            run.verdict.clone(),
            run.message.clone(),
            format!(
                "Trained parameters: {} of {}.",
                run.trained_parameters, run.total_parameters
            ),
        ],
        options: serde_json::to_value(&run.options).unwrap_or_default(),
    }
}

/// The same run's settings for the script that continues it, as many epochs again.
fn continued(base: &str, options: &LanguageOptions) -> ContinueConfig {
    let LanguageOptions { own, common } = options;
    ContinueConfig {
        base_model: base.into(),
        adapter: ".".into(),
        task: Task::CausalLm,
        learning_rate: common.learning_rate,
        lr_scheduler_type: match common.lr_scheduler_type {
            LrSchedulerType::Cosine => "cosine",
            LrSchedulerType::Constant => "constant_with_warmup",
            // transformers has no slanted triangle; a linear warmup and decay is its shape
            LrSchedulerType::Linear | LrSchedulerType::SlantedTriangular => "linear",
        }
        .into(),
        warmup_ratio: common.warmup_ratio.unwrap_or(0.0),
        num_train_epochs: common.num_train_epochs as f64,
        per_device_train_batch_size: common.train_batch_size,
        gradient_accumulation_steps: common.gradient_accumulation_steps,
        weight_decay: common.weight_decay,
        adam_beta1: common.adam_beta1,
        adam_beta2: common.adam_beta2,
        adam_epsilon: common.adam_epsilon,
        max_grad_norm: common.max_grad_norm,
        max_length: common.max_length.unwrap_or(DEFAULT_MAX_LENGTH),
        seed: common.seed,
        assistant_only_loss: own.completion_only_loss,
        packing: own.packing,
    }
}
