//! Enters: a tuned language model. Leaves: the PEFT folder of its adapter, and a tuned model from such a folder.

use burn::module::Module;

use super::continue_py::{ContinueConfig, Task, continue_files};
use super::files::{
    ADAPTER_CONFIG, ADAPTER_MODEL, CARD, ExportedFile, file, json_file, safetensors,
};
use super::gguf_lora::{GgufBase, gguf_lora};
use super::import::Files;
use super::language::{restore, trained_values};
use super::language_card::card;
use crate::models::decoder::DecoderFamily;
use crate::peft::{LoraConfig, Method, PrefixConfig};
use crate::tasks::files::json;
use crate::tasks::language::LanguageOptions;
use crate::tasks::language::model::LanguageModel;
use crate::tasks::language::options::DEFAULT_MAX_LENGTH;
use crate::tasks::language::tuned::{CausalCard, TunedLanguage};
use crate::train::options::LrSchedulerType;
use crate::{Error, Result};

/// The files that `PeftModel.from_pretrained` reads, with the tokenizer's beside them.
///
/// # Errors
/// [`Error::InvalidOption`] where the weights themselves were tuned, which leave as a merged folder; [`Error::NotFinite`]; failures of the
/// device.
pub async fn peft_folder(
    model: &LanguageModel,
    tuned: &TunedLanguage,
) -> Result<Vec<ExportedFile>> {
    let conv1d = model.config.family == DecoderFamily::Gpt2;
    let settings = match &tuned.method {
        Method::Lora(config) => config.causal_adapter_config(&model.name, conv1d),
        Method::Prefix(config) => config.causal_adapter_config(&model.name, &model.config),
        _ => {
            return Err(Error::option(
                "formats",
                "a model that was tuned whole has no adapter; export it merged",
            ));
        }
    };
    let values = trained_values(&tuned.model, &tuned.trainable, &tuned.method).await?;
    let mut files = vec![
        safetensors(ADAPTER_MODEL, &values)?,
        json_file(ADAPTER_CONFIG, &settings)?,
        file(CARD, card(model, tuned).into_bytes()),
    ];
    let own = model.tokenizer_files.iter();
    files.extend(own.map(|(path, bytes)| file(path, bytes.clone())));
    if let (CausalCard::Run(run), Method::Lora(_)) = (&tuned.card, &tuned.method) {
        files.extend(continue_files(&carried_on(model, &run.options))?);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The adapter as llama.cpp's `--lora` reads it.
///
/// # Errors
/// [`Error::InvalidOption`] for what GGUF cannot hold: another method, DoRA, trained biases; [`Error::NotFinite`]; failures of the device.
pub async fn gguf_file(model: &LanguageModel, tuned: &TunedLanguage) -> Result<ExportedFile> {
    let Method::Lora(config) = &tuned.method else {
        return Err(Error::option(
            "formats",
            format!(
                "gguf holds LoRA alone, and this model was tuned with {}",
                tuned.method.kind().word()
            ),
        ));
    };
    let base = GgufBase::new(&model.name, &model.config);
    let values = trained_values(&tuned.model, &tuned.trainable, &tuned.method).await?;
    gguf_lora(&format!("{} adapter", model.name), &base, config, &values)
}

/// The same run's settings for the script that carries it on, as many epochs again.
fn carried_on(model: &LanguageModel, options: &LanguageOptions) -> ContinueConfig {
    let LanguageOptions { own, common } = options;
    ContinueConfig {
        base_model: model.name.clone(),
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

/// Reads an adapter back onto the model that is loaded.
///
/// # Errors
/// Missing or broken files, an adapter of another kind, tensors of other shapes than the loaded model has.
pub async fn import_folder(
    model: &LanguageModel,
    files: Vec<ExportedFile>,
) -> Result<TunedLanguage> {
    let files = Files::new(files, ADAPTER_CONFIG);
    let settings = files.bytes(ADAPTER_CONFIG)?;
    let parsed = json(ADAPTER_CONFIG, settings)?;
    let method = match parsed["peft_type"].as_str() {
        Some("PREFIX_TUNING") => {
            Method::Prefix(PrefixConfig::from_causal_adapter_config(settings)?)
        }
        _ => {
            let conv1d = model.config.family == DecoderFamily::Gpt2;
            Method::Lora(LoraConfig::from_causal_adapter_config(settings, conv1d)?)
        }
    };
    let tensors = files.tensors(ADAPTER_MODEL).await?;
    let (network, trainable) = restore(&model.model, &method, &tensors)?;
    Ok(TunedLanguage {
        model: network.valid(),
        method,
        trainable,
        card: CausalCard::Imported(match files.bytes(CARD) {
            Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Err(_) => format!("# Adapter for {}\n", model.name),
        }),
    })
}
