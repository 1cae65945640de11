//! Every name: what a parameter's path in the Rust modules says of it, and how Hugging Face's files call it. What adapters' files put
//! around these names is in `peft::keys`.

use super::family::{DecoderFamily, Family};
use super::head::HeadKind;
use super::network::{Place, layer_of};

/// What the Rust paths of the network below a classifier's head begin with.
const BACKBONES: [&str; 3] = ["encoder.Bert.", "encoder.Modernbert.", "encoder.Decoder."];

/// What those of a language model without its head begin with.
const DECODER: &str = "model.";

/// BERT's names and RoBERTa's.
const ROBERTA: &[(&str, &str)] = &[("pooler.dense", "classifier.dense")];

/// BERT's names and DistilBERT's, applied one after the other. The bottlenecks' names are AdapterHub's.
const DISTILBERT: &[(&str, &str)] = &[
    ("encoder.layer.", "transformer.layer."),
    (".attention.self.query", ".attention.q_lin"),
    (".attention.self.key", ".attention.k_lin"),
    (".attention.self.value", ".attention.v_lin"),
    (".attention.output.dense", ".attention.out_lin"),
    (".attention.output.LayerNorm", ".sa_layer_norm"),
    (".attention.output.adapter.", ".attention_adapters.adapter."),
    (".intermediate.dense", ".ffn.lin1"),
    (".output.dense", ".ffn.lin2"),
    (".output.LayerNorm", ".output_layer_norm"),
    (".output.adapter.", ".output_adapters.adapter."),
    ("pooler.dense", "pre_classifier"),
];

/// The Rust modules' names and ModernBERT's.
const MODERNBERT: &[(&str, &str)] = &[
    (".wqkv", ".Wqkv"),
    (".wo", ".Wo"),
    (".wi", ".Wi"),
    ("pooler.", "head."),
];

/// How the Rust modules' names and GPT-2's begin.
const GPT2: &[(&str, &str)] = &[
    ("embed_tokens.", "wte."),
    ("position_embeddings.", "wpe."),
    ("layers.", "h."),
    ("norm.", "ln_f."),
];

/// A layer's modules as Hugging Face and llama.cpp call them.
const GGUF_LLAMA_LAYER: &[(&str, &str)] = &[
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];
const GGUF_ONE_NORM: &[(&str, &str)] = &[("post_attention_layernorm", "ffn_norm")];
const GGUF_GEMMA_NORMS: &[(&str, &str)] = &[
    ("post_attention_layernorm", "post_attention_norm"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
];
const GGUF_GPT2_LAYER: &[(&str, &str)] = &[
    ("ln_1", "attn_norm"),
    ("attn.c_attn", "attn_qkv"),
    ("attn.c_proj", "attn_output"),
    ("ln_2", "ffn_norm"),
    ("mlp.c_fc", "ffn_up"),
    ("mlp.c_proj", "ffn_down"),
];

/// The modules around the layers.
const GGUF_LLAMA: &[(&str, &str)] = &[
    ("model.embed_tokens", "token_embd"),
    ("model.norm", "output_norm"),
    ("lm_head", "output"),
];
const GGUF_GPT2: &[(&str, &str)] = &[
    ("transformer.wte", "token_embd"),
    ("transformer.wpe", "position_embd"),
    ("transformer.ln_f", "output_norm"),
    ("lm_head", "output"),
];

type Pairs = &'static [(&'static str, &'static str)];

/// What comes before the number of a layer, the modules of one and those around them.
fn gguf_tables(family: DecoderFamily) -> (&'static str, [Pairs; 2], Pairs) {
    match family {
        DecoderFamily::Gpt2 => ("transformer.h.", [GGUF_GPT2_LAYER, &[]], GGUF_GPT2),
        DecoderFamily::Gemma3 => (
            "model.layers.",
            [GGUF_LLAMA_LAYER, GGUF_GEMMA_NORMS],
            GGUF_LLAMA,
        ),
        _ => (
            "model.layers.",
            [GGUF_LLAMA_LAYER, GGUF_ONE_NORM],
            GGUF_LLAMA,
        ),
    }
}

/// llama.cpp's name of a module, `blk.0.attn_q` for `model.layers.0.self_attn.q_proj`.
pub fn gguf_name(module: &str, family: DecoderFamily) -> Option<String> {
    let (layers, of_layer, around) = gguf_tables(family);
    if let Some((_, name)) = around.iter().find(|(own, _)| *own == module) {
        return Some((*name).into());
    }
    let (layer, module) = module.strip_prefix(layers)?.split_once('.')?;
    let layer = layer.parse::<usize>().ok()?;
    let mut pairs = of_layer.into_iter().flatten();
    let (_, name) = pairs.find(|(own, _)| *own == module)?;
    Some(format!("blk.{layer}.{name}"))
}

/// The same the other way round.
pub fn name_of_gguf(module: &str, family: DecoderFamily) -> Option<String> {
    let (layers, of_layer, around) = gguf_tables(family);
    if let Some((own, _)) = around.iter().find(|(_, name)| *name == module) {
        return Some((*own).into());
    }
    let (layer, module) = module.strip_prefix("blk.")?.split_once('.')?;
    let layer = layer.parse::<usize>().ok()?;
    let mut pairs = of_layer.into_iter().flatten();
    let (own, _) = pairs.find(|(_, name)| *name == module)?;
    Some(format!("{layers}{layer}.{own}"))
}

/// The checkpoint's name of a module or parameter of a classifier's network, without the family's prefix. `name` is BERT's own if the network is
/// BERT's, `encoder.layer.0.attention.self.query`, and the path in the Rust modules for the others.
pub fn backbone_name(name: &str, family: Family) -> String {
    let table: &[(&str, &str)] = match family {
        Family::Bert => &[],
        Family::Roberta => ROBERTA,
        Family::Distilbert => DISTILBERT,
        Family::Modernbert => MODERNBERT,
        Family::Decoder(decoder) => return decoder_name(name, decoder),
    };
    table
        .iter()
        .fold(name.to_string(), |name, (from, to)| name.replace(from, to))
}

/// A checkpoint's name after the family's prefix, which the head's own layers do not have.
fn with_prefix(name: &str, family: Family) -> String {
    match family.hidden_layer() {
        Some(hidden) if name.starts_with(hidden) => name.into(),
        _ => format!("{}{name}", family.prefix()),
    }
}

/// The checkpoint's name of a path below a decoder, its prefix left out: `h.0.attn.c_attn.weight` for `layers.0.Gpt2.attn.c_attn.weight`. All
/// parts of a table together are the checkpoint's one tensor.
fn decoder_name(path: &str, family: DecoderFamily) -> String {
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
    let found = GPT2
        .iter()
        .find_map(|(from, to)| Some(format!("{to}{}", name.strip_prefix(from)?)));
    found.unwrap_or(name)
}

/// The checkpoint's name of a path below [`super::CausalLm`].
pub fn causal_name(path: &str, family: DecoderFamily) -> String {
    match path.strip_prefix(DECODER) {
        Some(below) => format!("{}{}", family.prefix(), decoder_name(below, family)),
        // the head's table
        None => decoder_name(path, family),
    }
}

/// The checkpoint's name of a path below [`super::Classifier`]: `bert.encoder.layer.0.attention.self.query` for
/// `encoder.Bert.encoder.layer.0.attention.self_attention.query`.
///
/// With a `mean` head the saved model is the bare encoder, whose names have no `bert.`.
pub fn module_name(path: &str, family: Family, head: HeadKind) -> String {
    let name = path
        .replace(".self_attention.", ".self.")
        .replace(".layer_norm", ".LayerNorm");
    let body = BACKBONES.iter().find_map(|body| name.strip_prefix(body));
    match (body, head) {
        (Some(bare), HeadKind::Mean) => backbone_name(bare, family),
        (Some(bare), HeadKind::Cls) => with_prefix(&backbone_name(bare, family), family),
        (None, _) => name
            .replace("head.Cls.classifier", family.last_layer())
            .replace("head.Mean.", ""),
    }
}

/// Whether a parameter of a classifier or a language model is stored as the transpose of what files hold: all matrices of linear layers and
/// deltas, but for GPT-2's own, which its files hold as they are here.
pub fn is_transposed(path: &str, dims: usize) -> bool {
    let table = path.contains("embeddings.") || is_table_part(path);
    let conv1d = path.contains(".Gpt2.") && !is_delta(path);
    dims == 2 && !table && !conv1d && !is_prefix(path)
}

/// The part of a network of that many layers that a path belongs to.
pub fn place(path: &str, layers: usize) -> Place {
    if is_head(path) || is_pooler(path) || path.starts_with("lm_head.") {
        return Place::Top;
    }
    // the number in such a path is the part's, not a layer's
    if is_table_part(path) {
        return Place::Embeddings;
    }
    let last = layers.checked_sub(1).filter(|_| is_last_norm(path));
    let layer = layer_of(path).or(last);
    layer.map_or(Place::Embeddings, Place::Layer)
}

/// Whether a path belongs to the norm above all layers.
fn is_last_norm(path: &str) -> bool {
    let mut bodies = BACKBONES.iter().chain([&DECODER]);
    let below = bodies.find_map(|body| path.strip_prefix(body));
    below.is_some_and(|name| name.starts_with("norm.") || name.starts_with("final_norm."))
}

/// Whether a path is a part of a table of words that is kept in parts.
pub fn is_table_part(path: &str) -> bool {
    path.contains(".parts.")
}

/// Whether a path belongs to a LoRA delta.
pub fn is_delta(path: &str) -> bool {
    path.contains(".delta.")
}

/// Whether a path belongs to a bottleneck.
pub fn is_bottleneck(path: &str) -> bool {
    path.contains(".adapter.adapter_")
}

/// Whether a path belongs to a learned prefix.
pub fn is_prefix(path: &str) -> bool {
    path.contains(".prefix.")
}

/// Whether a path is a bias or belongs to a norm, which weight decay usually spares.
pub fn is_bias_or_norm(path: &str) -> bool {
    path.ends_with(".bias") || path.contains("norm.") || path.contains(".ln_")
}

/// Whether a path belongs to a classifier's last layer and not to the network below it.
pub fn is_head(path: &str) -> bool {
    path.starts_with("head.")
}

/// Whether a path or name belongs to what a `cls` head has below its last layer.
pub fn is_pooler(path: &str) -> bool {
    path.split('.').any(|part| part == "pooler")
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
                Family::Decoder(DecoderFamily::Gemma3),
                "layers.1.Llama.self_attn.q_norm.weight",
                "model.layers.1.self_attn.q_norm.weight",
            ),
            (
                Family::Decoder(DecoderFamily::Qwen2),
                "embed_tokens.parts.2",
                "model.embed_tokens.weight",
            ),
            (
                Family::Decoder(DecoderFamily::Gpt2),
                "layers.1.Gpt2.attn.c_attn.bias",
                "transformer.h.1.attn.c_attn.bias",
            ),
            (
                Family::Decoder(DecoderFamily::Gpt2),
                "norm.Layer.weight",
                "transformer.ln_f.weight",
            ),
        ] {
            assert_eq!(with_prefix(&backbone_name(name, family), family), expected);
        }
        let saved = Family::ENCODERS.map(Family::saves_hidden_layer);
        assert_eq!(saved, [false, true, true, false]);
    }

    #[test]
    fn every_part_has_its_place() {
        use Place::{Embeddings, Layer, Top};
        for (path, expected) in [
            ("encoder.Bert.embeddings.layer_norm.bias", Embeddings),
            ("encoder.Bert.encoder.layer.3.output.dense.bias", Layer(3)),
            ("encoder.Bert.pooler.dense.weight", Top),
            ("head.Mean.linear.bias", Top),
            ("encoder.Modernbert.embeddings.norm.weight", Embeddings),
            ("encoder.Modernbert.layers.0.mlp_norm.weight", Layer(0)),
            ("encoder.Modernbert.final_norm.weight", Layer(5)),
            ("encoder.Modernbert.pooler.norm.weight", Top),
            ("encoder.Decoder.embed_tokens.parts.2", Embeddings),
            ("encoder.Decoder.layers.2.Gpt2.ln_1.weight", Layer(2)),
            ("encoder.Decoder.norm.Rms.weight", Layer(5)),
            ("model.embed_tokens.parts.2", Embeddings),
            ("model.position_embeddings.weight", Embeddings),
            (
                "model.layers.4.Llama.self_attn.q_proj.delta.lora_a",
                Layer(4),
            ),
            ("model.layers.4.Llama.self_attn.q_norm.weight", Layer(4)),
            ("model.norm.Layer.bias", Layer(5)),
            ("lm_head.parts.1", Top),
        ] {
            assert_eq!(place(path, 6), expected, "{path}");
        }
    }
}
