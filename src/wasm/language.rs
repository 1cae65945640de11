//! Enters: the worker's calls on language models. Leaves: models, events, texts and files.

use js_sys::{Array, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::convert::{error, files_from_js, files_to_js, from_js, to_js};
use super::engine::{Engine, state, which_of};
use super::source::JsSource;
use crate::data::{ParsedText, parse_text_rows};
use crate::eval::complete::{self, Writer, Written};
use crate::eval::generate::GenerationOptions;
use crate::export::{self, Export, Format, Piece};
use crate::layers::Storage;
use crate::models::size::{NetworkSizes, Shape};
use crate::models::{CausalLm, DecoderConfig};
use crate::peft::{Method, check_storage};
use crate::tasks::classify::tuned::Which;
use crate::tasks::language::choose::{ChoiceOptions, choose};
use crate::tasks::language::model::{LanguageModel, Prompt};
use crate::tasks::language::preview::preview;
use crate::tasks::language::score::score;
use crate::tasks::language::tuned::{TunedLanguage, next_logits, writer};
use crate::tasks::language::{LanguageOptions, LanguageRun, LanguageTask};
use crate::train::memory::{MemoryProfile, trained_by};

/// At most one language model, one run and one text that is being written.
#[derive(Default)]
pub struct LanguageState {
    model: Option<LanguageModel>,
    session: Option<LanguageRun>,
    tuned: Option<TunedLanguage>,
    /// With the network that it began with, which a run's end does not take away.
    writing: Option<(Writer, CausalLm)>,
    /// With what it began with, likewise.
    merging: Option<(Export, TunedLanguage)>,
}

impl LanguageState {
    fn model(&self) -> Result<&LanguageModel, JsValue> {
        self.model
            .as_ref()
            .ok_or_else(|| state("load a language model first"))
    }

    fn tuned(&self) -> Result<&TunedLanguage, JsValue> {
        self.tuned
            .as_ref()
            .ok_or_else(|| state("train a model or import an adapter first"))
    }

    /// The network that answers; asking for a tuned one that is not there is an error.
    fn network(&self, which: Which) -> Result<&CausalLm, JsValue> {
        match which {
            Which::Tuned => Ok(&self.tuned()?.model),
            Which::Baseline => Ok(&self.model()?.model),
        }
    }
}

/// What a memory estimate is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EstimateOptions {
    storage: Storage,
    method: Method,
    train_batch_size: usize,
    max_length: usize,
    gradient_checkpointing: bool,
}

/// What comes next of a text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Next {
    text: Option<String>,
    done: Option<Written>,
}

#[wasm_bindgen]
impl Engine {
    /// Loads a language model; what was loaded and tuned before is dropped once the new one is in. `storage`: `f32`, `f16`, `int8`, `int4`.
    #[wasm_bindgen(js_name = loadLanguageModel)]
    pub async fn load_language_model(
        &mut self,
        name: &str,
        files: Array,
        storage: JsValue,
    ) -> Result<JsValue, JsValue> {
        let storage: Storage = from_js(storage, "storage")?;
        let files = files.iter().map(JsSource::new).collect();
        let compute = self.compute.clone();
        let model = LanguageModel::load(name, files, compute, storage).await;
        let model = model.map_err(error)?;
        let info = to_js(&model.info())?;
        self.drop_classifier();
        self.language = LanguageState {
            model: Some(model),
            ..LanguageState::default()
        };
        Ok(info)
    }

    /// The bytes that a run would take, by what takes them, from a `config.json` alone.
    #[wasm_bindgen(js_name = estimateLanguageRun)]
    pub fn estimate_language_run(
        &self,
        config: Uint8Array,
        options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let options: EstimateOptions = from_js(options, "options")?;
        let config = DecoderConfig::parse(&config.to_vec()).map_err(error)?;
        options.storage.check_engine(&self.compute).map_err(error)?;
        check_storage(&options.method, options.storage).map_err(error)?;
        let trained = trained_by(&config, &options.method).map_err(error)?;
        let network = NetworkSizes::of_decoder(&config, options.storage, self.compute.kind);
        let training = Shape::new(options.train_batch_size, options.max_length);
        let profile = MemoryProfile {
            checkpointing: options.gradient_checkpointing,
            ..MemoryProfile::new(network, options.method, trained, training)
        };
        to_js(&profile.estimate())
    }

    /// Reads rows for a language model from a file's bytes.
    #[wasm_bindgen(js_name = parseTextRows)]
    pub fn parse_text_rows(&self, file: &str, bytes: Uint8Array) -> Result<JsValue, JsValue> {
        to_js(&parse_text_rows(file, &bytes.to_vec()).map_err(error)?)
    }

    /// A row as the model will read it, in pieces that are learnt or not.
    #[wasm_bindgen(js_name = previewTextRow)]
    pub fn preview_text_row(&self, row: JsValue, options: JsValue) -> Result<JsValue, JsValue> {
        let row: ParsedText = from_js(row, "row")?;
        let options = causal_options(options)?;
        let pieces = preview(self.language.model()?, &row, &options);
        to_js(&pieces.map_err(error)?)
    }

    /// Checks rows and options and prepares a run. `file` stands in errors.
    #[wasm_bindgen(js_name = startLanguageTraining)]
    pub fn start_language_training(
        &mut self,
        file: &str,
        rows: JsValue,
        options: JsValue,
    ) -> Result<(), JsValue> {
        let rows: Vec<ParsedText> = from_js(rows, "rows")?;
        let options = causal_options(options)?;
        let task = LanguageTask::new(self.language.model()?, file, &rows, options);
        self.language.session = Some(LanguageRun::new(task.map_err(error)?));
        Ok(())
    }

    /// Works until there is something to tell; undefined when no run goes on.
    #[wasm_bindgen(js_name = nextLanguageEvent)]
    pub async fn next_language_event(&mut self) -> Result<JsValue, JsValue> {
        let Some(session) = &mut self.language.session else {
            return Ok(JsValue::UNDEFINED);
        };
        let event = session.next_event().await;
        // with the last event in hand a caller may predict and export at once; what was found is kept even if its report failed
        if let Some(tuned) = session.take_tuned() {
            self.language.tuned = Some(tuned);
        }
        if event.is_err() {
            self.language.session = None;
        }
        let event = event.map_err(error)?;
        match event {
            Some(event) => to_js(&event),
            None => {
                self.language.session = None;
                Ok(JsValue::UNDEFINED)
            }
        }
    }

    /// Ends the run early; `finished` still comes, with the best state so far.
    #[wasm_bindgen(js_name = stopLanguageTraining)]
    pub fn stop_language_training(&mut self) {
        if let Some(session) = &mut self.language.session {
            session.stop();
        }
    }

    /// How likely a model finds what a run would learn of these rows. `file` stands in errors.
    #[wasm_bindgen(js_name = scoreTextRows)]
    pub async fn score_text_rows(
        &self,
        file: &str,
        rows: JsValue,
        options: JsValue,
        which: &str,
    ) -> Result<JsValue, JsValue> {
        let rows: Vec<ParsedText> = from_js(rows, "rows")?;
        let options = causal_options(options)?;
        let network = self.language.network(which_of(which)?)?;
        let found = score(self.language.model()?, network, file, &rows, &options).await;
        to_js(&found.map_err(error)?)
    }

    /// For each text the label whose words a model finds likeliest behind a prompt with the text.
    #[wasm_bindgen(js_name = classifyByLikelihood)]
    pub async fn classify_by_likelihood(
        &self,
        texts: JsValue,
        labels: JsValue,
        options: JsValue,
        which: &str,
    ) -> Result<JsValue, JsValue> {
        let texts: Vec<String> = from_js(texts, "texts")?;
        let labels: Vec<String> = from_js(labels, "labels")?;
        let options: ChoiceOptions = from_js(options, "options")?;
        let network = self.language.network(which_of(which)?)?;
        let found = choose(self.language.model()?, network, &texts, &labels, &options).await;
        to_js(&found.map_err(error)?)
    }

    /// Begins a text behind a prompt: a string, or a conversation's messages.
    #[wasm_bindgen(js_name = startWriting)]
    pub fn start_writing(
        &mut self,
        prompt: JsValue,
        options: JsValue,
        which: &str,
    ) -> Result<(), JsValue> {
        let prompt: Prompt = from_js(prompt, "prompt")?;
        let options: GenerationOptions = from_js(options, "options")?;
        let network = self.language.network(which_of(which)?)?.clone();
        let writer = writer(self.language.model()?, &network, &prompt, options).map_err(error)?;
        self.language.writing = Some((writer, network));
        Ok(())
    }

    /// `{ text }` as soon as some is certain, and `{ done }` with the whole text at its end.
    #[wasm_bindgen(js_name = nextText)]
    pub async fn next_text(&mut self) -> Result<JsValue, JsValue> {
        let Some((mut writer, network)) = self.language.writing.take() else {
            return Err(state("call startWriting first"));
        };
        let piece = writer.next_piece(&network, &self.language.model()?.tokenizer);
        let next = match piece.await.map_err(error)? {
            complete::Piece::Text(text) => {
                self.language.writing = Some((writer, network));
                Next {
                    text: Some(text),
                    done: None,
                }
            }
            complete::Piece::End(written) => Next {
                text: None,
                done: Some(written),
            },
        };
        to_js(&next)
    }

    /// Ends the text where it is; the next call of `nextText` tells the rest and then the end.
    #[wasm_bindgen(js_name = stopWriting)]
    pub fn stop_writing(&mut self) {
        if let Some((writer, _)) = &mut self.language.writing {
            writer.stop();
        }
    }

    /// Logits of the token behind a prompt, one a word of the vocabulary.
    #[wasm_bindgen(js_name = nextLogits)]
    pub async fn next_logits(&self, prompt: JsValue, which: &str) -> Result<Vec<f32>, JsValue> {
        let prompt: Prompt = from_js(prompt, "prompt")?;
        let network = self.language.network(which_of(which)?)?;
        let logits = next_logits(self.language.model()?, network, &prompt);
        logits.await.map_err(error)
    }

    /// The PEFT folder of what was tuned.
    #[wasm_bindgen(js_name = exportLanguageAdapter)]
    pub async fn export_language_adapter(&self) -> Result<JsValue, JsValue> {
        let (model, tuned) = (self.language.model()?, self.language.tuned()?);
        let files = export::files(model, tuned, Format::Peft).await;
        files_to_js(files.map_err(error)?)
    }

    /// What was tuned as one file for llama.cpp's `--lora`.
    #[wasm_bindgen(js_name = exportGguf)]
    pub async fn export_gguf(&self) -> Result<JsValue, JsValue> {
        let (model, tuned) = (self.language.model()?, self.language.tuned()?);
        let files = export::files(model, tuned, Format::Gguf).await;
        files_to_js(files.map_err(error)?)
    }

    /// Begins a Transformers folder of the whole model with the adapter folded in.
    #[wasm_bindgen(js_name = startMerging)]
    pub async fn start_merging(&mut self) -> Result<(), JsValue> {
        let (model, tuned) = (self.language.model()?, self.language.tuned()?);
        let merging = Export::new(model, tuned, Format::Merged, None).await;
        let merging = merging.map_err(error)?;
        let tuned = tuned.clone();
        self.language.merging = Some((merging, tuned));
        Ok(())
    }

    /// What to write next: `{ open: { path, size } }`, a `Uint8Array` for the open file, `{ close: true }`; undefined at the end.
    #[wasm_bindgen(js_name = nextMergedPiece)]
    pub async fn next_merged_piece(&mut self) -> Result<JsValue, JsValue> {
        let Some((mut merging, tuned)) = self.language.merging.take() else {
            return Err(state("call startMerging first"));
        };
        let piece = merging.next_piece(self.language.model()?, &tuned).await;
        let out = match piece.map_err(error)? {
            None => return Ok(JsValue::UNDEFINED),
            Some(Piece::Bytes(bytes)) => Uint8Array::from(bytes.as_slice()).into(),
            Some(Piece::Open { file, bytes }) => to_js(&serde_json::json!({
                "open": { "path": file, "size": bytes }
            }))?,
            Some(Piece::Close) => to_js(&serde_json::json!({ "close": true }))?,
        };
        self.language.merging = Some((merging, tuned));
        Ok(out)
    }

    /// Drops a folder that nobody wants to its end, and the bytes that wait.
    #[wasm_bindgen(js_name = stopMerging)]
    pub fn stop_merging(&mut self) {
        self.language.merging = None;
    }

    /// Takes an adapter back.
    #[wasm_bindgen(js_name = importLanguageAdapter)]
    pub async fn import_language_adapter(&mut self, files: JsValue) -> Result<(), JsValue> {
        let files = files_from_js(&files)?;
        let tuned = export::import(self.language.model()?, files).await;
        self.language.tuned = Some(tuned.map_err(error)?);
        Ok(())
    }
}

/// Options as JavaScript gives them; left out, the defaults.
fn causal_options(options: JsValue) -> Result<LanguageOptions, JsValue> {
    LanguageOptions::parse(from_js(options, "options")?).map_err(error)
}
