//! Enters: the files of a language model. Leaves: the model with its head: token ids in, logits of the next token out.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::decoder::{Decoder, DecoderConfig, DecoderFamily};
use super::decoder_names::decoder_name;
use super::fields::Fields;
use super::network::{Network, Place};
use super::{Loader, gemma3, gpt2, llama, names, qwen2, qwen3};
use crate::formats::Source;
use crate::layers::{Linear, WordTable};
use crate::{Error, Result};

/// transformers' `...ForCausalLM` of any family.
#[derive(Module, Debug)]
pub struct CausalLm {
    pub model: Decoder,
    /// None where the words' own table gives the logits.
    pub lm_head: Option<WordTable>,
}

impl DecoderConfig {
    /// Reads and checks the `config.json` of a language model.
    ///
    /// # Errors
    /// [`crate::Error::InvalidFile`] for anything but a JSON object, [`crate::Error::UnsupportedModel`] naming what is not built here.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let fields = Fields::parse(json)?;
        let named = fields.family();
        match DecoderFamily::ALL
            .into_iter()
            .find(|family| family.word() == named)
        {
            Some(DecoderFamily::Llama) => llama::config(&fields),
            Some(DecoderFamily::Qwen2) => qwen2::config(&fields),
            Some(DecoderFamily::Qwen3) => qwen3::config(&fields),
            Some(DecoderFamily::Gemma3) => gemma3::config(&fields),
            Some(DecoderFamily::Gpt2) => gpt2::config(&fields),
            None => Err(Error::unsupported(format!(
                "model_type is \"{named}\"; supported language models are {}",
                DecoderFamily::ALL.map(DecoderFamily::word).join(", ")
            ))),
        }
    }

    /// The linear layers of layer `index`: each one's checkpoint name and `[in, out]`.
    pub fn linear_shapes(&self, index: usize) -> Vec<(String, [usize; 2])> {
        let [hidden, wide] = [self.hidden_size, self.intermediate_size];
        let queries = self.num_attention_heads * self.head_dim;
        let keys = self.num_key_value_heads * self.head_dim;
        let (at, shapes) = match self.family {
            DecoderFamily::Gpt2 => (
                "transformer.h",
                vec![
                    ("attn.c_attn", [hidden, 3 * hidden]),
                    ("attn.c_proj", [hidden, hidden]),
                    ("mlp.c_fc", [hidden, wide]),
                    ("mlp.c_proj", [wide, hidden]),
                ],
            ),
            _ => (
                "model.layers",
                vec![
                    ("self_attn.q_proj", [hidden, queries]),
                    ("self_attn.k_proj", [hidden, keys]),
                    ("self_attn.v_proj", [hidden, keys]),
                    ("self_attn.o_proj", [queries, hidden]),
                    ("mlp.gate_proj", [hidden, wide]),
                    ("mlp.up_proj", [hidden, wide]),
                    ("mlp.down_proj", [wide, hidden]),
                ],
            ),
        };
        let shapes = shapes.into_iter();
        shapes
            .map(|(name, shape)| (format!("{at}.{index}.{name}"), shape))
            .collect()
    }

    /// The prefix of the names in a checkpoint of the whole model; one of the bare decoder has none.
    pub fn checkpoint_prefix(&self) -> &'static str {
        self.family.prefix()
    }
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

    /// Reads a model, one tensor at a time. `loader` knows how frozen weights are kept.
    ///
    /// # Errors
    /// Missing tensors, wrong shapes or types, values that are not finite, failed reads, a weight that cannot be kept as asked.
    pub async fn load<S: Source>(config: &DecoderConfig, loader: &Loader<'_, S>) -> Result<Self> {
        let model = Decoder::load(config, loader).await?;
        let lm_head = match config.tie_word_embeddings {
            true => None,
            false => Some(
                loader
                    .table("lm_head.weight", config.vocab_size, config.hidden_size)
                    .await?,
            ),
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

    fn num_layers(&self) -> usize {
        self.model.layers.len()
    }

    fn module_name(&self, path: &str) -> String {
        let family = self.model.config.family;
        match path.strip_prefix("model.") {
            Some(below) => format!("{}{}", family.prefix(), decoder_name(below, family)),
            // the head's table
            None => decoder_name(path, family),
        }
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
