//! A language model's folder loaded to be tuned: checked, frozen, with its tokenizer and chat template.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Result;
use crate::device::Compute;
use crate::formats::{Checkpoint, Source};
use crate::layers::Storage;
use crate::models::{CausalLm, DecoderConfig, GgufModel, Loader, NetworkSizes};
use crate::tasks::files::{digest, json, read_tokenizer, required};
use crate::text::{ChatTemplate, Message, Tokenizer};

/// Everything that is known of a loaded language model. Cloning shares the weights.
#[derive(Debug, Clone)]
pub struct LanguageModel {
    /// Repository id, folder name or file name.
    pub name: String,
    /// The repository that a GGUF file says it was made from.
    pub base_name: Option<String>,
    /// `config.json`, checked.
    pub config: DecoderConfig,
    /// Text to ids.
    pub tokenizer: Tokenizer,
    /// How conversations are written down.
    pub template: ChatTemplate,
    /// The frozen model.
    pub model: CausalLm,
    /// How its weights are kept.
    pub storage: Storage,
    /// `config.json` as it was read; a merged model carries it along.
    pub config_json: Value,
    /// The token after a finished text, if the files name one.
    pub eos_id: Option<u32>,
    /// Tokens that end what it writes.
    pub ends: Vec<u32>,
    /// Files that an export carries along unchanged: name and bytes.
    pub tokenizer_files: Vec<(String, Vec<u8>)>,
    /// Where it runs.
    pub compute: Compute,
    /// Changes with its settings and weights.
    pub digest: u64,
}

/// What was loaded.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LanguageModelInfo {
    /// Repository id, folder name or file name; becomes PEFT's `base_model_name_or_path`.
    pub name: String,
    /// The repository that a GGUF file says it was made from; absent for other files and where it says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_name: Option<String>,
    /// `model_type` of config.json.
    pub family: &'static str,
    pub parameters: u64,
    pub layers: usize,
    pub hidden_size: usize,
    pub vocab_size: usize,
    pub max_positions: usize,
    pub storage: Storage,
    /// Bytes of the weights on the device.
    pub weight_bytes: u64,
    /// Whether the files bring a chat template; ChatML if not.
    pub own_template: bool,
}

/// What is to be continued.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Prompt {
    /// A conversation, which the model answers.
    Chat(Vec<Message>),
    /// A text, which the model goes on with.
    Text(String),
}

impl LanguageModel {
    /// Loads a model from the files of its folder, or from a GGUF file; weights go to the device tensor by tensor. Without a `name`, a GGUF file's
    /// is that of the repository that it was made from, or else its own.
    ///
    /// # Errors
    /// Missing or broken files, an unsupported architecture, a tokenizer that does not fit, a weight that cannot be kept as `storage` asks,
    /// or too little memory.
    pub async fn load<S: Source>(
        name: &str,
        mut files: Vec<S>,
        compute: Compute,
        storage: Storage,
    ) -> Result<Self> {
        let Some(gguf) = GgufModel::find(&mut files).await? else {
            let small = SmallFiles::read(&files).await?;
            small.check_memory(&compute, storage)?;
            let checkpoint = Checkpoint::open(files).await?;
            return small
                .with_weights(name, None, &checkpoint, compute, storage)
                .await;
        };
        let base_name = gguf.base_name()?;
        let small = SmallFiles::read(&gguf.files()?).await;
        let small = small.map_err(|error| error.in_file(gguf.path()))?;
        small.check_memory(&compute, storage)?;
        let name = match name {
            "" => base_name.clone().unwrap_or_else(|| gguf.name()),
            name => name.to_owned(),
        };
        let checkpoint = gguf.into_checkpoint();
        small
            .with_weights(&name, base_name, &checkpoint, compute, storage)
            .await
    }

    /// What its memory depends on.
    pub fn sizes(&self) -> NetworkSizes {
        NetworkSizes::of_decoder(&self.config, self.storage, self.compute.kind)
    }

    /// What a caller may see of it.
    pub fn info(&self) -> LanguageModelInfo {
        let config = &self.config;
        LanguageModelInfo {
            name: self.name.clone(),
            base_name: self.base_name.clone(),
            family: config.family.model_type(),
            parameters: burn::module::Module::num_params(&self.model) as u64,
            layers: config.layers.len(),
            hidden_size: config.hidden_size,
            vocab_size: config.vocab_size,
            max_positions: config.max_position_embeddings,
            storage: self.storage,
            weight_bytes: self.sizes().weight_bytes(),
            own_template: !self.template.is_default(),
        }
    }

    /// The ids of a prompt, up to where the model goes on: a conversation as its template writes it, a text after the tokens that begin
    /// every text.
    ///
    /// # Errors
    /// Failures of template or tokenizer.
    pub fn prompt_ids(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        match prompt {
            Prompt::Chat(messages) => {
                let text = self.template.render(messages, true)?;
                let pieces = self.tokenizer.pieces(&text)?;
                Ok(pieces.into_iter().map(|piece| piece.id).collect())
            }
            Prompt::Text(text) => {
                let mut ids = self.tokenizer.prefix_ids()?;
                ids.extend(
                    self.tokenizer
                        .pieces(text)?
                        .into_iter()
                        .map(|piece| piece.id),
                );
                Ok(ids)
            }
        }
    }
}

/// All of a model but its weights.
struct SmallFiles {
    config: DecoderConfig,
    config_json: Value,
    tokenizer: Tokenizer,
    tokenizer_files: Vec<(String, Vec<u8>)>,
    template: ChatTemplate,
}

impl SmallFiles {
    async fn read<S: Source>(files: &[S]) -> Result<Self> {
        let config_bytes = required(files, "config.json").await?;
        let config = DecoderConfig::parse(&config_bytes)?;
        let config_json = json("config.json", &config_bytes)?;
        let others = ["chat_template.jinja", "generation_config.json"];
        let (tokenizer, tokenizer_files) =
            read_tokenizer(files, config.vocab_size, &others).await?;
        let template = ChatTemplate::from_files(
            file_of(&tokenizer_files, "chat_template.jinja"),
            file_of(&tokenizer_files, "tokenizer_config.json"),
            file_of(&tokenizer_files, "special_tokens_map.json"),
        )?;
        Ok(Self {
            config,
            config_json,
            tokenizer,
            tokenizer_files,
            template,
        })
    }

    fn check_memory(&self, compute: &Compute, storage: Storage) -> Result<()> {
        let sizes = NetworkSizes::of_decoder(&self.config, storage, compute.kind);
        compute.check_memory(
            "Loading this model",
            sizes.loading_bytes(),
            "keep its weights in fewer bits (storage int8 or int4), or choose a smaller model",
        )?;
        let largest = sizes.largest_weight();
        largest.check(compute, "this model", "choose a smaller model")
    }

    async fn with_weights<S: Source>(
        self,
        name: &str,
        base_name: Option<String>,
        checkpoint: &Checkpoint<S>,
        compute: Compute,
        storage: Storage,
    ) -> Result<LanguageModel> {
        let named = self
            .template
            .eos_token()
            .and_then(|token| self.tokenizer.token_to_id(token));
        let eos = named
            .into_iter()
            .chain(self.config.eos_token_ids.iter().copied());
        // one that the model has no vector for can neither be learnt nor be written
        let eos_id = eos.into_iter().find(|id| self.tokenizer.has_row(*id));
        let mut ends = self.config.eos_token_ids.clone();
        if let Some(bytes) = file_of(&self.tokenizer_files, "generation_config.json") {
            ends.extend(ids(&json("generation_config.json", bytes)?["eos_token_id"]));
        }
        ends.extend(named);
        let eos = eos_id.and_then(|id| self.tokenizer.id_to_token(id));
        let template = self
            .template
            .for_tokenizer(&self.tokenizer, eos.as_deref())?;
        // what learnt turns end with, whatever the files call the end of a text
        ends.extend(template.turn_end(&self.tokenizer)?);
        ends.sort_unstable();
        ends.dedup();
        let config = self.config;
        let loader = Loader::new(checkpoint, config.checkpoint_prefix(), &compute);
        let model = CausalLm::load(&config, &loader.with_storage(storage)?).await?;
        Ok(LanguageModel {
            name: name.into(),
            base_name,
            eos_id,
            config,
            tokenizer: self.tokenizer,
            template,
            model,
            storage,
            digest: digest(
                checkpoint.digest(),
                &self.config_json,
                &self.tokenizer_files,
            ),
            config_json: self.config_json,
            ends,
            tokenizer_files: self.tokenizer_files,
            compute,
        })
    }
}

fn file_of<'a>(files: &'a [(String, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    let found = files.iter().find(|(file, _)| file == name);
    found.map(|(_, bytes)| bytes.as_slice())
}

/// One id or a list of them.
fn ids(value: &Value) -> Vec<u32> {
    let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Value::Array(list) => list.iter().filter_map(one).collect(),
        value => one(value).into_iter().collect(),
    }
}
