//! The formats that a result can leave in, and which of them its model, task and method allow.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::subject::{Subject, TaskFacts};
use crate::models::Family;
use crate::peft::{Method, MethodType, TaskType, Tunable};
use crate::{Error, Result};

/// By whose tools the files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "ExportFormat"))]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// PEFT's `adapter_model.safetensors` and `adapter_config.json`.
    Peft,
    /// A Sentence-Transformers folder, with an adapter or with all weights.
    SentenceTransformers,
    /// Weights by the names of Transformers: all of them, or of a probe the head alone.
    Transformers,
    /// AdapterHub's `adapter.safetensors`.
    Adapterhub,
    /// All weights, what was tuned folded in: a folder that loads without another library.
    Merged,
    /// llama.cpp's `--lora`.
    Gguf,
    /// A classifier as one graph in float32, what was tuned folded in: for transformers.js and onnxruntime.
    Onnx,
    /// The same with its encoder in float16, half as large.
    OnnxFp16,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 8] = [
        Self::Peft,
        Self::SentenceTransformers,
        Self::Transformers,
        Self::Adapterhub,
        Self::Merged,
        Self::Gguf,
        Self::Onnx,
        Self::OnnxFp16,
    ];

    /// As options spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Peft => "peft",
            Self::SentenceTransformers => "sentence-transformers",
            Self::Transformers => "transformers",
            Self::Adapterhub => "adapterhub",
            Self::Merged => "merged",
            Self::Gguf => "gguf",
            Self::Onnx => "onnx",
            Self::OnnxFp16 => "onnx-fp16",
        }
    }

    /// The format that a method's own values have; all weights of a language model are a merged folder.
    pub fn own(method: MethodType, task: TaskType) -> Self {
        match (method, task) {
            (MethodType::Lora | MethodType::Full, TaskType::FeatureExtraction) => {
                Self::SentenceTransformers
            }
            (MethodType::Lora | MethodType::Prefix, _) => Self::Peft,
            (MethodType::Houlsby, _) => Self::Adapterhub,
            (MethodType::Full, TaskType::CausalLm) => Self::Merged,
            (MethodType::Full | MethodType::Probe, _) => Self::Transformers,
        }
    }

    /// The formats that a result can leave in, its method's own first.
    pub fn allowed<N: Tunable>(subject: &Subject<N>) -> Vec<Self> {
        let own = Self::own(subject.method.kind(), subject.base.task);
        let others = Self::ALL.into_iter().filter(|format| *format != own);
        let formats = std::iter::once(own).chain(others);
        formats
            .filter(|format| format.refusal(subject).is_none())
            .collect()
    }

    /// # Errors
    /// [`Error::InvalidOption`] with the reason and the formats that are allowed.
    pub fn check<N: Tunable>(self, subject: &Subject<N>) -> Result<()> {
        let Some(reason) = self.refusal(subject) else {
            return Ok(());
        };
        let allowed = words(&Self::allowed(subject));
        let reason = format!("{self} is not possible: {reason}; expected one of: {allowed}");
        Err(Error::option("format", reason))
    }

    /// Why a result cannot leave in it.
    fn refusal<N: Tunable>(self, subject: &Subject<N>) -> Option<String> {
        let kind = subject.method.kind();
        let own = Self::own(kind, subject.base.task);
        match self {
            Self::Merged => not_to_merge(subject),
            Self::Onnx | Self::OnnxFp16 => not_for_onnx(subject).or_else(|| not_to_merge(subject)),
            Self::Gguf => not_for_gguf(subject),
            _ if self == own => None,
            _ => Some(format!(
                "{} has no files of that kind here",
                described(kind, subject.base.task)
            )),
        }
    }
}

fn not_to_merge<N: Tunable>(subject: &Subject<N>) -> Option<String> {
    let kind = subject.method.kind();
    match kind {
        MethodType::Prefix | MethodType::Houlsby => Some(format!(
            "{} is no change of the weights and cannot be merged",
            kind.word()
        )),
        _ if subject.storage.is_quantized() => Some(
            "the loaded weights are rounded to integers, and a merged model would keep what that lost; export the adapter, and merge it there or \
             after loading the model in f32"
                .into(),
        ),
        _ => None,
    }
}

fn not_for_onnx<N: Tunable>(subject: &Subject<N>) -> Option<String> {
    let family = match &subject.task {
        TaskFacts::Classifier(facts) => facts.family,
        TaskFacts::Language { config, .. } => Family::Decoder(config.family),
    };
    match family {
        Family::Decoder(decoder) => Some(format!(
            "there are graphs of the classifiers bert, roberta, distilbert and modernbert alone, and this model is of the family {}",
            decoder.model_type()
        )),
        _ => None,
    }
}

fn not_for_gguf<N: Tunable>(subject: &Subject<N>) -> Option<String> {
    let kind = subject.method.kind();
    match subject.method {
        _ if subject.base.task != TaskType::CausalLm => {
            Some("llama.cpp reads adapters of language models alone".into())
        }
        Method::Lora(config) if config.use_dora => {
            Some("it has no place for the magnitudes of useDora".into())
        }
        Method::Lora(_)
            if subject
                .trainable
                .paths()
                .any(|path| path.ends_with(".bias")) =>
        {
            Some("it has no place for trained biases".into())
        }
        Method::Lora(_) => None,
        _ => Some(format!(
            "it holds LoRA alone, and this model was tuned with {}",
            kind.word()
        )),
    }
}

fn described(kind: MethodType, task: TaskType) -> String {
    let what = match task {
        TaskType::SeqCls => "a classifier with a cls head",
        TaskType::FeatureExtraction => "a classifier with a mean head",
        TaskType::CausalLm => "a language model",
    };
    format!("{what} that was tuned with {}", kind.word())
}

fn words(formats: &[Format]) -> String {
    formats
        .iter()
        .map(|format| format.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|format| format.as_str() == word);
        found.ok_or_else(|| {
            let reason = format!("expected one of {}, got {word}", words(&Self::ALL));
            Error::option("format", reason)
        })
    }
}
