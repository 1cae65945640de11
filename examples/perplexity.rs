//! What a language model's run does to the perplexity of rows that do not train: one line of JSON a seed, with the untuned model, with examples in its
//! prompt, and after every evaluation of the run. `npm run bench:perplexity` runs it on several kinds of rows and makes a table of it.
//!
//! ```text
//! cargo run --release --example perplexity -- model.gguf rows.jsonl '{"validationSplit": 0.25}' 0 1 2
//! ```

use std::path::Path;
use std::time::Instant;

use pollster::block_on;
use serde_json::{Value, json};
use webtune::data::{ParsedText, TextOptions, parse_text_rows};
use webtune::device::Compute;
use webtune::formats::MemorySource;
use webtune::layers::Storage;
use webtune::train::event::Event;
use webtune::{LanguageModel, LanguageOptions, LanguageRun, LanguageTask};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let [model, rows, options, seeds @ ..] = arguments.as_slice() else {
        return Err(
            "expected a model, a file of rows, options as JSON and one seed or more".into(),
        );
    };
    let files = model_files(Path::new(model))?;
    let load = LanguageModel::load("", files, Compute::cpu(), Storage::F32);
    let model = block_on(load)?;
    let bytes = std::fs::read(rows).map_err(|error| format!("{rows}: {error}"))?;
    let rows = parse_text_rows(rows, &bytes, &TextOptions::default())?.rows;
    let options: Value = serde_json::from_str(options)?;
    for seed in seeds {
        let mut options = options.clone();
        options["seed"] = json!(seed.parse::<u64>()?);
        println!("{}", run(&model, &rows, options)?);
    }
    Ok(())
}

/// A GGUF file, or all files of a folder.
fn model_files(path: &Path) -> Result<Vec<MemorySource>, Failure> {
    let read = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok::<_, Failure>(MemorySource::new(name, bytes))
    };
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_file() {
            files.push(read(&path)?);
        }
    }
    Ok(files)
}

/// One run, of which the seed is in its options.
fn run(model: &LanguageModel, rows: &[ParsedText], options: Value) -> Result<Value, Failure> {
    let options = LanguageOptions::parse(options)?;
    let seed = options.common.seed;
    let mut run = LanguageRun::new(LanguageTask::new(model, "rows", rows, options)?);
    let begin = Instant::now();
    let (mut started, mut evaluations) = (Value::Null, Vec::new());
    let (mut tokens, mut ms) = (0, 0.0);
    while let Some(event) = block_on(run.next_event())? {
        match event {
            Event::Started { task, .. } => started = serde_json::to_value(task)?,
            Event::Step {
                tokens: more,
                ms: took,
                ..
            } => {
                tokens += more;
                ms += took;
            }
            Event::Evaluation { task, .. } => evaluations.push(task.validation.perplexity),
            Event::Finished(finished) => {
                let found = &finished.task;
                return Ok(json!({
                    "seed": seed,
                    "trainRows": started["trainTexts"],
                    "judges": started["validationTexts"],
                    "judgedTokens": found.base.map(|score| score.tokens),
                    "before": found.base.map(|score| score.perplexity),
                    "examples": found.few_shot.as_ref().map(|shown| shown.examples),
                    "fewShot": found.few_shot.as_ref().map(|shown| shown.likelihood.perplexity),
                    "after": found.tuned.map(|score| score.perplexity),
                    "evaluations": evaluations,
                    "keptEpoch": finished.kept_epoch,
                    "steps": finished.steps,
                    "trainedTokens": tokens,
                    "tokensPerSecond": 1000.0 * tokens as f64 / ms,
                    "seconds": begin.elapsed().as_secs_f64(),
                    "message": finished.message,
                }));
            }
            _ => {}
        }
    }
    Err("the run ended without a result".into())
}
