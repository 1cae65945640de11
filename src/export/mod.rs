//! Files that leave: a tuned network in the formats that other tools load, and the way back.

pub mod adapter;
pub mod card;
mod card_use;
mod chat_files;
mod classifier;
mod classifier_card;
pub mod continue_py;
pub mod file;
pub mod folder;
pub mod format;
pub mod gguf_lora;
pub mod import;
mod language;
pub mod model;
pub mod onnx;
pub mod sentence;
pub mod shards;
pub mod subject;
pub mod whole;

use std::collections::VecDeque;

pub use file::ExportedFile;
pub use format::Format;
pub use import::import;
pub use model::Model;
pub use shards::Piece;

use onnx::OnnxExport;
use subject::{Subject, TaskFacts};
use whole::WholeExport;

use crate::Result;
use crate::formats::Float;
use crate::peft::Tunable;

/// The formats that a result can leave in, its method's own first.
///
/// # Errors
/// As [`Model::subject`].
pub fn formats<M: Model>(model: &M, tuned: &M::Tuned) -> Result<Vec<Format>> {
    Ok(Format::allowed(&model.subject(tuned)?))
}

/// The format that the method's own values have.
///
/// # Errors
/// As [`Model::subject`].
pub fn own_format<M: Model>(model: &M, tuned: &M::Tuned) -> Result<Format> {
    let subject = model.subject(tuned)?;
    Ok(Format::own(subject.method.kind(), subject.base.task))
}

/// All files of a result in that format, by path. A whole model is held in memory; `Export` gives it in pieces.
///
/// # Errors
/// [`crate::Error::InvalidOption`] for a format that the result cannot have, with the formats that it can;
/// [`crate::Error::NotFinite`] for a trained value that is no number; failures of the device.
pub async fn files<M: Model>(
    model: &M,
    tuned: &M::Tuned,
    format: Format,
) -> Result<Vec<ExportedFile>> {
    let mut export = Export::new(model, tuned, format, None).await?;
    let mut files: Vec<ExportedFile> = Vec::new();
    while let Some(piece) = export.next_piece(model, tuned).await? {
        match (piece, files.last_mut()) {
            (Piece::Open { file, .. }, _) => files.push(file::file(&file, Vec::new())),
            (Piece::Bytes(bytes), Some(file)) => file.bytes.extend(bytes),
            _ => (),
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The files of a format that is in memory whole.
async fn small<N: Tunable>(subject: &Subject<'_, N>, format: Format) -> Result<Vec<ExportedFile>> {
    format.check(subject)?;
    match (&subject.task, format) {
        (TaskFacts::Language { config, .. }, Format::Gguf) => {
            Ok(vec![gguf_lora::of_subject(subject, config).await?])
        }
        _ => adapter::own_files(subject).await,
    }
}

/// The files of a result, piece by piece: of a whole model never more than one tensor is in memory.
#[derive(Debug, Clone)]
pub enum Export {
    /// Files that are in memory.
    Small(VecDeque<Piece>),
    Merged(WholeExport),
    Onnx(OnnxExport),
}

impl Export {
    /// Begins one. `max_bytes`: of a shard of a merged model, two gigabytes without.
    ///
    /// # Errors
    /// As [`files`].
    pub async fn new<M: Model>(
        model: &M,
        tuned: &M::Tuned,
        format: Format,
        max_bytes: Option<u64>,
    ) -> Result<Self> {
        let subject = model.subject(tuned)?;
        Ok(match format {
            Format::Merged => Self::Merged(WholeExport::new(&subject, max_bytes).await?),
            Format::Onnx => Self::Onnx(OnnxExport::new(&subject, Float::F32)?),
            Format::OnnxFp16 => Self::Onnx(OnnxExport::new(&subject, Float::F16)?),
            other => {
                let mut files = small(&subject, other).await?;
                files.sort_by(|a, b| a.path.cmp(&b.path));
                Self::Small(files.into_iter().flat_map(Piece::whole).collect())
            }
        })
    }

    /// What a host does next; `None` at the end. `model` and `tuned`: those that it began with.
    ///
    /// # Errors
    /// [`crate::Error::NotFinite`]; failures of the device.
    pub async fn next_piece<M: Model>(
        &mut self,
        model: &M,
        tuned: &M::Tuned,
    ) -> Result<Option<Piece>> {
        match self {
            Self::Small(queue) => Ok(queue.pop_front()),
            Self::Merged(whole) => whole.next_piece(model.network(tuned)).await,
            Self::Onnx(onnx) => onnx.next_piece(model.network(tuned)).await,
        }
    }
}
