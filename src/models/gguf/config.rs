//! The `config.json` of a GGUF file's model, in Transformers' words.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::tensors::ROPE_FACTORS;
use crate::formats::{GgufTensor, GgufTensors, Metadata, Source, Undo};
use crate::models::DecoderConfig;
use crate::models::family::DecoderFamily;
use crate::models::fields::MAX_LAYERS;
use crate::{Error, Result};

/// Every how many layers of a Gemma 3 one sees all positions; llama.cpp knows it by heart.
const GEMMA_PATTERN: u64 = 6;
/// The layers of Gemma 3 27B, whose attention is scaled by another width than its heads'.
const GEMMA_27B_LAYERS: u64 = 62;
/// Gemma 3's rotation in the layers that see a window.
const GEMMA_LOCAL_THETA: f64 = 10_000.0;

/// Entries of one architecture.
struct Keys<'a> {
    metadata: &'a Metadata,
    word: &'static str,
}

impl Keys<'_> {
    fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.word)
    }

    fn whole(&self, key: &str) -> Result<Option<u64>> {
        self.metadata.whole(&self.name(key))
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        self.metadata.number(&self.name(key))
    }

    fn required(&self, key: &str) -> Result<u64> {
        self.whole(key)?.ok_or_else(|| {
            Error::file(
                self.metadata.file(),
                format!("{} is missing", self.name(key)),
            )
        })
    }

    fn unsupported(&self, reason: String) -> Error {
        Error::UnsupportedFile {
            file: self.metadata.file().into(),
            reason,
        }
    }

    /// Refuses an entry that changes the maths in a way that is not built here; 0 is the same as absent.
    fn only_zero(&self, key: &str) -> Result<()> {
        match self.number(key)? {
            Some(value) if value != 0.0 => Err(self.unsupported(format!(
                "{} is {value}; supported is only a model without it",
                self.name(key)
            ))),
            _ => Ok(()),
        }
    }
}

/// The configuration, to be read as one of a folder is.
///
/// # Errors
/// [`Error::InvalidFile`] for an entry that is missing or of another type; [`Error::UnsupportedFile`] for one that is not supported.
pub(super) fn config(
    metadata: &Metadata,
    family: DecoderFamily,
    stored: &BTreeMap<String, GgufTensor>,
) -> Result<Value> {
    let keys = Keys {
        metadata,
        word: family.gguf_architecture(),
    };
    let rows = stored
        .get("token_embd.weight")
        .ok_or_else(|| Error::MissingTensor {
            file: metadata.file().into(),
            tensor: "token_embd.weight".into(),
        })?
        .shape[0];
    let mut config = Map::new();
    let mut set = |name: &str, value: Value| {
        config.insert(name.into(), value);
    };
    set(
        "architectures",
        json!([match family {
            // this class is not called like its family
            DecoderFamily::Gemma3 => "Gemma3ForCausalLM".into(),
            DecoderFamily::Gpt2 => "GPT2LMHeadModel".into(),
            _ => format!("{}ForCausalLM", family.class()),
        }]),
    );
    set("model_type", family.model_type().into());
    set("vocab_size", rows.into());
    let tied = !stored.contains_key("output.weight");
    set("tie_word_embeddings", tied.into());
    // null and not left out: a family's default would be a word of another vocabulary, where texts would end
    for (name, key) in [("bos_token_id", "bos"), ("eos_token_id", "eos")] {
        let id = metadata.whole(&format!("tokenizer.ggml.{key}_token_id"))?;
        set(name, id.map_or(Value::Null, Value::from));
    }
    if let Some(id) = metadata.whole("tokenizer.ggml.padding_token_id")? {
        set("pad_token_id", id.into());
    }
    match family {
        DecoderFamily::Gpt2 => gpt2(&keys, &mut config)?,
        _ => {
            llama(&keys, stored, &mut config)?;
            if family == DecoderFamily::Gemma3 {
                gemma3(&keys, &mut config)?;
            }
        }
    }
    Ok(Value::Object(config))
}

/// The configuration as it is read of a folder.
pub(super) fn parsed(file: &str, config: &Value) -> Result<DecoderConfig> {
    DecoderConfig::parse(config.to_string().as_bytes()).map_err(|error| error.in_file(file))
}

fn gpt2(keys: &Keys<'_>, config: &mut Map<String, Value>) -> Result<()> {
    for (name, key) in [
        ("n_embd", "embedding_length"),
        ("n_layer", "block_count"),
        ("n_head", "attention.head_count"),
        ("n_inner", "feed_forward_length"),
        ("n_positions", "context_length"),
    ] {
        config.insert(name.into(), keys.required(key)?.into());
    }
    let eps = keys.number("attention.layer_norm_epsilon")?;
    config.insert("layer_norm_epsilon".into(), eps.unwrap_or(1e-5).into());
    config.insert("activation_function".into(), "gelu_new".into());
    Ok(())
}

/// What Llama, Qwen and Gemma share.
fn llama(
    keys: &Keys<'_>,
    stored: &BTreeMap<String, GgufTensor>,
    config: &mut Map<String, Value>,
) -> Result<()> {
    for (name, key) in [
        ("hidden_size", "embedding_length"),
        ("num_hidden_layers", "block_count"),
        ("num_attention_heads", "attention.head_count"),
        ("intermediate_size", "feed_forward_length"),
        ("max_position_embeddings", "context_length"),
    ] {
        config.insert(name.into(), keys.required(key)?.into());
    }
    for key in [
        "expert_count",
        "logit_scale",
        "attn_logit_softcapping",
        "final_logit_softcapping",
    ] {
        keys.only_zero(key)?;
    }
    let heads = keys.required("attention.head_count")?;
    let key_heads = keys.whole("attention.head_count_kv")?.unwrap_or(heads);
    config.insert("num_key_value_heads".into(), key_heads.into());
    let turned = keys.whole("rope.dimension_count")?;
    let width = match keys.whole("attention.key_length")? {
        Some(width) => width,
        None => keys.required("embedding_length")? / heads.max(1),
    };
    let values = keys.whole("attention.value_length")?.unwrap_or(width);
    if values != width || turned.is_some_and(|turned| turned != width) {
        return Err(keys.unsupported(format!(
            "its heads have {width} numbers in keys, {values} in values, and {} of them are turned by their position; supported are \
             models where all three are the same",
            turned.unwrap_or(width)
        )));
    }
    config.insert("head_dim".into(), width.into());
    let eps = keys.number("attention.layer_norm_rms_epsilon")?;
    config.insert("rms_norm_eps".into(), eps.unwrap_or(1e-6).into());
    let theta = keys.number("rope.freq_base")?.unwrap_or(10_000.0);
    config.insert("rope_theta".into(), theta.into());
    let factor = match keys.number("rope.scaling.factor")? {
        None => keys.number("rope.scale_linear")?,
        factor => factor,
    };
    let kind = keys.metadata.text(&keys.name("rope.scaling.type"))?;
    match (kind.unwrap_or("linear"), factor) {
        ("none", _) | ("linear", None | Some(0.0)) => {}
        (kind, factor) => {
            let scaling = json!({"rope_type": kind, "factor": factor});
            config.insert("rope_scaling".into(), scaling);
        }
    }
    let has = |name: &str| stored.contains_key(name);
    let (activation, function) = match keys.word {
        "gemma3" => ("hidden_activation", "gelu_pytorch_tanh"),
        _ => {
            keys.only_window(config)?;
            ("hidden_act", "silu")
        }
    };
    config.insert(activation.into(), function.into());
    if keys.word != "qwen2" {
        config.insert("attention_bias".into(), has("blk.0.attn_q.bias").into());
    }
    if keys.word == "llama" {
        config.insert("mlp_bias".into(), has("blk.0.ffn_up.bias").into());
    }
    Ok(())
}

impl Keys<'_> {
    /// Refuses a window that is shorter than the context: which layers have it is not in the file.
    fn only_window(&self, config: &Map<String, Value>) -> Result<()> {
        let window = self.whole("attention.sliding_window")?.unwrap_or(0);
        let context = config["max_position_embeddings"].as_u64().unwrap_or(0);
        if window > 0 && window < context {
            return Err(self.unsupported(format!(
                "{} is {window}; in this architecture supported is only a model whose tokens see the whole context",
                self.name("attention.sliding_window")
            )));
        }
        Ok(())
    }
}

fn gemma3(keys: &Keys<'_>, config: &mut Map<String, Value>) -> Result<()> {
    let layers = keys.required("block_count")?;
    if layers > MAX_LAYERS as u64 {
        return Err(keys.unsupported(format!("{} is {layers}", keys.name("block_count"))));
    }
    let scaled_by = match layers {
        GEMMA_27B_LAYERS => {
            let heads = keys.required("attention.head_count")?;
            keys.required("embedding_length")? / heads.max(1)
        }
        _ => config["head_dim"].as_u64().unwrap_or(0),
    };
    config.insert("query_pre_attn_scalar".into(), scaled_by.into());
    let theta = keys.number("rope.freq_base_swa")?;
    let theta = theta.unwrap_or(GEMMA_LOCAL_THETA);
    config.insert("rope_local_base_freq".into(), theta.into());
    let window = keys
        .whole("attention.sliding_window")?
        .filter(|window| *window > 0);
    if let Some(window) = window {
        config.insert("sliding_window".into(), window.into());
    }
    let pattern = keys.name("attention.sliding_window_pattern");
    let of_layers = match keys.metadata.get(&pattern) {
        Some(crate::formats::gguf::Value::Numbers(of_layers)) => Some(of_layers),
        _ => None,
    };
    let every = match of_layers {
        Some(_) => GEMMA_PATTERN,
        None => keys.metadata.whole(&pattern)?.unwrap_or(GEMMA_PATTERN),
    };
    let slides = |layer: u64| match of_layers {
        Some(of_layers) => of_layers
            .get(layer as usize)
            .is_some_and(|slides| *slides != 0.0),
        None => every > 0 && !(layer + 1).is_multiple_of(every),
    };
    let kinds = (0..layers).map(|layer| {
        if window.is_some() && slides(layer) {
            "sliding_attention"
        } else {
            "full_attention"
        }
    });
    config.insert("layer_types".into(), kinds.collect());
    Ok(())
}

/// Llama 3.1's positions: the converter writes what each frequency is divided by. The settings that give these factors are found again, since
/// `config.json` has no place for the factors themselves.
///
/// # Errors
/// [`Error::UnsupportedFile`] for other factors.
pub(super) async fn stretch_rope<S: Source>(
    config: &mut Value,
    source: &S,
    stored: &GgufTensor,
) -> Result<()> {
    let mut tensors = GgufTensors::new(source.path());
    tensors.add(ROPE_FACTORS.into(), stored, Undo::Nothing)?;
    let plain = parsed(source.path(), config)?;
    let plain = plain.ropes.first().map(|rope| rope.inv_freq.clone());
    let plain = plain.unwrap_or_default();
    let unsupported = || Error::UnsupportedFile {
        file: source.path().into(),
        reason: format!(
            "its {ROPE_FACTORS} are not those of Llama 3.1, which are the only ones supported"
        ),
    };
    if stored.values != plain.len() as u64 || config.get("rope_scaling").is_some() {
        return Err(unsupported());
    }
    let factors = tensors
        .values(source, ROPE_FACTORS, 0..stored.values)
        .await?;
    let largest = factors.iter().copied().fold(0.0_f32, f32::max);
    if factors.iter().all(|factor| *factor == 1.0) {
        return Ok(());
    }
    config["rope_scaling"] = json!({
        "rope_type": "llama3", "factor": largest, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192
    });
    // factors that are no numbers at all fail here
    let stretched = parsed(source.path(), config).map_err(|_| unsupported())?;
    let same = stretched.ropes.first().is_some_and(|rope| {
        let pairs = rope.inv_freq.iter().zip(&plain).zip(&factors);
        pairs.into_iter().all(|((stretched, plain), factor)| {
            // the factors are single floats
            (stretched * f64::from(*factor) / plain - 1.0).abs() < 1e-5
        })
    });
    if same { Ok(()) } else { Err(unsupported()) }
}
