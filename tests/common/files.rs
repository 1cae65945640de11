//! A result's files in its method's own format.

use webtune::Result;
use webtune::export::{ExportedFile, Model, files, own_format};

pub async fn export<M: Model>(model: &M, tuned: &M::Tuned) -> Result<Vec<ExportedFile>> {
    files(model, tuned, own_format(model, tuned)?).await
}
