//! How many numbers a network has, exact for every family.

use super::{decoder_sizes, product, sum, total};
use crate::models::backbone_config::{Architecture, BackboneConfig, BertSettings};
use crate::models::decoder_config::DecoderConfig;
use crate::models::family::DecoderFamily;

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
