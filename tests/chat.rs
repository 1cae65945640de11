//! Conversations under several models' templates: text, ids and the assistant's mask are exact.

#![cfg(not(target_arch = "wasm32"))]

use std::ops::Range;

use proptest::prelude::*;
use serde_json::{Value, json};
use webtune::text::chat::ASSISTANT;
use webtune::text::{ChatTemplate, Message, Piece, TextStream, Tokenizer};

fn fixture(path: &str) -> Vec<u8> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
    std::fs::read(format!("{root}{path}")).unwrap()
}

fn chat() -> Value {
    serde_json::from_slice(&fixture("chat.json")).unwrap()
}

fn tokenizer(folder: &str) -> Tokenizer {
    let bytes = fixture(&format!("{folder}/tokenizer.json"));
    Tokenizer::from_bytes("tokenizer.json", &bytes).unwrap()
}

fn template_with(source: &str, config: Value) -> ChatTemplate {
    let config = serde_json::to_vec(&config).unwrap();
    ChatTemplate::from_files(Some(source.as_bytes()), Some(&config), None).unwrap()
}

fn template(source: &str) -> ChatTemplate {
    template_with(source, json!({}))
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap()
}

/// Messages from (role, content); the role may be cut to its first letter.
fn messages(turns: &[(&str, &str)]) -> Vec<Message> {
    let role = |letter: &str| match letter {
        "s" => "system",
        "u" => "user",
        _ => ASSISTANT,
    };
    turns
        .iter()
        .map(|(letter, content)| Message::new(role(letter), content))
        .collect()
}

/// The texts that the model writes.
fn turns(template: &ChatTemplate, conversation: &[Message]) -> Vec<String> {
    let rendered = template.render_marked(conversation).unwrap();
    rendered
        .assistant
        .iter()
        .map(|span| rendered.text[span.clone()].to_owned())
        .collect()
}

/// The ids of a text, and whether each is for bytes of one of the spans.
fn marked(tokenizer: &Tokenizer, text: &str, spans: &[Range<usize>]) -> (Vec<u32>, Vec<bool>) {
    let pieces = tokenizer.pieces(text).unwrap();
    let touches = |piece: &Piece| spans.iter().any(|span| piece.touches(span));
    (
        pieces.iter().map(|piece| piece.id).collect(),
        pieces.iter().map(touches).collect(),
    )
}

#[test]
fn texts_spans_and_ids_equal_transformers() {
    let chat = chat();
    let tokenizer = tokenizer("tokenizer_bpe");
    let cases = chat["cases"].as_array().unwrap();
    let mut masked = 0;
    assert_eq!(cases.len(), 24);
    for case in cases {
        let name = case["template"].as_str().unwrap();
        let template = template_with(
            chat["templates"][name].as_str().unwrap(),
            json!({"bos_token": case["bos_token"]}),
        );
        let conversation: Vec<Message> =
            list(&chat["conversations"][case["conversation"].as_str().unwrap()]);
        let prompt = case["add_generation_prompt"].as_bool().unwrap();
        let text = case["text"].as_str().unwrap();
        assert_eq!(template.render(&conversation, prompt).unwrap(), text);
        if prompt {
            continue;
        }
        let rendered = template.render_marked(&conversation).unwrap();
        assert_eq!(rendered.text, text);
        let Some(spans) = case.get("assistant_byte_spans") else {
            continue;
        };
        let spans: Vec<Range<usize>> = list::<(usize, usize)>(spans)
            .into_iter()
            .map(|(start, end)| start..end)
            .collect();
        assert_eq!(rendered.assistant, spans, "{name}");
        let (ids, targets) = marked(&tokenizer, &rendered.text, &rendered.assistant);
        assert_eq!(ids, list::<u32>(&case["input_ids"]));
        let mask: Vec<bool> = list::<u8>(&case["assistant_mask"])
            .into_iter()
            .map(|bit| bit == 1)
            .collect();
        assert_eq!(targets, mask, "{name}");
        masked += 1;
    }
    assert_eq!(masked, 6);
}

#[test]
fn templates_without_marks_have_spans_too() {
    let chat = chat();
    let source = |name: &str| chat["templates"][name].as_str().unwrap().to_owned();
    let conversation = |name: &str| list::<Message>(&chat["conversations"][name]);
    let llama = template_with(&source("llama3"), json!({"bos_token": "<|begin_of_text|>"}));
    let gemma = template_with(&source("gemma3"), json!({"bos_token": "<bos>"}));
    for (template, end) in [(&llama, "<|eot_id|>"), (&gemma, "<end_of_turn>")] {
        let with_end = |text: &str| format!("{text}{end}");
        assert_eq!(
            turns(template, &conversation("two_turns_unicode")),
            [with_end("こんにちは 👋🏽"), with_end("Bonjour, ça va ?")]
        );
        assert_eq!(
            turns(template, &conversation("whitespace_kept_or_trimmed")),
            [with_end("It returns x.")]
        );
    }
}

#[test]
fn equal_texts_in_other_turns_do_not_mislead() {
    let chat = chat();
    let conversation = messages(&[
        ("u", "yes"),
        ("a", "yes"),
        ("u", "yes<|im_end|>\n<|im_start|>assistant\nyes"),
        ("a", "yes"),
    ]);
    for name in ["chatml_qwen2.5", "chatml_smollm2"] {
        let template = template(chat["templates"][name].as_str().unwrap());
        let rendered = template.render_marked(&conversation).unwrap();
        let tail = "<|im_start|>assistant\nyes<|im_end|>\n";
        let last = rendered.text.len() - "yes<|im_end|>\n".len();
        assert_eq!(rendered.assistant.len(), 2);
        assert_eq!(rendered.assistant[1], last..rendered.text.len() - 1);
        let first = rendered.text.find(tail).unwrap() + "<|im_start|>assistant\n".len();
        assert_eq!(rendered.assistant[0], first..first + "yes<|im_end|>".len());
    }
}

/// Qwen 3's treatment of reasoning: earlier turns lose it, the last one gets an empty one.
const THINKING: &str = "{%- set ns = namespace(last=-1) %}
{%- for message in messages %}
    {%- if message.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content %}
    {%- set reasoning = '' %}
    {%- if '</think>' in content %}
        {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
    {%- endif %}
    {%- if message.role == 'assistant' and loop.index0 > ns.last %}
        {{- '<|im_start|>assistant\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

#[test]
fn reasoning_belongs_to_the_turn_that_keeps_it() {
    let template = template(THINKING);
    let plain = messages(&[("u", "a?"), ("a", "b"), ("u", "c?"), ("a", "d")]);
    assert_eq!(
        turns(&template, &plain),
        ["b<|im_end|>", "<think>\n\n</think>\n\nd<|im_end|>"]
    );
    let thinking = messages(&[
        ("u", "a?"),
        ("a", "<think>\nhm\n</think>\n\nb"),
        ("u", "c?"),
        ("a", "<think>\nso\n</think>\n\nd"),
    ]);
    assert_eq!(
        turns(&template, &thinking),
        ["b<|im_end|>", "<think>\nso\n</think>\n\nd<|im_end|>"]
    );
}

#[test]
fn a_template_may_ignore_the_generation_prompt() {
    let conversation = messages(&[("u", "a?"), ("a", "b c\nd"), ("u", "e?"), ("a", "f")]);
    let headed =
        "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}";
    assert_eq!(
        turns(&template(headed), &conversation),
        ["b c\nd<|end|>", "f<|end|>"]
    );
    // As Mistral's: the model writes the space before its answer.
    let bracketed = "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}\
         {% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}";
    let tokens = json!({"bos_token": "<s>", "eos_token": {"content": "</s>"}});
    let mistral = template_with(bracketed, tokens);
    assert_eq!(
        mistral.render(&conversation, false).unwrap(),
        "<s>[INST] a? [/INST] b c\nd</s>[INST] e? [/INST] f</s>"
    );
    assert_eq!(turns(&mistral, &conversation), [" b c\nd</s>", " f</s>"]);
}

/// As Mistral 7B's since v0.3: the system's text moves to the user's turn at the end, so that no earlier text is a prefix.
#[test]
fn earlier_turns_may_change_when_others_follow() {
    let source = "{% for m in messages %}{% if m.role == 'user' %}\
         {{ '[INST] ' + (messages[0].content + ' ' if loop.last and messages[0].role == 'system' else '') + m.content + '[/INST]' }}\
         {% elif m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}";
    let template = template_with(source, json!({"eos_token": "</s>"}));
    let conversation = messages(&[("s", "S"), ("u", "a?"), ("a", "The"), ("u", "c?")]);
    let rendered = template.render_marked(&conversation).unwrap();
    assert_eq!(rendered.text, "[INST] a?[/INST] The</s>[INST] S c?[/INST]");
    assert_eq!(turns(&template, &conversation), ["The</s>"]);
    let (ids, targets) = marked(
        &tokenizer("tokenizer_bpe"),
        &rendered.text,
        &rendered.assistant,
    );
    let learnt: Vec<u32> = (ids.iter().zip(&targets))
        .filter(|(_, target)| **target)
        .map(|(id, _)| *id)
        .collect();
    assert_eq!(
        tokenizer("tokenizer_bpe").decode(&learnt, true).unwrap(),
        " The</s>"
    );
}

#[test]
fn the_end_of_text_may_follow_the_last_turn_only() {
    let conversation = messages(&[("u", "a?"), ("a", "b"), ("u", "e?"), ("a", "f")]);
    let tokens = json!({"eos_token": "<|endoftext|>"});
    // As Phi 3's: after a line break of its own.
    let source = "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}\
         {% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}";
    let phi = template_with(source, tokens.clone());
    assert_eq!(turns(&phi, &conversation), ["b<|end|>", "f<|end|>"]);
    let source = "{% for m in messages %}{{ m.role + ':' + m.content + '<|end|>' }}{% endfor %}\
         {% if add_generation_prompt %}{{ 'assistant:' }}{% else %}{{ eos_token }}{% endif %}";
    assert_eq!(
        turns(&template_with(source, tokens), &conversation),
        ["b<|end|>", "f<|end|><|endoftext|>"]
    );
}

#[test]
fn the_template_is_looked_for_where_folders_keep_it() {
    let hello = messages(&[("u", "hi")]);
    let config = json!({
        "chat_template": [
            {"name": "tool_use", "template": "tools"},
            {"name": "default", "template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"},
        ],
        "bos_token": null,
        "eos_token": {"content": "</s>", "lstrip": false},
    });
    let config = serde_json::to_vec(&config).unwrap();
    let map = br#"{"bos_token": "<s>", "eos_token": "wrong"}"#;
    let template = ChatTemplate::from_files(None, Some(&config), Some(map)).unwrap();
    assert_eq!(template.render(&hello, false).unwrap(), "<s>hi</s>");
    assert_eq!(template.bos_token(), Some("<s>"));
    assert_eq!(template.eos_token(), Some("</s>"));
    assert!(!template.is_default());
    let file = ChatTemplate::from_files(Some(b"{{ messages | length }}\n"), Some(&config), None);
    assert_eq!(file.unwrap().render(&hello, true).unwrap(), "1");
    let default = ChatTemplate::from_files(None, Some(b"{}"), None).unwrap();
    assert!(default.is_default());
    assert_eq!(
        default.render(&hello, true).unwrap(),
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(default.bos_token(), None);
    let answered = messages(&[("u", "hi"), ("a", "you too\n")]);
    assert_eq!(turns(&default, &answered), ["you too\n<|im_end|>"]);
}

#[test]
fn templates_that_cannot_be_used_say_why() {
    let refused = |template: Option<&[u8]>, config: &str| {
        let error = ChatTemplate::from_files(template, Some(config.as_bytes()), None).unwrap_err();
        assert_eq!(error.code(), "invalidFile");
        error.to_string()
    };
    let broken = refused(Some(b"a\n{% if %}"), "{}");
    assert!(
        broken.starts_with("chat_template.jinja: the chat template does not compile: "),
        "{broken}"
    );
    assert!(broken.contains("chat_template.jinja:2"), "{broken}");
    assert!(refused(Some(b"\xff"), "{}").contains("UTF-8"));
    assert!(refused(None, "[").starts_with("tokenizer_config.json: expected a JSON object"));
    assert!(refused(None, r#"{"chat_template": 3}"#).contains("expected a string or a list"));
    let named = refused(
        None,
        r#"{"chat_template": [{"name": "rag", "template": ""}]}"#,
    );
    assert!(
        named.ends_with("expected one named \"default\", found: rag"),
        "{named}"
    );

    let chat = chat();
    let gemma = template(chat["templates"]["gemma3"].as_str().unwrap());
    let error = gemma
        .render_marked(&messages(&[("u", "a"), ("u", "b"), ("a", "c")]))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "chat_template.jinja: the chat template refuses the conversation: Conversation roles must alternate \
         user/assistant/user/assistant/..."
    );
}

#[test]
fn turns_that_cannot_be_found_are_an_error() {
    let conversation = messages(&[("u", "a?"), ("a", "b")]);
    for (source, reason) in [
        ("{{ messages[0].content }}", "leaves it out"),
        ("{{ messages[1].content * 2 }}", "more than once"),
        (
            "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
            "leaves it out",
        ),
        (
            "{% for m in messages %}{{ m.content }}{{ m.content | length }}{% endfor %}",
            "what follows it depends on what it says",
        ),
        (
            "{% for m in messages %}{{ m.content | length }}{{ m.content }}{% endfor %}",
            "what precedes it depends on what it says",
        ),
    ] {
        let error = template(source).render_marked(&conversation).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("the assistant's turn (message 2) cannot be found"),
            "{text}"
        );
        assert!(text.contains(reason), "{text}");
    }
    let none = template("x").render_marked(&conversation[..1]).unwrap();
    assert!(none.assistant.is_empty());
}

#[test]
fn trimmed_offsets_mark_the_same_tokens() {
    let mut file: Value = serde_json::from_slice(&fixture("tokenizer_bpe/tokenizer.json")).unwrap();
    file["post_processor"]["trim_offsets"] = json!(true);
    file["post_processor"]["add_prefix_space"] = json!(false);
    let trimming =
        Tokenizer::from_bytes("tokenizer.json", &serde_json::to_vec(&file).unwrap()).unwrap();
    let plain = tokenizer("tokenizer_bpe");
    let text = "A:  The old man said  that.\n  B";
    // "The" begins at 4, but its token has the space before it.
    assert_eq!(
        marked(&plain, text, &[4..7, 7..7]),
        marked(&plain, text, &[3..7, 7..7])
    );
    for start in [2, 3, 4, 5, 7, 11] {
        let spans = [start..26, 26..26];
        let expected = marked(&plain, text, &spans);
        assert!(expected.1.contains(&true) && expected.1.contains(&false));
        assert_eq!(marked(&trimming, text, &spans), expected, "{start}");
    }
}

/// Cases of a tokenizer's file, as the Python library encodes and decodes them.
fn cases(folder: &str) -> Vec<Value> {
    let file: Value = serde_json::from_slice(&fixture(&format!("{folder}/cases.json"))).unwrap();
    file["cases"].as_array().unwrap().clone()
}

#[test]
fn pieces_and_texts_equal_the_python_library() {
    for (folder, added) in [("tokenizer_bpe", 0), ("tokenizer_wordpiece", 1)] {
        let tokenizer = tokenizer(folder);
        let cases = cases(folder);
        assert_eq!(cases.len(), 60);
        for case in cases {
            let text = case["text"].as_str().unwrap();
            let ids: Vec<u32> = list(&case["ids"]);
            assert_eq!(tokenizer.encode(text, 512).unwrap().ids, ids, "{text}");
            let pieces = tokenizer.pieces(text).unwrap();
            let inner = added..ids.len() - added;
            let found: Vec<u32> = pieces.iter().map(|piece| piece.id).collect();
            assert_eq!(found, ids[inner.clone()], "{text}");
            let bytes: Vec<(usize, usize)> = list(&case["byte_offsets"]);
            let found: Vec<(usize, usize)> = pieces
                .iter()
                .map(|piece| (piece.bytes.start, piece.bytes.end))
                .collect();
            assert_eq!(found, bytes[inner], "{text}");
            assert_eq!(tokenizer.decode(&ids, true).unwrap(), case["decoded"]);
            assert_eq!(
                tokenizer.decode(&ids, false).unwrap(),
                case["decoded_with_specials"]
            );
            let tokens: Vec<String> = list(&case["tokens"]);
            for (id, token) in ids.iter().zip(&tokens) {
                assert_eq!(tokenizer.id_to_token(*id).as_ref(), Some(token));
                assert_eq!(tokenizer.token_to_id(token), Some(*id));
            }
        }
    }
    assert_eq!(
        tokenizer("tokenizer_bpe").token_to_id("no such token"),
        None
    );
    assert_eq!(tokenizer("tokenizer_bpe").id_to_token(9999), None);
    assert_eq!(
        tokenizer("tokenizer_bpe").prefix_ids().unwrap(),
        Vec::<u32>::new()
    );
    assert_eq!(tokenizer("tokenizer_wordpiece").prefix_ids().unwrap(), [2]);
}

/// What leaves a stream push by push, and at its end.
fn streamed(tokenizer: &Tokenizer, prompt: &[u32], ids: &[u32]) -> (Vec<String>, String) {
    let mut stream = TextStream::new(prompt, true);
    let pushed = ids
        .iter()
        .filter_map(|id| stream.push(tokenizer, *id).unwrap())
        .collect();
    (
        pushed,
        stream.finish(tokenizer).unwrap().unwrap_or_default(),
    )
}

#[test]
fn streams_hold_back_unfinished_characters() {
    let tokenizer = tokenizer("tokenizer_bpe");
    for case in cases("tokenizer_bpe") {
        let ids: Vec<u32> = list(&case["ids"]);
        let (pushed, rest) = streamed(&tokenizer, &[], &ids);
        let own = case["decoded"].as_str().unwrap().contains('\u{fffd}');
        assert!(own || !pushed.iter().any(|text| text.contains('\u{fffd}')));
        assert_eq!(pushed.concat() + &rest, case["decoded"]);
        for cut in 0..ids.len() {
            let (pushed, rest) = streamed(&tokenizer, &ids[..cut], &ids[cut..]);
            let prompt = tokenizer.decode(&ids[..cut], true).unwrap();
            // A prompt that ends inside a character gives its bytes to the first text that leaves.
            let prompt = prompt.trim_end_matches('\u{fffd}');
            if !own {
                assert_eq!(
                    format!("{prompt}{}{rest}", pushed.concat()),
                    case["decoded"]
                );
            }
        }
    }
    let ids = tokenizer.encode("😀", 64).unwrap().ids;
    assert!(ids.len() > 1);
    let (pushed, rest) = streamed(&tokenizer, &[], &ids[..ids.len() - 1]);
    assert_eq!((pushed.len(), rest.as_str()), (0, "\u{fffd}"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn spans_hold_what_the_assistant_said(
        system in prop::option::of("\\PC{1,20}"),
        turns in prop::collection::vec(("\\PC{1,30}", "[ \n]{0,2}\\PC{0,20}[a-z<|>_][ \n]{0,2}"), 1..5),
    ) {
        let chat = chat();
        let mut conversation: Vec<Message> = Vec::new();
        conversation.extend(system.map(|content| Message::new("system", &content)));
        for (question, answer) in &turns {
            conversation.push(Message::new("user", question));
            conversation.push(Message::new(ASSISTANT, answer));
        }
        for (name, trims, end) in [
            ("chatml_qwen2.5", false, "<|im_end|>"),
            ("chatml_smollm2", false, "<|im_end|>"),
            ("llama3", true, "<|eot_id|>"),
            ("gemma3", true, "<end_of_turn>"),
        ] {
            let template = template_with(chat["templates"][name].as_str().unwrap(), json!({"bos_token": "<s>"}));
            let rendered = template.render_marked(&conversation).unwrap();
            prop_assert_eq!(rendered.assistant.len(), turns.len());
            for (span, (_, answer)) in rendered.assistant.iter().zip(&turns) {
                let answer = if trims { answer.trim() } else { answer };
                prop_assert_eq!(&rendered.text[span.clone()], format!("{answer}{end}"));
                let prompt = &rendered.text[..span.start];
                prop_assert!(prompt.ends_with('\n'));
            }
        }
    }
}
