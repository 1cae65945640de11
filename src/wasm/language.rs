//! Language models on the other side of the border.

use js_sys::{Array, Uint8Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::convert::{Answer, error, from_js, options_from_js, state, to_js};
use super::device::Device;
use super::runner::Runner;
use super::source::JsSource;
use super::team::{TeamWire, team};
use crate::data::ParsedText;
use crate::eval::complete::{Piece, Writer, Written};
use crate::models::{CausalLm, DecoderConfig, GgufModel};
use crate::tasks::classify::tuned::Which;
use crate::tasks::language::choose::choose;
use crate::tasks::language::estimate::estimate_run;
use crate::tasks::language::preview::preview;
use crate::tasks::language::score::score;
use crate::tasks::language::tuned::{next_logits, writer};
use crate::tasks::language::{LanguageOptions, LanguageTask, model};

/// A loaded model with at most one run, one result and one text that is being written.
#[wasm_bindgen]
pub struct LanguageModel {
    runner: Runner<model::LanguageModel, LanguageTask>,
    /// With the network that it began with, which a run's end does not take away.
    writing: Option<(Writer, CausalLm)>,
}

/// What comes next of a text.
#[derive(Serialize)]
struct Next {
    text: Option<String>,
    done: Option<Written>,
}

/// What a run with these options would take and decide, from a `config.json` alone.
#[wasm_bindgen(js_name = estimateLanguageRun)]
pub fn estimate_language_run(
    device: &Device,
    config: Uint8Array,
    storage: JsValue,
    options: JsValue,
) -> Answer<JsValue> {
    let storage = from_js(storage, "storage")?;
    let options = options_of(options)?;
    let config = DecoderConfig::parse(&config.to_vec()).map_err(error)?;
    to_js(&estimate_run(&config, storage, &options, &device.compute).map_err(error)?)
}

/// The bytes of the `config.json` of a GGUF file's model, for estimates: its head alone is read.
#[wasm_bindgen(js_name = ggufConfig)]
pub async fn gguf_config(file: JsValue) -> Answer<Uint8Array> {
    let model = GgufModel::open(JsSource::new(file)).await.map_err(error)?;
    Ok(Uint8Array::from(model.config_json().as_slice()))
}

/// Options as JavaScript gives them; left out, the defaults.
fn options_of(options: JsValue) -> Answer<LanguageOptions> {
    LanguageOptions::parse(options_from_js(options)?).map_err(error)
}

impl LanguageModel {
    /// The network that answers; a tuned one that is not there is an error.
    fn network(&self, which: JsValue) -> Answer<&CausalLm> {
        Ok(match from_js(which, "which")? {
            Which::Tuned => &self.runner.tuned()?.model,
            Which::Baseline => &self.runner.model.model,
        })
    }
}

#[wasm_bindgen]
impl LanguageModel {
    /// Loads a model. Without a `name`, that of a GGUF file is what the file says. `storage`: `f32`, `f16`, `int8`, `int4`.
    pub async fn load(
        device: &Device,
        name: &str,
        files: Array,
        storage: JsValue,
    ) -> Answer<LanguageModel> {
        let compute = device.compute.clone();
        let storage = from_js(storage, "storage")?;
        let files = files.iter().map(JsSource::new).collect();
        let model = model::LanguageModel::load(name, files, compute, storage).await;
        Ok(Self {
            runner: Runner::new(model.map_err(error)?),
            writing: None,
        })
    }

    /// What was loaded.
    pub fn info(&self) -> Answer<JsValue> {
        to_js(&self.runner.model.info())
    }

    /// From here on it is member `rank` of `size` engines that make the same calls.
    pub fn join(&mut self, rank: usize, size: usize, wire: TeamWire) {
        self.runner.model.compute.team = team(rank, size, wire);
    }

    /// Checks rows and options and prepares a run. `file` is what errors call the rows.
    pub fn start(&mut self, file: &str, rows: JsValue, options: JsValue) -> Answer<()> {
        let rows: Vec<ParsedText> = from_js(rows, "rows")?;
        let options = options_of(options)?;
        let task = LanguageTask::new(&self.runner.model, file, &rows, options);
        self.runner.begin(task)
    }

    /// Begins a run where a checkpoint left off. `options`: those with a person's texts, which no checkpoint holds, again.
    pub fn resume(
        &mut self,
        file: &str,
        rows: JsValue,
        checkpoint: Uint8Array,
        options: JsValue,
    ) -> Answer<()> {
        let rows: Vec<ParsedText> = from_js(rows, "rows")?;
        self.runner.resume(&checkpoint, options, |model, options| {
            LanguageTask::new(model, file, &rows, LanguageOptions::parse(options)?)
        })
    }

    /// Begins to write the run's state of now; false if there is none that it could go on from.
    #[wasm_bindgen(js_name = startCheckpoint)]
    pub fn start_checkpoint(&mut self) -> Answer<bool> {
        self.runner.start_checkpoint()
    }

    /// The next piece of a checkpoint, a `Uint8Array`; undefined after the last.
    #[wasm_bindgen(js_name = nextCheckpointPiece)]
    pub async fn next_checkpoint_piece(&mut self) -> Answer<JsValue> {
        self.runner.next_checkpoint_piece().await
    }

    /// Works until there is something to report; undefined if no run goes on.
    #[wasm_bindgen(js_name = nextEvent)]
    pub async fn next_event(&mut self) -> Answer<JsValue> {
        self.runner.next_event().await
    }

    /// Ends the run early; `finished` still comes, with the best state so far.
    pub fn stop(&mut self) {
        self.runner.stop();
    }

    /// What the present result can be exported as, the method's own format first.
    pub fn formats(&self) -> Answer<JsValue> {
        self.runner.formats()
    }

    /// What exports call the base model from now on.
    #[wasm_bindgen(js_name = setName)]
    pub fn set_name(&mut self, name: String) {
        self.runner.model.name = name;
    }

    /// Begins an export, in the method's own format if none is given.
    #[wasm_bindgen(js_name = startExport)]
    pub async fn start_export(&mut self, format: Option<String>) -> Answer<()> {
        self.runner.start_export(format).await
    }

    /// What to write next; undefined at the end.
    #[wasm_bindgen(js_name = nextPiece)]
    pub async fn next_piece(&mut self) -> Answer<JsValue> {
        self.runner.next_piece().await
    }

    /// Cancels an unfinished export and drops the bytes that wait.
    #[wasm_bindgen(js_name = stopExport)]
    pub fn stop_export(&mut self) {
        self.runner.stop_export();
    }

    /// Takes an exported folder back.
    #[wasm_bindgen(js_name = importFiles)]
    pub async fn import_files(&mut self, files: JsValue) -> Answer<()> {
        self.runner.import_files(files).await
    }

    /// How likely a model finds what a run would learn of these rows. `file` is what errors call the rows.
    pub async fn evaluate(
        &self,
        file: &str,
        rows: JsValue,
        options: JsValue,
        which: JsValue,
    ) -> Answer<JsValue> {
        let rows: Vec<ParsedText> = from_js(rows, "rows")?;
        let options = options_of(options)?;
        let network = self.network(which)?;
        let found = score(&self.runner.model, network, file, &rows, &options).await;
        to_js(&found.map_err(error)?)
    }

    /// A row as the model will read it, in pieces that are learnt or not.
    pub fn preview(&self, row: JsValue, options: JsValue) -> Answer<JsValue> {
        let row: ParsedText = from_js(row, "row")?;
        let options = options_of(options)?;
        to_js(&preview(&self.runner.model, &row, &options).map_err(error)?)
    }

    /// For each text the label with the highest likelihood after a prompt that contains the text.
    pub async fn classify(
        &self,
        texts: JsValue,
        labels: JsValue,
        options: JsValue,
        which: JsValue,
    ) -> Answer<JsValue> {
        let texts: Vec<String> = from_js(texts, "texts")?;
        let labels: Vec<String> = from_js(labels, "labels")?;
        let options = options_from_js(options)?;
        let network = self.network(which)?;
        let found = choose(&self.runner.model, network, &texts, &labels, &options).await;
        to_js(&found.map_err(error)?)
    }

    /// Begins a text after a prompt: a string, or a conversation's messages.
    #[wasm_bindgen(js_name = startText)]
    pub fn start_text(&mut self, prompt: JsValue, options: JsValue, which: JsValue) -> Answer<()> {
        let prompt = from_js(prompt, "prompt")?;
        let options = options_from_js(options)?;
        let network = self.network(which)?.clone();
        let writer = writer(&self.runner.model, &network, &prompt, options).map_err(error)?;
        self.writing = Some((writer, network));
        Ok(())
    }

    /// `{ text }` as soon as some is certain, and `{ done }` with the whole text at its end.
    #[wasm_bindgen(js_name = nextText)]
    pub async fn next_text(&mut self) -> Answer<JsValue> {
        let Some((mut writer, network)) = self.writing.take() else {
            return Err(state("start a text first"));
        };
        let piece = writer.next_piece(&network, &self.runner.model.tokenizer);
        let next = match piece.await.map_err(error)? {
            Piece::Text(text) => {
                self.writing = Some((writer, network));
                Next {
                    text: Some(text),
                    done: None,
                }
            }
            Piece::End(written) => Next {
                text: None,
                done: Some(written),
            },
        };
        to_js(&next)
    }

    /// Ends the text where it is; the next call of `nextText` gives the rest and then the end.
    #[wasm_bindgen(js_name = stopText)]
    pub fn stop_text(&mut self) {
        if let Some((writer, _)) = &mut self.writing {
            writer.stop();
        }
    }

    /// Logits of the token after a prompt, one for each entry of the vocabulary.
    #[wasm_bindgen(js_name = nextLogits)]
    pub async fn next_logits(&self, prompt: JsValue, which: JsValue) -> Answer<Vec<f32>> {
        let prompt = from_js(prompt, "prompt")?;
        let network = self.network(which)?;
        let logits = next_logits(&self.runner.model, network, &prompt);
        logits.await.map_err(error)
    }
}
