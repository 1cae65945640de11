//! A language model's configuration, whatever its family calls it.

use super::family::DecoderFamily;
use super::rope::Rope;
use crate::layers::Activation;

/// What a layer of a model may look at and how it turns positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerKind {
    /// The number of tokens that a token sees, itself included; all before it if there is none.
    pub window: Option<usize>,
    /// Index into [`DecoderConfig::ropes`].
    pub rope: usize,
}

/// What `config.json` says of a language model.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    pub family: DecoderFamily,
    /// Rows of the word table.
    pub vocab_size: usize,
    /// Width of every position's vector.
    pub hidden_size: usize,
    /// Width between the feed-forward layers.
    pub intermediate_size: usize,
    pub num_attention_heads: usize,
    /// Heads with keys and values of their own; divides `num_attention_heads`.
    pub num_key_value_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Positions that the model knows.
    pub max_position_embeddings: usize,
    /// Added to the variance in norms.
    pub norm_eps: f64,
    /// Added to the weights of norms.
    pub norm_offset: f64,
    /// Whether words and logits share a table.
    pub tie_word_embeddings: bool,
    pub activation: Activation,
    /// Of query, key and value.
    pub qkv_bias: bool,
    /// Of the attention's output.
    pub output_bias: bool,
    /// Of the feed-forward layers.
    pub mlp_bias: bool,
    /// Whether each head's queries and keys are normalised.
    pub qk_norm: bool,
    /// Whether a sublayer's output is normalised before it is added.
    pub post_norms: bool,
    /// What scores are multiplied by.
    pub attention_scale: f64,
    /// What embeddings are multiplied by.
    pub embedding_scale: f64,
    /// One a layer.
    pub layers: Vec<LayerKind>,
    /// Empty for learned positions.
    pub ropes: Vec<Rope>,
    /// Standard deviation of fresh weights.
    pub initializer_range: f64,
    /// Any of them ends a text.
    pub eos_token_ids: Vec<u32>,
    /// The token that fills rows, if the file names one.
    pub pad_token_id: Option<u32>,
}

impl DecoderConfig {
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
