//! What both kinds of model do on the other side of the border: run, stop, export, import.

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;

use serde_json::Value;

use super::convert::{Answer, error, files_from_js, options_from_js, state, to_js};
use crate::Result;
use crate::export::{self, Export, Format, Model, Piece};
use crate::train::checkpoint::RunCheckpoint;
use crate::train::run::Run;
use crate::train::run::saved::CheckpointWriter;
use crate::train::task::Task;

/// A loaded model, at most one run of it, its result, and an export that is being written.
pub struct Runner<M: Model, T: Task<Tuned = M::Tuned>> {
    pub model: M,
    run: Option<Run<T>>,
    tuned: Option<M::Tuned>,
    /// With the result that it began with, which a run's end does not take away.
    export: Option<(Export, M::Tuned)>,
    checkpoint: Option<CheckpointWriter>,
}

impl<M: Model<Tuned: Clone>, T: Task<Tuned = M::Tuned>> Runner<M, T> {
    pub fn new(model: M) -> Self {
        Self {
            model,
            run: None,
            tuned: None,
            export: None,
            checkpoint: None,
        }
    }

    pub fn begin(&mut self, task: Result<T>) -> Answer<()> {
        self.run = Some(Run::new(task.map_err(error)?));
        Ok(())
    }

    /// Begins a run where `bytes`, a checkpoint, left off. `task` makes one of options.
    pub fn resume(
        &mut self,
        bytes: &Uint8Array,
        options: JsValue,
        task: impl FnOnce(&M, Value) -> Result<T>,
    ) -> Answer<()> {
        let checkpoint = RunCheckpoint::read(bytes.to_vec()).map_err(error)?;
        let options = checkpoint
            .options(options_from_js(options)?)
            .map_err(error)?;
        let task = task(&self.model, Value::Object(options)).map_err(error)?;
        self.run = Some(Run::resume(task, checkpoint).map_err(error)?);
        Ok(())
    }

    /// Begins to write the state of now; false if there is none that a run could go on from.
    pub fn start_checkpoint(&mut self) -> Answer<bool> {
        let writer = match &self.run {
            Some(run) => run.checkpoint().map_err(error)?,
            None => None,
        };
        self.checkpoint = writer;
        Ok(self.checkpoint.is_some())
    }

    /// The next piece of it; undefined after the last.
    pub async fn next_checkpoint_piece(&mut self) -> Answer<JsValue> {
        let (Some(run), Some(writer)) = (&self.run, &mut self.checkpoint) else {
            return Err(state("start a checkpoint first"));
        };
        let piece = run.checkpoint_piece(writer).await.map_err(error)?;
        if piece.is_none() {
            self.checkpoint = None;
        }
        Ok(piece.map_or(JsValue::UNDEFINED, |bytes| {
            Uint8Array::from(bytes.as_slice()).into()
        }))
    }

    /// The next event; undefined if no run goes on.
    pub async fn next_event(&mut self) -> Answer<JsValue> {
        let Some(run) = &mut self.run else {
            return Ok(JsValue::UNDEFINED);
        };
        let event = run.next_event().await;
        // with the last event in hand a caller may predict and export at once; what was found is kept even if its report failed
        if let Some(tuned) = run.take_tuned() {
            self.tuned = Some(tuned);
        }
        let sent = match event {
            Ok(Some(event)) => to_js(&event),
            Ok(None) => {
                self.run = None;
                Ok(JsValue::UNDEFINED)
            }
            Err(failure) => Err(error(failure)),
        };
        if sent.is_err() {
            // a run whose events do not arrive is over for its caller, and must not go on unseen
            self.run = None;
        }
        sent
    }

    pub fn stop(&mut self) {
        if let Some(run) = &mut self.run {
            run.stop();
        }
    }

    pub fn tuned(&self) -> Answer<&M::Tuned> {
        self.tuned
            .as_ref()
            .ok_or_else(|| state("train a model or import an adapter first"))
    }

    pub fn formats(&self) -> Answer<JsValue> {
        let formats = export::formats(&self.model, self.tuned()?).map_err(error)?;
        to_js(&formats)
    }

    /// Begins an export; without a format, in the method's own.
    pub async fn start_export(&mut self, format: Option<String>) -> Answer<()> {
        let tuned = self.tuned()?.clone();
        let format = match format {
            Some(word) => word.parse::<Format>(),
            None => export::own_format(&self.model, &tuned),
        };
        let format = format.map_err(error)?;
        let export = Export::new(&self.model, &tuned, format, None).await;
        self.export = Some((export.map_err(error)?, tuned));
        Ok(())
    }

    /// `{ open: { path, size } }`, a `Uint8Array` for the open file, `{ close: true }`; undefined at the end.
    pub async fn next_piece(&mut self) -> Answer<JsValue> {
        let Some((mut export, tuned)) = self.export.take() else {
            return Err(state("start an export first"));
        };
        let piece = export.next_piece(&self.model, &tuned).await;
        let out = match piece.map_err(error)? {
            None => return Ok(JsValue::UNDEFINED),
            Some(Piece::Bytes(bytes)) => Uint8Array::from(bytes.as_slice()).into(),
            Some(Piece::Open { file, bytes }) => to_js(&serde_json::json!({
                "open": { "path": file, "size": bytes }
            }))?,
            Some(Piece::Close) => to_js(&serde_json::json!({ "close": true }))?,
        };
        self.export = Some((export, tuned));
        Ok(out)
    }

    pub fn stop_export(&mut self) {
        self.export = None;
    }

    pub async fn import_files(&mut self, files: JsValue) -> Answer<()> {
        let files = files_from_js(&files)?;
        let tuned = export::import(&self.model, files).await;
        self.tuned = Some(tuned.map_err(error)?);
        Ok(())
    }
}
