//! What a run leaves behind: adapters and checkpoints.

use std::sync::OnceLock;

use pollster::block_on;
use serde_json::{Map, Value, json};
use webtune::export::{ExportedFile, Model, files, import, own_format};
use webtune::hash::Fnv;
use webtune::tasks::classify::tuned::Which;
use webtune::tasks::classify::{ClassifyTask, UserOptions};
use webtune::tasks::language::{LanguageOptions, LanguageTask};
use webtune::text::TextInput;
use webtune::train::checkpoint::RunCheckpoint;
use webtune::train::run::Run;
use webtune::train::task::Task;

use super::{CLASSIFIER, LANGUAGE, tiny, tiny_language};

/// What a short run left.
pub struct Left {
    /// Of a language model.
    pub language: bool,
    /// Of its adapter.
    pub files: Vec<ExportedFile>,
    /// Its state in the middle.
    pub checkpoint: Vec<u8>,
}

fn classify_task(options: Value) -> webtune::Result<ClassifyTask> {
    let options = UserOptions::parse(options)?;
    CLASSIFIER.with(|model| ClassifyTask::new(model, &tiny::examples(12), options))
}

fn language_task(options: Value) -> webtune::Result<LanguageTask> {
    let options = LanguageOptions::parse(options)?;
    let rows = tiny_language::rows(6);
    LANGUAGE.with(|model| LanguageTask::new(model, "rows.jsonl", &rows, options))
}

fn run<M: Model, T: Task<Tuned = M::Tuned>>(model: &M, task: T, language: bool) -> Left {
    let mut run = Run::new(task);
    let mut checkpoint = Vec::new();
    while let Some(_event) = block_on(run.next_event()).unwrap() {
        if checkpoint.is_empty()
            && let Some(mut writer) = run.checkpoint().unwrap()
        {
            while let Some(piece) = block_on(run.checkpoint_piece(&mut writer)).unwrap() {
                checkpoint.extend(piece);
            }
        }
    }
    let tuned = run.take_tuned().unwrap();
    let format = own_format(model, &tuned).unwrap();
    Left {
        language,
        files: block_on(files(model, &tuned, format)).unwrap(),
        checkpoint,
    }
}

/// One of each method.
pub fn left() -> &'static [Left] {
    static LEFT: OnceLock<Vec<Left>> = OnceLock::new();
    LEFT.get_or_init(|| {
        let mut all = Vec::new();
        for (method, head) in [
            (json!({"type": "lora", "r": 2}), "cls"),
            (
                json!({"type": "lora", "useDora": true, "bias": "lora_only"}),
                "mean",
            ),
            (json!({"type": "prefix", "numVirtualTokens": 3}), "cls"),
            (json!({"type": "houlsby"}), "cls"),
            (json!({"type": "probe"}), "cls"),
            (json!({"type": "full"}), "mean"),
        ] {
            let options =
                json!({"method": method, "head": head, "numTrainEpochs": 1, "contrastive": false});
            let task = classify_task(options).unwrap();
            all.push(CLASSIFIER.with(|model| run(model, task, false)));
        }
        for method in [
            json!({"type": "lora", "r": 2, "rankPattern": {"q_proj": 3}}),
            json!({"type": "prefix", "numVirtualTokens": 3}),
        ] {
            let options =
                json!({"method": method, "numTrainEpochs": 1, "sampleTokens": 0, "maxLength": 64});
            let task = language_task(options).unwrap();
            all.push(LANGUAGE.with(|model| run(model, task, true)));
        }
        all
    })
}

/// As one file of an adapter: the first byte says of which adapter, the second which file. What is imported has to work.
pub fn adapter(bytes: &[u8]) -> bool {
    let ([adapter, file], bytes) = match bytes.split_first_chunk::<2>() {
        Some((numbers, bytes)) => (*numbers, bytes),
        None => ([0, 0], bytes),
    };
    let left = &left()[adapter as usize % left().len()];
    let mut files = left.files.clone();
    let file = file as usize % files.len();
    files[file].bytes = bytes.to_vec();
    if left.language {
        LANGUAGE.with(|model| {
            let Ok(tuned) = block_on(import(model, files)) else {
                return false;
            };
            let ids = model.tokenizer.pieces("a cat").unwrap();
            let ids = ids.iter().map(|piece| piece.id).collect::<Vec<_>>();
            let logits = webtune::eval::generate::last_logits(&tuned.model, &ids, 0, None);
            assert_eq!(block_on(logits).unwrap().len(), model.config.vocab_size);
            true
        })
    } else {
        CLASSIFIER.with(|model| {
            let Ok(tuned) = block_on(import(model, files)) else {
                return false;
            };
            let texts = ["the river", "an oven is hot and so it goes"].map(String::from);
            let found = if tuned.pairs == Some(true) {
                let pair = |text: String| TextInput::Pair {
                    text_pair: Some(text.clone()),
                    text,
                };
                block_on(tuned.predict(model, &texts.map(pair), Which::Tuned))
            } else {
                block_on(tuned.predict(model, &texts, Which::Tuned))
            };
            assert_eq!(found.unwrap().len(), 2);
            true
        })
    }
}

/// As a checkpoint of a run, the first byte saying which; as it is, and with the right checksum, so that what it guards is read too.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let (which, bytes) = bytes
        .split_first()
        .map_or((0, bytes), |(which, rest)| (*which, rest));
    let language = left()[which as usize % left().len()].language;
    let mut summed = bytes.to_vec();
    if let Some((body, sum)) = summed.split_last_chunk_mut::<8>() {
        let mut hash = Fnv::default();
        hash.write(body);
        *sum = hash.finish().to_le_bytes();
    }
    let resumed = [bytes.to_vec(), summed].map(|bytes| {
        if language {
            resume(bytes, language_task)
        } else {
            resume(bytes, classify_task)
        }
    });
    resumed.contains(&true)
}

/// Goes on from a checkpoint until something is trained anew, or a hundred events have come again; whether it does.
fn resume<T: Task>(bytes: Vec<u8>, task: impl Fn(Value) -> webtune::Result<T>) -> bool {
    let Ok(checkpoint) = RunCheckpoint::<T>::read(bytes) else {
        return false;
    };
    let Ok(options) = checkpoint.options(Map::new()) else {
        return false;
    };
    let task = task(Value::Object(options));
    let Ok(mut run) = task.and_then(|task| Run::resume(task, checkpoint)) else {
        return false;
    };
    for _ in 0..100 {
        match block_on(run.next_event()) {
            Ok(Some(_)) => match run.checkpoint() {
                Ok(None) => {}
                found => return found.is_ok(),
            },
            found => return found.is_ok(),
        }
    }
    true
}
