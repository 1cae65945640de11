//! What the layers of a decoder share in one forward pass: positions, masks, and the keys and values of earlier passes.

use burn::tensor::{Int, Tensor};

use crate::layers::{Prefix, Rotary};

/// Keys and values of the tokens that a layer has seen, rotated: `[batch, key heads, tokens, width]` each.
#[derive(Debug, Clone)]
pub struct KeyValue {
    pub key: Tensor<4>,
    pub value: Tensor<4>,
}

/// One a layer; empty at the start of a text.
pub type Cache = Vec<Option<KeyValue>>;

/// The positions and texts of a batch's tokens.
#[derive(Debug, Clone)]
pub struct Layout {
    pub rows: usize,
    /// Tokens a row.
    pub width: usize,
    /// Of each token, row after row; none if every row counts from `past`.
    pub positions: Option<Vec<u32>>,
    /// The text that each token of a packed row belongs to; tokens see only their own text.
    pub segments: Option<Vec<i32>>,
    /// Tokens that a cache already holds.
    pub past: usize,
}

impl Layout {
    /// Rows of one text each, padded on the right.
    pub fn plain(rows: usize, width: usize) -> Self {
        Self {
            rows,
            width,
            positions: None,
            segments: None,
            past: 0,
        }
    }
}

/// What the layers of one forward pass share.
#[derive(Debug, Clone)]
pub struct Context {
    /// One a rope of the configuration.
    pub rotaries: Vec<Rotary>,
    /// By window: added to the scores; broadcasts to `[batch, heads, tokens, keys]`.
    pub(super) biases: Vec<(Option<usize>, Tensor<4>)>,
    /// For learned positions, `[batch, tokens]`.
    pub(super) positions: Option<Box<Tensor<2, Int>>>,
}

/// How one layer takes part in a forward pass.
pub struct LayerContext<'a> {
    pub rotary: Option<&'a Rotary>,
    pub bias: Tensor<4>,
    pub cache: Option<&'a mut Option<KeyValue>>,
}

impl LayerContext<'_> {
    /// The keys and values of this pass after those of the prefix and of the cache, which then holds them too.
    pub fn remember(
        &mut self,
        key: Tensor<4>,
        value: Tensor<4>,
        prefix: Option<&Prefix>,
    ) -> (Tensor<4>, Tensor<4>) {
        let before = self.cache.as_ref().and_then(|cache| cache.as_ref());
        let (key, value) = match (before, prefix) {
            (Some(before), _) => (
                Tensor::cat(vec![before.key.clone(), key], 2),
                Tensor::cat(vec![before.value.clone(), value], 2),
            ),
            (None, Some(prefix)) => prefix.prepend_heads(key, value),
            (None, None) => (key, value),
        };
        if let Some(cache) = &mut self.cache {
            **cache = Some(KeyValue {
                key: key.clone(),
                value: value.clone(),
            });
        }
        (key, value)
    }
}
