//! Generation ends where learnt turns end, and the files that leave say so, whatever the model's files call the end of a text.

#![cfg(not(target_arch = "wasm32"))]

use pollster::block_on;
use serde_json::{Value, json};
use webtune::data::{ParsedText, TextOptions, parse_text_rows};
use webtune::device::Compute;
use webtune::eval::complete::{Ending, Piece as Text};
use webtune::export::{ExportedFile, Format, files, import};
use webtune::formats::MemorySource;
use webtune::layers::Storage;
use webtune::models::CausalLm;
use webtune::tasks::language::model::{LanguageModel, Prompt};
use webtune::tasks::language::tuned::{TunedLanguage, writer};
use webtune::tasks::language::{LanguageOptions, LanguageRun, LanguageTask};
use webtune::text::Message;

/// A model that always writes `<|im_end|>` (31), the end of a turn in its chat template; its files call 29 the end of a text.
const FILES: [(&str, &[u8]); 5] = [
    (
        "config.json",
        include_bytes!("fixtures/ends_turns/config.json"),
    ),
    (
        "generation_config.json",
        include_bytes!("fixtures/ends_turns/generation_config.json"),
    ),
    (
        "model.safetensors",
        include_bytes!("fixtures/ends_turns/model.safetensors"),
    ),
    (
        "tokenizer.json",
        include_bytes!("fixtures/ends_turns/tokenizer.json"),
    ),
    (
        "tokenizer_config.json",
        include_bytes!("fixtures/ends_turns/tokenizer_config.json"),
    ),
];

/// The model with some of its files changed; `change` gets each JSON file's name and content, and leaves one out by null.
fn load(change: impl Fn(&str, &mut Value)) -> LanguageModel {
    let sources = FILES.into_iter().filter_map(|(name, bytes)| {
        if !name.ends_with(".json") {
            return Some(MemorySource::new(name, bytes.to_vec()));
        }
        let mut json = serde_json::from_slice(bytes).unwrap();
        change(name, &mut json);
        (!json.is_null()).then(|| MemorySource::new(name, json.to_string().into_bytes()))
    });
    let sources = sources.collect();
    block_on(LanguageModel::load(
        "m",
        sources,
        Compute::cpu(),
        Storage::F32,
    ))
    .unwrap()
}

fn without_template() -> LanguageModel {
    load(|name, settings| {
        if name == "tokenizer_config.json" {
            settings.as_object_mut().unwrap().remove("chat_template");
        }
    })
}

/// The same where the end of ChatML's turns is no token.
fn without_end_token() -> LanguageModel {
    let tokenizer = |json: &mut Value| {
        json["added_tokens"]
            .as_array_mut()
            .unwrap()
            .retain(|token| token["id"] != 31);
        let vocabulary = json["model"]["vocab"].as_object_mut().unwrap();
        vocabulary.remove("<|im_end|>");
        vocabulary.insert("end".into(), json!(31));
    };
    load(|name, json| match name {
        "tokenizer.json" => tokenizer(json),
        "tokenizer_config.json" => *json = json!({"eos_token": "<|endoftext|>"}),
        _ => {}
    })
}

fn written(model: &LanguageModel, network: &CausalLm) -> (String, usize, Ending) {
    let prompt = Prompt::Chat(vec![Message::new("user", "Name a fruit")]);
    let options = serde_json::from_value(json!({"maxNewTokens": 8})).unwrap();
    let mut writer = writer(model, network, &prompt, options).unwrap();
    loop {
        if let Text::End(done) = block_on(writer.next_piece(network, &model.tokenizer)).unwrap() {
            return (done.text, done.tokens, done.ending);
        }
    }
}

fn rows(line: &Value) -> Vec<ParsedText> {
    let text = format!("{line}\n").repeat(4);
    let found = parse_text_rows("rows.jsonl", text.as_bytes(), &TextOptions::default());
    found.unwrap().rows
}

fn chats() -> Vec<ParsedText> {
    rows(&json!({"messages": [
        {"role": "user", "content": "name a fruit"}, {"role": "assistant", "content": "apple"}
    ]}))
}

fn tuned(model: &LanguageModel, rows: &[ParsedText]) -> TunedLanguage {
    let options = LanguageOptions::parse(json!({
        "method": {"type": "lora"}, "numTrainEpochs": 1, "sampleTokens": 0, "fewShotExamples": 0
    }));
    let task = LanguageTask::new(model, "rows.jsonl", rows, options.unwrap()).unwrap();
    let mut run = LanguageRun::new(task);
    while block_on(run.next_event()).unwrap().is_some() {}
    run.take_tuned().unwrap()
}

fn exported(model: &LanguageModel, tuned: &TunedLanguage, format: Format) -> Vec<ExportedFile> {
    block_on(files(model, tuned, format)).unwrap()
}

fn json_of(files: &[ExportedFile], path: &str) -> Value {
    let found = files.iter().find(|file| file.path == path);
    serde_json::from_slice(&found.unwrap_or_else(|| panic!("{path}")).bytes).unwrap()
}

#[test]
fn what_ends_a_learnt_turn_ends_generation() {
    for model in [load(|_, _| {}), without_template()] {
        assert_eq!(
            written(&model, &model.model),
            (String::new(), 1, Ending::EndOfText)
        );
        assert_eq!(model.ends, [29, 31]);
    }
    // a template without an end of its own has none to add
    let model = load(|name, settings| {
        if name == "tokenizer_config.json" {
            settings["chat_template"] =
                json!("{% for m in messages %}{{ m.content }}\n{% endfor %}");
        }
    });
    assert_eq!(model.ends, [29]);
}

#[test]
fn turns_end_with_the_end_of_text_where_chatml_has_no_token() {
    let model = without_end_token();
    let messages = [
        Message::new("user", "name a fruit"),
        Message::new("assistant", "apple"),
    ];
    let rendered = model.template.render_marked(&messages).unwrap();
    assert_eq!(
        &rendered.text[rendered.assistant[0].clone()],
        "apple<|endoftext|>"
    );
    assert_eq!(model.ends, [29]);
    let found = tuned(&model, &chats());
    let files = exported(&model, &found, Format::Merged);
    let template = json_of(&files, "tokenizer_config.json")["chat_template"].clone();
    assert!(
        template
            .as_str()
            .unwrap()
            .contains("message['content'] + \"<|endoftext|>\""),
        "{template}"
    );
    assert_eq!(
        json_of(&files, "generation_config.json")["eos_token_id"],
        29
    );
}

#[test]
fn exports_carry_the_template_and_the_end_of_turns() {
    let own = load(|_, _| {});
    let none = without_template();
    let no_generation_config = load(|name, json| {
        if name == "generation_config.json" {
            *json = Value::Null;
        }
    });
    for (model, carried) in [
        (own, None),
        (none, Some("<|im_end|>")),
        (no_generation_config, None),
    ] {
        let found = tuned(&model, &chats());
        for format in [Format::Peft, Format::Merged] {
            let files = exported(&model, &found, format);
            assert_eq!(
                json_of(&files, "generation_config.json")["eos_token_id"],
                json!([29, 31])
            );
            let template = json_of(&files, "tokenizer_config.json")["chat_template"].clone();
            let template = template.as_str().unwrap();
            assert!(
                template.contains(carried.unwrap_or("<|im_start|>")),
                "{template}"
            );
            if format == Format::Peft {
                // what came in leaves again
                let back = block_on(import(&model, files.clone())).unwrap();
                let again = exported(&model, &back, format);
                for name in ["generation_config.json", "tokenizer_config.json"] {
                    assert_eq!(json_of(&again, name), json_of(&files, name));
                }
                continue;
            }
            let sources = files
                .iter()
                .map(|file| MemorySource::new(&file.path, file.bytes.clone()));
            let sources = sources.collect();
            let loaded = block_on(LanguageModel::load(
                "m",
                sources,
                Compute::cpu(),
                Storage::F32,
            ))
            .unwrap();
            assert!(!loaded.template.is_default());
            assert_eq!(loaded.template.source(), model.template.source());
            assert_eq!(loaded.ends, [29, 31]);
        }
    }
}

#[test]
fn a_model_that_learnt_no_conversations_has_no_template_put_on_it() {
    let model = without_template();
    let found = tuned(
        &model,
        &rows(&json!({"prompt": "name a fruit", "completion": " apple"})),
    );
    let files = exported(&model, &found, Format::Merged);
    assert!(
        json_of(&files, "tokenizer_config.json")
            .get("chat_template")
            .is_none()
    );
    assert_eq!(
        json_of(&files, "generation_config.json"),
        json!({"eos_token_id": 29})
    );
}

#[test]
fn rows_that_cannot_be_learnt_are_left_out_and_told() {
    let model = load(|_, _| {});
    let mut rows = chats();
    let mut long = rows[0].clone();
    let Value::Object(content) = serde_json::to_value(&long.content).unwrap() else {
        panic!("{long:?}")
    };
    let longer = json!(content)
        .to_string()
        .replace("\"apple\"", &format!("\"{}\"", "apple ".repeat(80)));
    long.content = serde_json::from_str(&longer).unwrap();
    long.row = 9;
    rows.insert(1, long);
    let plan = |options: Value| {
        let options = LanguageOptions::parse(options).unwrap();
        LanguageTask::new(&model, "rows.jsonl", &rows, options)
    };
    let error = plan(json!({"maxLength": 32})).err().unwrap();
    assert!(
        error
            .to_string()
            .starts_with("rows.jsonl, row 9: the answer has 81 tokens"),
        "{error}"
    );
    assert_eq!(
        serde_json::to_value(error.report()).unwrap()["remedy"],
        "skipBad"
    );
    let mut run = LanguageRun::new(
        plan(json!({"maxLength": 32, "skipBad": true, "sampleTokens": 0})).unwrap(),
    );
    let started = serde_json::to_value(block_on(run.next_event()).unwrap().unwrap()).unwrap();
    assert_eq!(started["skippedRows"][0]["row"], 9, "{started}");
    assert_eq!(
        started["trainTexts"].as_u64().unwrap() + started["validationTexts"].as_u64().unwrap(),
        4
    );
    assert!(
        started["warnings"]
            .to_string()
            .contains("1 row is left out"),
        "{started}"
    );
}

#[test]
fn what_a_template_leaves_out_is_told() {
    let model = load(|_, _| {});
    let rows = rows(&json!({"tools": [{"name": "clock"}], "messages": [
        {"role": "user", "content": "name a fruit"},
        {"role": "assistant", "content": "apple", "thinking": "a fruit is an apple"}
    ]}));
    let options = LanguageOptions::parse(json!({"sampleTokens": 0})).unwrap();
    let mut run =
        LanguageRun::new(LanguageTask::new(&model, "rows.jsonl", &rows, options).unwrap());
    let started = serde_json::to_value(block_on(run.next_event()).unwrap().unwrap()).unwrap();
    let warnings = started["warnings"].to_string();
    for told in [
        "the list of tools of 4 conversations",
        "the reasoning of 4 conversations",
    ] {
        assert!(warnings.contains(told), "{warnings}");
    }
}
