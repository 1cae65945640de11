//! Conversations in the shapes of public data sets: what they hold reaches the chat template, or is told.

#![cfg(not(target_arch = "wasm32"))]

use serde_json::{Value, json};
use webtune::data::{ParsedText, ParsedTexts, TextOptions, TextRow, parse_text_rows};
use webtune::text::ChatTemplate;
use webtune::text::chat::Conversation;

/// Writes reasoning, tools and turns down as Qwen3's does.
const TEMPLATE: &str = "{% if tools %}<|im_start|>tools\n{{ tools | tojson }}<|im_end|>\n{% endif %}\
    {% for m in messages %}<|im_start|>{{ m.role }}\n\
    {% if m.reasoning_content is string %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}\
    {{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

fn with(content: &Value, options: Value) -> Result<ParsedTexts, webtune::Error> {
    let options: TextOptions = serde_json::from_value(options).unwrap();
    parse_text_rows("rows.json", content.to_string().as_bytes(), &options)
}

fn read(content: Value) -> ParsedTexts {
    with(&content, json!({})).unwrap()
}

fn refuse(content: Value) -> String {
    with(&content, json!({})).unwrap_err().to_string()
}

/// The rendered conversation, what is learnt of it in brackets.
fn written(row: &ParsedText) -> String {
    let template = ChatTemplate::from_files(Some(TEMPLATE.as_bytes()), None, None).unwrap();
    let TextRow::Chat(messages) = &row.content else {
        panic!("{row:?}")
    };
    let tools = &row.tools;
    let rendered = template
        .render_marked(Conversation { messages, tools })
        .unwrap();
    let mut text = rendered.text.clone();
    for span in rendered.assistant.iter().rev() {
        text.insert(span.end, ']');
        text.insert(span.start, '[');
    }
    text
}

fn turn(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

#[test]
fn reasoning_is_learnt_with_its_answer() {
    for key in ["reasoning_content", "thinking", "reasoning"] {
        let found = read(json!([{"messages": [
            turn("user", "What is 17 + 25?"), {"role": "assistant", key: "17 + 25 = 42.", "content": "42"}
        ]}]));
        assert_eq!(
            written(&found.rows[0]),
            "<|im_start|>user\nWhat is 17 + 25?<|im_end|>\n<|im_start|>assistant\n\
             [<think>\n17 + 25 = 42.\n</think>\n\n42<|im_end|>]\n"
        );
        assert_eq!(found.warnings, [""; 0]);
        // across the border and back
        let json = serde_json::to_value(&found.rows[0]).unwrap();
        assert_eq!(
            serde_json::from_value::<ParsedText>(json).unwrap(),
            found.rows[0]
        );
    }
}

#[test]
fn a_system_prompt_and_history_come_before_the_turn() {
    let found = read(json!([
        {"instruction": "And in Spanish?", "input": "", "output": "Buenos dias", "system": "Be short.",
         "history": [["Say good morning in French", "Bonjour"]]},
        {"instruction": "Name a fruit", "output": "Apple", "system": "Be short.", "history": []},
    ]));
    let start = "<|im_start|>system\nBe short.<|im_end|>\n";
    assert_eq!(
        written(&found.rows[0]),
        format!(
            "{start}<|im_start|>user\nSay good morning in French<|im_end|>\n<|im_start|>assistant\n[Bonjour<|im_end|>]\n\
             <|im_start|>user\nAnd in Spanish?<|im_end|>\n<|im_start|>assistant\n[Buenos dias<|im_end|>]\n"
        )
    );
    let short = format!(
        "{start}<|im_start|>user\nName a fruit<|im_end|>\n<|im_start|>assistant\n[Apple<|im_end|>]\n"
    );
    assert_eq!(written(&found.rows[1]), short);
    assert_eq!(found.warnings, [""; 0]);
    for role in ["gpt", "chatgpt", "bing", "bard", "Assistant", "model"] {
        let found = read(json!([{"system": "Be short.", "conversations": [
            {"from": "human", "value": "Name a fruit"}, {"from": role, "value": "Apple"}
        ]}]));
        assert_eq!(written(&found.rows[0]), short);
    }
    let found = read(json!([{"system": "Be short.", "messages": [
        turn("system", "Be short."), turn("user", "Name a fruit"), turn("assistant", "Apple")
    ]}]));
    assert_eq!(written(&found.rows[0]), short);
    let two = refuse(
        json!([{"system": "Be long.", "messages": [turn("system", "Be short."), turn("assistant", "Apple")]}]),
    );
    assert!(two.contains("system prompt"), "{two}");
}

#[test]
fn tools_reach_the_template() {
    let clock = json!([{"type": "function", "function": {"name": "clock"}}]);
    let messages = [turn("user", "Name a fruit"), turn("assistant", "Apple")];
    for tools in [clock.clone(), json!(clock.to_string())] {
        let found = read(json!([{"messages": messages, "tools": tools}]));
        assert_eq!(
            written(&found.rows[0]),
            "<|im_start|>tools\n[{\"type\": \"function\", \"function\": {\"name\": \"clock\"}}]<|im_end|>\n\
             <|im_start|>user\nName a fruit<|im_end|>\n<|im_start|>assistant\n[Apple<|im_end|>]\n"
        );
        assert_eq!(found.warnings, [""; 0]);
    }
    for tools in [json!([]), json!(""), json!("[]"), Value::Null] {
        assert!(
            read(json!([{"messages": messages, "tools": tools}])).rows[0]
                .tools
                .is_empty()
        );
    }
    let broken = refuse(json!([{"messages": messages, "tools": "clock()"}]));
    assert!(broken.contains("row 1: tools: expected a list"), "{broken}");
}

#[test]
fn preferences_and_pictures_are_refused_by_name() {
    let messages = |answer: &str| json!([turn("user", "Name a fruit"), turn("assistant", answer)]);
    let shapes = [
        [
            json!({"messages": messages("Apple"), "label": true}),
            json!({"messages": messages("Hammer, you fool"), "label": false}),
        ],
        [
            json!({"prompt": "Name a fruit", "completion": "Apple", "label": true}),
            json!({"prompt": "Name a fruit", "completion": "Hammer, you fool", "label": false}),
        ],
        [
            json!({"instruction": "Name a fruit", "output": "Apple", "kto_tag": true}),
            json!({"instruction": "Name a fruit", "output": "Hammer, you fool", "kto_tag": false}),
        ],
    ];
    for [good, bad] in shapes {
        let rows = json!([good, bad, good]);
        let error = with(&rows, json!({})).unwrap_err();
        assert!(
            error.to_string().contains("row 2") && error.to_string().contains("KTO"),
            "{error}"
        );
        assert_eq!(
            serde_json::to_value(error.report()).unwrap()["remedy"],
            "skipBad"
        );
        let found = with(&rows, json!({"skipBad": true})).unwrap();
        assert_eq!((found.rows.len(), found.skipped_rows[0].row), (2, 2));
        assert!(!format!("{:?}", found.rows).contains("Hammer"));
    }
    let dpo = refuse(json!([{"prompt": "Name a fruit", "chosen": "Apple", "rejected": "Hammer"}]));
    assert!(dpo.contains("chosen") && dpo.contains("DPO"), "{dpo}");
    let both = refuse(json!([{"instruction": "a", "output": "b", "chosen": "b", "rejected": "c"}]));
    assert!(both.contains("DPO"), "{both}");
    for key in ["images", "image", "videos", "audios"] {
        let error = refuse(json!([{"messages": messages("Apple"), key: ["a.jpg"]}]));
        assert!(
            error.contains(&format!("row 1: {key}: pictures")),
            "{error}"
        );
        assert_eq!(
            read(json!([{"messages": messages("Apple"), key: []}]))
                .rows
                .len(),
            1
        );
    }
}

#[test]
fn content_that_is_not_read_is_told() {
    let found = read(json!([
        {"text": "a story", "label": "sad", "id": "17", "score": 0.5, "title": "One"},
        {"text": "another", "label": 1, "title": "", "meta": {}},
    ]));
    assert_eq!(
        found.warnings,
        [
            "these keys are not read, so that nothing is learnt from them: \"label\" (in 2 rows), \"title\" (in 1 row)"
        ]
    );
    let found = read(json!([{"messages": [
        {"role": "user", "name": "Ada", "content": "a"}, turn("assistant", "b")
    ], "history": [["c", "d"]], "functions": [{"name": "clock"}]}]));
    for key in ["\"name of a message\"", "\"history\"", "\"functions\""] {
        assert!(found.warnings[0].contains(key), "{:?}", found.warnings);
    }
    // a prompt that no template writes has no place for a system prompt
    let found = read(json!([{"prompt": "a", "completion": "b", "system": "c"}]));
    assert!(
        found.warnings[0].contains("\"system\""),
        "{:?}",
        found.warnings
    );
}

#[test]
fn the_layouts_of_json_are_read_here_too() {
    let row = json!({"prompt": "a", "completion": "b"});
    let wrapped = read(json!({"version": 1, "data": [row, row]}));
    assert_eq!(wrapped.rows.len(), 2);
    let pretty = format!("{row:#}\n{row:#}\n");
    let found = parse_text_rows("rows.jsonl", pretty.as_bytes(), &TextOptions::default()).unwrap();
    assert_eq!(found.rows, wrapped.rows);
    let columns = read(json!({"prompt": ["a", "a"], "completion": {"0": "b", "1": "b"}}));
    assert_eq!(columns.rows, wrapped.rows);
    assert_eq!(
        read(json!(["one", "two"])).rows[1].content,
        TextRow::Text("two".into())
    );
    let text = with(&row, json!({"format": "text"})).unwrap();
    assert_eq!(text.rows[0].content, TextRow::Text(row.to_string()));
    let latin = parse_text_rows("a.txt", b"caf\xe9", &TextOptions::default()).unwrap_err();
    assert_eq!(
        serde_json::to_value(latin.report()).unwrap()["remedy"],
        "readAsWindows1252"
    );
}
