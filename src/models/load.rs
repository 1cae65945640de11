//! From a checkpoint to frozen layers on a device, each tensor renamed, transposed and checked on its way.

mod quantized;

use std::ops::Range;

use burn::module::Param;
use burn::module::ParamId;
use burn::tensor::{Device, Tensor, TensorData};

use crate::device::{Compute, EngineKind};
use crate::formats::{Checkpoint, Source};
use crate::layers::storage::BLOCK;
use crate::layers::{Embedding, LayerNorm, Linear, Storage, WordTable};
use crate::rng::Rng;
use crate::{Error, Result};

/// Bytes in float32 of the rows that are read at a time, if they do not stay as they are read.
pub(super) const BLOCK_BYTES: usize = 8 << 20;

/// Reads layers by their checkpoint names, with or without the family's prefix (`bert.`).
pub struct Loader<'a, S: Source> {
    checkpoint: &'a Checkpoint<S>,
    prefix: &'static str,
    compute: &'a Compute,
    storage: Storage,
}

/// A parameter that does not train. No autodiff: operations on it alone record nothing.
pub fn frozen<const D: usize>(tensor: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(ParamId::new(), tensor)
}

impl<'a, S: Source> Loader<'a, S> {
    /// `prefix` (such as `bert.`) is tried if a name without it does not exist.
    pub fn new(checkpoint: &'a Checkpoint<S>, prefix: &'static str, compute: &'a Compute) -> Self {
        Self {
            checkpoint,
            prefix,
            compute,
            storage: Storage::F32,
        }
    }

    /// Stores the weights of linear layers and word tables that way.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if the engine cannot compute with it.
    pub fn with_storage(mut self, storage: Storage) -> Result<Self> {
        storage.check_engine(self.compute)?;
        self.storage = storage;
        Ok(self)
    }

    /// The same for weights that always stay in float32, because they may train.
    pub fn in_float(&self) -> Self {
        Self {
            storage: Storage::F32,
            ..*self
        }
    }

    /// Where the layers will be.
    pub fn device(&self) -> &Device {
        &self.compute.device
    }

    /// The engine that the layers will run on.
    pub fn kind(&self) -> EngineKind {
        self.compute.kind
    }

    /// Whether the checkpoint has a tensor of that name, with or without the prefix.
    pub fn has(&self, name: &str) -> bool {
        self.stored_name(name).is_some()
    }

    fn stored_name(&self, name: &str) -> Option<String> {
        let prefixed = format!("{}{name}", self.prefix);
        [name.to_string(), prefixed]
            .into_iter()
            .find(|name| self.checkpoint.shape(name).is_some())
    }

    /// The name in the checkpoint of a tensor of that shape.
    fn stored(&self, name: &str, shape: &[usize]) -> Result<String> {
        let stored = self.stored_name(name).unwrap_or_else(|| name.into());
        let found = self.checkpoint.require(&stored)?;
        if found != shape {
            return Err(Error::WrongShape {
                tensor: stored,
                expected: shape.to_vec(),
                found: found.to_vec(),
            });
        }
        Ok(stored)
    }

    async fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let stored = self.stored(name, shape)?;
        Ok(self.checkpoint.tensor(&stored).await?.1)
    }

    /// Some rows of a tensor `[.., width]`, by its name in the checkpoint.
    async fn rows(&self, stored: &str, rows: &Range<usize>, width: usize) -> Result<Vec<f32>> {
        let [start, end] = [rows.start, rows.end].map(|row| row as u64 * width as u64);
        self.checkpoint.values(stored, start..end).await
    }

    /// A vector `[width]`.
    pub async fn vector(&self, name: &str, width: usize) -> Result<Param<Tensor<1>>> {
        let data = TensorData::new(self.values(name, &[width]).await?, [width]);
        Ok(frozen(Tensor::from_data(data, &self.compute.device)))
    }

    /// A table `[rows, width]`.
    pub async fn embedding(&self, name: &str, rows: usize, width: usize) -> Result<Embedding> {
        let stored = self.stored(&format!("{name}.weight"), &[rows, width])?;
        let weight = self.part(&stored, 0..rows, width, Storage::F32).await?;
        Ok(Embedding {
            weight: frozen(weight),
        })
    }

    /// A linear layer with a bias; the checkpoint stores `[out, in]`, the layer `[in, out]`.
    pub async fn linear(&self, name: &str, input: usize, output: usize) -> Result<Linear> {
        self.linear_of(name, input, output, true).await
    }

    /// The same with or without a bias.
    pub async fn linear_of(
        &self,
        name: &str,
        input: usize,
        output: usize,
        bias: bool,
    ) -> Result<Linear> {
        let stored = self.stored(&format!("{name}.weight"), &[output, input])?;
        let shape = [input, output];
        if self.storage.is_quantized() {
            let weight = self.quantized(&stored, 0..output, input).await?;
            return self.build(name, weight, shape, bias).await;
        }
        // turned block by block: next to the turned values there is no second copy of them
        let mut values = vec![0.0; input * output];
        for rows in blocks(0..output, rows_of_block(input)) {
            let block = self.rows(&stored, &rows, input).await?;
            transpose_rows(&block, rows, input, &mut values);
        }
        let weight = self.store(&stored, values, shape, self.storage)?;
        self.build(name, weight, shape, bias).await
    }

    /// A linear layer with a bias that the checkpoint stores as `[in, out]`: GPT-2's `Conv1D`.
    pub async fn conv1d(&self, name: &str, input: usize, output: usize) -> Result<Linear> {
        let shape = [input, output];
        let stored = self.stored(&format!("{name}.weight"), &shape)?;
        let weight = if self.storage.is_quantized() {
            self.quantized_columns(&stored, output, input).await?
        } else {
            let (_, values) = self.checkpoint.tensor(&stored).await?;
            self.store(&stored, values, shape, self.storage)?
        };
        self.build(name, weight, shape, true).await
    }

    async fn build(
        &self,
        name: &str,
        weight: Tensor<2>,
        shape: [usize; 2],
        bias: bool,
    ) -> Result<Linear> {
        let bias = if bias {
            Some(self.vector(&format!("{name}.bias"), shape[1]).await?)
        } else {
            None
        };
        Ok(Linear::stored(frozen(weight), bias, shape))
    }

    fn store(
        &self,
        name: &str,
        values: Vec<f32>,
        shape: [usize; 2],
        storage: Storage,
    ) -> Result<Tensor<2>> {
        storage.check_values(name, &values)?;
        Ok(storage.store(values, shape, &self.compute.device))
    }

    /// Some rows of a table on the device. On the way to a GPU the host holds a block of them; on the CPU float32 stays where it was read to,
    /// and a table in fewer bits is in parts of a block anyway.
    async fn part(
        &self,
        stored: &str,
        rows: Range<usize>,
        width: usize,
        storage: Storage,
    ) -> Result<Tensor<2>> {
        if storage.is_quantized() {
            return self.quantized(stored, rows, width).await;
        }
        let most = match (self.kind(), storage) {
            (EngineKind::Webgpu, Storage::F32) => rows_of_block(width),
            _ => rows.len(),
        };
        let mut parts = Vec::new();
        for block in blocks(rows, most) {
            let values = self.rows(stored, &block, width).await?;
            parts.push(self.store(stored, values, [block.len(), width], storage)?);
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Tensor::cat(parts, 0), // [rows, width]
        })
    }

    /// A table of words, `[rows, width]`, in as many parts as the device's bindings and the storage ask for.
    pub async fn table(&self, name: &str, rows: usize, width: usize) -> Result<WordTable> {
        let stored = self.stored(name, &[rows, width])?;
        let most = self.storage.part_bytes(self.compute) / (4 * width as u64);
        // whole blocks, so that quantisation can cut anywhere
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let rows_of_part = (most / BLOCK * BLOCK).max(BLOCK);
        let mut parts = Vec::new();
        let mut starts = vec![0];
        for part in blocks(0..rows, rows_of_part) {
            starts.push(part.end);
            let part = self.part(&stored, part, width, self.storage).await?;
            parts.push(frozen(part));
        }
        Ok(WordTable {
            parts,
            starts,
            width,
        })
    }

    /// A linear layer that the checkpoint lacks: normal with that deviation, a bias of zeros if it has one. Whoever loads the
    /// checkpoint gets the same numbers.
    pub fn fresh_linear(
        &self,
        name: &str,
        [input, output]: [usize; 2],
        deviation: f64,
        bias: bool,
    ) -> Linear {
        let device = &self.compute.device;
        let mut rng = Rng::stream(0, &format!("init/{name}"));
        let values = (0..input * output)
            .map(|_| (rng.normal() * deviation) as f32)
            .collect::<Vec<_>>();
        let weight = Tensor::from_data(TensorData::new(values, [input, output]), device);
        let bias = bias.then(|| frozen(Tensor::zeros([output], device)));
        Linear::new(frozen(weight), bias)
    }

    /// A layer norm of that width without a bias.
    pub async fn norm_without_bias(&self, name: &str, width: usize, eps: f64) -> Result<LayerNorm> {
        Ok(LayerNorm {
            weight: self.vector(&format!("{name}.weight"), width).await?,
            bias: None,
            eps,
        })
    }

    /// A layer norm of that width.
    pub async fn norm(&self, name: &str, width: usize, eps: f64) -> Result<LayerNorm> {
        // the very first BERT checkpoints call them gamma and beta
        let (weight, bias) = if self.has(&format!("{name}.gamma")) {
            ("gamma", "beta")
        } else {
            ("weight", "bias")
        };
        Ok(LayerNorm {
            weight: self.vector(&format!("{name}.{weight}"), width).await?,
            bias: Some(self.vector(&format!("{name}.{bias}"), width).await?),
            eps,
        })
    }
}

/// Rows of that width that the host holds at a time, whole blocks of values.
fn rows_of_block(width: usize) -> usize {
    (BLOCK_BYTES / (4 * width) / BLOCK * BLOCK).max(BLOCK)
}

/// `rows` in ranges of `most`, the last one shorter.
fn blocks(rows: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let end = rows.end;
    rows.step_by(most.max(1))
        .map(move |start| start..end.min(start.saturating_add(most)))
}

/// `[rows, columns]` in row order to `[columns, rows]` in row order.
pub fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    transpose_rows(values, 0..rows, columns, &mut out);
    out
}

/// The same of some rows of a matrix. `values`: those rows, `[rows, columns]`; `out`: `[columns, all rows]`.
fn transpose_rows(values: &[f32], rows: Range<usize>, columns: usize, out: &mut [f32]) {
    let all = out.len() / columns;
    for (row, line) in rows.zip(values.chunks_exact(columns)) {
        for (column, value) in line.iter().enumerate() {
            out[column * all + row] = *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::formats::{Float, MemorySource};

    /// A table of several blocks, 8.7 MB in float32, and the file of it.
    const ROWS: usize = 4001;
    const WIDTH: usize = 544;

    fn file(float: Float) -> (Vec<f32>, Checkpoint<MemorySource>) {
        let values =
            (0..ROWS * WIDTH).map(|n| float.round((n * 7919 % 4001) as f32 / 2000.0 - 1.0));
        let values = values.collect::<Vec<_>>();
        let mut data = Vec::new();
        float.narrow(&values, &mut data);
        let dtype = float.dtype();
        let end = data.len();
        let header = format!(
            r#"{{"w.weight":{{"dtype":"{dtype}","shape":[{ROWS},{WIDTH}],"data_offsets":[0,{end}]}}}}"#
        );
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        let source = MemorySource::new("model.safetensors", bytes);
        (values, block_on(Checkpoint::open(vec![source])).unwrap())
    }

    /// The CPU engine's device under both kinds: how tables are read depends on the kind alone.
    fn computes() -> [Compute; 3] {
        let gpu = Compute {
            kind: EngineKind::Webgpu,
            ..Compute::cpu()
        };
        [
            Compute::cpu(),
            Compute {
                max_binding: 1 << 20,
                ..gpu.clone()
            },
            Compute {
                max_binding: 1 << 30,
                ..gpu
            },
        ]
    }

    #[test]
    fn a_table_read_in_ranges_is_the_table_read_whole() {
        for float in [Float::F32, Float::F16, Float::BF16] {
            let (values, checkpoint) = file(float);
            for compute in computes() {
                for storage in [Storage::F32, Storage::F16, Storage::Int8, Storage::Int4] {
                    let loader = Loader::new(&checkpoint, "", &compute)
                        .with_storage(storage)
                        .unwrap();
                    let table = block_on(loader.table("w.weight", ROWS, WIDTH)).unwrap();
                    assert_eq!(table.rows(), ROWS);
                    let most = storage.part_bytes(&compute) as usize / (4 * WIDTH);
                    for (index, part) in table.parts.iter().enumerate() {
                        let rows = table.starts[index]..table.starts[index + 1];
                        assert!(rows.len() <= most, "{} of {most} rows", rows.len());
                        let whole = values[rows.start * WIDTH..rows.end * WIDTH].to_vec();
                        let whole = storage.store(whole, [rows.len(), WIDTH], &compute.device);
                        assert!(
                            part.val().into_data() == whole.into_data(),
                            "{float:?} {storage:?} part {index}"
                        );
                    }
                }
                let loader = Loader::new(&checkpoint, "", &compute);
                let plain = block_on(loader.embedding("w", ROWS, WIDTH)).unwrap();
                let plain = plain
                    .weight
                    .val()
                    .into_data()
                    .try_into_vec::<f32>()
                    .unwrap();
                assert!(plain == values, "{float:?}");
                let linear = block_on(loader.linear_of("w", WIDTH, ROWS, false)).unwrap();
                let turned = linear.weight().into_data().try_into_vec::<f32>().unwrap();
                assert!(turned == transpose(&values, ROWS, WIDTH), "{float:?}");
            }
        }
    }
}
