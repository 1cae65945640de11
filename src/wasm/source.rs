//! A JavaScript object that reads ranges of a Blob or URL, as a [`Source`].

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::convert::words;
use crate::formats::Source;
use crate::{Error, Result};

#[wasm_bindgen]
extern "C" {
    /// `SourceFile` of www/lib/sources/http-file.ts.
    pub type SourceFile;

    #[wasm_bindgen(method, getter)]
    fn path(this: &SourceFile) -> String;

    #[wasm_bindgen(method, getter)]
    fn size(this: &SourceFile) -> f64;

    #[wasm_bindgen(method, catch)]
    async fn read(
        this: &SourceFile,
        offset: f64,
        length: f64,
    ) -> std::result::Result<JsValue, JsValue>;
}

/// A file on the other side of the border.
pub struct JsSource {
    path: String,
    size: u64,
    file: SourceFile,
}

impl JsSource {
    /// Path and size are asked once.
    pub fn new(file: JsValue) -> Self {
        let file: SourceFile = file.unchecked_into();
        Self {
            path: file.path(),
            size: file.size() as u64,
            file,
        }
    }

    fn failed(&self, reason: String) -> Error {
        Error::read(self.path.clone(), reason)
    }
}

impl Source for JsSource {
    fn path(&self) -> &str {
        &self.path
    }

    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        let value = self
            .file
            .read(offset as f64, length as f64)
            .await
            .map_err(|thrown| self.failed(words(&thrown)))?;
        let bytes = value
            .dyn_into::<Uint8Array>()
            .map_err(|_| self.failed("reading gave something else than a Uint8Array".into()))?;
        Ok(bytes.to_vec())
    }
}
