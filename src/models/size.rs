//! What a network's weights, its loading and its passes take, counted from the configuration alone. Every count is a `u64` from its first factor
//! on and saturates, so that a sum which no memory holds never looks like a small one, whatever the width of the target's `usize`.

use super::backbone_config::{Architecture, BackboneConfig, BertSettings};
use super::causal_batch::logit_positions;
use super::decoder_config::DecoderConfig;
use super::family::DecoderFamily;
use super::load::BLOCK_BYTES;
use crate::Result;
use crate::device::{Compute, EngineKind};
use crate::layers::Storage;
use crate::layers::storage::WIDENED_PART;

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

/// Numbers in weights of these shapes.
fn numbers_of(shapes: &[[u64; 2]]) -> u64 {
    total(shapes.iter().map(|shape| product(*shape)))
}

/// Numbers in the largest of them.
fn largest_of(shapes: &[[u64; 2]]) -> u64 {
    let numbers = shapes.iter().map(|shape| product(*shape));
    numbers.max().unwrap_or(0)
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

    /// The same after so many keys.
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
    /// Linear layers of a layer.
    pub linears: u64,
    /// The widths of all their inputs together.
    pub inputs: u64,
    /// The widths of all their outputs together.
    pub outputs: u64,
    /// Numbers of the word table.
    pub table: u64,
    /// Words that get a logit; 0 in the network below a classifier.
    pub words: u64,
    /// Tables `[tokens, keys]` of what a token may see.
    pub biases: u64,
    /// What a layer keeps of each token for its backward pass, in numbers.
    kept: u64,
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
            linears: shapes.len() as u64,
            inputs: total(shapes.iter().map(|[input, _]| *input)),
            outputs: total(shapes.iter().map(|[_, output]| *output)),
            table: product([words, h]),
            words: 0,
            biases: 0,
            kept: sum([product([hidden, h]), product([wides, wide])]),
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
        let mut windows = Vec::new();
        for layer in &config.layers {
            if !windows.contains(&layer.window) {
                windows.push(layer.window);
            }
        }
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
            linears: shapes.len() as u64,
            inputs: total(shapes.iter().map(|[input, _]| *input)),
            outputs: total(shapes.iter().map(|[_, output]| *output)),
            table: product([words, hidden]),
            words,
            biases: windows.len() as u64,
            kept: kept_by_decoder(config),
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

    /// Bytes of the gradients that are alive next to it while a layer's backward pass goes on: those of the scores and of the wide vectors.
    pub fn passing_bytes(&self, shape: Shape) -> u64 {
        sum([
            self.score_bytes(shape),
            product([4, shape.positions(), self.wide]),
        ])
    }

    /// Bytes of one layer's weights in float32, if they are stored in fewer bits: the backward pass reads them again.
    pub fn widened_bytes(&self) -> u64 {
        match self.storage {
            Storage::F32 => 0,
            _ => product([4, self.linear]),
        }
    }

    /// Bytes of logits with their log-probabilities, of as many positions as get logits at once, and of the parts of a table that are widened
    /// for them. 0 below a classifier.
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
        let part = WIDENED_PART.min(product([4, self.table]));
        sum([product([8, at_once, self.words]), product([copies, part])])
    }

    /// Bytes of a pass from which nothing is kept but its result: the inside of one layer, and logits in a language model.
    pub fn forward_bytes(&self, shape: Shape) -> u64 {
        let layer = sum([self.layer_bytes(shape), self.widened_bytes()]);
        layer.max(self.logit_bytes(shape.positions()))
    }

    /// Bytes of writing so many tokens after a prompt: the prompt's pass, and the keys and values of all tokens.
    pub fn generation_bytes(&self, prompt: Shape, new: u64) -> u64 {
        let tokens = sum([prompt.past, prompt.tokens, new]);
        let cache = product([8, self.layers, prompt.rows, tokens, self.keys]);
        sum([self.forward_bytes(prompt), cache])
    }

    /// Refuses a pass that does not fit next to the weights and `held`, the bytes that anything else holds. `what` names it in the message.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] with both numbers.
    pub fn check_pass(&self, compute: &Compute, what: &str, shape: Shape, held: u64) -> Result<()> {
        let needed = sum([self.weight_bytes(), held, self.forward_bytes(shape)]);
        let rows = match shape.rows {
            1 => "1 row".to_string(),
            rows => format!("{rows} rows"),
        };
        let advice = format!(
            "it is {rows} of {} tokens; shorten the text, store the weights in fewer bits, or choose a smaller model",
            sum([shape.past, shape.tokens])
        );
        compute.check_memory(what, needed, &advice)
    }

    /// How many rows of so many tokens fit into one pass next to the weights and `held`: at most `most`, at least 1, which
    /// [`Self::check_pass`] may still refuse.
    pub fn rows_that_fit(&self, compute: &Compute, tokens: usize, most: usize, held: u64) -> usize {
        let fits = |rows: usize| {
            let pass = self.forward_bytes(Shape::new(rows, tokens));
            sum([self.weight_bytes(), held, pass]) <= compute.memory_limit
        };
        (2..=most).rev().find(|rows| fits(*rows)).unwrap_or(1)
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

/// The same: turning queries and keys keeps their halves and products; the wide ones are both halves, the activated one and the product.
fn kept_by_modernbert(kind: EngineKind) -> [u64; 3] {
    [24, if kind == EngineKind::Cpu { 5 } else { 8 }, 4]
}

/// Numbers that a decoder's layer keeps of each token: its input and its normed input, twice; queries, keys, values and their mixture; the gate
/// before and after its function and its sigmoid, the other half and the product.
fn kept_by_decoder(config: &DecoderConfig) -> u64 {
    let [hidden, wide, heads, key_heads, width, _] = decoder_sizes(config);
    let heads = sum([heads, key_heads]);
    sum([
        product([4, hidden]),
        product([2, width, heads]),
        product([5, wide]),
    ])
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

impl BackboneConfig {
    /// Numbers in the network; a head and what lies between the layers and a head are left out.
    pub fn parameters(&self) -> u64 {
        match &self.architecture {
            Architecture::Bert(settings) => bert_parameters(self, settings),
            Architecture::Modernbert(_) => modernbert_parameters(self),
            Architecture::Decoder(settings) => settings.parameters_below_head(),
        }
    }
}

fn bert_parameters(config: &BackboneConfig, settings: &BertSettings) -> u64 {
    let [h, wide, layers] = [
        config.hidden_size,
        config.intermediate_size,
        config.num_hidden_layers,
    ]
    .map(|n| n as u64);
    let rows = [
        config.vocab_size,
        settings.positions,
        settings.token_types.unwrap_or(0),
    ];
    let rows = sum(rows.map(|n| n as u64));
    // four projections, the feed-forward layers, two norms; each with a bias
    let layer = sum([
        product([4, h, h]),
        product([2, h, wide]),
        product([9, h]),
        wide,
    ]);
    sum([
        product([rows, h]),
        product([2, h]),
        product([layers, layer]),
    ])
}

fn modernbert_parameters(config: &BackboneConfig) -> u64 {
    let [h, wide, layers, words] = [
        config.hidden_size,
        config.intermediate_size,
        config.num_hidden_layers,
        config.vocab_size,
    ]
    .map(|n| n as u64);
    // Wqkv and Wo, Wi and its Wo, two norms
    let layer = sum([product([4, h, h]), product([3, h, wide]), product([2, h])]);
    // the embeddings' norm and the last one; layer 0 has one norm fewer
    sum([product([words, h]), h, product([layers, layer])])
}

impl DecoderConfig {
    /// Numbers in the model without its head's own table.
    pub fn parameters_below_head(&self) -> u64 {
        let [hidden, wide, heads, key_heads, width, words] = decoder_sizes(self);
        let gpt2 = self.family == DecoderFamily::Gpt2;
        let if_so = |switch: bool, numbers: u64| if switch { numbers } else { 0 };
        // GPT-2's norms have a bias
        let norm = if gpt2 { product([2, hidden]) } else { hidden };
        let norms = if self.post_norms { 4 } else { 2 };
        let wides = if gpt2 { 1 } else { 2 };
        let queries = product([heads, width]);
        let keys = product([key_heads, width]);
        let layer = sum([
            self.linear_numbers(),
            product([norms, norm]),
            if_so(self.qk_norm, product([2, width])),
            if_so(self.qkv_bias, sum([queries, keys, keys])),
            if_so(self.output_bias, hidden),
            if_so(self.mlp_bias, sum([product([wides, wide]), hidden])),
        ]);
        let positions = product([self.max_position_embeddings as u64, hidden]);
        sum([
            product([words, hidden]),
            if_so(gpt2, positions),
            product([self.layers.len() as u64, layer]),
            norm,
        ])
    }

    /// Numbers in the model, the head included if it has a table of its own.
    pub fn parameters(&self) -> u64 {
        let [hidden, .., words] = decoder_sizes(self);
        let head = if self.tie_word_embeddings {
            0
        } else {
            product([words, hidden])
        };
        sum([self.parameters_below_head(), head])
    }

    /// Numbers in one layer's linear weights.
    pub fn linear_numbers(&self) -> u64 {
        let shapes = self.linear_shapes(0).into_iter();
        total(shapes.map(|(_, shape)| product(shape.map(|n| n as u64))))
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use pollster::block_on;
    use serde_json::{Value, json};

    use super::*;
    use crate::formats::{Checkpoint, MemorySource};
    use crate::models::random::{random_checkpoint, random_language_model};
    use crate::models::{Backbone, CausalLm, Loader};

    fn decoder(json: &Value) -> DecoderConfig {
        DecoderConfig::parse(json.to_string().as_bytes()).unwrap()
    }

    /// A decoder with every switch that its family has.
    fn decoders() -> Vec<Value> {
        let like_llama = |family: &str, tied: bool| {
            json!({
                "model_type": family, "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
                "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 48, "max_position_embeddings": 64,
                "tie_word_embeddings": tied
            })
        };
        let mut biased = like_llama("llama", false);
        biased["attention_bias"] = true.into();
        biased["mlp_bias"] = true.into();
        vec![
            like_llama("llama", true),
            biased,
            like_llama("qwen2", true),
            like_llama("qwen3", false),
            like_llama("gemma3_text", true),
            json!({
                "model_type": "gpt2", "vocab_size": 96, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_inner": 64,
                "n_positions": 64
            }),
        ]
    }

    #[test]
    fn numbers_are_those_of_the_networks() {
        let compute = Compute::cpu();
        for json in decoders() {
            let config = decoder(&json);
            let file = random_language_model(&config, 1).unwrap();
            let source = MemorySource::new("model.safetensors", file);
            let checkpoint = block_on(Checkpoint::open(vec![source])).unwrap();
            let loader = Loader::new(&checkpoint, config.checkpoint_prefix(), &compute);
            let model = block_on(CausalLm::load(&config, &loader)).unwrap();
            assert_eq!(config.parameters(), model.num_params() as u64, "{json}");
            let body = model.model.num_params() as u64;
            assert_eq!(config.parameters_below_head(), body, "{json}");
        }
        for json in [
            json!({
                "model_type": "bert", "vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
                "intermediate_size": 64, "max_position_embeddings": 64
            }),
            json!({
                "model_type": "distilbert", "vocab_size": 90, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64
            }),
            json!({
                "model_type": "modernbert", "vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 3,
                "num_attention_heads": 2, "intermediate_size": 48
            }),
        ] {
            let config = BackboneConfig::parse(json.to_string().as_bytes()).unwrap();
            let file = random_checkpoint(&config, 1).unwrap();
            let source = MemorySource::new("model.safetensors", file);
            let checkpoint = block_on(Checkpoint::open(vec![source])).unwrap();
            let loader = Loader::new(&checkpoint, config.family.prefix(), &compute);
            let mut network = block_on(Backbone::load(&config, &loader)).unwrap();
            if let Backbone::Bert(bert) = &mut network {
                bert.pooler = None;
            }
            network.drop_hidden_layer();
            assert_eq!(config.parameters(), network.num_params() as u64, "{json}");
        }
    }

    /// Sixteen heads and five layers: on a target of 32 bits, 16,384 tokens once took less than 16,320.
    #[test]
    fn a_long_text_is_never_a_small_number() {
        let config = decoder(&json!({
            "model_type": "llama", "vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 5, "num_attention_heads": 16,
            "intermediate_size": 172, "max_position_embeddings": 1 << 20, "tie_word_embeddings": true
        }));
        let sizes = NetworkSizes::of_decoder(&config, Storage::F32, EngineKind::Cpu);
        let scores = |tokens: usize| sizes.score_bytes(Shape::new(1, tokens));
        assert_eq!(scores(16_320), 4 * 16 * 16_320 * 16_320_u64);
        assert_eq!(scores(16_384), 17_179_869_184);
        let layer = |tokens: usize| sizes.layer_bytes(Shape::new(1, tokens));
        assert!(layer(16_384) > layer(16_320) && layer(16_320) > u64::from(u32::MAX));
        // past 64 bits too
        let endless = Shape {
            rows: 1 << 20,
            tokens: 1 << 30,
            past: u64::MAX,
        };
        assert_eq!(sizes.score_bytes(endless), u64::MAX);
        assert_eq!(sizes.layer_bytes(endless), u64::MAX);
        assert_eq!(sizes.forward_bytes(endless), u64::MAX);
        assert_eq!(sizes.generation_bytes(endless, 1), u64::MAX);
        let compute = Compute::cpu();
        let refused = sizes.check_pass(&compute, "This text", Shape::new(1, 1 << 17), 0);
        let error = refused.unwrap_err();
        assert_eq!(error.code(), "outOfMemory");
        assert!(error.to_string().contains("131072 tokens"), "{error}");
    }

    #[test]
    fn as_many_rows_pass_together_as_fit() {
        let config = decoder(&decoders()[0]);
        let sizes = NetworkSizes::of_decoder(&config, Storage::F32, EngineKind::Cpu);
        let of = |rows: usize| sizes.weight_bytes() + sizes.forward_bytes(Shape::new(rows, 50));
        let fit = |bytes: u64, held: u64| {
            let compute = Compute::cpu().with_memory_limit(bytes);
            sizes.rows_that_fit(&compute, 50, 32, held)
        };
        assert_eq!(fit(of(7), 0), 7);
        assert_eq!(fit(of(7) - 1, 0), 6);
        assert_eq!(fit(of(7), of(7)), 1);
        assert_eq!(fit(u64::MAX, 0), 32);
    }
}
