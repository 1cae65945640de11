//! Folders that hold no model, or hold it in another form: each is refused by its own name, with what to do.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::words::{config, files, language, tokenizer};
use common::{tiny, tiny_language};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::Error;
use webtune::device::Compute;
use webtune::formats::{MemorySource, write};
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::language::model::Prompt;
use webtune::tasks::language::tuned::next_logits;

const POINTER: &[u8] =
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4b5e7a9c\nsize 269060552\n";

/// Why both tasks refuse these files.
fn refusals(files: &[MemorySource]) -> [Error; 2] {
    let classifier = block_on(Pretrained::load("m", files.to_vec(), Compute::cpu()));
    [
        language(files.to_vec()).err().unwrap(),
        classifier.err().unwrap(),
    ]
}

fn llama() -> Vec<MemorySource> {
    files(&config("llama"), &tokenizer(&[]))
}

fn with(path: &str, bytes: &[u8]) -> Vec<MemorySource> {
    let mut files = llama();
    files.retain(|file| file.path != path);
    files.push(MemorySource::new(path, bytes.to_vec()));
    files
}

fn check(files: &[MemorySource], words: &[&str]) {
    for error in refusals(files) {
        for word in words {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
    }
}

#[test]
fn pointers_of_git_lfs() {
    for path in [
        "model.safetensors",
        "tokenizer.json",
        "config.json",
        "tokenizer_config.json",
    ] {
        check(
            &with(path, POINTER),
            &[path, "Git LFS pointer", "269060552 bytes", "git lfs pull"],
        );
    }
    let mut sharded = llama();
    sharded.retain(|file| file.path != "model.safetensors");
    sharded.push(MemorySource::new(
        "model.safetensors.index.json",
        POINTER.to_vec(),
    ));
    check(
        &sharded,
        &["model.safetensors.index.json", "Git LFS pointer"],
    );
}

#[test]
fn quantised_models_by_their_configuration() {
    for (key, settings, words) in [
        (
            "quantization_config",
            json!({"quant_method": "bitsandbytes", "load_in_4bit": true, "load_in_8bit": false}),
            "bitsandbytes, 4 bit",
        ),
        (
            "quantization_config",
            json!({"quant_method": "bitsandbytes", "load_in_8bit": true}),
            "bitsandbytes, 8 bit",
        ),
        (
            "quantization_config",
            json!({"load_in_8bit": true}),
            "bitsandbytes, 8 bit",
        ),
        (
            "quantization_config",
            json!({"quant_method": "gptq", "bits": 4}),
            "gptq, 4 bit",
        ),
        (
            "quantization_config",
            json!({"quant_method": "awq", "bits": 4}),
            "awq, 4 bit",
        ),
        (
            "quantization_config",
            json!({"quant_method": "fp8", "weight_block_size": [128, 128]}),
            "(fp8)",
        ),
        (
            "quantization_config",
            json!({"quant_method": "compressed-tensors"}),
            "compressed-tensors",
        ),
        (
            "quantization_config",
            json!({"quant_method": "mxfp4"}),
            "mxfp4",
        ),
        (
            "quantization",
            json!({"group_size": 64, "bits": 4}),
            "MLX, 4 bit",
        ),
    ] {
        let mut config = config("llama");
        config[key] = settings;
        let files = with("config.json", config.to_string().as_bytes());
        check(&files, &["config.json", key, words, "GGUF"]);
    }
    for (key, harmless) in [
        ("quantization_config", Value::Null),
        (
            "quantization_config",
            json!({"quant_method": "bitsandbytes", "load_in_4bit": false, "load_in_8bit": false}),
        ),
    ] {
        let mut config = config("llama");
        config[key] = harmless;
        assert!(language(with("config.json", config.to_string().as_bytes())).is_ok());
    }
}

#[test]
fn quantised_models_by_their_tensors() {
    for (tensor, words) in [
        ("model.layers.0.mlp.up_proj.qweight", "GPTQ or AWQ"),
        ("model.layers.0.mlp.up_proj.SCB", "bitsandbytes (8 bit)"),
        (
            "model.layers.0.mlp.up_proj.weight.absmax",
            "bitsandbytes (4 bit)",
        ),
        ("model.layers.0.mlp.up_proj.weight_scale_inv", "FP8"),
        (
            "model.layers.0.mlp.up_proj.weight_packed",
            "compressed-tensors",
        ),
    ] {
        let weights = write([(tensor, &[1usize][..], &[1.0][..])], &Default::default()).unwrap();
        check(
            &with("model.safetensors", &weights),
            &["model.safetensors", tensor, words, "GGUF"],
        );
    }
}

#[test]
fn an_adapter_is_no_model() {
    let open = |settings: Value, words: &[&str]| {
        let settings = settings.to_string().into_bytes();
        let files = [
            MemorySource::new("adapter_config.json", settings),
            MemorySource::new("adapter_model.safetensors", Vec::new()),
        ];
        check(&files, words);
    };
    let words = [
        "a PEFT adapter of example/base",
        "load example/base",
        "import this adapter",
    ];
    open(
        json!({"peft_type": "LORA", "base_model_name_or_path": "example/base"}),
        &words,
    );
    open(
        json!({"peft_type": "LORA", "base_model_name_or_path": null}),
        &["the model that it was trained on"],
    );
}

#[test]
fn weights_in_another_layout() {
    for (path, words) in [
        ("checkpoint-10/model.safetensors", "open checkpoint-10"),
        ("model.fp16.safetensors", "name it model.safetensors"),
        ("consolidated.safetensors", "its maker's own code"),
        ("pytorch_model.bin", "save_pretrained"),
        ("tf_model.h5", "TensorFlow"),
        ("flax_model.msgpack", "Flax"),
        ("onnx/model.onnx", "ONNX"),
    ] {
        let mut files = with(path, b"weights");
        files.retain(|file| file.path != "model.safetensors");
        check(&files, &["model.safetensors", "is missing", path, words]);
    }
    let inside = llama()
        .into_iter()
        .map(|file| MemorySource::new(format!("checkpoint-10/{}", file.path), file.bytes));
    check(
        &inside.collect::<Vec<_>>(),
        &["config.json is missing", "open checkpoint-10"],
    );
}

/// transformers reads them too.
#[test]
fn doubles_are_narrowed() {
    let plain = tiny_language::files(&tiny_language::config_json(), 5);
    let file = plain
        .iter()
        .find(|file| file.path == "model.safetensors")
        .unwrap();
    let doubled = doubled(&file.bytes);
    let mut wide = plain.clone();
    wide.retain(|file| file.path != "model.safetensors");
    wide.push(MemorySource::new("model.safetensors", doubled));
    let logits = |files: Vec<MemorySource>| {
        let model = language(files).unwrap();
        block_on(next_logits(
            &model,
            &model.model,
            &Prompt::Text("the cat".into()),
        ))
        .unwrap()
    };
    assert_eq!(logits(wide), logits(plain));
}

/// The same safetensors file in double precision.
fn doubled(bytes: &[u8]) -> Vec<u8> {
    let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + size]).unwrap();
    for (name, tensor) in header.as_object_mut().unwrap() {
        if name == "__metadata__" {
            continue;
        }
        assert_eq!(tensor["dtype"], "F32");
        tensor["dtype"] = json!("F64");
        for offset in tensor["data_offsets"].as_array_mut().unwrap() {
            *offset = json!(2 * offset.as_u64().unwrap());
        }
    }
    let header = header.to_string().into_bytes();
    let (values, _) = bytes[8 + size..].as_chunks::<4>();
    let values = values
        .iter()
        .flat_map(|value| f64::from(f32::from_le_bytes(*value)).to_le_bytes());
    let start = (header.len() as u64).to_le_bytes();
    start.into_iter().chain(header).chain(values).collect()
}

#[test]
fn a_model_beside_its_adapter_is_a_model() {
    let mut files = tiny::files(7);
    files.push(MemorySource::new("adapter_config.json", b"{}".to_vec()));
    assert!(block_on(Pretrained::load("m", files, Compute::cpu())).is_ok());
}
