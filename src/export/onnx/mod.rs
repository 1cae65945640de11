//! A tuned classifier as one ONNX graph, from token ids to logits, in the folder that transformers.js and onnxruntime run: what was tuned is
//! folded into the weights, which are written one after the other.

mod bert;
mod folder;
mod graph;
mod layers;
mod modernbert;

use std::collections::VecDeque;

use graph::{Graph, OPSET};
use layers::{Inputs, linear, masked_mean, normalize};

use super::format::Format;
use super::shards::{Piece, Pieces, too_large};
use super::subject::{ClassifierFacts, Subject};
use super::whole::folded_values;
use crate::formats::Float;
use crate::formats::onnx::{GraphProto, ModelProto, OperatorSetIdProto, Weight, frame};
use crate::formats::values::check_finite;
use crate::models::{Backbone, Head, HeadKind};
use crate::peft::Tunable;
use crate::{Error, Result};

/// The version of the file format that came with [`OPSET`].
const IR_VERSION: i64 = 8;

/// An ONNX folder that is being written: the small files first, then the graph, then its weights piece by piece.
#[derive(Debug, Clone)]
pub struct OnnxExport {
    queue: VecDeque<Piece>,
    /// What is left to write: each weight, its path in the network, and the bytes before its values.
    weights: VecDeque<(Weight, String, Vec<u8>)>,
    /// The weight that is being written.
    tensor: Option<Pieces>,
}

impl OnnxExport {
    /// Plans the folder; `float`: the type of the encoder's weights and of what it computes.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for what cannot leave as ONNX; [`Error::InvalidState`] for a file larger than the format allows.
    pub fn new<N: Tunable>(subject: &Subject<'_, N>, float: Float) -> Result<Self> {
        let format = match float {
            Float::F32 | Float::F64 => Format::Onnx,
            Float::F16 | Float::BF16 => Format::OnnxFp16,
        };
        format.check(subject)?;
        let facts = subject.of_classifier()?;
        let (graph, weights, paths) = classifier(facts, float)?;
        let model = ModelProto {
            ir_version: IR_VERSION,
            producer_name: "webtune".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: None,
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: OPSET,
            }],
        };
        let frame = frame(&model, &graph, &weights)?;
        let small = folder::files(subject, float)?;
        let mut queue = small
            .into_iter()
            .flat_map(Piece::whole)
            .collect::<VecDeque<_>>();
        queue.push_back(Piece::Open {
            file: folder::model_file(float).into(),
            bytes: frame.bytes,
        });
        queue.push_back(Piece::Bytes(frame.head));
        let weights = weights.into_iter().zip(paths).zip(frame.before);
        Ok(Self {
            queue,
            weights: weights
                .map(|((weight, path), before)| (weight, path, before))
                .collect(),
            tensor: None,
        })
    }

    /// What a host does next; `None` at the end. `network`: the one that the folder was planned for.
    ///
    /// # Errors
    /// [`Error::NotFinite`]; [`Error::InvalidState`] for a value that is too large for float16; failures of the device.
    pub async fn next_piece<N: Tunable>(&mut self, network: &N) -> Result<Option<Piece>> {
        loop {
            let waiting = self.queue.pop_front();
            if let Some(piece) = waiting.or_else(|| self.tensor.as_mut()?.next()) {
                return Ok(Some(piece));
            }
            // what was written goes before what comes next is read
            self.tensor = None;
            let Some((weight, path, before)) = self.weights.pop_front() else {
                return Ok(None);
            };
            let (_, values) = folded_values(network, &path).await?;
            if values.len() != weight.shape.iter().product::<usize>() {
                return Err(Error::internal(format!(
                    "{path} has {} values, planned were {:?}",
                    values.len(),
                    weight.shape
                )));
            }
            let before = VecDeque::from([Piece::Bytes(before)]);
            let closes = self.weights.is_empty();
            check_finite(&weight.name, &values)?;
            if let Some(reason) = too_large(&weight.name, &values, weight.dtype) {
                return Err(Error::state(format!(
                    "cannot write the ONNX file: {reason}; export it as {} in float32",
                    Format::Onnx
                )));
            }
            self.tensor = Some(Pieces::new(before, values, weight.dtype, closes));
        }
    }
}

/// The whole graph. The encoder is in `float`; pooling and head, which are small, are in float32.
fn classifier(
    facts: &ClassifierFacts,
    float: Float,
) -> Result<(GraphProto, Vec<Weight>, Vec<String>)> {
    let network = facts.network;
    let mut graph = Graph::new(network, float);
    let [ids, mask] = ["input_ids", "attention_mask"].map(|name| graph.input(name));
    let inputs = Inputs {
        ids,
        mask,
        positions: facts.positions,
    };
    let hidden = match &network.encoder {
        Backbone::Bert(bert) => bert::forward(&mut graph, bert, &inputs)?,
        Backbone::Modernbert(modernbert) => modernbert::forward(&mut graph, modernbert, &inputs)?,
        Backbone::Decoder(_) => return Err(Error::internal("a decoder has no ONNX graph")),
    };
    graph.enter("classifier");
    let hidden = graph.widen(&hidden);
    let features = match (network.head.kind(), &network.encoder) {
        (HeadKind::Cls, Backbone::Bert(bert)) => bert::pooled(&mut graph, bert, &hidden)?,
        (HeadKind::Cls, Backbone::Modernbert(modernbert)) => {
            modernbert::pooled(&mut graph, modernbert, &inputs, &hidden)?
        }
        _ => {
            let mean = masked_mean(&mut graph, &inputs, &hidden);
            normalize(&mut graph, &mean)
        }
    };
    graph.enter("classifier");
    let path = match &network.head {
        Head::Cls(_) => "head.Cls.classifier",
        Head::Mean(_) => "head.Mean.linear",
    };
    linear(&mut graph, path, network.head.linear(), &features);
    graph.output("logits", facts.labels.len());
    Ok(graph.finish())
}
