//! The output of a frozen lower part, computed once for each row: batches then start above it.

use burn::tensor::{Device, Tensor, TensorData};

use burn::module::Module;

use crate::Result;
use crate::data::Batch;
use crate::device::read;
use crate::models::classifier::{Inputs, States};
use crate::models::{Classifier, TokenBatch};
use crate::text::Encoding;
use crate::train::frozen::Frozen;

/// The frozen part's output for every row that was asked for.
#[derive(Debug, Clone)]
pub struct FrozenCache {
    frozen: Frozen,
    /// `[tokens, hidden]` in row order, or `[hidden]` where the whole encoder is frozen.
    rows: Vec<Option<Vec<f32>>>,
    hidden: usize,
    pad_id: u32,
    device: Device,
}

impl FrozenCache {
    /// Empty, for this many rows.
    pub fn new(rows: usize, hidden: usize, pad_id: u32, device: Device) -> Self {
        Self {
            frozen: Frozen::Nothing,
            rows: vec![None; rows],
            hidden,
            pad_id,
            device,
        }
    }

    /// Sets how much is frozen; what was kept for another depth is dropped.
    pub fn set_frozen(&mut self, frozen: Frozen) {
        if self.frozen != frozen {
            self.frozen = frozen;
            self.rows.fill(None);
        }
    }

    /// Keeps what was computed elsewhere.
    pub fn put(&mut self, row: usize, values: Vec<f32>) {
        self.rows[row] = Some(values);
    }

    /// A batch of these rows, padded to the longest. `encodings` are all rows that the cache was made for. Rows that are not kept yet
    /// are computed by `classifier`, together and without dropout.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn inputs(
        &mut self,
        classifier: &Classifier,
        encodings: &[Encoding],
        rows: &[usize],
    ) -> Result<Inputs> {
        let pad = |rows: &[usize]| {
            let picked = rows.iter().map(|row| &encodings[*row]).collect::<Vec<_>>();
            Batch::pad(&picked, self.pad_id)
        };
        let depth = match self.frozen {
            Frozen::Nothing => {
                return Ok(Inputs::Tokens(Box::new(TokenBatch::upload(
                    &pad(rows)?,
                    &self.device,
                ))));
            }
            Frozen::Layers(depth) => Some(depth),
            Frozen::Backbone => None,
        };
        let missing = rows
            .iter()
            .copied()
            .filter(|row| self.rows[*row].is_none())
            .collect::<Vec<_>>();
        if !missing.is_empty() {
            let batch = pad(&missing)?;
            let tokens = TokenBatch::upload(&batch, &self.device);
            let classifier = classifier.valid();
            let values = match depth {
                Some(depth) => read(classifier.encoder.lower(depth, &tokens).inner()).await?,
                None => {
                    read(
                        classifier
                            .features(&Inputs::Tokens(Box::new(tokens)))
                            .inner(),
                    )
                    .await?
                }
            };
            let width = values.len() / missing.len();
            for (row, values) in missing.iter().zip(values.chunks(width)) {
                let kept = match depth {
                    Some(_) => encodings[*row].ids.len() * self.hidden,
                    None => self.hidden,
                };
                self.rows[*row] = Some(values[..kept].to_vec());
            }
        }
        let Some(depth) = depth else {
            let values = self.gather(rows, 1);
            let shape = [rows.len(), self.hidden];
            let features = Tensor::from_data(TensorData::new(values, shape), &self.device);
            return Ok(Inputs::Features(Box::new(features)));
        };
        let batch = pad(rows)?;
        let shape = [batch.rows, batch.width, self.hidden];
        let values = self.gather(rows, batch.width);
        Ok(Inputs::States(Box::new(States {
            x: Tensor::from_data(TensorData::new(values, shape), &self.device),
            mask: TokenBatch::upload(&batch, &self.device).mask,
            depth,
        })))
    }

    /// Concatenates rows, each zero-padded to `width` vectors: no attention reaches padding, and no mean counts it.
    fn gather(&self, rows: &[usize], width: usize) -> Vec<f32> {
        let size = width * self.hidden;
        let mut values = Vec::with_capacity(rows.len() * size);
        for (index, row) in rows.iter().enumerate() {
            values.extend_from_slice(self.rows[*row].as_deref().unwrap_or_default());
            values.resize((index + 1) * size, 0.0);
        }
        values
    }
}
