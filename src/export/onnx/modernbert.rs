//! ModernBERT as ONNX operations; see `crate::models::modernbert`.

use super::graph::{Graph, Value};
use super::layers::{
    Inputs, activation, attend, embed, first, layer_norm, linear, masked_mean, split_heads,
};
use crate::Result;
use crate::formats::onnx::AttributeProto;
use crate::layers::inverse_frequencies;
use crate::models::backbone_config::{Pooling, Span};
use crate::models::modernbert::{Layer, Modernbert};

const PATH: &str = "encoder.Modernbert";

/// What all layers of one kind share.
struct Shared {
    /// Which keys a query sees, broadcast to `[batch, heads, tokens, tokens]`.
    seen: Value,
    /// Of every position's angles, `[tokens, width / 2]`.
    cos: Value,
    sin: Value,
}

/// The last layer's vectors, `[batch, tokens, hidden]`.
///
/// # Errors
/// None in practice: the family's one activation has its operations.
pub fn forward(graph: &mut Graph, network: &Modernbert, inputs: &Inputs) -> Result<Value> {
    graph.enter("embeddings");
    let at = |name: &str| format!("{PATH}.{name}");
    let layers = &network.embeddings;
    let path = at("embeddings.tok_embeddings");
    let words = embed(graph, &path, &layers.tok_embeddings, &inputs.ids);
    let mut x = layer_norm(graph, &at("embeddings.norm"), &layers.norm, &words);
    let padding = inputs.padding(graph);
    let mut kinds = [Span::Full, Span::Sliding].map(|span| (span, None));
    for (index, layer) in network.layers.iter().enumerate() {
        let known = kinds.iter_mut().find(|(span, _)| *span == layer.span);
        let Some((span, slot)) = known else { continue };
        let shared = slot.get_or_insert_with(|| shared(graph, network, *span, inputs, &padding));
        x = self::layer(graph, &at(&format!("layers.{index}")), layer, &x, shared)?;
    }
    graph.enter("final_norm");
    Ok(layer_norm(
        graph,
        &at("final_norm"),
        &network.final_norm,
        &x,
    ))
}

/// What a `cls` head's last layer reads, `[batch, tokens, hidden]` to `[batch, hidden]`.
///
/// # Errors
/// As [`forward`].
pub fn pooled(
    graph: &mut Graph,
    network: &Modernbert,
    inputs: &Inputs,
    hidden: &Value,
) -> Result<Value> {
    graph.enter("head");
    let pooled = match network.settings.pooling {
        Pooling::Cls => first(graph, hidden),
        Pooling::Mean => masked_mean(graph, inputs, hidden),
    };
    let Some(head) = &network.pooler else {
        return Ok(pooled);
    };
    let dense = linear(graph, &format!("{PATH}.pooler.dense"), &head.dense, &pooled);
    let dense = activation(graph, head.activation, &dense)?;
    Ok(layer_norm(
        graph,
        &format!("{PATH}.pooler.norm"),
        &head.norm,
        &dense,
    ))
}

fn shared(
    graph: &mut Graph,
    network: &Modernbert,
    span: Span,
    inputs: &Inputs,
    padding: &Value,
) -> Shared {
    graph.enter(match span {
        Span::Full => "full_attention",
        Span::Sliding => "sliding_attention",
    });
    let [full, sliding] = network.settings.thetas;
    let (seen, theta) = match span {
        Span::Full => (padding.clone(), full),
        Span::Sliding => {
            let places = inputs.places(graph);
            let [column, row] = [1, 0].map(|axis| {
                let axis = graph.ints(&[axis]);
                graph.op("Unsqueeze", &[&places, &axis], &[]) // [tokens, 1] and [1, tokens]
            });
            let apart = graph.op("Sub", &[&column, &row], &[]);
            let apart = graph.op("Abs", &[&apart], &[]);
            let reach = graph.int(network.settings.reach as i64);
            let near = graph.op("LessOrEqual", &[&apart, &reach], &[]); // [tokens, tokens]
            (graph.op("And", &[padding, &near], &[]), sliding)
        }
    };
    let [_, hidden] = network.embeddings.tok_embeddings.weight.val().dims();
    let heads = network.layers.first().map_or(1, |layer| layer.attn.heads);
    let frequencies = inverse_frequencies(theta, hidden / heads);
    // tables, because a shader's sine is good to three digits and worse at large angles
    let [cos, sin] = [f64::cos, f64::sin].map(|function| {
        let angles = (0..inputs.positions)
            .flat_map(|place| frequencies.iter().map(move |freq| place as f64 * freq));
        let values = angles
            .map(|angle| function(angle) as f32)
            .collect::<Vec<_>>();
        let rows = graph.numbers(&values, &[inputs.positions, frequencies.len()]);
        inputs.first_rows(graph, &rows)
    });
    Shared { seen, cos, sin }
}

fn layer(
    graph: &mut Graph,
    path: &str,
    layer: &Layer,
    x: &Value,
    shared: &Shared,
) -> Result<Value> {
    let at = |name: &str| format!("{path}.{name}");
    graph.enter(at("attn"));
    let normed = match &layer.attn_norm {
        Some(norm) => layer_norm(graph, &at("attn_norm"), norm, x),
        None => x.clone(),
    };
    let [hidden, _] = layer.attn.wqkv.shape();
    let [heads, width] = [layer.attn.heads, hidden / layer.attn.heads];
    let all = linear(graph, &at("attn.wqkv"), &layer.attn.wqkv, &normed);
    let [query, key, value] = graph.split::<3>(&all);
    let [query, key, value] =
        [query, key, value].map(|part| split_heads(graph, &part, heads, width));
    let [query, key] = [query, key].map(|part| turn(graph, &part, shared));
    let parts = [&query, &key, &value];
    let mixed = attend(graph, parts, [heads, width], &shared.seen);
    let mixed = linear(graph, &at("attn.wo"), &layer.attn.wo, &mixed);
    let x = graph.op("Add", &[x, &mixed], &[]);
    graph.enter(at("mlp"));
    let normed = layer_norm(graph, &at("mlp_norm"), &layer.mlp_norm, &x);
    let both = linear(graph, &at("mlp.wi"), &layer.mlp.wi, &normed);
    let [input, gate] = graph.split::<2>(&both);
    let input = activation(graph, layer.mlp.activation, &input)?;
    let wide = graph.op("Mul", &[&input, &gate], &[]);
    let wide = linear(graph, &at("mlp.wo"), &layer.mlp.wo, &wide);
    Ok(graph.op("Add", &[&x, &wide], &[]))
}

/// Rotary positions in the rotate-half form: `[first cos - second sin, second cos + first sin]`. `[batch, heads, tokens, width]`
fn turn(graph: &mut Graph, x: &Value, shared: &Shared) -> Value {
    let Shared { cos, sin, .. } = shared;
    let [first, second] = graph.split::<2>(x);
    let [first_cos, second_sin, second_cos, first_sin] =
        [(&first, cos), (&second, sin), (&second, cos), (&first, sin)]
            .map(|(half, table)| graph.op("Mul", &[half, table], &[]));
    let low = graph.op("Sub", &[&first_cos, &second_sin], &[]);
    let high = graph.op("Add", &[&second_cos, &first_sin], &[]);
    let axis = AttributeProto::int("axis", -1);
    graph.op("Concat", &[&low, &high], &[axis])
}
