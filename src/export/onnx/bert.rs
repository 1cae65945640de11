//! BERT, RoBERTa and DistilBERT as ONNX operations; see `crate::models::bert`.

use super::graph::{Graph, Value};
use super::layers::{
    Inputs, activation, attend, embed, first, layer_norm, linear, split_heads, table,
};
use crate::Result;
use crate::formats::onnx::ElementType;
use crate::models::Family;
use crate::models::bert::{Bert, Layer, Output};

const PATH: &str = "encoder.Bert";

/// The last layer's vectors, `[batch, tokens, hidden]`.
///
/// # Errors
/// None in practice: every activation of these families has its operations.
pub fn forward(graph: &mut Graph, bert: &Bert, inputs: &Inputs) -> Result<Value> {
    graph.enter("embeddings");
    let mut x = embeddings(graph, bert, inputs);
    let seen = inputs.padding(graph);
    for (index, layer) in bert.encoder.layer.iter().enumerate() {
        let path = format!("{PATH}.encoder.layer.{index}");
        x = self::layer(graph, &path, layer, &x, &seen)?;
    }
    Ok(x)
}

/// What a `cls` head reads, `[batch, tokens, hidden]` to `[batch, hidden]`.
///
/// # Errors
/// As [`forward`].
pub fn pooled(graph: &mut Graph, bert: &Bert, hidden: &Value) -> Result<Value> {
    graph.enter("pooler");
    let first = first(graph, hidden);
    let Some(pooler) = &bert.pooler else {
        return Ok(first);
    };
    let dense = linear(
        graph,
        &format!("{PATH}.pooler.dense"),
        &pooler.dense,
        &first,
    );
    activation(graph, pooler.activation, &dense)
}

fn embeddings(graph: &mut Graph, bert: &Bert, inputs: &Inputs) -> Value {
    let layers = &bert.embeddings;
    let at = |name: &str| format!("{PATH}.embeddings.{name}");
    let mut sum = embed(
        graph,
        &at("word_embeddings"),
        &layers.word_embeddings,
        &inputs.ids,
    );
    if let Some(types) = &layers.token_type_embeddings {
        let ids = match bert.family {
            Family::Bert => graph.input("token_type_ids"),
            // RoBERTa's tokenizer gives no types, and all of its tokens are of the first one
            _ => graph.int(0),
        };
        let types = embed(graph, &at("token_type_embeddings"), types, &ids);
        sum = graph.op("Add", &[&sum, &types], &[]);
    }
    let rows = table(
        graph,
        &at("position_embeddings"),
        &layers.position_embeddings,
    );
    let positions = match layers.position_padding {
        None => inputs.first_rows(graph, &rows), // [tokens, hidden]
        Some(padding) => {
            let ids = positions(graph, inputs, padding as i64);
            graph.op("Gather", &[&rows, &ids], &[]) // [batch, tokens, hidden]
        }
    };
    let sum = graph.op("Add", &[&sum, &positions], &[]);
    layer_norm(graph, &at("layer_norm"), &layers.layer_norm, &sum)
}

/// RoBERTa's positions: tokens count from the one after `padding`, by ids and not by the mask; padding has `padding`. `[batch, tokens]`
fn positions(graph: &mut Graph, inputs: &Inputs, padding: i64) -> Value {
    let padding = graph.int(padding);
    let is_padding = graph.op("Equal", &[&inputs.ids, &padding], &[]);
    let real = graph.op("Not", &[&is_padding], &[]);
    let real = graph.cast(&real, ElementType::Int64);
    let axis = graph.int(1);
    let count = graph.op("CumSum", &[&real, &axis], &[]);
    let count = graph.op("Mul", &[&count, &real], &[]);
    graph.op("Add", &[&count, &padding], &[])
}

fn layer(graph: &mut Graph, path: &str, layer: &Layer, x: &Value, seen: &Value) -> Result<Value> {
    let at = |name: &str| format!("{path}.{name}");
    graph.enter(at("attention"));
    let attention = &layer.attention.self_attention;
    let [_, all] = attention.query.shape();
    let [heads, width] = [attention.heads, all / attention.heads];
    let parts = [
        ("query", &attention.query),
        ("key", &attention.key),
        ("value", &attention.value),
    ];
    let [query, key, value] = parts.map(|(name, part)| {
        let path = at(&format!("attention.self_attention.{name}"));
        let part = linear(graph, &path, part, x);
        split_heads(graph, &part, heads, width)
    });
    let mixed = attend(graph, [&query, &key, &value], [heads, width], seen);
    let path = at("attention.output");
    let x = output(graph, &path, &layer.attention.output, &mixed, x);
    graph.enter(at("feed_forward"));
    let wide = &layer.intermediate;
    let inner = linear(graph, &at("intermediate.dense"), &wide.dense, &x);
    let inner = activation(graph, wide.activation, &inner)?;
    Ok(output(graph, &at("output"), &layer.output, &inner, &x))
}

fn output(graph: &mut Graph, path: &str, layer: &Output, x: &Value, residual: &Value) -> Value {
    let x = linear(graph, &format!("{path}.dense"), &layer.dense, x);
    let sum = graph.op("Add", &[&x, residual], &[]);
    layer_norm(
        graph,
        &format!("{path}.layer_norm"),
        &layer.layer_norm,
        &sum,
    )
}
