//! ONNX files: the messages of onnx.proto that a graph needs, and the bytes around weights that are written one after the other.
//!
//! Field numbers are onnx.proto's. A field that is not listed here is never written, and is skipped when a file is read.

use prost::{Message, encode_length_delimiter, length_delimiter_len};

use super::dtype::Float;
use super::writer::byte_size;
use crate::error::{Error, Result};

/// The largest file: protobuf counts a message's bytes in a signed 32-bit number.
pub const MAX_FILE_BYTES: u64 = i32::MAX as u64;

/// Keys of fields that hold bytes: the field's number and wire type 2.
const INITIALIZER: u8 = (5 << 3) | 2;
const GRAPH: u8 = (7 << 3) | 2;
const RAW_DATA: u8 = (9 << 3) | 2;

/// Element types, as `TensorProto.DataType` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    Float = 1,
    Int64 = 7,
    Bool = 9,
    Float16 = 10,
    Double = 11,
    Bfloat16 = 16,
}

impl From<Float> for ElementType {
    fn from(float: Float) -> Self {
        match float {
            Float::F32 => Self::Float,
            Float::F64 => Self::Double,
            Float::F16 => Self::Float16,
            Float::BF16 => Self::Bfloat16,
        }
    }
}

/// A whole file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    #[prost(string, tag = "2")]
    pub producer_name: String,
    #[prost(string, tag = "3")]
    pub producer_version: String,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
}

/// Which operators the graph is made of; without a domain ONNX's own.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// Operations in the order in which they run.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
}

/// One operation; values are known by their names.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
}

/// A fixed setting of an operation: one of the three values, and which.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    pub r#type: i32,
}

impl AttributeProto {
    pub fn float(name: &str, f: f32) -> Self {
        Self {
            name: name.into(),
            f: Some(f),
            r#type: 1,
            ..Self::default()
        }
    }

    pub fn int(name: &str, i: i64) -> Self {
        Self {
            name: name.into(),
            i: Some(i),
            r#type: 2,
            ..Self::default()
        }
    }

    pub fn ints(name: &str, ints: &[i64]) -> Self {
        Self {
            name: name.into(),
            ints: ints.into(),
            r#type: 7,
            ..Self::default()
        }
    }
}

/// Constant values, little-endian in `raw_data`.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
}

/// What enters or leaves the graph.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

impl ValueInfoProto {
    /// A tensor whose sizes are numbers or, where they are not known, words.
    pub fn tensor(name: &str, element: ElementType, sizes: Vec<Size>) -> Self {
        let dim = sizes
            .into_iter()
            .map(|size| Dimension { size: Some(size) })
            .collect();
        let tensor = TensorType {
            elem_type: element as i32,
            shape: Some(TensorShapeProto { dim }),
        };
        Self {
            name: name.into(),
            r#type: Some(TypeProto {
                tensor_type: Some(tensor),
            }),
        }
    }
}

#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    #[prost(oneof = "Size", tags = "1, 2")]
    pub size: Option<Size>,
}

/// A number, or a word for one that each run chooses.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Size {
    #[prost(int64, tag = "1")]
    Fixed(i64),
    #[prost(string, tag = "2")]
    Free(String),
}

/// A tensor whose values are written after everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    /// Its name in the graph.
    pub name: String,
    pub shape: Vec<usize>,
    /// The type in the file.
    pub dtype: Float,
}

/// The bytes around weights that are written one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Everything before the first weight.
    pub head: Vec<u8>,
    /// What comes before each weight's little-endian values; nothing comes after them.
    pub before: Vec<Vec<u8>>,
    /// Of the whole file.
    pub bytes: u64,
}

/// Lays out a file: `model` without its graph, the graph, then each weight as one more initializer of the graph, which protobuf allows
/// because a repeated field may go on anywhere in its message.
///
/// # Errors
/// [`Error::InvalidState`] for a file larger than [`MAX_FILE_BYTES`].
pub fn frame(model: &ModelProto, graph: &GraphProto, weights: &[Weight]) -> Result<Frame> {
    let mut sized = Vec::with_capacity(weights.len());
    let mut total = 0_u64;
    for weight in weights {
        let tensor = TensorProto {
            dims: weight.shape.iter().map(|&size| size as i64).collect(),
            data_type: ElementType::from(weight.dtype) as i32,
            name: weight.name.clone(),
            raw_data: Vec::new(),
        };
        let header = tensor.encode_to_vec();
        let values = byte_size(weight.dtype.dtype(), &weight.shape).unwrap_or(u64::MAX);
        // names, shapes, keys and lengths of one tensor are far below this
        total = total.saturating_add(values.saturating_add(header.len() as u64 + 16));
        sized.push((header, values));
    }
    let around = model.encoded_len() + graph.encoded_len() + 16;
    let most = total.saturating_add(around as u64);
    if most > MAX_FILE_BYTES {
        return Err(Error::state(format!(
            "cannot write the ONNX file: it would have {most} bytes, and a file of this kind holds at most {MAX_FILE_BYTES}; export the \
             merged model instead"
        )));
    }
    let mut before = Vec::with_capacity(weights.len());
    let mut inside = graph.encoded_len();
    for (header, values) in sized {
        // below the limit, which every usize holds
        let values = values as usize;
        let length = header.len() + 1 + length_delimiter_len(values) + values;
        let mut bytes = vec![INITIALIZER];
        append_length(length, &mut bytes)?;
        bytes.extend(header);
        bytes.push(RAW_DATA);
        append_length(values, &mut bytes)?;
        inside += bytes.len() + values;
        before.push(bytes);
    }
    let mut head = model.encode_to_vec();
    head.push(GRAPH);
    append_length(inside, &mut head)?;
    let bytes = (head.len() + inside) as u64;
    head.extend(graph.encode_to_vec());
    Ok(Frame {
        head,
        before,
        bytes,
    })
}

fn append_length(length: usize, bytes: &mut Vec<u8>) -> Result<()> {
    encode_length_delimiter(length, bytes)
        .map_err(|error| Error::internal(format!("the ONNX file's length {length}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(name: &str, shape: &[usize], dtype: Float) -> Weight {
        Weight {
            name: name.into(),
            shape: shape.into(),
            dtype,
        }
    }

    fn model() -> (ModelProto, GraphProto) {
        let model = ModelProto {
            ir_version: 8,
            producer_name: "webtune".into(),
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: 17,
            }],
            ..ModelProto::default()
        };
        let sizes = vec![Size::Free("batch".into()), Size::Fixed(2)];
        let graph = GraphProto {
            name: "g".into(),
            node: vec![NodeProto {
                input: vec!["x".into(), "w".into()],
                output: vec!["y".into()],
                name: "n".into(),
                op_type: "Gather".into(),
                attribute: vec![
                    AttributeProto::int("axis", 0),
                    AttributeProto::float("f", 0.0),
                ],
            }],
            output: vec![ValueInfoProto::tensor("y", ElementType::Float, sizes)],
            ..GraphProto::default()
        };
        (model, graph)
    }

    #[test]
    fn bytes_are_those_of_the_wire_format() {
        // by hand from onnx.proto and protobuf's encoding: key (number << 3 | wire type), then a varint or a length and its bytes
        let tensor = TensorProto {
            dims: vec![300, 1],
            data_type: ElementType::Float16 as i32,
            name: "w".into(),
            raw_data: vec![0, 60],
        };
        let expected = [
            0x08, 0xac, 0x02, 0x08, 0x01, 0x10, 0x0a, 0x42, 0x01, b'w', 0x4a, 0x02, 0x00, 0x3c,
        ];
        assert_eq!(tensor.encode_to_vec(), expected);
        // zero is written too: a reader of proto2 asks whether the field is there
        assert_eq!(
            AttributeProto::int("i", 0).encode_to_vec(),
            [0x0a, 0x01, b'i', 0x18, 0x00, 0xa0, 0x01, 0x02]
        );
    }

    #[test]
    fn a_file_in_parts_reads_as_one_message() {
        let (model, graph) = model();
        let weights = [
            weight("w", &[200, 3], Float::F32),
            weight("b", &[3], Float::F16),
            weight("scalar", &[], Float::F32),
        ];
        let frame = frame(&model, &graph, &weights).unwrap();
        let mut file = frame.head.clone();
        let mut tensors = Vec::new();
        for (weight, before) in weights.iter().zip(&frame.before) {
            let count = weight.shape.iter().product::<usize>();
            let values = (0..count)
                .map(|value| value as f32 - 1.5)
                .collect::<Vec<_>>();
            let mut raw_data = Vec::new();
            weight.dtype.narrow(&values, &mut raw_data);
            file.extend(before);
            file.extend(&raw_data);
            tensors.push(TensorProto {
                dims: weight.shape.iter().map(|&size| size as i64).collect(),
                data_type: ElementType::from(weight.dtype) as i32,
                name: weight.name.clone(),
                raw_data,
            });
        }
        assert_eq!(file.len() as u64, frame.bytes);
        let whole = ModelProto {
            graph: Some(GraphProto {
                initializer: tensors,
                ..graph
            }),
            ..model
        };
        assert_eq!(ModelProto::decode(file.as_slice()).unwrap(), whole);
    }

    #[test]
    fn a_file_above_protobufs_limit_is_refused_with_both_numbers() {
        let (model, graph) = model();
        let table = |rows: usize| [weight("table", &[rows, 1024], Float::F32)];
        // 2^19 rows of 4 KiB are one byte too many before anything else is counted
        let error = frame(&model, &graph, &table(1 << 19)).unwrap_err();
        assert_eq!(error.code(), "invalidState");
        let error = error.to_string();
        assert!(error.contains("at most 2147483647"), "{error}");
        assert!(error.contains("export the merged model"), "{error}");
        assert!(frame(&model, &graph, &table((1 << 19) - 1)).is_ok());
        assert!(frame(&model, &graph, &table(usize::MAX)).is_err());
    }
}
