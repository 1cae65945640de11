//! GGUF adapters against files that gguf's own writer made, and what cannot be expressed.

use serde_json::{Value, json};
use webtune::export::gguf_lora::{GgufBase, gguf_lora};
use webtune::models::DecoderConfig;
use webtune::peft::LoraConfig;

type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/gguf");

fn cases() -> Vec<Value> {
    let json = std::fs::read(format!("{FOLDER}/cases.json")).unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// The values that the generator has: see its head.
fn tensors(case: &Value) -> Tensors {
    let list: Vec<(String, Vec<usize>)> = serde_json::from_value(case["tensors"].clone()).unwrap();
    let value = |n: usize, i: usize| (((i * 7 + n * 13) % 31) as f32 - 15.0) / 8.0;
    list.into_iter()
        .enumerate()
        .map(|(n, (key, shape))| {
            let count = shape.iter().product();
            (key, shape, (0..count).map(|i| value(n, i)).collect())
        })
        .collect()
}

fn settings(case: &Value) -> LoraConfig {
    serde_json::from_value(case["settings"].clone()).unwrap()
}

fn base(case: &Value) -> GgufBase {
    let name = format!("org/{}", case["name"].as_str().unwrap());
    // sizes that do not matter here, next to what the case says
    let mut config = json!({
        "vocab_size": 16, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "max_position_embeddings": 16,
        "n_embd": 16, "n_layer": 2, "n_positions": 16
    });
    let fields = config.as_object_mut().unwrap();
    fields.extend(case["config"].as_object().unwrap().clone());
    let config = DecoderConfig::parse(config.to_string().as_bytes()).unwrap();
    GgufBase::new(&name, &config)
}

#[test]
fn every_byte_is_that_of_the_gguf_package() {
    let cases = cases();
    assert_eq!(cases.len(), 6);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let file = gguf_lora(name, &base(case), &settings(case), &tensors(case)).unwrap();
        let expected = std::fs::read(format!("{FOLDER}/{name}.gguf")).unwrap();
        let differs = file.bytes.iter().zip(&expected).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{name}: the first byte that differs");
        assert_eq!(file.bytes.len(), expected.len(), "{name}");
    }
}

#[test]
fn a_files_alpha_is_what_llama_cpp_divides_by_the_rank() {
    for (name, alpha) in [("llama", 8.0), ("qwen2-rslora", 12.0), ("patterns", 8.0)] {
        let bytes = std::fs::read(format!("{FOLDER}/{name}.gguf")).unwrap();
        let key = b"adapter.lora.alpha";
        let found = bytes.windows(key.len()).position(|part| part == key);
        // the number of the type, then the value
        let at = found.unwrap() + key.len() + 4;
        assert_eq!(bytes[at..at + 4], f32::to_le_bytes(alpha), "{name}");
    }
}

#[test]
fn what_gguf_cannot_hold_is_refused_by_name() {
    let cases = cases();
    let case = &cases[0];
    let refused = |config: LoraConfig, tensors: Tensors, base: GgufBase| {
        gguf_lora("x", &base, &config, &tensors)
            .unwrap_err()
            .to_string()
    };
    let plain = || (settings(case), tensors(case), base(case));

    let (config, list, model) = plain();
    let dora = LoraConfig {
        use_dora: true,
        ..config
    };
    assert_eq!(
        refused(dora, list, model),
        "useDora: GGUF has no place for its magnitudes; export the merged model instead"
    );

    for (key, expected) in [
        (
            "base_model.model.model.layers.0.self_attn.q_proj.base_layer.bias",
            "model.layers.0.self_attn.q_proj.base_layer.bias: it was trained without a delta, which a GGUF adapter cannot hold; \
             export the merged model instead",
        ),
        (
            "base_model.model.model.layers.0.mlp.router.lora_A.weight",
            "model.layers.0.mlp.router: llama.cpp has no delta for it in a llama model; export the merged model instead",
        ),
    ] {
        let (config, mut list, model) = plain();
        list.insert(0, (key.into(), vec![2, 1], vec![1.0, 2.0]));
        assert_eq!(refused(config, list, model), expected);
    }

    let (config, list, mut model) = plain();
    model.tie_word_embeddings = true;
    assert_eq!(
        refused(config, list, model),
        "lm_head: the model's token table is its output layer too, and llama.cpp has no delta for one of both; \
         export the merged model instead"
    );

    let (config, mut list, model) = plain();
    list.remove(1);
    assert_eq!(
        refused(config, list, model),
        "adapter_model.safetensors: tensor base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight is missing"
    );

    let (mut config, list, model) = plain();
    config.r = 3;
    assert_eq!(
        refused(config, list, model),
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight: expected [3, 8], got [2, 8]"
    );

    let (config, mut list, model) = plain();
    list.push(list[0].clone());
    assert!(refused(config, list, model).ends_with("q_proj.lora_A.weight is given twice"));

    let (config, list, mut model) = plain();
    model.num_attention_heads = 3;
    assert_eq!(
        refused(config, list, model),
        "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight: its 16 rows do not divide into 3 heads of two halves"
    );
}
