//! The small files of a model folder: read whole, within bounds, with the tokenizer made of its own.

use crate::formats::foreign::lfs_pointer;
use crate::formats::{Source, read_all};
use crate::hash::Fnv;
use crate::json::check_values;
use crate::text::Tokenizer;
use crate::text::vocabulary::{VocabularyFiles, tokenizer_json};
use crate::{Error, Result};

/// The tokenizer, and the files that an export carries along for it: its own settings and those of `others` that are there.
///
/// # Errors
/// Missing or broken files; as [`Tokenizer::with_rows`].
pub(crate) async fn read_tokenizer<S: Source>(
    files: &[S],
    rows: usize,
    others: &[&str],
) -> Result<(Tokenizer, Vec<(String, Vec<u8>)>)> {
    let bytes = match find(files, "tokenizer.json") {
        Some(_) => required(files, "tokenizer.json").await?,
        None => built_tokenizer(files).await?,
    };
    let tokenizer = Tokenizer::from_bytes("tokenizer.json", &bytes)?.with_rows(rows)?;
    let mut carried = vec![("tokenizer.json".to_string(), bytes)];
    let settings = ["tokenizer_config.json", "special_tokens_map.json"];
    for file in settings.iter().chain(others) {
        if let Some(bytes) = optional(files, file).await? {
            carried.push(((*file).into(), bytes));
        }
    }
    Ok((tokenizer, carried))
}

/// A tokenizer.json made of the vocabulary files of a folder without one.
///
/// # Errors
/// As [`tokenizer_json`]; [`Error::MissingFile`] where there are no such files.
async fn built_tokenizer<S: Source>(files: &[S]) -> Result<Vec<u8>> {
    let vocabulary = VocabularyFiles {
        vocab: optional(files, "vocab.json").await?,
        merges: optional(files, "merges.txt").await?,
        words: optional(files, "vocab.txt").await?,
    };
    let mut settings = serde_json::Map::new();
    for file in ["special_tokens_map.json", "tokenizer_config.json"] {
        if let Some(bytes) = optional(files, file).await?
            && let serde_json::Value::Object(map) = json(file, &bytes)?
        {
            settings.extend(map);
        }
    }
    let config = json("config.json", &required(files, "config.json").await?)?;
    let family = config["model_type"].as_str().unwrap_or_default();
    match tokenizer_json(&vocabulary, &settings, family)? {
        Some(bytes) => Ok(bytes),
        None => match files.iter().find(|file| file.path().ends_with(".model")) {
            Some(file) => Err(Error::file(
                "tokenizer.json",
                format!(
                    "it is missing, and {} alone, SentencePiece's own form, is not read; AutoTokenizer.from_pretrained(folder).save_pretrained(folder) of \
                     transformers writes a tokenizer.json, and a GGUF file of the model brings its words with it",
                    file.path()
                ),
            )),
            None => required(files, "tokenizer.json").await,
        },
    }
}

/// # Errors
/// [`Error::InvalidFile`].
pub(crate) fn json(file: &str, bytes: &[u8]) -> Result<serde_json::Value> {
    serde_json::from_slice(bytes).map_err(|error| Error::file(file, error))
}

/// The most bytes that are read of a small file. A tokenizer of 260,000 words has 33 MB and its settings one; a config.json of a model that is
/// supported has a few thousand bytes.
fn most_bytes(path: &str) -> u64 {
    match path {
        "tokenizer.json" | "vocab.json" | "vocab.txt" | "merges.txt" => 64 << 20,
        "tokenizer_config.json" | "special_tokens_map.json" => 10 << 20,
        _ => 1 << 20,
    }
}

/// Most values in a tokenizer's settings: ten for each of its added words.
const MAX_SETTINGS_VALUES: usize = 200_000;

fn find<'a, S: Source>(files: &'a [S], path: &str) -> Option<&'a S> {
    files.iter().find(|file| file.path() == path)
}

pub(crate) async fn optional<S: Source>(files: &[S], path: &str) -> Result<Option<Vec<u8>>> {
    match find(files, path) {
        Some(file) if file.size() > most_bytes(path) => Err(Error::file(
            path,
            format!(
                "{} bytes are too many for it; at most {} are read",
                file.size(),
                most_bytes(path)
            ),
        )),
        Some(file) => {
            let bytes = read_all(file).await?;
            if let Some(reason) = lfs_pointer(&bytes) {
                return Err(Error::file(path, reason));
            }
            // read as a tree, and a tokenizer's own file has a reader with limits of its own
            if path.ends_with(".json") && path != "tokenizer.json" && path != "vocab.json" {
                check_values(&bytes, MAX_SETTINGS_VALUES)
                    .map_err(|reason| Error::file(path, reason))?;
            }
            Ok(Some(bytes))
        }
        None => Ok(None),
    }
}

pub(crate) async fn required<S: Source>(files: &[S], path: &str) -> Result<Vec<u8>> {
    if path == "config.json" && find(files, path).is_none() {
        refuse_other_folders(files).await?;
    }
    optional(files, path)
        .await?
        .ok_or_else(|| Error::MissingFile {
            file: path.into(),
            found: if files.is_empty() {
                "none".into()
            } else {
                files
                    .iter()
                    .map(|file| file.path())
                    .collect::<Vec<_>>()
                    .join(", ")
            },
        })
}

/// Says what a folder without a config.json is, where that can be seen.
///
/// # Errors
/// [`Error::InvalidFile`] for an adapter's folder; [`Error::MissingFile`] for one around a model's folder.
async fn refuse_other_folders<S: Source>(files: &[S]) -> Result<()> {
    const ADAPTER: &str = "adapter_config.json";
    if let Some(bytes) = optional(files, ADAPTER).await? {
        let settings = json(ADAPTER, &bytes)?;
        let base = settings["base_model_name_or_path"]
            .as_str()
            .filter(|name| !name.is_empty());
        let base = base.or_else(|| settings["model_name"].as_str());
        let (of, model) = match base {
            Some(base) => (format!(" of {base}"), base),
            None => (String::new(), "the model that it was trained on"),
        };
        let reason = format!(
            "this is a PEFT adapter{of}, not a model: load {model}, then import this adapter"
        );
        return Err(Error::file(ADAPTER, reason));
    }
    let inside = files
        .iter()
        .find_map(|file| file.path().strip_suffix("/config.json"));
    match inside {
        // a module of sentence-transformers has a configuration of its own
        Some(folder) if find(files, "modules.json").is_none() => Err(Error::MissingFile {
            file: "config.json".into(),
            found: format!("those in {folder}, which is a folder of its own: open {folder}"),
        }),
        _ => Ok(()),
    }
}

/// What a model is: its weights' digest, its settings and its tokenizer.
pub fn digest(weights: u64, config: &serde_json::Value, tokenizer: &[(String, Vec<u8>)]) -> u64 {
    let mut hash = Fnv::default();
    hash.write(&weights.to_le_bytes());
    hash.write(config.to_string().as_bytes());
    for (name, bytes) in tokenizer {
        hash.write(name.as_bytes());
        hash.write(&(bytes.len() as u64).to_le_bytes());
        hash.write(bytes);
    }
    hash.finish()
}
