//! How likely a language model finds, in texts that it has not learnt from, what a run would learn of them.

use crate::Result;
use crate::data::{Packed, ParsedText};
use crate::eval::likelihood::{Likelihood, Sums};
use crate::models::CausalLm;
use crate::tasks::language::LanguageOptions;
use crate::tasks::language::model::LanguageModel;
use crate::tasks::language::rows::{encode, scoring_batches, upload};

/// Scores rows, cut and encoded as a run with these options would, by `network`: the model itself or what it was tuned to. `file` is named in
/// errors.
///
/// # Errors
/// As a run's own for these rows; failures of the device.
pub async fn score(
    model: &LanguageModel,
    network: &CausalLm,
    file: &str,
    rows: &[ParsedText],
    options: &LanguageOptions,
) -> Result<Likelihood> {
    let sequences = encode(model, file, rows, options)?;
    let packed = sequences.into_iter().map(Packed::from).collect::<Vec<_>>();
    let mut sums = Sums::default();
    let batch = options.common.train_batch_size;
    let longest = packed.iter().map(Packed::len).max().unwrap_or(1);
    for chosen in scoring_batches(&packed, batch, longest)? {
        sums.add(network, &upload(model, &packed, &chosen)?).await?;
    }
    Ok(sums.mean())
}
