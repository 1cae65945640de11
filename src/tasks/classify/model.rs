//! A model folder loaded to be tuned as a classifier: checked, frozen, with its tokenizer.

use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde_json::Value;

use crate::Result;
use crate::device::Compute;
use crate::eval::evaluate::{EVALUATION_BATCH, Encoded, sentence_vectors};
use crate::formats::{Checkpoint, Source};
use crate::layers::Storage;
use crate::models::backbone_config::Architecture;
use crate::models::size::Shape;
use crate::models::{
    Backbone, BackboneConfig, Family, HeadKind, Loader, NetworkSizes, SentencePooling,
};
use crate::tasks::files::{digest, json, optional, read_tokenizer, required};
use crate::text::{Encoding, Tokenizer};

/// The token that ends texts in tokenizers of GPT-2's kind, none of whose files need name it.
const END_OF_TEXT: &str = "<|endoftext|>";

const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// Everything that is known of a loaded model. Cloning shares the weights.
#[derive(Debug, Clone)]
pub struct Pretrained {
    /// Repository id or folder name.
    pub name: String,
    /// `config.json`, checked.
    pub config: BackboneConfig,
    /// Text to ids.
    pub tokenizer: Tokenizer,
    /// The frozen network below the head.
    pub encoder: Backbone,
    /// How the weights of its linear layers are kept.
    pub storage: Storage,
    /// The head that the model's own files ask for.
    pub default_head: HeadKind,
    /// The words that say why.
    pub default_head_reason: String,
    /// How its own files make one vector of a text, which the baselines compare texts by.
    pub pooling: SentencePooling,
    /// `config.json` as it was read; an export of all weights carries it along.
    pub config_json: serde_json::Value,
    /// Vectors of the general sentences, once somebody asked for them.
    general: Arc<OnceLock<Vec<f32>>>,
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
pub struct ModelInfo {
    /// Repository id or folder name; becomes PEFT's `base_model_name_or_path`.
    pub name: String,
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
    pub default_head: HeadKind,
    pub default_head_reason: String,
}

impl Pretrained {
    /// Loads a model from the files of its folder; weights are read tensor by tensor.
    ///
    /// # Errors
    /// Missing or broken files, an unsupported architecture, a tokenizer that does not fit, or too little memory.
    pub async fn load<S: Source>(name: &str, files: Vec<S>, compute: Compute) -> Result<Self> {
        Self::load_stored(name, files, compute, Storage::F32).await
    }

    /// The same with the weights of its linear layers kept as asked; tables, norms and heads stay in float32.
    ///
    /// # Errors
    /// As [`Self::load`]; [`crate::Error::InvalidOption`] if a weight cannot be stored in that format.
    pub async fn load_stored<S: Source>(
        name: &str,
        files: Vec<S>,
        compute: Compute,
        storage: Storage,
    ) -> Result<Self> {
        let config_bytes = required(&files, "config.json").await?;
        let config = BackboneConfig::parse(&config_bytes)?;
        let config_json = json("config.json", &config_bytes)?;
        let modules = optional(&files, "modules.json").await?;
        let pooling_file = SentencePooling::file(modules.as_deref());
        let pooling = optional(&files, &pooling_file).await?;
        let (default_head, default_head_reason) =
            config.default_head(modules.as_deref(), pooling.as_deref())?;
        let pooling = match (&modules, pooling) {
            (Some(_), Some(bytes)) => SentencePooling::read(&pooling_file, &bytes)?,
            _ => None,
        };
        let others = ["vocab.txt", "vocab.json", "merges.txt"];
        let (tokenizer, tokenizer_files) =
            read_tokenizer(&files, config.vocab_size, &others).await?;
        let settings = match (tokenizer_files.iter()).find(|(file, _)| file == TOKENIZER_CONFIG) {
            Some((file, bytes)) => json(file, bytes)?,
            None => Value::Null,
        };
        let tokenizer = tokenizer.with_types(token_types(&config, &settings));
        let tokenizer = match config.family {
            Family::Decoder(_) => {
                let pad = decoder_pad(&config, &settings, &tokenizer);
                tokenizer.with_pad_token(pad)
            }
            _ => tokenizer,
        };
        let sizes = NetworkSizes::of_backbone(&config, storage, compute.kind);
        compute.check_memory(
            "Loading this model",
            sizes.loading_bytes(),
            "choose a smaller model",
        )?;
        sizes
            .largest_weight()
            .check(&compute, "this model", "choose a smaller model")?;
        let checkpoint = Checkpoint::open(files).await?;
        let loader = Loader::new(&checkpoint, config.family.prefix(), &compute);
        let encoder = Backbone::load(&config, &loader.with_storage(storage)?).await?;
        let default_head_reason = match (config.family, default_head) {
            (Family::Bert, HeadKind::Cls) if encoder.trains_pooler() => format!(
                "{default_head_reason}; its weights hold no pooler, which starts afresh and trains with the head"
            ),
            _ => default_head_reason,
        };
        Ok(Self {
            name: name.into(),
            config,
            tokenizer,
            encoder,
            storage,
            default_head,
            default_head_reason,
            pooling: pooling.unwrap_or_default(),
            digest: digest(checkpoint.digest(), &config_json, &tokenizer_files),
            config_json,
            general: Arc::default(),
            tokenizer_files,
            compute,
        })
    }

    /// What its memory depends on.
    pub fn sizes(&self) -> NetworkSizes {
        NetworkSizes::of_backbone(&self.config, self.storage, self.compute.kind)
    }

    /// What a caller may see of it.
    pub fn info(&self) -> ModelInfo {
        ModelInfo {
            name: self.name.clone(),
            family: self.config.family.model_type(),
            parameters: burn::module::Module::num_params(&self.encoder) as u64,
            layers: self.config.num_hidden_layers,
            hidden_size: self.config.hidden_size,
            vocab_size: self.config.vocab_size,
            max_positions: self.config.max_tokens,
            storage: self.storage,
            weight_bytes: self.sizes().weight_bytes(),
            default_head: self.default_head,
            default_head_reason: self.default_head_reason.clone(),
        }
    }

    /// The untuned encoder's vectors of the sentences by which forgetting is measured, `[sentences, hidden]`; computed once a model.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn general_vectors(&self, encodings: &[Encoding]) -> Result<Vec<f32>> {
        if let Some(vectors) = self.general.get() {
            return Ok(vectors.clone());
        }
        let vectors = self.vectors(&self.encoder, encodings).await?;
        Ok(self.general.get_or_init(|| vectors).clone())
    }

    /// Texts' vectors by an encoder of this shape and the model's own pooling, `[rows, hidden]` in the order of `encodings`.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn vectors(&self, encoder: &Backbone, encodings: &[Encoding]) -> Result<Vec<f32>> {
        let most = self.rows_at_once(encodings, 0);
        sentence_vectors(encoder, self.pooling, self.encoded(encodings, most)).await
    }

    /// Encoded texts for a pass through this model; `most` of them pass at a time.
    pub fn encoded<'a>(&'a self, encodings: &'a [Encoding], most: usize) -> Encoded<'a> {
        Encoded {
            encodings,
            pad_id: self.tokenizer.pad_id(),
            most,
            team: &self.compute.team,
        }
    }

    /// Rows of these texts that pass together without a tensor that the device does not hold in one buffer. `past`: virtual tokens.
    pub fn rows_at_once(&self, encodings: &[Encoding], past: usize) -> usize {
        let longest = encodings.iter().map(|encoding| encoding.ids.len()).max();
        let row = Shape::new(1, longest.unwrap_or(1)).after(past);
        self.sizes()
            .rows_in_a_buffer(&self.compute, row, EVALUATION_BATCH)
    }
}

/// How many token types transformers tells a model apart: BERT's, unless its tokenizer gives none (`model_input_names` of `settings`, which is
/// tokenizer_config.json). RoBERTa's tokenizer gives none either, and other families have no table of them.
fn token_types(config: &BackboneConfig, settings: &Value) -> usize {
    let named = settings["model_input_names"].as_array();
    let given = named.is_none_or(|names| names.iter().any(|name| name == "token_type_ids"));
    match (config.family, &config.architecture) {
        (Family::Bert, Architecture::Bert(bert)) if given => bert.token_types.unwrap_or(0),
        _ => 0,
    }
}

/// The token that fills a decoder's rows and that transformers passes over to find a text's last one: what `config.json` names, else
/// `tokenizer_config.json`, else one that ends a text, as is usual for models without any, else what the tokenizer names. One that the model has no
/// vector for is passed over. `None`: no token is passed over, and padding is known by its mask alone. `settings`: tokenizer_config.json.
fn decoder_pad(config: &BackboneConfig, settings: &Value, tokenizer: &Tokenizer) -> Option<u32> {
    let Architecture::Decoder(decoder) = &config.architecture else {
        return tokenizer.pad_token();
    };
    let named = |key: &str| {
        let token = &settings[key];
        let word = token.as_str().or_else(|| token["content"].as_str())?;
        tokenizer.token_to_id(word)
    };
    let found = [decoder.pad_token_id, named("pad_token")].into_iter();
    let ends = decoder.eos_token_ids.iter().copied().map(Some);
    let found = found.chain(ends).chain([
        named("eos_token"),
        tokenizer.pad_token(),
        tokenizer.token_to_id(END_OF_TEXT),
    ]);
    found.flatten().find(|id| tokenizer.has_row(*id))
}
