//! The stable words for kinds of failure.

use serde::Serialize;

/// The stable word for a kind of failure, `error.code` in JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ErrorCode {
    /// A file's bytes are not what its name promises.
    InvalidFile,
    /// A file that is needed is not among those given.
    MissingFile,
    /// A weight that the architecture needs is not in the checkpoint.
    MissingTensor,
    /// A weight has another shape than the configuration says.
    WrongShape,
    /// A weight is stored in a type that is not read.
    WrongDtype,
    /// A weight holds NaN or infinity.
    NotFinite,
    /// The configuration names a model or a setting of it that is not built here.
    UnsupportedModel,
    /// The tokenizer can produce ids that the embedding table has no row for.
    TokenizerMismatch,
    /// The rows or texts given are not usable.
    InvalidData,
    /// An option is out of its range or does not go together with another.
    InvalidOption,
    /// The work would not fit into memory.
    OutOfMemory,
    /// WebGPU was asked for and is not available.
    NoWebgpu,
    /// A read from a file or the network failed.
    ReadFailed,
    /// A call came in the wrong order, such as predicting before training.
    InvalidState,
    /// The device stopped answering or refused an operation.
    DeviceFailed,
    /// A fault of webtune itself: something happened that its code rules out. Worth a report.
    Internal,
    /// A signal fired, or the object that was called has been disposed of. Made by the package, not by the engine.
    Aborted,
    /// The engine panicked or its worker died; load anew.
    Crashed,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 18] = [
        Self::InvalidFile,
        Self::MissingFile,
        Self::MissingTensor,
        Self::WrongShape,
        Self::WrongDtype,
        Self::NotFinite,
        Self::UnsupportedModel,
        Self::TokenizerMismatch,
        Self::InvalidData,
        Self::InvalidOption,
        Self::OutOfMemory,
        Self::NoWebgpu,
        Self::ReadFailed,
        Self::InvalidState,
        Self::DeviceFailed,
        Self::Internal,
        Self::Aborted,
        Self::Crashed,
    ];

    /// The code as it is serialised.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFile => "invalidFile",
            Self::MissingFile => "missingFile",
            Self::MissingTensor => "missingTensor",
            Self::WrongShape => "wrongShape",
            Self::WrongDtype => "wrongDtype",
            Self::NotFinite => "notFinite",
            Self::UnsupportedModel => "unsupportedModel",
            Self::TokenizerMismatch => "tokenizerMismatch",
            Self::InvalidData => "invalidData",
            Self::InvalidOption => "invalidOption",
            Self::OutOfMemory => "outOfMemory",
            Self::NoWebgpu => "noWebgpu",
            Self::ReadFailed => "readFailed",
            Self::InvalidState => "invalidState",
            Self::DeviceFailed => "deviceFailed",
            Self::Internal => "internal",
            Self::Aborted => "aborted",
            Self::Crashed => "crashed",
        }
    }
}
