//! What went wrong, as one enum: its text names the thing, what was expected and what was found, and its fields cross
//! the border to JavaScript next to a stable code.

mod code;

use std::fmt::Display;

pub use code::ErrorCode;
use serde::Serialize;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong, one variant per kind that a caller may want to tell apart (see [`Error::kind`]).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
// Each variant's message says what its fields are.
#[allow(missing_docs)]
pub enum Error {
    /// A file's bytes are not what its name promises.
    #[error("{file}: {reason}")]
    InvalidFile { file: String, reason: String },
    /// A file that the model needs is not among those given.
    #[error("{file} is missing; the files given are: {found}")]
    MissingFile { file: String, found: String },
    /// A weight that the architecture needs is not in the checkpoint.
    #[error("{file}: tensor {tensor} is missing")]
    MissingTensor { file: String, tensor: String },
    /// A weight has another shape than the configuration says. Shapes as the checkpoint stores them.
    #[error("{tensor}: expected {expected:?}, got {found:?}")]
    WrongShape {
        tensor: String,
        expected: Vec<usize>,
        found: Vec<usize>,
    },
    /// A weight is stored in a type that is not read.
    #[error(
        "{tensor}: expected F64, F32, F16 or BF16, got {found}; quantised weights cannot be tuned, take the unquantised model that they were made from"
    )]
    WrongDtype { tensor: String, found: String },
    /// A weight holds NaN or infinity.
    #[error("{tensor}: {count} of its values are NaN or infinite, the first at index {index}")]
    NotFinite {
        tensor: String,
        count: usize,
        index: usize,
    },
    /// The configuration names a model or a setting of it that is not built here.
    #[error("config.json: {reason}")]
    UnsupportedModel { reason: String },
    /// The same, of a file that is a whole model.
    #[error("{file}: {reason}")]
    UnsupportedFile { file: String, reason: String },
    /// The tokenizer can produce ids that the embedding table has no row for.
    #[error(
        "tokenizer.json: its largest id is {largest_id}, but the vocab_size of config.json is {rows}; the two files belong to different models"
    )]
    TokenizerMismatch { largest_id: u32, rows: usize },
    /// The rows or texts given are not usable. `row` counts from 1, a table's header included.
    #[error("{file}{}: {reason}", .row.map(|r| format!(", row {r}")).unwrap_or_default())]
    InvalidData {
        file: String,
        row: Option<usize>,
        reason: String,
    },
    /// An option is out of its range or does not go together with another.
    #[error("{option}: {reason}")]
    InvalidOption { option: String, reason: String },
    /// The work would not fit; nothing was allocated. Sizes in bytes.
    #[error(
        "{what} needs about {} MiB, but only {} MiB may be used; {advice}",
        .needed >> 20,
        .available >> 20
    )]
    OutOfMemory {
        what: String,
        needed: u64,
        available: u64,
        advice: String,
    },
    /// A tensor of the work would not fit into one buffer of the graphics card; nothing was allocated. Sizes in bytes.
    #[error(
        "{what} would take {} MiB in one buffer, but this graphics card binds at most {} MiB in one; {advice}",
        .needed >> 20,
        .available >> 20
    )]
    BufferTooLarge {
        what: String,
        needed: u64,
        available: u64,
        advice: String,
    },
    /// WebGPU was asked for and is not available.
    #[error("WebGPU is not available: {reason}")]
    NoWebgpu { reason: String },
    /// A read from a file or the network failed.
    #[error("{file}: {reason}")]
    ReadFailed { file: String, reason: String },
    /// A call came in the wrong order, such as predicting before training.
    #[error("{0}")]
    InvalidState(String),
    /// The device stopped answering or refused an operation.
    #[error("the compute device failed: {0}")]
    Device(String),
    /// What the code around it rules out. A caller cannot cause or mend it.
    #[error("{0}")]
    Internal(String),
    /// Another error, of a tensor in this file.
    #[error("{file}: {error}")]
    InFile { file: String, error: Box<Error> },
    /// Another error, which one option helps past.
    #[error("{error}")]
    Mendable { remedy: Remedy, error: Box<Error> },
}

/// An option that gets a person past an error, if they want what it does; a page offers it as a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Remedy {
    /// `encoding: "windows-1252"`: the file is no UTF-8, but can be text of older Windows programs.
    ReadAsWindows1252,
    /// `skipBad: true`: some rows cannot be used, others can.
    SkipBad,
}

/// An error as JavaScript gets it: the text for a person, the rest for code.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErrorReport {
    /// The kind of failure.
    pub code: ErrorCode,
    /// One sentence for a person: the thing, what was expected and what was found.
    pub message: String,
    /// The option that is wrong, as the caller spells it; a path such as `method.r` where it is inside another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option: Option<String>,
    /// The file that is wrong, missing or could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The row of `file`, from 1, a table's header included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<usize>,
    /// The tensor that is wrong or missing, by its name in the checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensor: Option<String>,
    /// Bytes that the work would take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed: Option<u64>,
    /// Bytes that it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// An option that helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

impl ErrorReport {
    /// Nothing but code and text.
    pub fn new(code: ErrorCode, message: String) -> Self {
        Self {
            code,
            message,
            option: None,
            file: None,
            row: None,
            tensor: None,
            needed: None,
            limit: None,
            remedy: None,
        }
    }
}

impl Error {
    /// A file's bytes are not what its name promises.
    pub fn file(file: impl Into<String>, reason: impl Display) -> Self {
        Self::InvalidFile {
            file: file.into(),
            reason: reason.to_string(),
        }
    }

    /// A read from a file or the network failed.
    pub fn read(file: impl Into<String>, reason: impl Display) -> Self {
        Self::ReadFailed {
            file: file.into(),
            reason: reason.to_string(),
        }
    }

    /// The rows of `file` are not usable; `row` counts from 1, a table's header included.
    pub fn data(
        file: impl Into<String>,
        row: impl Into<Option<usize>>,
        reason: impl Display,
    ) -> Self {
        Self::InvalidData {
            file: file.into(),
            row: row.into(),
            reason: reason.to_string(),
        }
    }

    /// `option`, as the caller spells it, is out of its range or does not go together with another.
    pub fn option(option: impl Into<String>, reason: impl Display) -> Self {
        Self::InvalidOption {
            option: option.into(),
            reason: reason.to_string(),
        }
    }

    /// `option` was given `value`, outside of `range` in words (`1 to 512`).
    pub fn out_of_range(
        option: impl Into<String>,
        range: impl Display,
        value: impl Display,
    ) -> Self {
        Self::option(option, format_args!("expected {range}, got {value}"))
    }

    /// The configuration names a model or a setting of it that is not built here.
    pub fn unsupported(reason: impl Display) -> Self {
        Self::UnsupportedModel {
            reason: reason.to_string(),
        }
    }

    /// A call came in the wrong order.
    pub fn state(reason: impl Display) -> Self {
        Self::InvalidState(reason.to_string())
    }

    /// The device stopped answering or refused an operation.
    pub fn device(reason: impl Display) -> Self {
        Self::Device(reason.to_string())
    }

    /// Something that the code around it rules out.
    pub fn internal(reason: impl Display) -> Self {
        Self::Internal(reason.to_string())
    }

    /// The same error, of a tensor in this file.
    pub fn in_file(self, file: impl Into<String>) -> Self {
        Self::InFile {
            file: file.into(),
            error: Box::new(self),
        }
    }

    /// The same error, with an option that helps.
    pub fn with_remedy(self, remedy: Remedy) -> Self {
        Self::Mendable {
            remedy,
            error: Box::new(self),
        }
    }

    /// The stable word that JavaScript sees as `error.code`.
    pub fn code(&self) -> &'static str {
        self.kind().as_str()
    }

    /// Which kind of failure it is.
    pub fn kind(&self) -> ErrorCode {
        match self {
            Error::InvalidFile { .. } => ErrorCode::InvalidFile,
            Error::MissingFile { .. } => ErrorCode::MissingFile,
            Error::MissingTensor { .. } => ErrorCode::MissingTensor,
            Error::WrongShape { .. } => ErrorCode::WrongShape,
            Error::WrongDtype { .. } => ErrorCode::WrongDtype,
            Error::NotFinite { .. } => ErrorCode::NotFinite,
            Error::UnsupportedModel { .. } | Error::UnsupportedFile { .. } => {
                ErrorCode::UnsupportedModel
            }
            Error::TokenizerMismatch { .. } => ErrorCode::TokenizerMismatch,
            Error::InvalidData { .. } => ErrorCode::InvalidData,
            Error::InvalidOption { .. } => ErrorCode::InvalidOption,
            Error::OutOfMemory { .. } | Error::BufferTooLarge { .. } => ErrorCode::OutOfMemory,
            Error::NoWebgpu { .. } => ErrorCode::NoWebgpu,
            Error::ReadFailed { .. } => ErrorCode::ReadFailed,
            Error::InvalidState(_) => ErrorCode::InvalidState,
            Error::Device(_) => ErrorCode::DeviceFailed,
            Error::Internal(_) => ErrorCode::Internal,
            Error::InFile { error, .. } | Error::Mendable { error, .. } => error.kind(),
        }
    }

    /// Code, text and fields, as they cross the border.
    pub fn report(&self) -> ErrorReport {
        let mut report = ErrorReport::new(self.kind(), self.to_string());
        match self.clone() {
            Error::InvalidFile { file, .. }
            | Error::UnsupportedFile { file, .. }
            | Error::MissingFile { file, .. }
            | Error::ReadFailed { file, .. } => report.file = Some(file),
            Error::MissingTensor { file, tensor } => {
                report.file = Some(file);
                report.tensor = Some(tensor);
            }
            Error::WrongShape { tensor, .. }
            | Error::WrongDtype { tensor, .. }
            | Error::NotFinite { tensor, .. } => report.tensor = Some(tensor),
            Error::UnsupportedModel { .. } => report.file = Some("config.json".into()),
            Error::TokenizerMismatch { .. } => report.file = Some("tokenizer.json".into()),
            Error::InvalidData { file, row, .. } => {
                report.file = Some(file);
                report.row = row;
            }
            Error::InvalidOption { option, .. } => report.option = Some(option),
            Error::OutOfMemory {
                needed, available, ..
            }
            | Error::BufferTooLarge {
                needed, available, ..
            } => {
                report.needed = Some(needed);
                report.limit = Some(available);
            }
            Error::InFile { file, error } => {
                let message = report.message;
                report = error.report();
                report.message = message;
                report.file = Some(file);
            }
            Error::Mendable { remedy, error } => {
                report = error.report();
                report.remedy = Some(remedy);
            }
            Error::NoWebgpu { .. }
            | Error::InvalidState(_)
            | Error::Device(_)
            | Error::Internal(_) => {}
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cross_next_to_code_and_text() {
        let json = |error: Error| serde_json::to_value(error.report()).unwrap();
        assert_eq!(
            json(Error::data("rows.csv", 3, "the label is blank")),
            serde_json::json!({
                "code": "invalidData", "message": "rows.csv, row 3: the label is blank", "file": "rows.csv", "row": 3
            })
        );
        assert_eq!(
            json(Error::out_of_range("dropout", "0 to below 1", 1.5)),
            serde_json::json!({
                "code": "invalidOption", "message": "dropout: expected 0 to below 1, got 1.5", "option": "dropout"
            })
        );
        let wrong = Error::WrongShape {
            tensor: "score.weight".into(),
            expected: vec![3, 8],
            found: vec![2, 8],
        };
        assert_eq!(
            json(wrong.in_file("head.safetensors")),
            serde_json::json!({
                "code": "wrongShape", "message": "head.safetensors: score.weight: expected [3, 8], got [2, 8]",
                "file": "head.safetensors", "tensor": "score.weight"
            })
        );
        let memory = Error::OutOfMemory {
            what: "training".into(),
            needed: 3 << 30,
            available: 1 << 30,
            advice: "choose fewer layers".into(),
        };
        let memory = json(memory);
        assert_eq!(memory["needed"], 3u64 << 30);
        assert_eq!(memory["limit"], 1u64 << 30);
    }

    #[test]
    fn codes_are_serialised_as_they_are_named() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
