//! An ONNX graph that grows from its inputs: operations, small constants, and the places of weights that are written later.

use crate::formats::Float;
use crate::formats::onnx::{
    AttributeProto, ElementType, GraphProto, NodeProto, Size, TensorProto, ValueInfoProto, Weight,
};
use crate::models::Classifier;
use crate::models::network::Network;

/// The operators' version. 17 is the first with LayerNormalization; its ReduceSum, Shape and Split are as they are used here.
pub const OPSET: i64 = 17;

/// A tensor in the graph, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(String);

/// A graph, and where its weights come from.
pub struct Graph<'a> {
    network: &'a Classifier,
    /// The type that is computed in.
    float: Float,
    /// What names of operations begin with.
    place: String,
    graph: GraphProto,
    weights: Vec<Weight>,
    /// Each weight's path in the network.
    paths: Vec<String>,
}

impl<'a> Graph<'a> {
    /// An empty graph of that network, which computes in `float` until [`Self::widen`].
    pub fn new(network: &'a Classifier, float: Float) -> Self {
        Self {
            network,
            float,
            place: String::new(),
            graph: GraphProto {
                name: "webtune".into(),
                ..GraphProto::default()
            },
            weights: Vec::new(),
            paths: Vec::new(),
        }
    }

    /// The type that is computed in now.
    pub fn float(&self) -> Float {
        self.float
    }

    /// What operations from now on are for, as their names tell it.
    pub fn enter(&mut self, place: impl Into<String>) {
        self.place = place.into();
    }

    /// An input of whole numbers, `[batch, tokens]`.
    pub fn input(&mut self, name: &str) -> Value {
        let sizes = ["batch_size", "sequence_length"].map(|word| Size::Free(word.into()));
        let info = ValueInfoProto::tensor(name, ElementType::Int64, sizes.into());
        self.graph.input.push(info);
        Value(name.into())
    }

    /// The graph's answer, `[batch, width]` in float32, from the operation that came last.
    pub fn output(&mut self, name: &str, width: usize) {
        if let Some(last) = self.graph.node.last_mut() {
            last.output = vec![name.into()];
        }
        let sizes = vec![Size::Free("batch_size".into()), Size::Fixed(width as i64)];
        let info = ValueInfoProto::tensor(name, ElementType::Float, sizes);
        self.graph.output.push(info);
    }

    /// An operation with one result.
    pub fn op(&mut self, kind: &str, inputs: &[&Value], attributes: &[AttributeProto]) -> Value {
        let name = format!("{kind}_{}", self.graph.node.len());
        self.push(kind, &name, inputs, attributes, vec![name.clone()]);
        Value(name)
    }

    /// `value` in `N` parts of one size along the last axis.
    pub fn split<const N: usize>(&mut self, value: &Value) -> [Value; N] {
        let name = format!("Split_{}", self.graph.node.len());
        let parts = std::array::from_fn(|part| format!("{name}_{part}"));
        let axis = AttributeProto::int("axis", -1);
        self.push("Split", &name, &[value], &[axis], parts.to_vec());
        parts.map(Value)
    }

    fn push(
        &mut self,
        kind: &str,
        name: &str,
        inputs: &[&Value],
        attributes: &[AttributeProto],
        output: Vec<String>,
    ) {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output,
            name: format!("/{}/{name}", self.place),
            op_type: kind.into(),
            attribute: attributes.into(),
        });
    }

    /// The same values as that type.
    pub fn cast(&mut self, value: &Value, to: ElementType) -> Value {
        self.op("Cast", &[value], &[AttributeProto::int("to", to as i64)])
    }

    /// Computes in float32 from here on, with weights and constants of that type.
    pub fn widen(&mut self, value: &Value) -> Value {
        let wide = match self.float {
            Float::F32 => value.clone(),
            _ => self.cast(value, ElementType::Float),
        };
        self.float = Float::F32;
        wide
    }

    /// A whole number.
    pub fn int(&mut self, value: i64) -> Value {
        self.constant(ElementType::Int64, &[], value.to_le_bytes().into())
    }

    /// A list of whole numbers.
    pub fn ints(&mut self, values: &[i64]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(ElementType::Int64, &[values.len()], bytes.collect())
    }

    /// A number of the type that is computed in.
    pub fn number(&mut self, value: f32) -> Value {
        self.numbers(&[value], &[])
    }

    /// Numbers of that type, in that shape.
    pub fn numbers(&mut self, values: &[f32], shape: &[usize]) -> Value {
        let mut bytes = Vec::new();
        self.float.narrow(values, &mut bytes);
        self.constant(self.float.into(), shape, bytes)
    }

    /// A constant; the same one again is written once.
    fn constant(&mut self, element: ElementType, shape: &[usize], raw_data: Vec<u8>) -> Value {
        let name = format!("constant_{}", self.graph.initializer.len());
        let mut tensor = TensorProto {
            dims: shape.iter().map(|&size| size as i64).collect(),
            data_type: element as i32,
            name: String::new(),
            raw_data,
        };
        let known = self.graph.initializer.iter().find(|other| {
            (&other.dims, other.data_type, &other.raw_data)
                == (&tensor.dims, tensor.data_type, &tensor.raw_data)
        });
        if let Some(known) = known {
            return Value(known.name.clone());
        }
        tensor.name.clone_from(&name);
        self.graph.initializer.push(tensor);
        Value(name)
    }

    /// A parameter of the network, by its path, in the type that is computed in. `shape`: as the network holds it.
    pub fn weight(&mut self, path: String, shape: &[usize]) -> Value {
        let name = self.network.module_name(&path);
        self.weights.push(Weight {
            name: name.clone(),
            shape: shape.into(),
            dtype: self.float,
        });
        self.paths.push(path);
        Value(name)
    }

    /// The graph, its weights in the order in which they were asked for, and each one's path in the network.
    pub fn finish(self) -> (GraphProto, Vec<Weight>, Vec<String>) {
        (self.graph, self.weights, self.paths)
    }
}
