//! How likely a language model finds each of several endings of one text. What the endings share is computed once.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

use super::generate::read_in;
use crate::Result;
use crate::data::Sequence;
use crate::device::read;
use crate::models::causal_batch::{chunks, ids, logit_positions};
use crate::models::decoder::{Cache, KeyValue, Layout};
use crate::models::{CausalBatch, CausalLm};

/// Tokens, those before them included, whose keys and values are held for all endings of a pass together.
const TOKENS: usize = 8192;

/// The sum of the log-probabilities of each sequence's targets, in nats. All but the last tokens that the sequences share, and that none of
/// them has as a target, pass through the model once.
///
/// # Errors
/// Failures of the device.
pub async fn log_likelihoods(model: &CausalLm, sequences: &[Sequence]) -> Result<Vec<f64>> {
    let longest = sequences.iter().map(|s| s.ids.len()).max().unwrap_or(1);
    // the last shared token comes before each ending and predicts its first token
    let past = shared(sequences).saturating_sub(1);
    let cache = match past {
        0 => None,
        _ => {
            let mut cache = Cache::new();
            read_in(model, &sequences[0].ids[..past], 0, &mut cache);
            Some(cache)
        }
    };
    let rows = rows_at_once(longest);
    let mut out = Vec::with_capacity(sequences.len());
    for some in sequences.chunks(rows) {
        out.extend(endings(model, some, past, cache.as_ref()).await?);
    }
    Ok(out)
}

/// How many sequences of at most this many tokens pass together.
pub fn rows_at_once(longest: usize) -> usize {
    (TOKENS / longest.max(1)).clamp(1, 32)
}

/// How many tokens all sequences begin with and none has as a target.
fn shared(sequences: &[Sequence]) -> usize {
    let Some(first) = sequences.first() else {
        return 0;
    };
    let open = |sequence: &Sequence| {
        let same = sequence.ids.iter().zip(&first.ids);
        let same = same.take_while(|(a, b)| a == b).count();
        let before = sequence.targets.iter().take_while(|target| !**target);
        same.min(before.count())
    };
    sequences.iter().map(open).min().unwrap_or(0)
}

/// The same keys and values for this many rows.
fn repeat(cache: &Cache, rows: usize) -> Cache {
    let wide = |x: &Tensor<4>| {
        let [_, heads, tokens, width] = x.dims();
        x.clone().expand([rows, heads, tokens, width])
    };
    let each = cache.iter().map(|slot| {
        slot.as_ref().map(|slot| KeyValue {
            key: wide(&slot.key),
            value: wide(&slot.value),
        })
    });
    each.collect()
}

/// The sums of rows whose first `past` tokens are in the cache.
async fn endings(
    model: &CausalLm,
    sequences: &[Sequence],
    past: usize,
    cache: Option<&Cache>,
) -> Result<Vec<f64>> {
    let rest = sequences.iter().map(|s| s.ids.len() - past);
    let width = rest.max().unwrap_or(1).max(1);
    let rows = sequences.len();
    let mut tokens = Vec::with_capacity(rows * width);
    let mut targets = Vec::with_capacity(rows * width);
    for (row, sequence) in sequences.iter().enumerate() {
        tokens.extend(sequence.ids[past..].iter().map(|id| *id as i32));
        targets.extend(&sequence.targets[past..]);
        // padding on the right, where no token looks
        tokens.resize((row + 1) * width, 0);
        targets.resize((row + 1) * width, false);
    }
    let device = model.device();
    let layout = Layout {
        past,
        ..Layout::plain(rows, width)
    };
    let batch = CausalBatch::new(tokens, &targets, layout, &device);
    let mut cache = cache.map(|cache| repeat(cache, rows));
    let (input, layout) = (batch.ids.clone(), &batch.layout);
    let hidden = model.model.forward(input, layout, cache.as_mut());
    let size = hidden.dims()[2];
    let flat = hidden.reshape([rows * width, size]);
    let mut sums = vec![0.0; rows];
    for chunk in chunks(batch.count(), logit_positions(model.head().rows())) {
        let positions = &batch.positions[chunk.clone()];
        let labels: Tensor<1, Int> = ids(&batch.labels[chunk], &device);
        let logits = model.logits(flat.clone().select(0, ids(positions, &device)));
        let logs = log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)); // [targets, 1]
        for (position, log) in positions.iter().zip(read(logs).await?) {
            sums[*position as usize / width] += f64::from(log);
        }
    }
    Ok(sums)
}
