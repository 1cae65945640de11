//! The files that an import is given, by the paths that they have in an export.

use super::file::{CARD, ExportedFile, LABELS, LabelsGiven};
use crate::formats::foreign::lfs_pointer;
use crate::peft::adapter_file::ADAPTER_CONFIG;
use crate::peft::store::Tensors;
use crate::{Error, Result};

/// The most bytes of a JSON file, which becomes a tree.
const MOST_SETTINGS: usize = 1 << 20;

/// The files of an export, wherever its folder begins.
pub struct Folder(Vec<ExportedFile>);

impl Folder {
    /// A zip or a folder may put everything into one folder more; `mark` is a file of the export itself.
    pub fn new(mut files: Vec<ExportedFile>, mark: &str) -> Self {
        let beside = |mark: &str| files.iter().find_map(|file| file.path.strip_suffix(mark));
        // an adapter that another tool made may lie beside nothing of ours
        let root = beside(mark)
            .or_else(|| beside(ADAPTER_CONFIG))
            .unwrap_or_default()
            .to_string();
        for file in &mut files {
            if let Some(rest) = file.path.strip_prefix(&root) {
                file.path = rest.into();
            }
        }
        Self(files)
    }

    /// # Errors
    /// [`Error::MissingFile`]; [`Error::InvalidFile`] for settings that are too large to be any.
    pub fn bytes(&self, path: &str) -> Result<&[u8]> {
        match self.0.iter().find(|file| file.path == path) {
            Some(file) if path.ends_with(".json") && file.bytes.len() > MOST_SETTINGS => {
                let reason = format!(
                    "{} bytes are too many for it; at most {MOST_SETTINGS} are read",
                    file.bytes.len()
                );
                Err(Error::file(path, reason))
            }
            Some(file) => match lfs_pointer(&file.bytes) {
                Some(reason) => Err(Error::file(path, reason)),
                None => Ok(&file.bytes),
            },
            None => Err(Error::MissingFile {
                file: path.into(),
                found: self
                    .0
                    .iter()
                    .map(|file| file.path.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    /// # Errors
    /// Missing or broken files.
    pub async fn tensors(&self, path: &str) -> Result<Tensors> {
        Tensors::read(path, self.bytes(path)?.to_vec()).await
    }

    /// Whether there is a file of that path.
    pub fn has(&self, path: &str) -> bool {
        self.0.iter().any(|file| file.path == path)
    }

    /// What `labels.json` says; nothing where it is missing beside an adapter's settings, which say the most of it.
    ///
    /// # Errors
    /// Missing or broken files.
    pub fn labels(&self) -> Result<LabelsGiven> {
        if !self.has(LABELS) && self.has(ADAPTER_CONFIG) {
            return Ok(LabelsGiven::default());
        }
        let bytes = self.bytes(LABELS)?;
        serde_json::from_slice(bytes).map_err(|error| Error::file(LABELS, error))
    }

    /// The model card that came with the adapter.
    pub fn card(&self) -> String {
        match self.bytes(CARD) {
            Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Err(_) => "# Adapter\n".into(),
        }
    }
}
