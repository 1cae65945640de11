//! Enters: the worker's calls. Leaves: models, events, predictions and files.

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::convert::{error, files_from_js, files_to_js, from_js, to_js};
use super::language::LanguageState;
use super::source::JsSource;
use crate::data::Example;
use crate::device::Compute;
use crate::tasks::classify::model::Pretrained;
use crate::tasks::classify::tuned::{Tuned, Which};
use crate::tasks::classify::{ClassifyRun, ClassifyTask, UserOptions};
use crate::{Error, export};

/// One engine per WebAssembly instance: a device, at most one model, at most one run.
#[wasm_bindgen]
pub struct Engine {
    pub(super) compute: Compute,
    model: Option<Pretrained>,
    session: Option<ClassifyRun>,
    tuned: Option<Tuned>,
    pub(super) language: LanguageState,
}

pub(super) fn state(words: &str) -> JsValue {
    error(Error::state(words))
}

/// Which model answers.
pub(super) fn which_of(word: &str) -> Result<Which, JsValue> {
    match word {
        "tuned" => Ok(Which::Tuned),
        "baseline" => Ok(Which::Baseline),
        other => Err(error(Error::option(
            "which",
            format!("expected \"tuned\" or \"baseline\", got \"{other}\""),
        ))),
    }
}

#[wasm_bindgen]
impl Engine {
    /// Opens the device. `memory_limit` in bytes.
    pub async fn create(device: &str, memory_limit: f64) -> Result<Engine, JsValue> {
        let compute = match device {
            "cpu" => Compute::cpu(),
            "webgpu" => Compute::webgpu().await.map_err(error)?,
            other => {
                return Err(error(Error::option(
                    "device",
                    format!("expected \"webgpu\" or \"cpu\", got \"{other}\""),
                )));
            }
        };
        Ok(Self {
            compute: compute.with_memory_limit(memory_limit as u64),
            model: None,
            session: None,
            tuned: None,
            language: LanguageState::default(),
        })
    }

    /// Loads a model; what was loaded and tuned before is dropped once the new one is in.
    #[wasm_bindgen(js_name = loadModel)]
    pub async fn load_model(
        &mut self,
        name: &str,
        files: Array,
        storage: JsValue,
    ) -> Result<JsValue, JsValue> {
        let storage = from_js(storage, "storage")?;
        let files = files.iter().map(JsSource::new).collect();
        let model = Pretrained::load_stored(name, files, self.compute.clone(), storage)
            .await
            .map_err(error)?;
        let info = to_js(&model.info())?;
        self.language = LanguageState::default();
        self.session = None;
        self.tuned = None;
        self.model = Some(model);
        Ok(info)
    }

    /// Drops what classifies.
    pub(super) fn drop_classifier(&mut self) {
        self.session = None;
        self.tuned = None;
        self.model = None;
    }

    fn model(&self) -> Result<&Pretrained, JsValue> {
        self.model
            .as_ref()
            .ok_or_else(|| state("load a model first"))
    }

    /// Checks examples and options and prepares a run.
    #[wasm_bindgen(js_name = startTraining)]
    pub fn start_training(&mut self, examples: JsValue, options: JsValue) -> Result<(), JsValue> {
        let examples: Vec<Example> = from_js(examples, "examples")?;
        let options: serde_json::Value = from_js(options, "options")?;
        let given = UserOptions::parse(options).map_err(error)?;
        let task = ClassifyTask::new(self.model()?, &examples, given).map_err(error)?;
        self.session = Some(ClassifyRun::new(task));
        Ok(())
    }

    /// Works until there is something to tell; undefined when no run goes on.
    #[wasm_bindgen(js_name = nextEvent)]
    pub async fn next_event(&mut self) -> Result<JsValue, JsValue> {
        let Some(session) = &mut self.session else {
            return Ok(JsValue::UNDEFINED);
        };
        let event = session.next_event().await;
        // with the last event in hand a caller may predict and export at once; what was found is kept even if its report failed
        if let Some(tuned) = session.take_tuned() {
            self.tuned = Some(tuned);
        }
        if event.is_err() {
            self.session = None;
        }
        let event = event.map_err(error)?;
        match event {
            Some(event) => to_js(&event),
            None => {
                self.session = None;
                Ok(JsValue::UNDEFINED)
            }
        }
    }

    /// Ends the run early; `finished` still comes, with the best state so far.
    #[wasm_bindgen(js_name = stopTraining)]
    pub fn stop_training(&mut self) {
        if let Some(session) = &mut self.session {
            session.stop();
        }
    }

    fn tuned(&self) -> Result<&Tuned, JsValue> {
        self.tuned
            .as_ref()
            .ok_or_else(|| state("train a model or import an adapter first"))
    }

    /// Classifies texts.
    pub async fn predict(&self, texts: JsValue, which: &str) -> Result<JsValue, JsValue> {
        let texts: Vec<String> = from_js(texts, "texts")?;
        let which = which_of(which)?;
        let predictions = self.tuned()?.predict(self.model()?, &texts, which).await;
        to_js(&predictions.map_err(error)?)
    }

    /// Scores tuned and baseline on labelled rows.
    pub async fn evaluate(&self, examples: JsValue) -> Result<JsValue, JsValue> {
        let examples: Vec<Example> = from_js(examples, "examples")?;
        let evaluation = self.tuned()?.evaluate(self.model()?, &examples).await;
        to_js(&evaluation.map_err(error)?)
    }

    /// All files of an export.
    #[wasm_bindgen(js_name = exportAdapter)]
    pub async fn export_adapter(&self) -> Result<JsValue, JsValue> {
        let (model, tuned) = (self.model()?, self.tuned()?);
        let own = export::own_format(model, tuned).map_err(error)?;
        let files = export::files(model, tuned, own).await;
        files_to_js(files.map_err(error)?)
    }

    /// Takes an export back.
    #[wasm_bindgen(js_name = importAdapter)]
    pub async fn import_adapter(&mut self, files: JsValue) -> Result<(), JsValue> {
        let files = files_from_js(&files)?;
        let tuned = export::import(self.model()?, files).await.map_err(error)?;
        self.tuned = Some(tuned);
        Ok(())
    }

    /// Size of the WebAssembly memory, which never shrinks.
    #[wasm_bindgen(js_name = memoryBytes)]
    pub fn memory_bytes(&self) -> f64 {
        core::arch::wasm32::memory_size(0) as f64 * 65536.0
    }

    /// Bytes of the buffers that the device's allocator holds, in use or kept for the next step; 0 on the CPU engine.
    #[wasm_bindgen(js_name = bufferBytes)]
    pub fn buffer_bytes(&self) -> f64 {
        let usage = self.compute.device.memory_pool_usage();
        usage.map_or(0.0, |usage| usage.bytes_reserved as f64)
    }
}
