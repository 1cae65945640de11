//! Enters: the files of a language model. Leaves: the model with its head: token ids in, logits of the next token out.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::decoder::{Decoder, DecoderConfig, DecoderFamily, Layer, Norm};
use super::fields::{Fields, unsupported};
use super::gpt2::{self, Gpt2Layer};
use super::llama::{LlamaLayer, Mlp, SelfAttention};
use super::network::Network;
use super::{Loader, gemma3, llama, qwen2, qwen3};
use crate::Result;
use crate::formats::Source;
use crate::layers::{Linear, RmsNorm, WordTable};

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
            None => Err(unsupported(format!(
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
        match self.family {
            DecoderFamily::Gpt2 => "transformer.",
            _ => "model.",
        }
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
        let hidden = config.hidden_size;
        let (words, positions, norm) = match config.family {
            DecoderFamily::Gpt2 => ("wte", Some("wpe"), "ln_f"),
            _ => ("embed_tokens", None, "norm"),
        };
        let embed_tokens = loader
            .table(&format!("{words}.weight"), config.vocab_size, hidden)
            .await?;
        let position_embeddings = match positions {
            Some(name) => Some(
                loader
                    .embedding(name, config.max_position_embeddings, hidden)
                    .await?,
            ),
            None => None,
        };
        let mut layers = Vec::with_capacity(config.layers.len());
        for index in 0..config.layers.len() {
            layers.push(match config.family {
                DecoderFamily::Gpt2 => {
                    Layer::Gpt2(load_gpt2(config, loader, &format!("h.{index}")).await?)
                }
                _ => Layer::Llama(load_llama(config, loader, &format!("layers.{index}")).await?),
            });
        }
        let norm = match config.family {
            DecoderFamily::Gpt2 => Norm::Layer(loader.norm(norm, hidden, config.norm_eps).await?),
            _ => Norm::Rms(load_norm(config, loader, norm, hidden).await?),
        };
        let lm_head = match config.tie_word_embeddings {
            true => None,
            false => Some(
                loader
                    .table("lm_head.weight", config.vocab_size, hidden)
                    .await?,
            ),
        };
        Ok(Self {
            model: Decoder {
                embed_tokens,
                position_embeddings,
                layers,
                norm,
                config: config.clone(),
            },
            lm_head,
        })
    }

    /// Logits of the next token. `hidden`: what [`Decoder::forward`] gave, at some positions, `[positions, hidden]`; returns
    /// `[positions, words]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.head().logits(hidden)
    }
}

async fn load_norm<S: Source>(
    config: &DecoderConfig,
    loader: &Loader<'_, S>,
    name: &str,
    width: usize,
) -> Result<RmsNorm> {
    Ok(RmsNorm {
        weight: loader.vector(&format!("{name}.weight"), width).await?,
        eps: config.norm_eps,
        offset: config.norm_offset,
    })
}

async fn load_llama<S: Source>(
    config: &DecoderConfig,
    loader: &Loader<'_, S>,
    at: &str,
) -> Result<LlamaLayer> {
    let [hidden, wide] = [config.hidden_size, config.intermediate_size];
    let queries = config.num_attention_heads * config.head_dim;
    let keys = config.num_key_value_heads * config.head_dim;
    let linear = async |name: &str, input: usize, output: usize, bias: bool| {
        loader
            .linear_of(&format!("{at}.{name}"), input, output, bias)
            .await
    };
    let norm = async |name: &str, width: usize| {
        load_norm(config, loader, &format!("{at}.{name}"), width).await
    };
    let head_norm = async |name: &str| match config.qk_norm {
        true => norm(name, config.head_dim).await.map(Some),
        false => Ok(None),
    };
    let post_norm = async |name: &str| match config.post_norms {
        true => norm(name, hidden).await.map(Some),
        false => Ok(None),
    };
    Ok(LlamaLayer {
        input_layernorm: norm("input_layernorm", hidden).await?,
        self_attn: SelfAttention {
            q_proj: linear("self_attn.q_proj", hidden, queries, config.qkv_bias).await?,
            k_proj: linear("self_attn.k_proj", hidden, keys, config.qkv_bias).await?,
            v_proj: linear("self_attn.v_proj", hidden, keys, config.qkv_bias).await?,
            o_proj: linear("self_attn.o_proj", queries, hidden, config.output_bias).await?,
            q_norm: head_norm("self_attn.q_norm").await?,
            k_norm: head_norm("self_attn.k_norm").await?,
            heads: config.num_attention_heads,
            key_heads: config.num_key_value_heads,
            scale: config.attention_scale,
            prefix: None,
        },
        post_attention_layernorm: norm("post_attention_layernorm", hidden).await?,
        pre_feedforward_layernorm: post_norm("pre_feedforward_layernorm").await?,
        mlp: Mlp {
            gate_proj: linear("mlp.gate_proj", hidden, wide, config.mlp_bias).await?,
            up_proj: linear("mlp.up_proj", hidden, wide, config.mlp_bias).await?,
            down_proj: linear("mlp.down_proj", wide, hidden, config.mlp_bias).await?,
            activation: config.activation,
        },
        post_feedforward_layernorm: post_norm("post_feedforward_layernorm").await?,
    })
}

async fn load_gpt2<S: Source>(
    config: &DecoderConfig,
    loader: &Loader<'_, S>,
    at: &str,
) -> Result<Gpt2Layer> {
    let [hidden, wide] = [config.hidden_size, config.intermediate_size];
    let conv1d = async |name: &str, input: usize, output: usize| {
        loader.conv1d(&format!("{at}.{name}"), input, output).await
    };
    let norm = async |name: &str| {
        loader
            .norm(&format!("{at}.{name}"), hidden, config.norm_eps)
            .await
    };
    Ok(Gpt2Layer {
        ln_1: norm("ln_1").await?,
        attn: gpt2::Attention {
            c_attn: conv1d("attn.c_attn", hidden, 3 * hidden).await?,
            c_proj: conv1d("attn.c_proj", hidden, hidden).await?,
            heads: config.num_attention_heads,
            scale: config.attention_scale,
            prefix: None,
        },
        ln_2: norm("ln_2").await?,
        mlp: gpt2::Mlp {
            c_fc: conv1d("mlp.c_fc", hidden, wide).await?,
            c_proj: conv1d("mlp.c_proj", wide, hidden).await?,
            activation: config.activation,
        },
    })
}

impl Network for CausalLm {
    fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        let layers = match self.model.config.family {
            DecoderFamily::Gpt2 => "transformer.h",
            _ => "model.layers",
        };
        let each = self.model.layers.iter_mut().enumerate();
        each.flat_map(|(index, layer)| {
            let linears = layer.linears_mut().into_iter();
            linears.map(move |(name, linear)| (format!("{layers}.{index}.{name}"), linear))
        })
        .collect()
    }

    fn num_layers(&self) -> usize {
        self.model.layers.len()
    }

    fn module_name(&self, path: &str) -> String {
        let mut name = path
            .replace(".Llama.", ".")
            .replace(".Gpt2.", ".")
            .replace("norm.Rms", "norm")
            .replace("norm.Layer", "norm");
        // all parts of a table together are the checkpoint's one tensor
        if let Some(at) = name.find(".parts.") {
            name.replace_range(at.., ".weight");
        }
        match self.model.config.family {
            DecoderFamily::Gpt2 => name
                .replace("model.embed_tokens", "transformer.wte")
                .replace("model.position_embeddings", "transformer.wpe")
                .replace("model.layers.", "transformer.h.")
                .replace("model.norm", "transformer.ln_f"),
            _ => name,
        }
    }

    fn reads(&self, _path: &str) -> bool {
        true
    }

    fn is_head(&self, _path: &str) -> bool {
        false
    }

    fn default_targets(&self) -> &'static [&'static str] {
        match self.model.config.family {
            DecoderFamily::Gpt2 => &["c_attn", "c_proj", "c_fc"],
            _ => &[
                "q_proj",
                "k_proj",
                "v_proj",
                "o_proj",
                "gate_proj",
                "up_proj",
                "down_proj",
            ],
        }
    }
}
