//! How likely a language model finds, in texts that it has not learnt from, what a run would learn of them.

use crate::Result;
use crate::data::{Packed, ParsedText};
use crate::eval::likelihood::{Likelihood, Sums};
use crate::models::CausalLm;
use crate::models::size::Shape;
use crate::tasks::language::LanguageOptions;
use crate::tasks::language::model::LanguageModel;
use crate::tasks::language::rows::{batches, encode, longest, upload};
use crate::tasks::language::tuned::held;

/// Scores rows, cut and encoded as a run with these options would, by `network`: the model itself or what it was tuned to. `file` is named in
/// errors.
///
/// # Errors
/// As a run's own for these rows; [`crate::Error::OutOfMemory`] for a text that does not fit; failures of the device.
pub async fn score(
    model: &LanguageModel,
    network: &CausalLm,
    file: &str,
    rows: &[ParsedText],
    options: &LanguageOptions,
) -> Result<Likelihood> {
    let found = encode(model, file, rows, options)?;
    let sequences = found.sequences.into_iter().flatten();
    let packed = sequences.map(Packed::from).collect::<Vec<_>>();
    let row = Shape::new(1, longest(&packed)).after(network.model.prefix_tokens());
    let (sizes, compute, held) = (model.sizes(), &model.compute, held(model, network));
    sizes.check_pass(compute, "The longest text", row, held)?;
    let batch = sizes.rows_that_fit(compute, row, options.common.train_batch_size, held);
    likelihood(model, network, &packed, &batches(&packed, batch)?).await
}

/// How likely `network` finds the targets of these batches of rows.
///
/// # Errors
/// Failures of the device.
pub(super) async fn likelihood(
    model: &LanguageModel,
    network: &CausalLm,
    rows: &[Packed],
    batches: &[Vec<usize>],
) -> Result<Likelihood> {
    let compute = async |part: usize| {
        let batch = upload(model, rows, &batches[part])?;
        Sums::of(network, &batch).await
    };
    let parts: Vec<Sums> = (model.compute.team).all(batches.len(), compute).await?;
    let mut sums = Sums::default();
    parts.into_iter().for_each(|part| sums.add(part));
    Ok(sums.mean())
}
