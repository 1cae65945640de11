//! A language model from one GGUF file: its tensors under Transformers' names, and the small files that a Transformers folder would have.

mod config;
mod origin;
mod tensors;
mod tokens;

use serde_json::Value;

use super::family::DecoderFamily;
use crate::formats::shards::{INDEX_FILE, SINGLE_FILE};
use crate::formats::{Checkpoint, GgufHead, GgufTensors, MemorySource, Metadata, Source};
use crate::{Error, Result};

/// A GGUF file whose head is read and understood.
#[derive(Debug)]
pub struct GgufModel<S: Source> {
    source: S,
    metadata: Metadata,
    tensors: GgufTensors,
    family: DecoderFamily,
    config: Value,
}

impl<S: Source> GgufModel<S> {
    /// Takes the GGUF file out of a model's files, if that is what the weights are in: safetensors come first.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for several of them, and for one that is a part of several; as [`GgufModel::open`].
    pub async fn find(files: &mut Vec<S>) -> Result<Option<Self>> {
        let given = |path: &str| files.iter().any(|file| file.path() == path);
        if given(SINGLE_FILE) || given(INDEX_FILE) {
            return Ok(None);
        }
        let found = files.iter().map(Source::path).filter(|path| is_gguf(path));
        let found = found.map(str::to_owned).collect::<Vec<_>>();
        match &found[..] {
            [] => Ok(None),
            [path] => {
                check_part(path)?;
                let place = files.iter().position(|file| file.path() == path);
                let source = place.map(|place| files.swap_remove(place));
                match source {
                    Some(source) => Self::open(source).await.map(Some),
                    None => Ok(None),
                }
            }
            [first, ..] => Err(Error::file(
                first,
                format!(
                    "expected one GGUF file, which is a whole model, got {}: {}",
                    found.len(),
                    found.join(", ")
                ),
            )),
        }
    }

    /// Reads the file's head.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] and [`Error::ReadFailed`] as in [`GgufHead::read`]; [`Error::UnsupportedFile`] for another architecture, a type of
    /// tensor that is not read, a tensor that the architecture does not have, and a kind of tokenizer that is not known.
    pub async fn open(source: S) -> Result<Self> {
        let GgufHead {
            metadata,
            tensors: stored,
        } = GgufHead::read(&source).await?;
        let family = family(&metadata)?;
        // so that a tokenizer that is not supported is found before the weights are estimated
        tokens::Tokens::read(&metadata)?;
        let mut config = config::config(&metadata, family, &stored)?;
        let tensors = tensors::tensors(&metadata, family, &stored)?;
        if let Some(stored) = stored.get(tensors::ROPE_FACTORS) {
            config::stretch_rope(&mut config, &source, stored).await?;
        }
        let parsed = config::parsed(source.path(), &config)?;
        tensors::check_used(source.path(), &tensors, &parsed)?;
        Ok(Self {
            source,
            metadata,
            tensors,
            family,
            config,
        })
    }

    /// The file's path.
    pub fn path(&self) -> &str {
        self.source.path()
    }

    /// The file's name without its ending.
    pub fn name(&self) -> String {
        name_of_file(self.path()).unwrap_or(self.path()).into()
    }

    /// The bytes of its `config.json`.
    pub fn config_json(&self) -> Vec<u8> {
        self.config.to_string().into_bytes()
    }

    /// The Hugging Face repository of the very model that is in the file, if the metadata names it.
    pub fn base_name(&self) -> Result<Option<String>> {
        origin::repository(&self.metadata)
    }

    /// The files that stand beside the weights in a Transformers folder: `config.json`, `tokenizer.json`, `tokenizer_config.json`,
    /// `generation_config.json`.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for a broken tokenizer.
    pub fn files(&self) -> Result<Vec<MemorySource>> {
        let tokens = tokens::Tokens::read(&self.metadata)?;
        let file = |name: &str, json: Value| MemorySource::new(name, json.to_string().into_bytes());
        Ok(vec![
            MemorySource::new("config.json", self.config_json()),
            MemorySource::new("tokenizer.json", tokens.tokenizer_json(self.family)?),
            file("tokenizer_config.json", tokens.tokenizer_config()?),
            file("generation_config.json", tokens.generation_config()?),
        ])
    }

    /// Its weights.
    pub fn into_checkpoint(self) -> Checkpoint<S> {
        Checkpoint::of_gguf(self.source, self.tensors)
    }
}

/// Whether a file's name is that of a GGUF file.
pub fn is_gguf(path: &str) -> bool {
    name_of_file(path).is_some()
}

/// A GGUF file's name without folder and ending.
pub fn name_of_file(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let at = name.len().checked_sub(".gguf".len())?;
    let (stem, ending) = name.split_at_checked(at)?;
    ending.eq_ignore_ascii_case(".gguf").then_some(stem)
}

/// Refuses `model-00001-of-00003.gguf`.
fn check_part(path: &str) -> Result<()> {
    let number = |text: &str| {
        let digits = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u32>().ok()).flatten()
    };
    let end = name_of_file(path).and_then(|name| name.rsplit_once("-of-"));
    let of = end.and_then(|(before, all)| {
        number(before.rsplit('-').next()?)?;
        number(all)
    });
    refuse_parts(path, of.unwrap_or(1).into())
}

fn refuse_parts(path: &str, parts: u64) -> Result<()> {
    if parts <= 1 {
        return Ok(());
    }
    Err(Error::file(
        path,
        format!(
            "it is one of {parts} parts of a model; join them with llama.cpp's `llama-gguf-split --merge` and give the one file"
        ),
    ))
}

fn family(metadata: &Metadata) -> Result<DecoderFamily> {
    let unsupported = |reason: String| Error::UnsupportedFile {
        file: metadata.file().into(),
        reason,
    };
    refuse_parts(metadata.file(), metadata.whole("split.count")?.unwrap_or(1))?;
    if let Some(kind) = metadata.text("general.type")?
        && kind != "model"
    {
        return Err(unsupported(format!(
            "its general.type is \"{kind}\"; a language model is a \"model\""
        )));
    }
    let word = metadata
        .text("general.architecture")?
        .ok_or_else(|| Error::file(metadata.file(), "general.architecture is missing"))?;
    let mut all = DecoderFamily::ALL.into_iter();
    all.find(|family| family.gguf_architecture() == word)
        .ok_or_else(|| {
            let known = DecoderFamily::ALL.map(DecoderFamily::gguf_architecture);
            unsupported(format!(
                "its architecture is \"{word}\"; supported are {}",
                known.join(", ")
            ))
        })
}
