//! Enters: config.json's `model_type`. Leaves: the words by which Hugging Face's files and classes call that family's parts.

use super::decoder_names::decoder_name;
use super::{HeadKind, decoder, distilbert, modernbert, roberta};

/// A family of classifiers. BERT, RoBERTa and DistilBERT share one network and differ in what this names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Bert,
    Roberta,
    Distilbert,
    Modernbert,
    /// A language model's layers, whose last token is classified.
    Decoder(decoder::DecoderFamily),
}

/// Every linear layer of a BERT layer, but not the pooler, which a `mean` head does not read. At rank 4 that trains 0.7% of
/// MiniLM; query and value alone at rank 8 (0.3%) ended 1.6 points lower on TREC-6 with seed 1.
const BERT_TARGETS: &[&str] = &[
    "query",
    "key",
    "value",
    "intermediate.dense",
    "output.dense",
];

impl Family {
    /// All encoders.
    pub const ENCODERS: [Self; 4] = [
        Self::Bert,
        Self::Roberta,
        Self::Distilbert,
        Self::Modernbert,
    ];

    /// The family of that word in config.json.
    pub fn from_model_type(word: &str) -> Option<Self> {
        let decoders = decoder::DecoderFamily::ALL.map(Self::Decoder);
        let mut all = Self::ENCODERS.into_iter().chain(decoders);
        all.find(|family| family.model_type() == word)
    }

    /// config.json's word.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::Distilbert => "distilbert",
            Self::Modernbert => "modernbert",
            Self::Decoder(decoder) => decoder.word(),
        }
    }

    /// transformers' class of the encoder with such a head; a `mean` head is put on the bare encoder.
    pub fn model_class(self, head: HeadKind) -> String {
        let family = match self {
            Self::Bert => "Bert",
            Self::Roberta => "Roberta",
            Self::Distilbert => "DistilBert",
            Self::Modernbert => "ModernBert",
            Self::Decoder(decoder) => decoder.class(),
        };
        match head {
            HeadKind::Cls => format!("{family}ForSequenceClassification"),
            HeadKind::Mean => format!("{family}Model"),
        }
    }

    /// What stands before the encoder's names in the file of a model with a head.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Bert => "bert.",
            Self::Roberta => "roberta.",
            Self::Distilbert => "distilbert.",
            Self::Modernbert => "model.",
            Self::Decoder(decoder) => decoder.prefix(),
        }
    }

    /// The layers that LoRA changes where nothing else is asked for: every linear layer of a transformer layer, as measured on BERT.
    pub fn default_targets(self) -> &'static [&'static str] {
        match self {
            Self::Bert | Self::Roberta => BERT_TARGETS,
            Self::Distilbert => distilbert::TARGETS,
            Self::Modernbert => modernbert::TARGETS,
            Self::Decoder(decoder) => decoder.default_targets(),
        }
    }

    /// What the files call the classification head's hidden layer. `None` where that layer is the encoder's own pooler, or there is none.
    pub fn hidden_layer(self) -> Option<&'static str> {
        match self {
            Self::Bert | Self::Decoder(_) => None,
            Self::Roberta => Some(roberta::HIDDEN_LAYER),
            Self::Distilbert => Some(distilbert::HIDDEN_LAYER),
            Self::Modernbert => Some(modernbert::HIDDEN_LAYER),
        }
    }

    /// What the files call the classification head's last layer.
    pub fn last_layer(self) -> &'static str {
        match self {
            Self::Roberta => roberta::LAST_LAYER,
            Self::Decoder(_) => "score",
            _ => "classifier",
        }
    }

    /// Whether a `cls` head's last layer has a bias.
    pub fn head_bias(self) -> bool {
        !matches!(self, Self::Decoder(_))
    }

    /// Whether a `cls` head alone leaves under its names, and loads into the family's class. BERT's is a layer upon what the bare encoder's
    /// pooler gives.
    pub fn names_head(self) -> bool {
        self != Self::Bert
    }

    /// Whether its layers store weights as `[in, out]`.
    pub fn is_conv1d(self) -> bool {
        matches!(self, Self::Decoder(decoder) if decoder.is_conv1d())
    }

    /// Whether PEFT's `modules_to_save: ["classifier"]` covers the hidden layer: it takes every module whose name ends so.
    pub fn saves_hidden_layer(self) -> bool {
        self.hidden_layer()
            .is_some_and(|name| name.ends_with("classifier") || name.starts_with("classifier."))
    }

    /// The checkpoint's name of a module of the encoder, without [`Self::prefix`]. `name` is BERT's own where the network is BERT's,
    /// `encoder.layer.0.attention.self.query`, and the Rust modules' path otherwise.
    pub fn name(self, name: &str) -> String {
        let table: &[(&str, &str)] = match self {
            Self::Bert => &[],
            Self::Roberta => roberta::NAMES,
            Self::Distilbert => distilbert::NAMES,
            Self::Modernbert => modernbert::NAMES,
            Self::Decoder(decoder) => return decoder_name(name, decoder),
        };
        table
            .iter()
            .fold(name.to_string(), |name, (from, to)| name.replace(from, to))
    }

    /// A checkpoint's name behind [`Self::prefix`], which the head's own layers do not have.
    pub fn with_prefix(self, name: &str) -> String {
        match self.hidden_layer() {
            Some(hidden) if name.starts_with(hidden) => name.into(),
            _ => format!("{}{name}", self.prefix()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_own_names() {
        let query = "encoder.layer.1.attention.self.query.weight";
        for (family, name, expected) in [
            (
                Family::Bert,
                query,
                "bert.encoder.layer.1.attention.self.query.weight",
            ),
            (Family::Bert, "pooler.dense.bias", "bert.pooler.dense.bias"),
            (
                Family::Roberta,
                query,
                "roberta.encoder.layer.1.attention.self.query.weight",
            ),
            (
                Family::Roberta,
                "pooler.dense.bias",
                "classifier.dense.bias",
            ),
            (
                Family::Distilbert,
                query,
                "distilbert.transformer.layer.1.attention.q_lin.weight",
            ),
            (
                Family::Distilbert,
                "encoder.layer.0.attention.output.LayerNorm.bias",
                "distilbert.transformer.layer.0.sa_layer_norm.bias",
            ),
            (
                Family::Distilbert,
                "encoder.layer.0.output.dense.bias",
                "distilbert.transformer.layer.0.ffn.lin2.bias",
            ),
            (
                Family::Distilbert,
                "pooler.dense.bias",
                "pre_classifier.bias",
            ),
            (
                Family::Modernbert,
                "layers.0.attn.wqkv.weight",
                "model.layers.0.attn.Wqkv.weight",
            ),
            (Family::Modernbert, "pooler.norm.weight", "head.norm.weight"),
            (
                Family::Decoder(decoder::DecoderFamily::Gemma3),
                "layers.1.Llama.self_attn.q_norm.weight",
                "model.layers.1.self_attn.q_norm.weight",
            ),
            (
                Family::Decoder(decoder::DecoderFamily::Qwen2),
                "embed_tokens.parts.2",
                "model.embed_tokens.weight",
            ),
            (
                Family::Decoder(decoder::DecoderFamily::Gpt2),
                "layers.1.Gpt2.attn.c_attn.bias",
                "transformer.h.1.attn.c_attn.bias",
            ),
            (
                Family::Decoder(decoder::DecoderFamily::Gpt2),
                "norm.Layer.weight",
                "transformer.ln_f.weight",
            ),
        ] {
            assert_eq!(family.with_prefix(&family.name(name)), expected);
        }
        let saved = Family::ENCODERS.map(Family::saves_hidden_layer);
        assert_eq!(saved, [false, true, true, false]);
    }
}
