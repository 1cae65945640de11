//! Enters: whatever went wrong. Leaves: one enum whose text names the thing, what was expected and what was found.

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong, one variant per kind that a caller may want to tell apart (see [`Error::code`]).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
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
    #[error("{tensor}: expected F32, F16 or BF16, got {found}")]
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
    /// The tokenizer can produce ids that the embedding table has no row for.
    #[error(
        "tokenizer.json: its largest id is {largest_id}, but the vocab_size of config.json is {rows}; the two files belong to different models"
    )]
    TokenizerMismatch { largest_id: u32, rows: usize },
    /// The examples are not usable. `row` counts from 1, the header included.
    #[error("{file}{}: {reason}", .row.map(|r| format!(", row {r}")).unwrap_or_default())]
    InvalidData {
        file: String,
        row: Option<usize>,
        reason: String,
    },
    /// A setting is out of its range or fits no other.
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
    /// WebGPU was asked for and is not there.
    #[error("WebGPU is not available: {reason}")]
    NoWebgpu { reason: String },
    /// A read from a file or the network failed.
    #[error("{file}: {reason}")]
    ReadFailed { file: String, reason: String },
    /// A call came in the wrong order, such as predicting before loading.
    #[error("{0}")]
    InvalidState(String),
    /// The device stopped answering or refused an operation.
    #[error("the compute device failed: {0}")]
    Device(String),
}

impl Error {
    /// The stable word that JavaScript sees as `error.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::InvalidFile { .. } => "invalidFile",
            Error::MissingFile { .. } => "missingFile",
            Error::MissingTensor { .. } => "missingTensor",
            Error::WrongShape { .. } => "wrongShape",
            Error::WrongDtype { .. } => "wrongDtype",
            Error::NotFinite { .. } => "notFinite",
            Error::UnsupportedModel { .. } => "unsupportedModel",
            Error::TokenizerMismatch { .. } => "tokenizerMismatch",
            Error::InvalidData { .. } => "invalidData",
            Error::InvalidOption { .. } => "invalidOption",
            Error::OutOfMemory { .. } => "outOfMemory",
            Error::NoWebgpu { .. } => "noWebgpu",
            Error::ReadFailed { .. } => "readFailed",
            Error::InvalidState(_) => "invalidState",
            Error::Device(_) => "deviceFailed",
        }
    }
}
