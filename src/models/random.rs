//! Enters: a configuration and a seed. Leaves: a checkpoint of that shape with random weights, for benchmarks and tests.

use std::collections::BTreeMap;

use super::EncoderConfig;
use crate::Result;
use crate::formats::write;
use crate::rng::Rng;

/// The bytes of a `model.safetensors`: norms at 1 and 0, biases 0, everything else normal with `initializer_range`.
///
/// # Errors
/// [`crate::Error::InvalidState`] where there is no memory for the file.
pub fn random_checkpoint(config: &EncoderConfig, seed: u64) -> Result<Vec<u8>> {
    let [h, wide] = [config.hidden_size, config.intermediate_size];
    let mut shapes = vec![
        (
            "embeddings.word_embeddings.weight".to_string(),
            vec![config.vocab_size, h],
        ),
        (
            "embeddings.position_embeddings.weight".into(),
            vec![config.max_position_embeddings, h],
        ),
        (
            "embeddings.token_type_embeddings.weight".into(),
            vec![config.type_vocab_size, h],
        ),
    ];
    let mut norms = vec!["embeddings.LayerNorm".to_string()];
    let mut linears = vec![("pooler.dense".to_string(), h, h)];
    for layer in 0..config.num_hidden_layers {
        let at = |name: &str| format!("encoder.layer.{layer}.{name}");
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
