//! Enters: the files of a language model. Leaves: its layers, frozen, without its head: what language models and classifiers share.

use super::Loader;
use super::decoder::{Decoder, DecoderConfig, DecoderFamily, Layer, Norm};
use super::gpt2::{self, Gpt2Layer};
use super::llama::{LlamaLayer, Mlp, SelfAttention};
use crate::Result;
use crate::formats::Source;
use crate::layers::RmsNorm;

impl Decoder {
    /// Reads the layers, one tensor at a time. `loader` knows how frozen weights are kept.
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
        Ok(Self {
            embed_tokens,
            position_embeddings,
            layers,
            norm,
            config: config.clone(),
        })
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
