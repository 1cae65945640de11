//! A language model with its head: token ids in, logits of the next token out.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::decoder::Decoder;
use super::decoder_config::DecoderConfig;
use super::load::Loader;
use super::names;
use super::network::{Network, Place};
use crate::Result;
use crate::formats::Source;
use crate::layers::{Linear, WordTable};

/// transformers' `...ForCausalLM` of any family.
#[derive(Module, Debug)]
pub struct CausalLm {
    pub model: Decoder,
    /// None if the words' own table gives the logits.
    pub lm_head: Option<WordTable>,
}

impl CausalLm {
    /// Where its weights are.
    pub fn device(&self) -> Device {
        self.model.device()
    }

    /// The table that gives the logits.
    pub fn head(&self) -> &WordTable {
        self.lm_head.as_ref().unwrap_or(&self.model.embed_tokens)
    }

    /// Reads a model, one tensor at a time. `loader` knows how frozen weights are stored.
    ///
    /// # Errors
    /// Missing tensors, wrong shapes or types, values that are not finite, failed reads, a weight that cannot be stored as asked.
    pub async fn load<S: Source>(config: &DecoderConfig, loader: &Loader<'_, S>) -> Result<Self> {
        let model = Decoder::load(config, loader).await?;
        let lm_head = if config.tie_word_embeddings {
            None
        } else {
            let (words, width) = (config.vocab_size, config.hidden_size);
            Some(loader.table("lm_head.weight", words, width).await?)
        };
        Ok(Self { model, lm_head })
    }

    /// Logits of the next token. `hidden`: what [`Decoder::forward`] gave, at some positions, `[positions, hidden]`; returns
    /// `[positions, words]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.head().logits(hidden)
    }
}

impl Network for CausalLm {
    fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        let prefix = self.model.config.family.prefix();
        let linears = self.model.linears_mut().into_iter();
        linears
            .map(|(name, linear)| (format!("{prefix}{name}"), linear))
            .collect()
    }

    fn tables(&self) -> Vec<String> {
        let prefix = self.model.config.family.prefix();
        let names = self.model.tables().iter();
        let below = names.map(|name| format!("{prefix}{name}"));
        below.chain(["lm_head".into()]).collect()
    }

    fn num_layers(&self) -> usize {
        self.model.layers.len()
    }

    fn module_name(&self, path: &str) -> String {
        names::causal_name(path, self.model.config.family)
    }

    fn reads(&self, _path: &str) -> bool {
        true
    }

    fn is_head(&self, _path: &str) -> bool {
        false
    }

    fn place(&self, path: &str) -> Place {
        names::place(path, self.num_layers())
    }

    fn default_targets(&self) -> &'static [&'static str] {
        self.model.config.family.default_targets()
    }
}
