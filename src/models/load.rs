//! Enters: a checkpoint. Leaves: frozen layers on a device, each tensor renamed, transposed and checked on its way.

use burn::module::Param;
use burn::module::ParamId;
use burn::tensor::{Device, Tensor, TensorData};

use crate::device::{Compute, EngineKind};
use crate::formats::{Checkpoint, Source};
use crate::layers::{Embedding, LayerNorm, Linear};
use crate::rng::Rng;
use crate::{Error, Result};

/// Reads layers by their checkpoint names, with or without the family's prefix (`bert.`).
pub struct Loader<'a, S: Source> {
    checkpoint: &'a Checkpoint<S>,
    prefix: &'static str,
    compute: &'a Compute,
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

    /// A linear layer's weight, `[in, out]`.
    async fn matrix(&self, name: &str, input: usize, output: usize) -> Result<Param<Tensor<2>>> {
        let values = self
            .values(&format!("{name}.weight"), &[output, input])
            .await?;
        let data = TensorData::new(transpose(&values, output, input), [input, output]);
        Ok(frozen(Tensor::from_data(data, &self.compute.device)))
    }

    /// A linear layer with a bias; the checkpoint stores `[out, in]`, the layer `[in, out]`.
    pub async fn linear(&self, name: &str, input: usize, output: usize) -> Result<Linear> {
        let weight = self.matrix(name, input, output).await?;
        let bias = self.vector(&format!("{name}.bias"), output).await?;
        Ok(Linear::new(weight, Some(bias)))
    }

    /// The same without a bias.
    pub async fn linear_without_bias(
        &self,
        name: &str,
        input: usize,
        output: usize,
    ) -> Result<Linear> {
        Ok(Linear::new(self.matrix(name, input, output).await?, None))
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
    pub async fn norm_without_bias(
        &self,
        name: &str,
        width: usize,
        eps: f64,
    ) -> Result<LayerNorm> {
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
