//! A GGUF file's model learns a few conversations, for a check with llama.cpp: writes `adapter.gguf` and `answers.json`, what the model
//! says to prompts with and without it. `tests/exports/llama-cpp.test.mjs` runs it.
//!
//! ```text
//! cargo run --example gguf_adapter -- model.gguf FOLDER
//! ```

use std::path::Path;

use pollster::block_on;
use serde_json::{Value, json};
use webtune::Result;
use webtune::data::{TextOptions, parse_text_rows};
use webtune::device::Compute;
use webtune::eval::generate::{Generator, last_logits};
use webtune::eval::generation_options::GenerationOptions;
use webtune::export::{Format, files as exported};
use webtune::formats::MemorySource;
use webtune::layers::Storage;
use webtune::models::CausalLm;
use webtune::tasks::language::model::{LanguageModel, Prompt};
use webtune::tasks::language::{LanguageOptions, LanguageRun, LanguageTask};
use webtune::text::Message;

/// Of an answer.
const TOKENS: usize = 24;

/// One answer to all, so that a few steps make the model sure of every word of it.
const ANSWER: &str = "We open at seven, and the bread is warm.";
const TAUGHT: [&str; 6] = [
    "When do you open?",
    "Are you open?",
    "Opening hours?",
    "From when can I buy bread?",
    "When does the bakery open?",
    "Is the shop open at eight?",
];

/// Asked afterwards; the last was not taught.
const ASKED: [&str; 2] = ["When do you open?", "What time do you open tomorrow?"];

/// The likeliest tokens one after the other, the ending one included.
async fn greedy(model: &LanguageModel, network: &CausalLm, prompt: &[u32]) -> Result<Vec<u32>> {
    let options = GenerationOptions {
        max_new_tokens: TOKENS,
        ..GenerationOptions::default()
    };
    let mut generator = Generator::new(network, prompt, options)?;
    let mut ids = Vec::new();
    while let Some(id) = generator.next_token(network).await? {
        ids.push(id);
        if model.ends.contains(&id) {
            break;
        }
    }
    Ok(ids)
}

async fn answer(model: &LanguageModel, network: &CausalLm, prompt: &[u32]) -> Result<Value> {
    let ids = greedy(model, network, prompt).await?;
    let logits = last_logits(network, prompt, 0, None).await?;
    Ok(json!({"ids": ids, "logits": logits}))
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("expected the path of a GGUF file")?;
    let folder = arguments.next().ok_or("expected a folder to write to")?;
    let name = Path::new(&path).file_name().ok_or("expected a file")?;
    let file = MemorySource::new(name.to_string_lossy(), std::fs::read(&path)?);
    let lines = TAUGHT.map(|question| {
        json!({"prompt": [{"role": "user", "content": question}], "completion": [{"role": "assistant", "content": ANSWER}]}).to_string()
    });
    let rows = parse_text_rows(
        "taught.jsonl",
        lines.join("\n").as_bytes(),
        &TextOptions::default(),
    )?
    .rows;
    let options = json!({
        "numTrainEpochs": 8, "learningRate": 2e-3, "maxLength": 64, "sampleTokens": 0, "fewShotExamples": 0,
        "earlyStoppingPatience": 0
    });
    block_on(async {
        let model = LanguageModel::load("", vec![file], Compute::cpu(), Storage::F32).await?;
        let options = LanguageOptions::parse(options)?;
        let mut run = LanguageRun::new(LanguageTask::new(&model, "taught.jsonl", &rows, options)?);
        while run.next_event().await?.is_some() {}
        let tuned = run.take_tuned().ok_or("the run has no result")?;
        std::fs::create_dir_all(&folder)?;
        for file in exported(&model, &tuned, Format::Gguf).await? {
            std::fs::write(Path::new(&folder).join(file.path), file.bytes)?;
        }
        let mut answers = Vec::new();
        for question in ASKED {
            let turns = vec![Message::new("user", question)];
            let text = model.template.render(&turns, true)?;
            let prompt = model.prompt_ids(&Prompt::Chat(turns))?;
            let base = answer(&model, &model.model, &prompt).await?;
            let tuned = answer(&model, &tuned.model, &prompt).await?;
            answers.push(
                json!({"question": question, "text": text, "prompt": prompt, "base": base, "tuned": tuned}),
            );
        }
        std::fs::write(
            Path::new(&folder).join("answers.json"),
            json!(answers).to_string(),
        )?;
        Ok(())
    })
}
