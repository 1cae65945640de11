//! What a network's weights, its loading and its passes take, counted from the configuration alone. Every count is a `u64` from its first factor
//! on and saturates, so that a sum which no memory holds never looks like a small one, whatever the width of the target's `usize`.

pub mod check;
pub mod largest;
mod parameters;

use super::backbone_config::{Architecture, BackboneConfig};
use super::causal_batch::logit_positions;
use super::decoder_config::DecoderConfig;
use super::family::DecoderFamily;
use super::load::BLOCK_BYTES;
use crate::device::EngineKind;
use crate::layers::storage::WIDENED_PART;
use crate::layers::{Activation, Storage};

/// The product of all factors, or [`u64::MAX`].
pub fn product<const N: usize>(factors: [u64; N]) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}

/// The sum of all terms, or [`u64::MAX`].
pub fn sum<const N: usize>(terms: [u64; N]) -> u64 {
    terms.into_iter().fold(0, u64::saturating_add)
}

fn total(terms: impl Iterator<Item = u64>) -> u64 {
    terms.fold(0, u64::saturating_add)
}

/// Tokens of a prompt that pass through a network together, so that a matrix of their scores stays within 64 MiB: the rest of the prompt follows
/// after what is in the cache. At least 16, and then it may be larger.
pub fn tokens_at_once(heads: u64, keys: u64) -> u64 {
    const SCORES: u64 = 1 << 24;
    (SCORES / product([heads, keys]).max(1)).max(16)
}

/// Numbers in weights of these shapes.
fn numbers_of(shapes: &[[u64; 2]]) -> u64 {
    total(shapes.iter().map(|shape| product(*shape)))
}

/// Numbers in the largest of them.
fn largest_of(shapes: &[[u64; 2]]) -> u64 {
    let numbers = shapes.iter().map(|shape| product(*shape));
    numbers.max().unwrap_or(0)
}

/// The widest output of a linear layer of these shapes.
fn widest_of(shapes: &[[u64; 2]]) -> u64 {
    shapes.iter().map(|[_, output]| *output).max().unwrap_or(0)
}

/// Rows that pass through a network together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows of the batch.
    pub rows: u64,
    /// Tokens of its longest row, to which the others are padded.
    pub tokens: u64,
    /// Keys that every token sees besides: virtual tokens of a prefix, or tokens that a cache holds.
    pub past: u64,
}

impl Shape {
    /// A batch without anything before its rows.
    pub fn new(rows: usize, tokens: usize) -> Self {
        Self {
            rows: rows as u64,
            tokens: tokens as u64,
            past: 0,
        }
    }

    /// The same after this many keys.
    pub fn after(self, past: usize) -> Self {
        Self {
            past: past as u64,
            ..self
        }
    }

    /// Tokens of all rows, padding included.
    pub fn positions(&self) -> u64 {
        product([self.rows, self.tokens])
    }
}

/// What memory depends on in a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSizes {
    /// The engine that computes.
    pub kind: EngineKind,
    /// How frozen weights are stored.
    pub storage: Storage,
    /// Width of every position's vector.
    pub hidden: u64,
    /// Width between the feed-forward layers.
    pub wide: u64,
    /// Transformer layers.
    pub layers: u64,
    /// Heads that have scores.
    pub heads: u64,
    /// Width of all keys of a token together.
    pub keys: u64,
    /// All numbers; a classifier's head is not among them.
    pub parameters: u64,
    /// Those that are stored as asked; all others are in float32.
    pub stored: u64,
    /// Numbers in the weights of one layer's linear layers.
    pub linear: u64,
    /// Numbers of the largest linear layer's weight.
    pub largest_linear: u64,
    /// Numbers of the largest weight that is in one piece: a decoder's word table is cut into parts, an encoder's is not.
    pub largest_piece: u64,
    /// Linear layers of a layer.
    pub linears: u64,
    /// The widths of all their inputs together.
    pub inputs: u64,
    /// The widths of all their outputs together.
    pub outputs: u64,
    /// The widest of them.
    pub widest: u64,
    /// Numbers of the word table.
    pub table: u64,
    /// Words that get a logit; 0 in the network below a classifier.
    pub words: u64,
    /// What a layer keeps of each token for its backward pass, in numbers.
    kept: u64,
    /// Those of its feed-forward half, whose backward pass comes first.
    kept_feed_forward: u64,
    /// Matrices of scores that a layer keeps.
    kept_scores: u64,
}

impl NetworkSizes {
    /// Of the network below a classifier's head.
    pub fn of_backbone(config: &BackboneConfig, storage: Storage, kind: EngineKind) -> Self {
        let [h, wide, layers, heads, words] = [
            config.hidden_size,
            config.intermediate_size,
            config.num_hidden_layers,
            config.num_attention_heads,
            config.vocab_size,
        ]
        .map(|n| n as u64);
        let encoder = |[hidden, wides, scores]: [u64; 3], shapes: &[[u64; 2]]| Self {
            kind,
            storage,
            hidden: h,
            wide,
            layers,
            heads,
            keys: h,
            parameters: config.parameters(),
            stored: product([layers, numbers_of(shapes)]),
            linear: numbers_of(shapes),
            largest_linear: largest_of(shapes),
            largest_piece: largest_of(shapes).max(product([words, h])),
            linears: shapes.len() as u64,
            inputs: total(shapes.iter().map(|[input, _]| *input)),
            outputs: total(shapes.iter().map(|[_, output]| *output)),
            widest: widest_of(shapes),
            table: product([words, h]),
            words: 0,
            kept: sum([product([hidden, h]), product([wides, wide])]),
            kept_feed_forward: product([wides, wide]),
            kept_scores: scores,
        };
        match &config.architecture {
            Architecture::Bert(_) => {
                let square = [h, h];
                let shapes = [square, square, square, square, [h, wide], [wide, h]];
                encoder(kept_by_bert(kind), &shapes)
            }
            Architecture::Modernbert(_) => {
                let (qkv, both) = (product([3, h]), product([2, wide]));
                let shapes = [[h, qkv], [h, h], [h, both], [wide, h]];
                encoder(kept_by_modernbert(kind), &shapes)
            }
            Architecture::Decoder(settings) => Self {
                parameters: settings.parameters_below_head(),
                stored: settings.parameters_below_head(),
                words: 0,
                ..Self::of_decoder(settings, storage, kind)
            },
        }
    }

    /// Of a whole language model.
    pub fn of_decoder(config: &DecoderConfig, storage: Storage, kind: EngineKind) -> Self {
        let [hidden, wide, heads, key_heads, width, words] = decoder_sizes(config);
        let shapes = config.linear_shapes(0).into_iter();
        let shapes = shapes.map(|(_, shape)| shape.map(|n| n as u64));
        let shapes = shapes.collect::<Vec<_>>();
        Self {
            kind,
            storage,
            hidden,
            wide,
            layers: config.layers.len() as u64,
            heads,
            keys: product([key_heads, width]),
            parameters: config.parameters(),
            stored: config.parameters(),
            linear: numbers_of(&shapes),
            largest_linear: largest_of(&shapes),
            largest_piece: largest_of(&shapes),
            linears: shapes.len() as u64,
            inputs: total(shapes.iter().map(|[input, _]| *input)),
            outputs: total(shapes.iter().map(|[_, output]| *output)),
            widest: widest_of(&shapes),
            table: product([words, hidden]),
            words,
            kept: sum(kept_by_decoder(config)),
            kept_feed_forward: kept_by_decoder(config)[1],
            kept_scores: 3,
        }
    }

    /// Bytes of the weights. An encoder's tables and norms are in float32 always.
    pub fn weight_bytes(&self) -> u64 {
        let rest = self.parameters.saturating_sub(self.stored);
        let packed = self.kind == EngineKind::Webgpu;
        sum([self.storage.bytes(self.stored, packed), product([4, rest])])
    }

    /// Bytes at the peak of loading: the weights; pieces of the file and blocks of rows; and a linear layer, which is in float32 before it is
    /// stored in fewer bits.
    pub fn loading_bytes(&self) -> u64 {
        let largest = product([8, self.largest_linear]);
        let blocks = product([3, BLOCK_BYTES as u64]);
        sum([self.weight_bytes(), blocks, largest])
    }

    /// Bytes of one matrix of attention scores of a batch.
    pub fn score_bytes(&self, shape: Shape) -> u64 {
        let keys = sum([shape.tokens, shape.past]);
        product([4, shape.rows, self.heads, shape.tokens, keys])
    }

    /// Bytes that one layer keeps of a training batch for its backward pass.
    pub fn layer_bytes(&self, shape: Shape) -> u64 {
        sum([
            product([4, shape.positions(), self.kept]),
            product([self.kept_scores, self.score_bytes(shape)]),
        ])
    }

    /// Those of its attention that come before the first sublayer's output: scores, queries, keys and values.
    pub fn attention_bytes(&self, shape: Shape) -> u64 {
        sum([
            product([12, shape.positions(), self.hidden]),
            product([self.kept_scores, self.score_bytes(shape)]),
        ])
    }

    /// Bytes that a layer's backward pass takes beyond [`Self::layer_bytes`]: two gradients of the scores, once what the feed-forward half kept
    /// is free. That half's own gradients take the place of what it kept.
    pub fn passing_bytes(&self, shape: Shape) -> u64 {
        let free = product([4, shape.positions(), self.kept_feed_forward]);
        product([2, self.score_bytes(shape)]).saturating_sub(free)
    }

    /// Bytes of one layer's weights in float32, if they are stored in fewer bits: the backward pass reads them again.
    pub fn widened_bytes(&self) -> u64 {
        match self.storage {
            Storage::F32 => 0,
            _ => product([4, self.linear]),
        }
    }

    /// Bytes of logits with their log-probabilities, of as many positions as get logits at once; of the vectors that they come from, normed and
    /// with gradients; and of the parts of a table that are widened for them. 0 below a classifier.
    pub fn logit_bytes(&self, positions: u64) -> u64 {
        if self.words == 0 {
            return 0;
        }
        let words = usize::try_from(self.words).unwrap_or(usize::MAX);
        let at_once = (logit_positions(words) as u64).min(positions);
        let copies = match self.storage {
            Storage::F32 => 0,
            Storage::F16 => 1,
            Storage::Int8 | Storage::Int4 => 4,
        };
        // no more than the whole table
        let parts = product([copies, WIDENED_PART]).min(product([4, self.table]));
        sum([
            product([8, at_once, self.words]),
            product([32, positions, self.hidden]),
            parts,
        ])
    }

    /// Bytes of a pass from which nothing is kept but its result: one half of a layer, or logits in a language model. Two matrices of scores are
    /// alive at once, and a third place is counted: a WebAssembly memory has a hole where the last layer's were, but small tensors settle in it.
    pub fn forward_bytes(&self, shape: Shape) -> u64 {
        let numbers = |each: u64| product([4, shape.positions(), each]);
        let attention = sum([
            product([3, self.score_bytes(shape)]),
            numbers(product([4, self.hidden])),
        ]);
        let wide = product([4, self.wide]).min(self.kept_feed_forward);
        let feed_forward = numbers(sum([wide, product([2, self.hidden])]));
        let layer = attention.max(feed_forward);
        // one linear layer at a time is in float32
        let widened = match self.storage {
            Storage::F32 => 0,
            _ => product([4, self.largest_linear]),
        };
        sum([layer, widened]).max(self.logit_bytes(shape.positions()))
    }

    /// The last piece of a prompt, as [`tokens_at_once`] cuts it.
    fn last_piece(&self, prompt: Shape) -> Shape {
        let keys = sum([prompt.past, prompt.tokens]);
        let tokens = prompt.tokens.min(tokens_at_once(self.heads, keys));
        Shape {
            tokens,
            past: keys.saturating_sub(tokens),
            ..prompt
        }
    }

    /// Bytes of writing this many tokens after a prompt: the pass of the prompt's last piece, as [`tokens_at_once`] cuts it, and the keys and values
    /// of all tokens.
    pub fn generation_bytes(&self, prompt: Shape, new: u64) -> u64 {
        let keys = sum([prompt.past, prompt.tokens]);
        let piece = self.last_piece(prompt);
        let cache = product([8, self.layers, prompt.rows, sum([keys, new]), self.keys]);
        sum([self.forward_bytes(piece), cache])
    }
}

/// How many hidden and how many wide vectors a layer keeps of each token for its backward pass, and how many matrices of scores. The CPU engine
/// keeps the input, queries, keys, values, their mixture, both sums and the first norm; the wide vectors before and after GELU; scores, their
/// exponentials and the weights. `cargo test --test memory` counts them. WebGPU's composed GELU keeps three more, and its number is an upper
/// one.
fn kept_by_bert(kind: EngineKind) -> [u64; 3] {
    match kind {
        EngineKind::Cpu => [8, 2, 3],
        EngineKind::Webgpu => [16, 6, 4],
    }
}

/// The same: the wide ones are both halves, before and after the function, and the product. WebGPU's number is an upper one: turning queries and
/// keys may keep their halves and products.
fn kept_by_modernbert(kind: EngineKind) -> [u64; 3] {
    match kind {
        EngineKind::Cpu => [8, 5, 3],
        EngineKind::Webgpu => [24, 8, 4],
    }
}

/// Numbers that a decoder's layer keeps of each token, in its attention and in its feed-forward half: the input and the normed input of either;
/// queries, keys, values and their mixture; the gate before and after its function and its sigmoid, the other half and the product. A GELU by
/// the hyperbolic tangent keeps one and a half vectors more than Swish, a norm after a sublayer as much as one before it.
fn kept_by_decoder(config: &DecoderConfig) -> [u64; 2] {
    let [hidden, wide, heads, key_heads, width, _] = decoder_sizes(config);
    let heads = sum([heads, key_heads]);
    let norms = if config.post_norms { 3 } else { 2 };
    let halves = match (config.family, config.activation) {
        (DecoderFamily::Gpt2, _) => 9,
        (_, Activation::TanhGelu) => 13,
        _ => 10,
    };
    [
        sum([product([norms, hidden]), product([2, width, heads])]),
        sum([product([norms, hidden]), product([halves, wide]) / 2]),
    ]
}

/// Hidden size, intermediate size, heads, key heads, width of a head, words.
fn decoder_sizes(config: &DecoderConfig) -> [u64; 6] {
    [
        config.hidden_size,
        config.intermediate_size,
        config.num_attention_heads,
        config.num_key_value_heads,
        config.head_dim,
        config.vocab_size,
    ]
    .map(|n| n as u64)
}
