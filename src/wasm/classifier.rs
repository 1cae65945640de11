//! Text classification on the other side of the border.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

use super::convert::{Answer, error, from_js, options_from_js, to_js};
use super::device::Device;
use super::runner::Runner;
use super::source::JsSource;
use super::team::{TeamWire, team};
use crate::data::Example;
use crate::tasks::classify::model::Pretrained;
use crate::tasks::classify::{ClassifyTask, UserOptions};
use crate::text::TextInput;

/// A loaded model with at most one run and one result.
#[wasm_bindgen]
pub struct Classifier {
    runner: Runner<Pretrained, ClassifyTask>,
}

#[wasm_bindgen]
impl Classifier {
    /// Loads a model. `storage`: `f32`, `f16`, `int8`, `int4`.
    pub async fn load(
        device: &Device,
        name: &str,
        files: Array,
        storage: JsValue,
    ) -> Answer<Classifier> {
        let compute = device.compute.clone();
        let storage = from_js(storage, "storage")?;
        let files = files.iter().map(JsSource::new).collect();
        let model = Pretrained::load_stored(name, files, compute, storage).await;
        Ok(Self {
            runner: Runner::new(model.map_err(error)?),
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

    /// Checks rows and options and prepares a run.
    pub fn start(&mut self, _file: &str, rows: JsValue, options: JsValue) -> Answer<()> {
        let rows: Vec<Example> = from_js(rows, "rows")?;
        let options = UserOptions::parse(options_from_js(options)?).map_err(error)?;
        let task = ClassifyTask::new(&self.runner.model, &rows, options);
        self.runner.begin(task)
    }

    /// Begins a run where a checkpoint left off. `options`: those with a person's texts, which no checkpoint holds, again.
    pub fn resume(
        &mut self,
        _file: &str,
        rows: JsValue,
        checkpoint: Uint8Array,
        options: JsValue,
    ) -> Answer<()> {
        let rows: Vec<Example> = from_js(rows, "rows")?;
        self.runner.resume(&checkpoint, options, |model, options| {
            ClassifyTask::new(model, &rows, UserOptions::parse(options)?)
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

    /// Classifies texts, or pairs of them.
    pub async fn predict(&self, texts: JsValue, which: JsValue) -> Answer<JsValue> {
        let texts: Vec<TextInput> = from_js(texts, "texts")?;
        let which = from_js(which, "which")?;
        let tuned = self.runner.tuned()?;
        let predictions = tuned.predict(&self.runner.model, &texts, which).await;
        to_js(&predictions.map_err(error)?)
    }

    /// Scores tuned and baselines on labelled rows.
    pub async fn evaluate(&self, rows: JsValue) -> Answer<JsValue> {
        let rows: Vec<Example> = from_js(rows, "rows")?;
        let tuned = self.runner.tuned()?;
        let evaluation = tuned.evaluate(&self.runner.model, &rows).await;
        to_js(&evaluation.map_err(error)?)
    }

    /// Scores tuned alone on labelled rows.
    pub async fn score(&self, rows: JsValue) -> Answer<JsValue> {
        let rows: Vec<Example> = from_js(rows, "rows")?;
        let tuned = self.runner.tuned()?;
        let scores = tuned.score(&self.runner.model, &rows).await;
        to_js(&scores.map_err(error)?)
    }
}
