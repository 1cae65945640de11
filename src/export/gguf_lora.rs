//! A LoRA adapter's tensors under PEFT's keys as a GGUF file for llama.cpp's `--lora`.
//!
//! Names, keys and row orders are those of llama.cpp's `convert_lora_to_gguf.py`. One thing differs: that script transposes
//! GPT-2's factors as if they were the Conv1D weight, and llama.cpp refuses or misreads the file; here they keep their places.

use super::file::{ExportedFile, file};
use super::subject::Subject;
use crate::formats::{Gguf, GgufValue};
use crate::models::DecoderConfig;
use crate::models::decoder::DecoderFamily;
use crate::models::names::gguf_name;
use crate::peft::store::{NamedValues, named_values};
use crate::peft::{LoraConfig, Method, MethodType, Tunable};
use crate::{Error, Result};

/// The file's name in an export.
pub const GGUF_LORA: &str = "adapter.gguf";

/// ggml's GGML_QNT_VERSION, which every file carries.
const QUANTIZATION_VERSION: u32 = 2;
const ADVICE: &str = "export the merged model instead";
const PREFIX: &str = "base_model.model.";
/// PEFT's ends of keys: of a linear layer and of an embedding.
const LORA_A: [&str; 2] = [".lora_A.weight", ".lora_embedding_A"];
const LORA_B: [&str; 2] = [".lora_B.weight", ".lora_embedding_B"];
/// What of a model llama.cpp applies no delta to, by the ends of its own names.
const WITHOUT_DELTA: [&str; 2] = ["norm", "position_embd"];

/// The GGUF name of a module's weight, without `.weight`.
fn tensor_name(family: DecoderFamily, module: &str) -> Option<String> {
    let name = gguf_name(module, family)?;
    let without = WITHOUT_DELTA.iter().any(|end| name.ends_with(end));
    (!without).then_some(name)
}

/// What of the base model the file depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufBase {
    /// The base model's name, a hub id if it has one.
    pub name: String,
    pub family: DecoderFamily,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key heads; fewer than query heads where groups of them share one.
    pub num_key_value_heads: usize,
    /// Whether the output layer is the token table; then the base model's GGUF has no `output` of its own.
    pub tie_word_embeddings: bool,
}

impl GgufBase {
    /// What a model's configuration says.
    pub fn new(name: &str, config: &DecoderConfig) -> Self {
        Self {
            name: name.into(),
            family: config.family,
            num_attention_heads: config.num_attention_heads,
            num_key_value_heads: config.num_key_value_heads,
            tie_word_embeddings: config.tie_word_embeddings,
        }
    }

    /// Heads by which llama.cpp orders the rows of a module's weight; `None` where it keeps Hugging Face's order.
    fn permuted_heads(&self, module: &str) -> Option<usize> {
        if self.family != DecoderFamily::Llama {
            return None;
        }
        match module.rsplit('.').next() {
            Some("q_proj") => Some(self.num_attention_heads),
            Some("k_proj") => Some(self.num_key_value_heads),
            _ => None,
        }
    }
}

/// A module's two factors.
struct Factors<'a> {
    module: &'a str,
    lora_a: Option<&'a NamedValues>,
    lora_b: Option<&'a NamedValues>,
}

/// The adapter of a language model.
///
/// # Errors
/// As [`gguf_lora`]; failures of the device.
pub async fn of_subject<N: Tunable>(
    subject: &Subject<'_, N>,
    config: &DecoderConfig,
) -> Result<ExportedFile> {
    let Method::Lora(lora) = subject.method else {
        return Err(Error::internal("GGUF holds LoRA alone"));
    };
    let name = subject.base.name;
    let values = named_values(subject.network, subject.trainable, MethodType::Lora).await?;
    let values = values.into_iter().map(|(_, values)| values);
    let base = GgufBase::new(name, config);
    gguf_lora(
        &format!("{name} adapter"),
        &base,
        lora,
        &values.collect::<Vec<_>>(),
    )
}

/// The adapter as llama.cpp reads it. `tensors` are those of `adapter_model.safetensors`, `config` its settings, `name` what
/// llama.cpp shows.
///
/// llama.cpp multiplies every delta by `adapter.lora.alpha / rank`. The alpha written gives `config`'s general scaling at
/// rank `r` (with rsLoRA it is `lora_alpha * sqrt(r)`). Where `rank_pattern` or `alpha_pattern` scale a module differently, what is
/// missing is multiplied into its `lora_b`.
///
/// # Errors
/// [`Error::InvalidOption`] for DoRA, for trained biases or whole layers, and for modules that llama.cpp has no delta for: GGUF
/// cannot hold them. [`Error::MissingTensor`] for half a pair, [`Error::WrongShape`] for factors that do not fit.
pub fn gguf_lora(
    name: &str,
    base: &GgufBase,
    config: &LoraConfig,
    tensors: &[NamedValues],
) -> Result<ExportedFile> {
    if config.use_dora {
        return Err(refused("useDora", "GGUF has no place for its magnitudes"));
    }
    let alpha = general_alpha(config);
    let mut out = Vec::new();
    for factors in pairs(tensors)? {
        out.extend(converted(&factors, base, config, alpha)?);
    }
    if out.is_empty() {
        return Err(Error::internal(format!(
            "{GGUF_LORA}: the adapter has no LoRA tensors"
        )));
    }
    let text = |value: &str| GgufValue::String(value.into());
    let mut metadata = vec![
        (
            "general.architecture",
            text(base.family.gguf_architecture()),
        ),
        ("general.type", text("adapter")),
        ("adapter.type", text("lora")),
        ("general.name", text(name)),
        ("general.base_model.count", GgufValue::U32(1)),
        ("general.base_model.0.name", text(&base.name)),
    ];
    metadata.push(("adapter.lora.alpha", GgufValue::F32(alpha as f32)));
    metadata.push((
        "general.quantization_version",
        GgufValue::U32(QUANTIZATION_VERSION),
    ));
    let gguf = Gguf {
        metadata: metadata
            .into_iter()
            .map(|(key, value)| (key.to_string(), value))
            .collect(),
        tensors: out,
    };
    Ok(file(GGUF_LORA, gguf.write()?))
}

/// The alpha for which llama.cpp's `alpha / r` is PEFT's scaling without patterns.
fn general_alpha(config: &LoraConfig) -> f64 {
    if config.use_rslora {
        config.lora_alpha * (config.r as f64).sqrt()
    } else {
        config.lora_alpha
    }
}

/// The factors by module, in the order of the tensors.
fn pairs(tensors: &[NamedValues]) -> Result<Vec<Factors<'_>>> {
    let mut pairs: Vec<Factors> = Vec::new();
    for tensor in tensors {
        let key = tensor.0.as_str();
        let name = key.strip_prefix(PREFIX).unwrap_or(key);
        let ended = |ends: [&str; 2]| ends.iter().find_map(|end| name.strip_suffix(end));
        let (module, is_a) = match (ended(LORA_A), ended(LORA_B)) {
            (Some(module), _) => (module, true),
            (_, Some(module)) => (module, false),
            _ if name.contains(".lora_magnitude_vector") => {
                return Err(refused("useDora", &format!("GGUF cannot hold {key}")));
            }
            _ => {
                let reason = "it was trained without a delta, which a GGUF adapter cannot hold";
                return Err(refused(name, reason));
            }
        };
        let position = pairs.iter().position(|pair| pair.module == module);
        let i = position.unwrap_or_else(|| {
            pairs.push(Factors {
                module,
                lora_a: None,
                lora_b: None,
            });
            pairs.len() - 1
        });
        let slot = if is_a {
            &mut pairs[i].lora_a
        } else {
            &mut pairs[i].lora_b
        };
        if slot.replace(tensor).is_some() {
            return Err(Error::internal(format!("tensor {key} is given twice")));
        }
    }
    Ok(pairs)
}

/// One module's tensors as the file holds them.
fn converted(
    factors: &Factors,
    base: &GgufBase,
    config: &LoraConfig,
    alpha: f64,
) -> Result<[NamedValues; 2]> {
    let module = factors.module;
    let gguf_name = tensor_name(base.family, module).ok_or_else(|| {
        let architecture = base.family.gguf_architecture();
        refused(
            module,
            &format!("llama.cpp has no delta for it in a {architecture} model"),
        )
    })?;
    let is_table = gguf_name == "token_embd";
    if base.tie_word_embeddings && (is_table || gguf_name == "output") {
        let reason = "the model's token table is its output layer too, and llama.cpp has no delta for one of both";
        return Err(refused(module, reason));
    }
    let half = |found: Option<&NamedValues>, end: &str| {
        found.cloned().ok_or_else(|| Error::MissingTensor {
            file: "adapter_model.safetensors".into(),
            tensor: format!("{PREFIX}{module}{end}"),
        })
    };
    let ends = usize::from(is_table);
    // [rank, in] and [out, rank]
    let (key_a, mut shape_a, mut lora_a) = half(factors.lora_a, LORA_A[ends])?;
    let (key_b, shape_b, mut lora_b) = half(factors.lora_b, LORA_B[ends])?;
    let (&[rank, width], &[rows, rank_b]) = (&shape_a[..], &shape_b[..]) else {
        let wrong = if shape_a.len() == 2 {
            (key_b, shape_b)
        } else {
            (key_a, shape_a)
        };
        return Err(Error::internal(format!(
            "{}: expected two dimensions, got {:?}",
            wrong.0, wrong.1
        )));
    };
    for (key, shape, values, expected) in [
        (&key_a, &shape_a, &lora_a, [config.rank_of(module), width]),
        (&key_b, &shape_b, &lora_b, [rows, config.rank_of(module)]),
    ] {
        if shape[..] != expected || shape.iter().product::<usize>() != values.len() {
            return Err(Error::WrongShape {
                tensor: key.clone(),
                expected: expected.to_vec(),
                found: shape.clone(),
            });
        }
    }
    if let Some(heads) = base.permuted_heads(module) {
        if rows % (2 * heads) != 0 {
            return Err(Error::internal(format!(
                "{key_b}: its {rows} rows do not divide into {heads} heads of two halves"
            )));
        }
        lora_b = permuted(&lora_b, rows, rank_b, heads);
    }
    // what llama.cpp's alpha / rank lacks; exactly 1 without patterns
    let has_own_scaling =
        config.rank_of(module) != config.r || config.scaling_of(module) != config.scaling_of("");
    if has_own_scaling {
        let factor = config.scaling_of(module) * rank as f64 / alpha;
        for value in &mut lora_b {
            *value = (f64::from(*value) * factor) as f32;
        }
    }
    if is_table {
        // llama.cpp looks up rows of the table's lora_a: [vocabulary, rank]
        lora_a = crate::models::load::transpose(&lora_a, rank, width);
        shape_a = vec![width, rank];
    }
    Ok([
        (format!("{gguf_name}.weight.lora_a"), shape_a, lora_a),
        (format!("{gguf_name}.weight.lora_b"), shape_b, lora_b),
    ])
}

/// Rows of each head `[half, pair]` in llama.cpp's order `[pair, half]`: it rotates neighbours where Hugging Face rotates halves.
fn permuted(values: &[f32], rows: usize, columns: usize, heads: usize) -> Vec<f32> {
    let width = rows / heads;
    let mut out = Vec::with_capacity(values.len());
    for head in 0..heads {
        for pair in 0..width / 2 {
            for half in 0..2 {
                let row = head * width + half * (width / 2) + pair;
                out.extend(&values[row * columns..][..columns]);
            }
        }
    }
    out
}

fn refused(option: &str, reason: &str) -> Error {
    Error::option(option, format!("{reason}; {ADVICE}"))
}
