//! Folders without a tokenizer.json, whose tokenizer is made of older files as transformers makes it.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{tiny, tiny_language};
use pollster::block_on;
use serde_json::{Map, Value, json};
use webtune::device::Compute;
use webtune::formats::MemorySource;
use webtune::layers::Storage;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::language::model::LanguageModel;
use webtune::text::Tokenizer;
use webtune::text::vocabulary::{VocabularyFiles, tokenizer_json};

const BPE: &[u8] = include_bytes!("fixtures/tokenizer_bpe/tokenizer.json");
const BPE_CASES: &[u8] = include_bytes!("fixtures/tokenizer_bpe/cases.json");
const WORDPIECE: &[u8] = include_bytes!("fixtures/tokenizer_wordpiece/tokenizer.json");
const WORDPIECE_CASES: &[u8] = include_bytes!("fixtures/tokenizer_wordpiece/cases.json");

/// vocab.json and merges.txt of a tokenizer.json.
fn pieces() -> [Vec<u8>; 2] {
    let file: Value = serde_json::from_slice(BPE).unwrap();
    let merges = file["model"]["merges"].as_array().unwrap().iter();
    let merges = merges.map(|pair| {
        format!(
            "{} {}\n",
            pair[0].as_str().unwrap(),
            pair[1].as_str().unwrap()
        )
    });
    let merges = format!("#version: 0.2\n{}", merges.collect::<String>());
    [
        file["model"]["vocab"].to_string().into_bytes(),
        merges.into_bytes(),
    ]
}

/// vocab.txt of one.
fn words(end: &str) -> Vec<u8> {
    let file: Value = serde_json::from_slice(WORDPIECE).unwrap();
    let vocab = file["model"]["vocab"].as_object().unwrap();
    let mut words = vocab.iter().collect::<Vec<_>>();
    words.sort_by_key(|(_, id)| id.as_u64());
    words
        .iter()
        .map(|(word, _)| format!("{word}{end}"))
        .collect::<String>()
        .into_bytes()
}

fn files(kind: &str) -> VocabularyFiles {
    let [vocab, merges] = pieces();
    match kind {
        "words" => VocabularyFiles {
            words: Some(words("\n")),
            ..Default::default()
        },
        _ => VocabularyFiles {
            vocab: Some(vocab),
            merges: Some(merges),
            words: None,
        },
    }
}

fn built(kind: &str, settings: Value, model_type: &str) -> Tokenizer {
    let settings: Map<String, Value> = serde_json::from_value(settings).unwrap();
    let bytes = tokenizer_json(&files(kind), &settings, model_type)
        .unwrap()
        .unwrap();
    Tokenizer::from_bytes("tokenizer.json", &bytes).unwrap()
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode(text, 512).unwrap().ids
}

/// The Python library's ids of the same tokenizers.
#[test]
fn whole_texts_equal_the_python_library() {
    let bert = built("words", json!({"tokenizer_class": "BertTokenizer"}), "bert");
    let special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        .map(|token| json!({"content": token, "special": true}));
    let listed = json!({"0": special[0], "1": special[1], "2": special[2]});
    let gpt2 = built(
        "pieces",
        json!({"tokenizer_class": "GPT2TokenizerFast", "added_tokens_decoder": listed}),
        "llama",
    );
    for (tokenizer, cases) in [(bert, WORDPIECE_CASES), (gpt2, BPE_CASES)] {
        let cases: Value = serde_json::from_slice(cases).unwrap();
        let cases = cases["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 60);
        for case in cases {
            let expected: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
            assert_eq!(
                ids(&tokenizer, case["text"].as_str().unwrap()),
                expected,
                "{}",
                case["text"]
            );
        }
    }
}

/// transformers 5.23's classes over the same words and merges.
#[test]
fn every_class_has_its_own_parts() {
    let cat = "the cat's 12 hats";
    let mask = " <mask>é\n\n x";
    let roberta = |more: Value| {
        let mut settings = json!({"tokenizer_class": "RobertaTokenizer"});
        settings
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        built("pieces", settings, "roberta")
    };
    let plain = [259, 71, 269, 283, 502, 334, 20, 289, 283, 85];
    let tokenizer = roberta(json!({}));
    assert_eq!(ids(&tokenizer, cat), [&[700], &plain[..], &[701]].concat());
    assert_eq!(
        ids(&tokenizer, mask),
        [700, 223, 704, 549, 201, 201, 223, 90, 701]
    );
    assert_eq!(tokenizer.pad_token(), Some(703));
    let tokenizer = roberta(json!({"add_prefix_space": true}));
    assert_eq!(
        ids(&tokenizer, cat),
        [700, 263, 269, 283, 502, 334, 20, 289, 283, 85, 701]
    );
    let tokenizer = built(
        "pieces",
        json!({"tokenizer_class": "Qwen2Tokenizer"}),
        "qwen2",
    );
    assert_eq!(
        ids(&tokenizer, cat),
        [259, 71, 269, 283, 502, 223, 19, 20, 289, 283, 85]
    );
    // a folder that names no class goes by its model
    assert_eq!(
        ids(&built("pieces", json!({}), "qwen3"), cat),
        ids(&tokenizer, cat)
    );
    assert_eq!(ids(&built("pieces", json!({}), "gpt2"), cat), plain);
    let begun = built(
        "pieces",
        json!({"tokenizer_class": "GPT2Tokenizer", "add_bos_token": true}),
        "gpt2",
    );
    assert_eq!(ids(&begun, cat), [&[0], &plain[..]].concat());
    assert_eq!(begun.prefix_ids().unwrap(), [0]);

    let text = "The old Man é 中文 [MASK]!";
    assert_eq!(
        ids(&built("words", json!({}), "distilbert"), text),
        [2, 366, 501, 500, 168, 318, 1, 4, 130, 3]
    );
    let cased = json!({"tokenizer_class": "BertTokenizer", "do_lower_case": false});
    assert_eq!(
        ids(&built("words", cased, "bert"), text),
        [2, 1, 501, 1, 1, 318, 1, 4, 130, 3]
    );
}

#[test]
fn folders_without_a_tokenizer_json_load() {
    let without = |mut files: Vec<MemorySource>| {
        files.retain(|file| file.path != "tokenizer.json");
        files
    };
    let [vocab, merges] = pieces();
    let mut folder = without(tiny_language::files(&tiny_language::config_json(), 5));
    folder.push(MemorySource::new("vocab.json", vocab.clone()));
    folder.push(MemorySource::new("merges.txt", merges));
    folder.push(MemorySource::new(
        "tokenizer_config.json",
        br#"{"tokenizer_class": "GPT2Tokenizer"}"#.to_vec(),
    ));
    let model = block_on(LanguageModel::load(
        "m",
        folder,
        Compute::cpu(),
        Storage::F32,
    ))
    .unwrap();
    // an export carries what was made
    assert!(
        model
            .tokenizer_files
            .iter()
            .any(|(path, _)| path == "tokenizer.json")
    );
    assert_eq!(model.eos_id, Some(2));

    // as Windows saves it
    let mut folder = without(tiny::files(7));
    folder.push(MemorySource::new("vocab.txt", words("\r\n")));
    let model = block_on(Pretrained::load("m", folder, Compute::cpu())).unwrap();
    let plain = Tokenizer::from_bytes("t", WORDPIECE).unwrap();
    assert_eq!(
        ids(&model.tokenizer, "the old man"),
        ids(&plain, "the old man")
    );

    let refused = |path: &str, bytes: Vec<u8>, settings: &str, words: &[&str]| {
        let mut folder = without(tiny::files(7));
        folder.push(MemorySource::new(path, bytes));
        folder.push(MemorySource::new(
            "tokenizer_config.json",
            settings.as_bytes().to_vec(),
        ));
        let error = block_on(Pretrained::load("m", folder, Compute::cpu()))
            .err()
            .unwrap();
        for word in words {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
    };
    refused(
        "tokenizer.model",
        vec![0; 100],
        "{}",
        &[
            "tokenizer.json: it is missing",
            "SentencePiece",
            "save_pretrained",
        ],
    );
    refused("vocab.json", vocab, "{}", &["tokenizer.json is missing"]);
    refused(
        "vocab.txt",
        words("\n"),
        r#"{"tokenizer_class": "MPNetTokenizer"}"#,
        &["MPNetTokenizer", "save_pretrained"],
    );
    refused("vocab.txt", vec![0xff], "{}", &["vocab.txt", "UTF-8"]);
}
