//! The families of models, and the words by which Hugging Face's files and classes call them. Names of single tensors are in `names`.

use super::head::HeadKind;

/// A family of classifiers. BERT, RoBERTa and DistilBERT share one network and differ in what this names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Bert,
    Roberta,
    Distilbert,
    Modernbert,
    /// A language model's layers, whose last token is classified.
    Decoder(DecoderFamily),
}

/// A family of language models, each with a file of its own that reads its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecoderFamily {
    Llama,
    Qwen2,
    Qwen3,
    Gemma3,
    Gpt2,
}

impl DecoderFamily {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Llama,
        Self::Qwen2,
        Self::Qwen3,
        Self::Gemma3,
        Self::Gpt2,
    ];

    /// transformers' `model_type`.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Gemma3 => "gemma3_text",
            Self::Gpt2 => "gpt2",
        }
    }

    /// llama.cpp's `general.architecture`.
    pub fn gguf_architecture(self) -> &'static str {
        match self {
            Self::Gemma3 => "gemma3",
            _ => self.model_type(),
        }
    }

    /// How transformers' classes of it begin.
    pub fn class(self) -> &'static str {
        match self {
            Self::Llama => "Llama",
            Self::Qwen2 => "Qwen2",
            Self::Qwen3 => "Qwen3",
            Self::Gemma3 => "Gemma3Text",
            Self::Gpt2 => "GPT2",
        }
    }

    /// What comes before a decoder's names in the file of a model with a head.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Gpt2 => "transformer.",
            _ => "model.",
        }
    }

    /// Whether its layers store weights as `[in, out]`: GPT-2's `Conv1D`, which PEFT calls `fan_in_fan_out`.
    pub fn is_conv1d(self) -> bool {
        self == Self::Gpt2
    }

    /// The linear layers that LoRA changes if nothing else is asked for: all of a layer.
    pub fn default_targets(self) -> &'static [&'static str] {
        match self {
            Self::Gpt2 => &["c_attn", "c_proj", "c_fc"],
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
        let decoders = DecoderFamily::ALL.map(Self::Decoder);
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
            Self::Decoder(decoder) => decoder.model_type(),
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

    /// What comes before the encoder's names in the file of a model with a head.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Bert => "bert.",
            Self::Roberta => "roberta.",
            Self::Distilbert => "distilbert.",
            Self::Modernbert => "model.",
            Self::Decoder(decoder) => decoder.prefix(),
        }
    }

    /// The layers that LoRA changes if nothing else is asked for: every linear layer of a transformer layer, as measured on BERT.
    pub fn default_targets(self) -> &'static [&'static str] {
        match self {
            Self::Bert | Self::Roberta => BERT_TARGETS,
            Self::Distilbert => &["q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"],
            Self::Modernbert => &["Wqkv", "Wo", "Wi"],
            Self::Decoder(decoder) => decoder.default_targets(),
        }
    }

    /// What the files call the classification head's hidden layer. `None` if that layer is the encoder's own pooler, or there is none.
    pub fn hidden_layer(self) -> Option<&'static str> {
        match self {
            Self::Bert | Self::Decoder(_) => None,
            Self::Roberta => Some("classifier.dense"),
            Self::Distilbert => Some("pre_classifier"),
            Self::Modernbert => Some("head"),
        }
    }

    /// What the files call the classification head's last layer.
    pub fn last_layer(self) -> &'static str {
        match self {
            Self::Roberta => "classifier.out_proj",
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
}
