//! Whole runs of language models.

use webtune::data::{ParsedText, TextOptions, parse_text_rows};
use webtune::tasks::language::model::LanguageModel;
use webtune::tasks::language::{LanguageOptions, LanguageRun, LanguageTask};

use super::*;

const TOKENIZER: &[u8] = include_bytes!("../fixtures/tokenizer_bpe/tokenizer.json");

fn language_files(config: &Value) -> Vec<MemorySource> {
    let json = config.to_string().into_bytes();
    let parsed = DecoderConfig::parse(&json).unwrap();
    vec![
        MemorySource::new("config.json", json),
        MemorySource::new("tokenizer.json", TOKENIZER.to_vec()),
        MemorySource::new(
            "model.safetensors",
            random_language_model(&parsed, 5).unwrap(),
        ),
    ]
}

async fn language(case: &Case, rows: &[ParsedText]) -> Found {
    let files = language_files(&case.config);
    let options = LanguageOptions::parse(case.options.clone()).unwrap();
    measured!(
        LanguageModel::load("model", files, compute(), case.storage),
        |model| LanguageRun::new(LanguageTask::new(&model, "rows", rows, options).unwrap())
    )
}

fn llama(vocab: usize) -> Value {
    json!({
        "model_type": "llama", "vocab_size": vocab, "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 8,
        "num_key_value_heads": 4, "intermediate_size": 172, "max_position_embeddings": 8192, "tie_word_embeddings": true,
        "bos_token_id": 0, "eos_token_id": 2
    })
}

fn gpt2() -> Value {
    json!({
        "model_type": "gpt2", "vocab_size": 2048, "n_embd": 64, "n_layer": 3, "n_head": 8, "n_positions": 2048,
        "bos_token_id": 0, "eos_token_id": 2
    })
}

fn gemma() -> Value {
    let mut config = with(
        &llama(2048),
        json!({"model_type": "gemma3_text", "head_dim": 8}),
    );
    config["sliding_window"] = 32.into();
    config
}

/// One text that fills this many blocks.
fn blocks(count: usize, tokens: usize) -> Vec<ParsedText> {
    let text = "the cat says meow and the dog says woof. ".repeat(count * tokens / 8 + 1);
    let line = json!({"text": text}).to_string();
    let found = parse_text_rows("rows.jsonl", line.as_bytes(), &TextOptions::default());
    found.unwrap().rows
}

/// Long questions.
fn chats(count: usize) -> Vec<ParsedText> {
    let lines = (0..count).map(|row| {
        let user = format!("{row}: {}", "what does the cat say? ".repeat(40));
        json!({"messages": [{"role": "user", "content": user}, {"role": "assistant", "content": "meow"}]})
            .to_string()
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let found = parse_text_rows("rows.jsonl", text.as_bytes(), &TextOptions::default());
    found.unwrap().rows
}

fn language_cases() -> Vec<Case> {
    let lora = |more: Value| json!({"method": with(&json!({"type": "lora", "r": 8, "targetModules": "all-linear"}), more)});
    let run = |rows: usize, tokens: usize, more: Value| {
        let options = json!({
            "trainBatchSize": rows, "maxLength": tokens, "numTrainEpochs": 1, "fewShotExamples": 0, "sampleTokens": 0,
            "gradientCheckpointing": false, "validationSplit": 0.2
        });
        with(&with(&options, lora(json!({}))), more)
    };
    let twice = |mut options: Value| {
        options["gradientCheckpointing"] = true.into();
        options
    };
    let full = json!({"method": {"type": "full"}, "numTrainEpochs": 2, "learningRate": 1e-3});
    let mut table = Table {
        config: llama(2048),
        cases: Vec::new(),
    };
    for storage in [Storage::F32, Storage::F16, Storage::Int8, Storage::Int4] {
        table.add("lora 8 x 64", run(8, 64, json!({}))).storage = storage;
        table
            .add("lora 8 x 64, checkpointing", twice(run(8, 64, json!({}))))
            .storage = storage;
    }
    table.add("lora 1 x 512", run(1, 512, json!({})));
    table.add("lora 1 x 512, checkpointing", twice(run(1, 512, json!({}))));
    table.add("lora in packed rows", run(1, 512, json!({"packing": true})));
    let top = lora(json!({"layersToTransform": [2]}));
    table.add("lora in the top layer", run(2, 256, top));
    table.add("DoRA", run(8, 64, lora(json!({"useDora": true}))));
    table.add(
        "DoRA, checkpointing",
        twice(run(8, 64, lora(json!({"useDora": true})))),
    );
    table.add(
        "lora dropout",
        run(8, 64, lora(json!({"loraDropout": 0.1}))),
    );
    table.add(
        "PiSSA",
        run(8, 64, lora(json!({"initLoraWeights": "pissa"}))),
    );
    let prefix = json!({"method": {"type": "prefix", "numVirtualTokens": 128}});
    table.add("prefix", run(8, 64, prefix.clone()));
    table.add("prefix, checkpointing", twice(run(8, 64, prefix)));
    let small = run(
        8,
        64,
        json!({"samplePrompts": ["the cat says meow ".repeat(500)], "sampleTokens": 4}),
    );
    table.add("sample prompts, cut", small);
    let long = json!({"samplePrompts": ["the cat says meow ".repeat(300)], "sampleTokens": 8});
    table
        .add("sample prompts, long", twice(run(1, 1000, long)))
        .claim = Claim::Enough;
    let several = with(&full, json!({"seeds": 2, "numTrainEpochs": 1}));
    table.add("full, several seeds", run(1, 16, several));
    table.add(
        "full, a penalty",
        run(1, 16, with(&full, json!({"l2Sp": 0.1}))),
    );
    table.config = llama(16384);
    table.add("full 1 x 16", run(1, 16, full.clone()));
    table.add("full 4 x 128", run(4, 128, full.clone()));
    table.add(
        "full 4 x 128, checkpointing",
        twice(run(4, 128, full.clone())),
    );
    table.add(
        "full, accumulated",
        run(1, 16, with(&full, json!({"gradientAccumulationSteps": 2}))),
    );
    table.config["tie_word_embeddings"] = false.into();
    table.add("full, two tables", run(1, 16, full));
    table.config = gpt2();
    table.add("GPT-2", run(8, 64, json!({})));
    table.config = gemma();
    table.add("Gemma 3", run(8, 64, json!({})));
    table.add("Gemma 3, checkpointing", twice(run(8, 64, json!({}))));
    table.cases
}

#[test]
fn runs_of_language_models_take_what_was_estimated() {
    let _alone = ALONE.lock();
    let size = |options: &Value, name: &str| options[name].as_u64().unwrap() as usize;
    let mut wrong = Vec::new();
    for case in language_cases().iter().filter(|case| wanted(case)) {
        let tokens = size(&case.options, "maxLength");
        let rows = blocks(3 * size(&case.options, "trainBatchSize"), tokens);
        wrong.extend(judge(case, &block_on(language(case, &rows))));
    }
    let few_shot = Case {
        name: "few-shot baseline",
        config: llama(2048),
        storage: Storage::F32,
        options: json!({
            "method": {"type": "lora", "r": 8, "targetModules": "all-linear"}, "trainBatchSize": 4, "maxLength": 512,
            "numTrainEpochs": 1, "fewShotExamples": 3, "sampleTokens": 0, "gradientCheckpointing": true,
            "validationSplit": 0.4
        }),
        claim: Claim::Enough,
    };
    if wanted(&few_shot) {
        wrong.extend(judge(&few_shot, &block_on(language(&few_shot, &chats(12)))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
