//! Enters: a decoder's family. Leaves: the words by which Hugging Face's files and classes call its parts.

use super::decoder::{Decoder, DecoderFamily};
use crate::layers::Linear;

impl DecoderFamily {
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

    /// What stands before a decoder's names in the file of a model with a head.
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

    /// The linear layers that LoRA changes where nothing else is asked for: all of a layer.
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

impl Decoder {
    /// Every linear layer with its checkpoint name, the family's prefix left out.
    pub fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        let layers = match self.config.family {
            DecoderFamily::Gpt2 => "h",
            _ => "layers",
        };
        let each = self.layers.iter_mut().enumerate();
        each.flat_map(|(index, layer)| {
            let linears = layer.linears_mut().into_iter();
            linears.map(move |(name, linear)| (format!("{layers}.{index}.{name}"), linear))
        })
        .collect()
    }
}

/// The checkpoint's name of a path below a decoder, its prefix left out: `h.0.attn.c_attn.weight` for `layers.0.Gpt2.attn.c_attn.weight`. All
/// parts of a table together are the checkpoint's one tensor.
pub fn decoder_name(path: &str, family: DecoderFamily) -> String {
    let mut name = path
        .replace(".Llama.", ".")
        .replace(".Gpt2.", ".")
        .replace("norm.Rms", "norm")
        .replace("norm.Layer", "norm");
    if let Some(at) = name.find(".parts.") {
        name.replace_range(at.., ".weight");
    }
    if family != DecoderFamily::Gpt2 {
        return name;
    }
    let table = [
        ("embed_tokens.", "wte."),
        ("position_embeddings.", "wpe."),
        ("layers.", "h."),
        ("norm.", "ln_f."),
    ];
    let found = table
        .iter()
        .find_map(|(from, to)| Some(format!("{to}{}", name.strip_prefix(from)?)));
    found.unwrap_or(name)
}
