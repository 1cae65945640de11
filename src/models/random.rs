//! Checkpoints of any configuration with random weights, for benchmarks and tests.

use std::collections::BTreeMap;

use super::backbone_config::{Architecture, BackboneConfig, BertSettings};
use super::decoder_config::DecoderConfig;
use super::family::DecoderFamily;
use super::names::backbone_name;
use crate::Result;
use crate::formats::write;
use crate::rng::Rng;

/// Names of tensors and their shapes.
type Shapes = Vec<(String, Vec<usize>)>;

/// The bytes of a `model.safetensors`: norms at 1 and 0, biases 0, everything else normal with `initializer_range`. Names have no
/// prefix, but for a decoder's, which is a whole language model; BERT has its pooler, the other encoders have no head, as models that were only
/// pretrained.
///
/// # Errors
/// [`crate::Error::Internal`] if there is no memory for the file.
pub fn random_checkpoint(config: &BackboneConfig, seed: u64) -> Result<Vec<u8>> {
    let shapes = match &config.architecture {
        Architecture::Bert(settings) => bert_shapes(config, settings),
        Architecture::Modernbert(_) => modernbert_shapes(config),
        Architecture::Decoder(settings) => return random_language_model(settings, seed),
    };
    file(shapes, config.initializer_range, seed)
}

/// The same of a language model, under the names of its family.
///
/// # Errors
/// [`crate::Error::Internal`] if there is no memory for the file.
pub fn random_language_model(config: &DecoderConfig, seed: u64) -> Result<Vec<u8>> {
    let shapes = match config.family {
        DecoderFamily::Gpt2 => gpt2_shapes(config),
        _ => llama_shapes(config),
    };
    file(shapes, config.initializer_range, seed)
}

fn bert_shapes(config: &BackboneConfig, settings: &BertSettings) -> Shapes {
    let [h, wide] = [config.hidden_size, config.intermediate_size];
    let mut shapes = vec![
        (
            "embeddings.word_embeddings.weight".to_string(),
            vec![config.vocab_size, h],
        ),
        (
            "embeddings.position_embeddings.weight".into(),
            vec![settings.positions, h],
        ),
    ];
    shapes.extend(settings.token_types.map(|rows| {
        let name = "embeddings.token_type_embeddings.weight".to_string();
        (name, vec![rows, h])
    }));
    let mut norms = vec!["embeddings.LayerNorm".to_string()];
    let mut linears = Vec::new();
    if config.family.hidden_layer().is_none() {
        linears.push(("pooler.dense".to_string(), h, h));
    }
    for layer in 0..config.num_hidden_layers {
        let at =
            |name: &str| backbone_name(&format!("encoder.layer.{layer}.{name}"), config.family);
        for name in [
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
        ] {
            linears.push((at(name), h, h));
        }
        linears.push((at("intermediate.dense"), wide, h));
        linears.push((at("output.dense"), h, wide));
        norms.extend([at("attention.output.LayerNorm"), at("output.LayerNorm")]);
    }
    for (name, output, input) in linears {
        shapes.push((format!("{name}.weight"), vec![output, input]));
        shapes.push((format!("{name}.bias"), vec![output]));
    }
    for name in norms {
        shapes.push((format!("{name}.weight"), vec![h]));
        shapes.push((format!("{name}.bias"), vec![h]));
    }
    shapes
}

fn modernbert_shapes(config: &BackboneConfig) -> Shapes {
    let [h, wide] = [config.hidden_size, config.intermediate_size];
    let mut shapes = vec![
        (
            "embeddings.tok_embeddings.weight".to_string(),
            vec![config.vocab_size, h],
        ),
        ("embeddings.norm.weight".into(), vec![h]),
        ("final_norm.weight".into(), vec![h]),
    ];
    for layer in 0..config.num_hidden_layers {
        for (name, shape) in [
            ("attn_norm", vec![h]),
            ("attn.Wqkv", vec![3 * h, h]),
            ("attn.Wo", vec![h, h]),
            ("mlp_norm", vec![h]),
            ("mlp.Wi", vec![2 * wide, h]),
            ("mlp.Wo", vec![h, wide]),
        ] {
            if layer > 0 || name != "attn_norm" {
                shapes.push((format!("layers.{layer}.{name}.weight"), shape));
            }
        }
    }
    shapes
}

fn llama_shapes(config: &DecoderConfig) -> Shapes {
    let [h, d] = [config.hidden_size, config.head_dim];
    let mut shapes = vec![
        (
            "model.embed_tokens.weight".to_string(),
            vec![config.vocab_size, h],
        ),
        ("model.norm.weight".into(), vec![h]),
    ];
    if !config.tie_word_embeddings {
        shapes.push(("lm_head.weight".into(), vec![config.vocab_size, h]));
    }
    for layer in 0..config.layers.len() {
        let at = |name: &str| format!("model.layers.{layer}.{name}");
        for (name, [input, output]) in config.linear_shapes(layer) {
            let bias = match name.rsplit('.').next() {
                Some("o_proj") => config.output_bias,
                Some("q_proj" | "k_proj" | "v_proj") => config.qkv_bias,
                _ => config.mlp_bias,
            };
            shapes.push((format!("{name}.weight"), vec![output, input]));
            if bias {
                shapes.push((format!("{name}.bias"), vec![output]));
            }
        }
        let mut norms = vec![("input_layernorm", h), ("post_attention_layernorm", h)];
        if config.post_norms {
            norms.extend([
                ("pre_feedforward_layernorm", h),
                ("post_feedforward_layernorm", h),
            ]);
        }
        if config.qk_norm {
            norms.extend([("self_attn.q_norm", d), ("self_attn.k_norm", d)]);
        }
        let norms = norms.into_iter();
        shapes.extend(norms.map(|(name, width)| (at(&format!("{name}.weight")), vec![width])));
    }
    shapes
}

fn gpt2_shapes(config: &DecoderConfig) -> Shapes {
    let h = config.hidden_size;
    let mut shapes = vec![
        (
            "transformer.wte.weight".to_string(),
            vec![config.vocab_size, h],
        ),
        (
            "transformer.wpe.weight".into(),
            vec![config.max_position_embeddings, h],
        ),
    ];
    let mut norms = vec!["transformer.ln_f".to_string()];
    for layer in 0..config.layers.len() {
        let at = |name: &str| format!("transformer.h.{layer}.{name}");
        for (name, [input, output]) in config.linear_shapes(layer) {
            shapes.push((format!("{name}.weight"), vec![input, output]));
            shapes.push((format!("{name}.bias"), vec![output]));
        }
        norms.extend([at("ln_1"), at("ln_2")]);
    }
    for name in norms {
        shapes.push((format!("{name}.weight"), vec![h]));
        shapes.push((format!("{name}.bias"), vec![h]));
    }
    shapes
}

/// Norms at 1 and biases at 0, everything else normal with that deviation.
fn file(shapes: Shapes, deviation: f64, seed: u64) -> Result<Vec<u8>> {
    let tensors = shapes
        .into_iter()
        .map(|(name, shape)| {
            let count = shape.iter().product();
            let mut rng = Rng::stream(seed, &name);
            let values = match (shape.len(), name.ends_with(".bias")) {
                (1, false) => vec![1.0; count],
                (1, true) => vec![0.0; count],
                _ => (0..count)
                    .map(|_| (rng.normal() * deviation) as f32)
                    .collect::<Vec<_>>(),
            };
            (name, shape, values)
        })
        .collect::<Vec<_>>();
    let views = tensors
        .iter()
        .map(|(name, shape, values)| (name.as_str(), shape.as_slice(), values.as_slice()));
    write(views, &BTreeMap::new())
}
