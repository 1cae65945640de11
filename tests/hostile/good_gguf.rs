//! GGUF files as JSON, so that they can be changed as other inputs are: metadata as `[key, type, value]`, arrays' values as `[type, values]`, and
//! tensors as `[name, sizes, type, offset]`, the width first. An offset of null is where the tensor before ends.

use serde_json::{Value, json};
use webtune::formats::gguf::Kind;

const WORDS: [&str; 14] = [
    "<unk>",
    "<s>",
    "</s>",
    "<0x0A>",
    "\u{2581}",
    "t",
    "h",
    "e",
    "th",
    "the",
    "\u{2581}the",
    "c",
    "a",
    "1",
];

/// A model of one layer, of each architecture and with each kind of tokenizer.
pub fn ggufs() -> Vec<Value> {
    let one = |name: &str, sizes: &[usize]| json!([name, sizes, 0, null]);
    let llama = [
        json!(["token_embd.weight", [32, 14], 8, null]),
        json!(["output.weight", [32, 14], 2, null]),
        one("output_norm.weight", &[32]),
        one("blk.0.attn_norm.weight", &[32]),
        one("blk.0.ffn_norm.weight", &[32]),
        json!(["blk.0.attn_q.weight", [32, 32], 3, null]),
        json!(["blk.0.attn_k.weight", [32, 16], 1, null]),
        json!(["blk.0.attn_v.weight", [32, 16], 6, null]),
        json!(["blk.0.attn_output.weight", [32, 32], 7, null]),
        json!(["blk.0.ffn_gate.weight", [32, 32], 30, null]),
        one("blk.0.ffn_up.weight", &[32, 32]),
        one("blk.0.ffn_down.weight", &[32, 32]),
    ];
    let rope = one("rope_freqs.weight", &[4]);
    let more = |tensors: &[Value], names: &[(&str, usize)]| {
        let more = names.iter().map(|(name, size)| one(name, &[*size]));
        tensors.iter().cloned().chain(more).collect::<Vec<_>>()
    };
    let heads = [
        ("blk.0.attn_q_norm.weight", 8),
        ("blk.0.attn_k_norm.weight", 8),
    ];
    let biases = [
        ("blk.0.attn_q.bias", 32),
        ("blk.0.attn_k.bias", 16),
        ("blk.0.attn_v.bias", 16),
    ];
    let norms = [
        heads[0],
        heads[1],
        ("blk.0.post_attention_norm.weight", 32),
        ("blk.0.post_ffw_norm.weight", 32),
    ];
    let gpt2 = [
        one("token_embd.weight", &[32, 14]),
        one("position_embd.weight", &[32, 16]),
        json!(["blk.0.attn_qkv.weight", [32, 96], 8, null]),
        json!(["blk.0.attn_output.weight", [32, 32], 3, null]),
        json!(["blk.0.ffn_up.weight", [32, 32], 1, null]),
        json!(["blk.0.ffn_down.weight", [32, 32], 0, null]),
    ];
    let mut around = Vec::new();
    for (name, width) in [
        ("attn_norm", 32),
        ("ffn_norm", 32),
        ("attn_qkv", 96),
        ("attn_output", 32),
        ("ffn_up", 32),
        ("ffn_down", 32),
    ] {
        around.push((format!("blk.0.{name}.bias"), width));
    }
    for name in [
        "blk.0.attn_norm.weight",
        "blk.0.ffn_norm.weight",
        "output_norm.weight",
        "output_norm.bias",
    ] {
        around.push((name.into(), 32));
    }
    let around = around.iter().map(|(name, size)| (name.as_str(), *size));
    let around = around.collect::<Vec<_>>();
    vec![
        file("llama", pieces(), more(&llama, &[])),
        file(
            "llama",
            byte_level("llama-bpe"),
            [&llama[..], &[rope]].concat(),
        ),
        file("qwen2", byte_level("qwen2"), more(&llama, &biases)),
        file("qwen3", byte_level("smollm"), more(&llama, &heads)),
        file("gemma3", pieces(), more(&llama, &norms)),
        file("gpt2", byte_level("gpt-2"), more(&gpt2, &around)),
    ]
}

fn pieces() -> Vec<Value> {
    let scores = (0..WORDS.len()).map(|n| -(n as f64)).collect::<Vec<_>>();
    vec![
        json!(["tokenizer.ggml.model", 8, "llama"]),
        json!(["tokenizer.ggml.scores", 9, [6, scores]]),
        json!(["tokenizer.ggml.add_space_prefix", 7, true]),
        json!(["tokenizer.ggml.bos_token_id", 4, 1]),
        json!(["tokenizer.ggml.eos_token_id", 4, 2]),
        json!(["tokenizer.ggml.unknown_token_id", 4, 0]),
    ]
}

fn byte_level(pre: &str) -> Vec<Value> {
    vec![
        json!(["tokenizer.ggml.model", 8, "gpt2"]),
        json!(["tokenizer.ggml.pre", 8, pre]),
        json!([
            "tokenizer.ggml.merges",
            9,
            [8, ["t h", "th e", "\u{2581} the"]]
        ]),
        json!(["tokenizer.ggml.eos_token_id", 4, 2]),
        json!(["tokenizer.ggml.add_eos_token", 7, true]),
    ]
}

fn file(word: &str, tokenizer: Vec<Value>, tensors: Vec<Value>) -> Value {
    let own = |key: &str, kind: u32, value: Value| json!([format!("{word}.{key}"), kind, value]);
    let mut metadata = vec![
        json!(["general.architecture", 8, word]),
        json!(["general.type", 8, "model"]),
        json!(["general.name", 8, "tiny"]),
        json!(["general.alignment", 4, 32]),
        json!([
            "general.base_model.0.repo_url",
            8,
            "https://huggingface.co/org/tiny"
        ]),
        json!(["split.count", 2, 0]),
        own("context_length", 4, 16.into()),
        own("embedding_length", 4, 32.into()),
        own("block_count", 4, 1.into()),
        own("feed_forward_length", 4, 32.into()),
        own("attention.head_count", 4, 4.into()),
        own("attention.head_count_kv", 4, 2.into()),
        own("attention.key_length", 4, 8.into()),
        own("attention.value_length", 4, 8.into()),
        own("attention.layer_norm_rms_epsilon", 6, 1e-6.into()),
        own("attention.layer_norm_epsilon", 6, 1e-5.into()),
        own("rope.freq_base", 6, 1e4.into()),
        own("rope.dimension_count", 4, 8.into()),
        own("expert_count", 4, 0.into()),
        json!(["tokenizer.ggml.tokens", 9, [8, WORDS]]),
        json!([
            "tokenizer.ggml.token_type",
            9,
            [5, [2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 1, 1, 4, 1]]
        ]),
        json!([
            "tokenizer.chat_template",
            8,
            "{% for m in messages %}{{ m.content }}{% endfor %}"
        ]),
    ];
    if word == "gemma3" {
        metadata.push(own("attention.sliding_window", 4, 4.into()));
        metadata.push(own(
            "attention.sliding_window_pattern",
            9,
            json!([7, [true]]),
        ));
    }
    metadata.extend(tokenizer);
    json!({"metadata": metadata, "tensors": tensors})
}

/// The bytes of a file that is as the JSON says, be it right or wrong. Factors of positions are ones, all other data zeros.
pub fn encode(file: &Value) -> Vec<u8> {
    let list = |key: &str| file[key].as_array().cloned().unwrap_or_default();
    let (metadata, tensors) = (list("metadata"), list("tensors"));
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((metadata.len() as u64).to_le_bytes());
    for entry in &metadata {
        text(&mut out, &entry[0]);
        let kind = entry[1].as_u64().unwrap_or(0) as u32;
        out.extend(kind.to_le_bytes());
        value(&mut out, kind, &entry[2]);
    }
    let mut end = 0_u64;
    for tensor in &tensors {
        text(&mut out, &tensor[0]);
        let sizes = tensor[1].as_array().cloned().unwrap_or_default();
        let sizes = sizes.iter().map(|size| size.as_u64().unwrap_or(0));
        let sizes = sizes.collect::<Vec<_>>();
        out.extend((sizes.len() as u32).to_le_bytes());
        out.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
        let kind = tensor[2].as_u64().unwrap_or(0) as u32;
        out.extend(kind.to_le_bytes());
        let start = tensor[3].as_u64().unwrap_or(end);
        out.extend(start.to_le_bytes());
        let (values, bytes) = Kind::from_number(kind).map_or((1, 4), Kind::block);
        let all = sizes
            .iter()
            .fold(1_u64, |all, size| all.saturating_mul(*size));
        let bytes = (all / values as u64).saturating_mul(bytes as u64);
        end = start
            .saturating_add(bytes)
            .min(1 << 16)
            .next_multiple_of(32);
    }
    out.resize(out.len().next_multiple_of(32), 0);
    let ones = tensors
        .iter()
        .any(|tensor| tensor[0] == "rope_freqs.weight");
    let data = out.len();
    out.resize(data + end as usize, 0);
    if ones {
        let last = out.len() - 32;
        let ones = 1_f32.to_le_bytes().repeat(4);
        out[last..last + 16].copy_from_slice(&ones);
    }
    out
}

fn text(out: &mut Vec<u8>, value: &Value) {
    let text = value.as_str().unwrap_or_default();
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn value(out: &mut Vec<u8>, kind: u32, value_of: &Value) {
    let whole = value_of
        .as_i64()
        .unwrap_or(value_of.as_f64().unwrap_or(0.0) as i64);
    match kind {
        0 | 1 => out.push(whole as u8),
        2 | 3 => out.extend((whole as u16).to_le_bytes()),
        4 | 5 => out.extend((whole as u32).to_le_bytes()),
        6 => out.extend((value_of.as_f64().unwrap_or(f64::NAN) as f32).to_le_bytes()),
        7 => out.push(value_of.as_bool().unwrap_or(whole != 0).into()),
        8 => text(out, value_of),
        9 => {
            let kind = value_of[0].as_u64().unwrap_or(0) as u32;
            let values = value_of[1].as_array().cloned().unwrap_or_default();
            out.extend(kind.to_le_bytes());
            out.extend((values.len() as u64).to_le_bytes());
            for one in &values {
                value(out, kind, one);
            }
        }
        10 | 11 => out.extend(whole.to_le_bytes()),
        12 => out.extend(value_of.as_f64().unwrap_or(f64::NAN).to_le_bytes()),
        _ => {}
    }
}
