//! Enters: a configuration and a seed. Leaves: a checkpoint of that shape with random weights, for benchmarks and tests.

use std::collections::BTreeMap;

use super::bert::BertSettings;
use super::config::{Architecture, EncoderConfig};
use crate::Result;
use crate::formats::write;
use crate::rng::Rng;

/// A tensor's name and shape.
type Shape = (String, Vec<usize>);

/// The bytes of a `model.safetensors`: norms at 1 and 0, biases 0, everything else normal with `initializer_range`. Names have no
/// prefix; BERT has its pooler, the other families have no head, as models that were only pretrained.
///
/// # Errors
/// [`crate::Error::InvalidState`] where there is no memory for the file.
pub fn random_checkpoint(config: &EncoderConfig, seed: u64) -> Result<Vec<u8>> {
    let shapes = match &config.architecture {
        Architecture::Bert(settings) => bert(config, settings),
        Architecture::Modernbert(_) => modernbert(config),
    };
    let tensors = shapes
        .into_iter()
        .map(|(name, shape)| {
            let count = shape.iter().product();
            let mut rng = Rng::stream(seed, &name);
            let values = match (shape.len(), name.ends_with(".bias")) {
                (1, false) => vec![1.0; count],
                (1, true) => vec![0.0; count],
                _ => (0..count)
                    .map(|_| (rng.normal() * config.initializer_range) as f32)
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

fn bert(config: &EncoderConfig, settings: &BertSettings) -> Vec<Shape> {
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
        let at = |name: &str| config.family.name(&format!("encoder.layer.{layer}.{name}"));
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

fn modernbert(config: &EncoderConfig) -> Vec<Shape> {
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
