//! What a task offers so that its results can leave as files and come back.

use super::file::LabelsFile;
use super::folder::Folder;
use super::subject::Subject;
use crate::peft::{Method, MethodType, TaskType, Trainable, Tunable};
use crate::{Error, Result};

/// A loaded model whose results leave as files and come back.
pub trait Model {
    type Tuned;
    type Network: Tunable;

    /// A file that lies in the folder that an import begins with.
    const MARK: &'static str;

    /// What is exported of a result.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for a tokenizer's file that cannot be read.
    fn subject<'a>(&'a self, tuned: &'a Self::Tuned) -> Result<Subject<'a, Self::Network>>;

    /// The network of a result.
    fn network<'a>(&self, tuned: &'a Self::Tuned) -> &'a Self::Network;

    /// What files say of the adapter in them.
    ///
    /// # Errors
    /// Missing or broken files.
    fn described(&self, folder: &Folder) -> impl Future<Output = Result<Described>>;

    /// # Errors
    /// [`Error::InvalidFile`] for an adapter that does not fit this model.
    fn check(&self, described: &Described, method: &Method) -> Result<()>;

    /// The network that the adapter's values are put into, its head blank.
    ///
    /// # Errors
    /// Missing or broken files.
    fn blank(&self, described: &Described, folder: &Folder) -> Result<Self::Network>;

    /// The result.
    ///
    /// # Errors
    /// Missing or broken files.
    fn tuned(&self, imported: Imported<Self::Network>)
    -> impl Future<Output = Result<Self::Tuned>>;
}

/// What an import found.
pub struct Imported<'a, N> {
    /// Without gradients.
    pub network: N,
    pub method: Method,
    pub trainable: Trainable,
    /// The model card that came with the adapter.
    pub card: String,
    pub described: Described,
    pub folder: &'a Folder,
}

/// What files say of the adapter in them, before its settings are read.
#[derive(Debug, Clone)]
pub struct Described {
    pub method: MethodType,
    pub task: TaskType,
    /// Of a classifier.
    pub labels: Option<LabelsFile>,
    /// Whether a head's names are its family's own, so that a head alone has them too.
    pub names_head: bool,
}

impl Described {
    /// # Errors
    /// [`Error::Internal`] for a language model.
    pub fn labels(&self) -> Result<&LabelsFile> {
        let labels = self.labels.as_ref();
        labels.ok_or_else(|| Error::internal("a classifier's import has labels"))
    }
}
