//! The layers that encoders share, as ONNX operations. Shapes are those of `crate::layers`.

use super::graph::{Graph, Value};
use crate::formats::Float;
use crate::formats::onnx::{AttributeProto, ElementType};
use crate::layers::{Activation, Embedding, LayerNorm, Linear};
use crate::{Error, Result};

/// What the layers of a graph are given besides hidden states.
pub struct Inputs {
    /// `[batch, tokens]`
    pub ids: Value,
    /// 1 for tokens, 0 for padding; `[batch, tokens]`
    pub mask: Value,
    /// Tokens of the longest text that the model can read.
    pub positions: usize,
}

impl Inputs {
    /// Which keys are tokens, as booleans `[batch, 1, 1, tokens]`.
    pub fn padding(&self, graph: &mut Graph) -> Value {
        let real = graph.cast(&self.mask, ElementType::Bool);
        let axes = graph.ints(&[1, 2]);
        graph.op("Unsqueeze", &[&real, &axes], &[])
    }

    /// How many tokens the longest text has, in a list of one.
    pub fn tokens(&self, graph: &mut Graph) -> Value {
        let axis = [("start", 1), ("end", 2)].map(|(name, at)| AttributeProto::int(name, at));
        graph.op("Shape", &[&self.ids], &axis)
    }

    /// The rows of a table `[positions, width]` for the places of the longest text, `[tokens, width]`.
    pub fn first_rows(&self, graph: &mut Graph, rows: &Value) -> Value {
        let [start, axis] = [0, 0].map(|value| graph.ints(&[value]));
        let end = self.tokens(graph);
        graph.op("Slice", &[rows, &start, &end, &axis], &[])
    }

    /// 0, 1, 2, ... for each place in a text, `[tokens]`.
    pub fn places(&self, graph: &mut Graph) -> Value {
        let tokens = self.tokens(graph);
        let end = graph.op("Squeeze", &[&tokens], &[]);
        let [start, step] = [0, 1].map(|value| graph.int(value));
        graph.op("Range", &[&start, &end, &step], &[])
    }
}

/// `x W + b`
pub fn linear(graph: &mut Graph, path: &str, layer: &Linear, x: &Value) -> Value {
    let [input, output] = layer.shape();
    let weight = graph.weight(format!("{path}.weight"), &[input, output]);
    let product = graph.op("MatMul", &[x, &weight], &[]);
    if layer.bias.is_none() {
        return product;
    }
    let bias = graph.weight(format!("{path}.bias"), &[output]);
    graph.op("Add", &[&product, &bias], &[])
}

/// The table itself, `[rows, width]`.
pub fn table(graph: &mut Graph, path: &str, table: &Embedding) -> Value {
    graph.weight(format!("{path}.weight"), &table.weight.val().dims())
}

/// Rows of a table, `[batch, tokens, width]` for ids `[batch, tokens]`.
pub fn embed(graph: &mut Graph, path: &str, layer: &Embedding, ids: &Value) -> Value {
    let rows = table(graph, path, layer);
    graph.op("Gather", &[&rows, ids], &[])
}

/// Mean 0 and variance 1 over the last axis, computed in float32 whatever the type is.
pub fn layer_norm(graph: &mut Graph, path: &str, layer: &LayerNorm, x: &Value) -> Value {
    let width = layer.weight.val().dims();
    let settings = [
        AttributeProto::int("axis", -1),
        AttributeProto::float("epsilon", layer.eps as f32),
    ];
    let weight = graph.weight(format!("{path}.weight"), &width);
    if layer.bias.is_none() {
        return graph.op("LayerNormalization", &[x, &weight], &settings);
    }
    let bias = graph.weight(format!("{path}.bias"), &width);
    graph.op("LayerNormalization", &[x, &weight, &bias], &settings)
}

/// # Errors
/// [`Error::Internal`] for a function that only decoders have.
pub fn activation(graph: &mut Graph, function: Activation, x: &Value) -> Result<Value> {
    Ok(match function {
        Activation::FusedGelu | Activation::ComposedGelu => {
            // before opset 20 there is no Gelu; runtimes know this form and fuse it
            let [scale, one, half] = [std::f32::consts::FRAC_1_SQRT_2, 1.0, 0.5];
            let [scale, one, half] = [scale, one, half].map(|value| graph.number(value));
            let scaled = graph.op("Mul", &[x, &scale], &[]);
            let erf = graph.op("Erf", &[&scaled], &[]);
            let sum = graph.op("Add", &[&erf, &one], &[]);
            let product = graph.op("Mul", &[x, &sum], &[]);
            graph.op("Mul", &[&product, &half], &[])
        }
        Activation::Relu => graph.op("Relu", &[x], &[]),
        Activation::Tanh => graph.op("Tanh", &[x], &[]),
        Activation::TanhGelu | Activation::Swish => {
            return Err(Error::internal(format!("no encoder has {function:?}")));
        }
    })
}

/// `[batch, tokens, heads * width]` to `[batch, heads, tokens, width]`.
pub fn split_heads(graph: &mut Graph, x: &Value, heads: usize, width: usize) -> Value {
    // 0 keeps a size
    let shape = graph.ints(&[0, 0, heads as i64, width as i64]);
    let apart = graph.op("Reshape", &[x, &shape], &[]);
    graph.op("Transpose", &[&apart], &[order(&[0, 2, 1, 3])])
}

/// Scaled dot-product attention. `query`, `key`, `value`: `[batch, heads, tokens, width]`; `seen`: booleans that broadcast to
/// `[batch, heads, tokens, tokens]`. Returns `[batch, tokens, heads * width]`.
pub fn attend(
    graph: &mut Graph,
    [query, key, value]: [&Value; 3],
    [heads, width]: [usize; 2],
    seen: &Value,
) -> Value {
    // scaled before the product, which float16 might not hold
    let scale = graph.number((width as f32).powf(-0.5));
    let query = graph.op("Mul", &[query, &scale], &[]);
    let key = graph.op("Transpose", &[key], &[order(&[0, 1, 3, 2])]);
    let scores = graph.op("MatMul", &[&query, &key], &[]);
    // finite, because a row of minus infinities alone would give NaN
    let lowest = graph.number(match graph.float() {
        Float::F16 => half::f16::MIN.to_f32(),
        Float::F32 | Float::F64 | Float::BF16 => -1e9,
    });
    let scores = graph.op("Where", &[seen, &scores, &lowest], &[]);
    let weights = graph.op("Softmax", &[&scores], &[AttributeProto::int("axis", -1)]);
    let mixed = graph.op("MatMul", &[&weights, value], &[]);
    let mixed = graph.op("Transpose", &[&mixed], &[order(&[0, 2, 1, 3])]);
    let shape = graph.ints(&[0, 0, (heads * width) as i64]);
    graph.op("Reshape", &[&mixed, &shape], &[])
}

/// The vector of each text's first token, `[batch, tokens, hidden]` to `[batch, hidden]`.
pub fn first(graph: &mut Graph, hidden: &Value) -> Value {
    let place = graph.int(0);
    let axis = AttributeProto::int("axis", 1);
    graph.op("Gather", &[hidden, &place], &[axis])
}

/// Mean of the unmasked tokens, in float32: `[batch, tokens, hidden]` to `[batch, hidden]`.
pub fn masked_mean(graph: &mut Graph, inputs: &Inputs, hidden: &Value) -> Value {
    let mask = graph.cast(&inputs.mask, ElementType::Float);
    let [last, tokens] = [2, 1].map(|axis| graph.ints(&[axis]));
    let mask = graph.op("Unsqueeze", &[&mask, &last], &[]); // [batch, tokens, 1]
    let drop = [AttributeProto::int("keepdims", 0)];
    let real = graph.op("Mul", &[hidden, &mask], &[]);
    let sum = graph.op("ReduceSum", &[&real, &tokens], &drop);
    let count = graph.op("ReduceSum", &[&mask, &tokens], &drop); // [batch, 1]
    let least = graph.number(1e-9);
    let count = graph.op("Max", &[&count, &least], &[]);
    graph.op("Div", &[&sum, &count], &[])
}

/// Each row divided by its L2 norm, `[batch, hidden]`.
pub fn normalize(graph: &mut Graph, x: &Value) -> Value {
    let settings = [
        AttributeProto::ints("axes", &[-1]),
        AttributeProto::int("keepdims", 1),
    ];
    let norm = graph.op("ReduceL2", &[x], &settings);
    let least = graph.number(1e-12);
    let norm = graph.op("Max", &[&norm, &least], &[]);
    graph.op("Div", &[x, &norm], &[])
}

fn order(axes: &[i64]) -> AttributeProto {
    AttributeProto::ints("perm", axes)
}
