//! Enters: a checkpoint. Leaves: frozen layers on a device, each tensor renamed, transposed and checked on its way.

use burn::module::Param;
use burn::module::ParamId;
use burn::tensor::{Device, Tensor, TensorData};

use crate::device::{Compute, EngineKind};
use crate::formats::{Checkpoint, Source};
use crate::layers::storage::BLOCK;
use crate::layers::{Embedding, LayerNorm, Linear, Storage, WordTable};
use crate::rng::Rng;
use crate::{Error, Result};

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
    /// `prefix` (such as `bert.`) is tried where a name without it does not exist.
    pub fn new(checkpoint: &'a Checkpoint<S>, prefix: &'static str, compute: &'a Compute) -> Self {
        Self {
            checkpoint,
            prefix,
            compute,
            storage: Storage::F32,
        }
    }

    /// Keeps the weights of linear layers and word tables so.
    pub fn with_storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
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
            .find(|name| self.checkpoint.info(name).is_some())
    }

    async fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        // a name that is nowhere fails in `tensor`, which knows the file to blame
        let stored = self.stored_name(name).unwrap_or_else(|| name.into());
        if let Some(info) = self.checkpoint.info(&stored)
            && info.shape != shape
        {
            return Err(Error::WrongShape {
                tensor: stored,
                expected: shape.to_vec(),
                found: info.shape.clone(),
            });
        }
        Ok(self.checkpoint.tensor(&stored).await?.1)
    }

    /// A vector `[width]`.
    pub async fn vector(&self, name: &str, width: usize) -> Result<Param<Tensor<1>>> {
        let data = TensorData::new(self.values(name, &[width]).await?, [width]);
        Ok(frozen(Tensor::from_data(data, &self.compute.device)))
    }

    /// A table `[rows, width]`.
    pub async fn embedding(&self, name: &str, rows: usize, width: usize) -> Result<Embedding> {
        let values = self
            .values(&format!("{name}.weight"), &[rows, width])
            .await?;
        let data = TensorData::new(values, [rows, width]);
        Ok(Embedding {
            weight: frozen(Tensor::from_data(data, &self.compute.device)),
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
        let name_of_weight = format!("{name}.weight");
        let values = self.values(&name_of_weight, &[output, input]).await?;
        let values = transpose(&values, output, input);
        self.build(name, values, [input, output], bias).await
    }

    /// A linear layer with a bias that the checkpoint stores as `[in, out]`: GPT-2's `Conv1D`.
    pub async fn conv1d(&self, name: &str, input: usize, output: usize) -> Result<Linear> {
        let name_of_weight = format!("{name}.weight");
        let values = self.values(&name_of_weight, &[input, output]).await?;
        self.build(name, values, [input, output], true).await
    }

    async fn build(
        &self,
        name: &str,
        values: Vec<f32>,
        shape: [usize; 2],
        bias: bool,
    ) -> Result<Linear> {
        let weight = frozen(self.store(&format!("{name}.weight"), values, shape)?);
        let bias = match bias {
            true => Some(self.vector(&format!("{name}.bias"), shape[1]).await?),
            false => None,
        };
        Ok(Linear::stored(weight, bias, shape))
    }

    fn store(&self, name: &str, values: Vec<f32>, shape: [usize; 2]) -> Result<Tensor<2>> {
        if !self.storage.holds(values.len()) {
            return Err(Error::InvalidOption {
                option: "storage".into(),
                reason: format!(
                    "{} keeps blocks of {BLOCK} values, and {name} has {} x {}, which is no multiple of it; choose f32 or f16",
                    self.storage.word(),
                    shape[0],
                    shape[1]
                ),
            });
        }
        Ok(self.storage.store(values, shape, &self.compute.device))
    }

    /// A table of words, `[rows, width]`, in as many parts as the device's bindings and the storage ask for.
    pub async fn table(&self, name: &str, rows: usize, width: usize) -> Result<WordTable> {
        let values = self.values(name, &[rows, width]).await?;
        let most = self.compute.part_bytes(self.storage) / (4 * width as u64);
        // whole blocks, so that quantisation can cut anywhere
        let rows_of_part = (most as usize / BLOCK * BLOCK).max(BLOCK);
        let mut parts = Vec::new();
        let mut starts = vec![0];
        for part in values.chunks(rows_of_part.saturating_mul(width)) {
            let shape = [part.len() / width, width];
            parts.push(frozen(self.store(name, part.to_vec(), shape)?));
            starts.push(starts[starts.len() - 1] + shape[0]);
        }
        Ok(WordTable {
            parts,
            starts,
            width,
        })
    }

    /// A linear layer that the checkpoint lacks: normal with that deviation, a bias of zeros where it has one. Whoever loads the
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
        let (weight, bias) = match self.has(&format!("{name}.gamma")) {
            true => ("gamma", "beta"),
            false => ("weight", "bias"),
        };
        Ok(LayerNorm {
            weight: self.vector(&format!("{name}.{weight}"), width).await?,
            bias: Some(self.vector(&format!("{name}.{bias}"), width).await?),
            eps,
        })
    }
}

/// `[rows, columns]` in row order to `[columns, rows]` in row order.
pub fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for (row, line) in values.chunks_exact(columns).enumerate() {
        for (column, value) in line.iter().enumerate() {
            out[column * rows + row] = *value;
        }
    }
    out
}
