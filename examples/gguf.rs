//! What the engine makes of a GGUF file, to be compared with another implementation: reads a question in JSON from standard input and writes
//! JSON with the token ids of each of its texts and the logits after the last one, the likeliest tokens after each of its prompts, and one LoRA
//! step's loss on the weights, whose gradients it puts beside the adapter. `tests/fixtures/check_gguf.py` runs it.
//!
//! ```text
//! echo '{"texts": ["the cat"]}' | cargo run --release --example gguf -- model.gguf [f32|f16|int8|int4]
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::slice;

use pollster::block_on;
use serde::Deserialize;
use serde_json::{Value, json};
use webtune::device::{Compute, read};
use webtune::eval::generate::Generator;
use webtune::eval::generation_options::GenerationOptions;
use webtune::formats::{Source, write};
use webtune::layers::Storage;
use webtune::models::CausalBatch;
use webtune::models::decoder::Layout;
use webtune::peft::freeze::{activate, replace};
use webtune::peft::store::{Tensors, named_values, restore};
use webtune::peft::{LoraConfig, Method, MethodType};
use webtune::tasks::language::model::LanguageModel;
use webtune::train::gradients::{PassSettings, gradients};
use webtune::{Error, Result};

/// A file that is read in ranges.
struct OnDisk {
    path: String,
    size: u64,
}

impl Source for OnDisk {
    fn path(&self) -> &str {
        &self.path
    }

    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        let range = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = vec![0; length];
            file.read_exact(&mut bytes).map(|()| bytes)
        };
        range().map_err(|error: std::io::Error| Error::read(&self.path, error))
    }
}

/// What is asked of the model.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Question {
    texts: Vec<String>,
    prompts: Vec<String>,
    /// Tokens to write after each prompt.
    tokens: usize,
    lora: Option<Step>,
}

/// A LoRA step.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// The adapter's, which gets `gradients.safetensors` by the adapter's keys.
    folder: PathBuf,
    ids: Vec<u32>,
    /// The first of the ids that is learnt.
    from: usize,
}

type Found<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn ids(model: &LanguageModel, text: &str) -> Result<Vec<u32>> {
    let mut ids = model.tokenizer.prefix_ids()?;
    ids.extend(model.tokenizer.pieces(text)?.iter().map(|piece| piece.id));
    Ok(ids)
}

fn batch(model: &LanguageModel, ids: &[u32], targets: &[bool]) -> CausalBatch {
    let row = ids.iter().map(|id| *id as i32).collect();
    let layout = Layout::plain(1, ids.len());
    CausalBatch::new(row, targets, layout, &model.compute.device)
}

/// The logits after the last token.
fn logits(model: &LanguageModel, ids: &[u32]) -> Result<Vec<f32>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let batch = batch(model, ids, &vec![true; ids.len()]);
    let hidden = model.model.model.forward(batch.ids, &batch.layout, None);
    let [_, width, size] = hidden.dims();
    let last = hidden.narrow(1, width - 1, 1).reshape([1, size]);
    block_on(read(model.model.logits(last)))
}

/// The likeliest tokens after a prompt.
fn written(model: &LanguageModel, prompt: &[u32], tokens: usize) -> Result<Vec<u32>> {
    let options = GenerationOptions {
        max_new_tokens: tokens,
        ..GenerationOptions::default()
    };
    let mut generator = Generator::new(&model.model, prompt, options)?;
    std::iter::from_fn(|| block_on(generator.next_token(&model.model)).transpose()).collect()
}

/// The loss.
fn step(model: &LanguageModel, step: &Step) -> Found<Vec<f32>> {
    let file = |name: &str| std::fs::read(step.folder.join(name));
    let (config, _) = LoraConfig::from_adapter_config(&file("adapter_config.json")?)?;
    let weights = "adapter_model.safetensors";
    let tensors = block_on(Tensors::read(weights, file(weights)?))?;
    let (tuned, trainable) = restore(model.model.clone(), &Method::Lora(config), &tensors)?;
    let tuned = activate(tuned, |path| trainable.contains(path));
    let targets = (0..step.ids.len()).map(|at| at >= step.from);
    let batch = batch(model, &step.ids, &targets.collect::<Vec<_>>());
    let (found, loss) = gradients(&tuned, slice::from_ref(&batch), &PassSettings::default());
    let mut found = found.into_iter().collect::<BTreeMap<_, _>>();
    // the walk of an export gives the file's keys and shapes
    let carried = replace(tuned, |path, _| found.remove(path));
    let named = block_on(named_values(&carried, &trainable, MethodType::Lora))?;
    let named = named
        .iter()
        .map(|(_, (key, shape, values))| (key.as_str(), &shape[..], &values[..]));
    let path = step.folder.join("gradients.safetensors");
    std::fs::write(path, write(named, &BTreeMap::new())?)?;
    Ok(block_on(read(loss))?)
}

fn main() -> Found<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("expected the path of a GGUF file")?;
    let storage = arguments.next().unwrap_or_else(|| "f32".into());
    let storage: Storage = serde_json::from_value(storage.into())?;
    let question: Question = serde_json::from_reader(std::io::stdin())?;
    let size = std::fs::metadata(&path)?.len();
    let load = LanguageModel::load("", vec![OnDisk { path, size }], Compute::cpu(), storage);
    let model = block_on(load)?;
    let found = question.texts.iter().map(|text| {
        let ids = ids(&model, text)?;
        Ok(json!({"logits": logits(&model, &ids)?, "ids": ids}))
    });
    let found = found.collect::<Result<Vec<Value>>>()?;
    let written = question.prompts.iter().map(|prompt| {
        let ids = ids(&model, prompt)?;
        Ok(json!({"written": written(&model, &ids, question.tokens)?, "ids": ids}))
    });
    let written = written.collect::<Result<Vec<Value>>>()?;
    let loss = question.lora.as_ref().map(|lora| step(&model, lora));
    println!(
        "{}",
        json!({"info": model.info(), "ends": model.ends, "found": found, "written": written, "loss": loss.transpose()?})
    );
    Ok(())
}
