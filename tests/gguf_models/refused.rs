//! Files that are refused, each by the name of what is wrong.

use pollster::block_on;
use webtune::formats::MemorySource;
use webtune::layers::Storage;
use webtune::models::GgufModel;

use super::{bytes, load, replace, source};

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let refused = |name: &str, from: &str, to: &str| {
        let mut file = source(name);
        replace(&mut file.bytes, from, to);
        let error = load(vec![file], Storage::F32).unwrap_err();
        assert_eq!(
            error.report().file.as_deref(),
            Some(&*format!("{name}.gguf"))
        );
        (error.code(), error.to_string())
    };
    for (name, from, to, expected) in [
        (
            "smollm",
            "\u{5}\0\0\0\0\0\0\0llama",
            "\u{5}\0\0\0\0\0\0\0mamba",
            "smollm.gguf: its architecture is \"mamba\"; supported are llama, qwen2, qwen3, gemma3, gpt2",
        ),
        (
            "smollm",
            "\u{6}\0\0\0\0\0\0\0smollm",
            "\u{6}\0\0\0\0\0\0\0tekken",
            "smollm.gguf: its tokenizer.ggml.pre is \"tekken\"; supported are gpt-2, smollm, llama-bpe, qwen2 and default",
        ),
        (
            "gemma3",
            "\u{5}\0\0\0\0\0\0\0llama",
            "\u{5}\0\0\0\0\0\0\0plamo",
            "gemma3.gguf: its tokenizer is \"plamo\"; supported are gpt2 (byte-level BPE) and llama (SentencePiece)",
        ),
        (
            "qwen2",
            "\u{5}\0\0\0\0\0\0\0model",
            "\u{5}\0\0\0\0\0\0\0mmpro",
            "qwen2.gguf: its general.type is \"mmpro\"; a language model is a \"model\"",
        ),
        (
            "smollm",
            "blk.0.attn_output.weight",
            "blk.0.attn_q_norm.weight",
            "smollm.gguf: model.layers.0.self_attn.q_norm.weight has no place in the model that its metadata describe",
        ),
        (
            "smollm",
            "blk.1.attn_norm.weight",
            "blk.2.attn_norm.weight",
            "smollm.gguf: model.layers.2.input_layernorm.weight has no place in the model that its metadata describe",
        ),
        (
            "qwen3",
            "blk.0.attn_q_norm",
            "blk.0.attn_sinks1",
            "qwen3.gguf: a qwen3 model has no tensor blk.0.attn_sinks1.weight that is known here",
        ),
    ] {
        assert_eq!(
            refused(name, from, to),
            ("unsupportedModel", expected.to_owned())
        );
    }
}

#[test]
fn broken_files_are_refused_by_name() {
    let open = |path: &str, bytes: Vec<u8>| {
        let model = block_on(GgufModel::open(MemorySource::new(path, bytes)));
        model
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    let good = bytes("smollm.gguf");
    assert_eq!(open("a.gguf", good.clone()), "");
    let starts = |bytes: Vec<u8>, expected: &str| {
        let found = open("a.gguf", bytes);
        assert!(found.starts_with(&format!("a.gguf: {expected}")), "{found}");
    };
    starts(vec![], "this is no GGUF file");
    starts(b"PK\x03\x04".repeat(20), "this is no GGUF file");
    for length in [400, 1000, 5000] {
        starts(good[..length].to_vec(), "its head goes on after the file's");
    }
    let cut = open("a.gguf", good[..good.len() - 64].to_vec());
    assert!(
        cut.contains(": its data ends after the file, which has"),
        "{cut}"
    );
    let changed = |at: usize, with: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    starts(
        changed(4, &[1]),
        "it is of version 1 of the format; supported are 2 and 3",
    );
    starts(changed(4, &[0, 0, 0, 3]), "its numbers are big-endian");
    starts(
        changed(8, &[255; 8]),
        "it claims 18446744073709551615 tensors",
    );
    starts(
        changed(16, &[255; 8]),
        "it claims 18446744073709551615 metadata entries",
    );
    // the length of the first key
    starts(
        changed(24, &[255; 8]),
        "a key has 18446744073709551615 bytes",
    );
    let twice = |from: &str, to: &str| {
        let mut bytes = good.clone();
        replace(&mut bytes, from, to);
        bytes
    };
    starts(
        twice("blk.0.attn_q.weight", "blk.0.attn_k.weight"),
        "tensor blk.0.attn_k.weight: it is listed twice",
    );
    starts(
        twice("tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"),
        "tokenizer.ggml.eos_token_id is listed twice",
    );
    starts(
        twice("llama.context_length", "llama.contextlength_"),
        "llama.context_length is missing",
    );
}

#[test]
fn one_file_is_one_model() {
    let refused = |paths: &[&str]| {
        let file = |path: &&str| MemorySource::new(*path, bytes("llama.gguf"));
        load(paths.iter().map(file).collect(), Storage::F32)
            .err()
            .map(|error| error.to_string())
    };
    assert_eq!(refused(&["Model.Q8_0.GGUF"]), None);
    assert_eq!(refused(&["m-00001-of-00001.gguf"]), None);
    assert_eq!(
        refused(&["a.Q4_0.gguf", "a.Q8_0.gguf"]).unwrap(),
        "a.Q4_0.gguf: expected one GGUF file, which is a whole model, got 2: a.Q4_0.gguf, a.Q8_0.gguf"
    );
    assert_eq!(
        refused(&["m-00002-of-00003.gguf"]).unwrap(),
        "m-00002-of-00003.gguf: it is one of 3 parts of a model; join them with llama.cpp's `llama-gguf-split --merge` and give the one file"
    );
    assert!(
        refused(&["model.ggml"])
            .unwrap()
            .starts_with("config.json is missing")
    );
}

#[test]
fn stretched_positions_are_those_of_llama_3_or_refused() {
    let mut file = source("llama3");
    let factor = 32_f32.to_le_bytes();
    let place = file.bytes.windows(4).rposition(|part| part == factor);
    file.bytes[place.unwrap()..][..4].copy_from_slice(&31_f32.to_le_bytes());
    let error = load(vec![file], Storage::F32).unwrap_err();
    assert_eq!(
        error.to_string(),
        "llama3.gguf: its rope_freqs.weight are not those of Llama 3.1, which are the only ones supported"
    );
}
