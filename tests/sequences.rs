//! Files for language models: their rows become the right tokens, and no part of an answer is lost.

#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use webtune::data::{
    Packed, ParsedText, Sequence, SequenceBatch, SequenceOptions, TextOptions, TextRow, batches,
    encode_row, encode_rows, pack, parse_text_rows,
};
use webtune::text::{ChatTemplate, Message, Tokenizer};

const EOS: u32 = 0;

fn fixture(path: &str) -> Vec<u8> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
    std::fs::read(format!("{root}{path}")).unwrap()
}

fn tokenizer() -> Tokenizer {
    Tokenizer::from_bytes("tokenizer.json", &fixture("tokenizer_bpe/tokenizer.json")).unwrap()
}

/// The same tokenizer with `<|im_start|>` before every text, as Llama's has its beginning-of-text token.
fn tokenizer_with_bos() -> Tokenizer {
    let mut file: Value = serde_json::from_slice(&fixture("tokenizer_bpe/tokenizer.json")).unwrap();
    file["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}},
    });
    Tokenizer::from_bytes("tokenizer.json", &serde_json::to_vec(&file).unwrap()).unwrap()
}

fn chatml() -> ChatTemplate {
    ChatTemplate::from_files(None, None, None).unwrap()
}

fn with_eos() -> SequenceOptions {
    SequenceOptions {
        eos_token_id: Some(EOS),
        ..SequenceOptions::default()
    }
}

fn parse(name: &str, content: &str) -> Vec<(usize, TextRow)> {
    parse_text_rows(name, content.as_bytes(), &TextOptions::default())
        .unwrap()
        .rows
        .into_iter()
        .map(|ParsedText { row, content, .. }| (row, content))
        .collect()
}

fn refuse(name: &str, content: &str) -> String {
    let error = parse_text_rows(name, content.as_bytes(), &TextOptions::default()).unwrap_err();
    assert!(matches!(error.code(), "invalidData" | "invalidFile"));
    error.to_string()
}

fn chat(turns: &[(&str, &str)]) -> TextRow {
    TextRow::Chat(messages(turns))
}

fn messages(turns: &[(&str, &str)]) -> Vec<Message> {
    turns
        .iter()
        .map(|(role, text)| Message::new(role, text))
        .collect()
}

fn completion(prompt: &str, completion: &str) -> TextRow {
    TextRow::PromptCompletion {
        prompt: prompt.into(),
        completion: completion.into(),
    }
}

/// The texts of the tokens that are learnt, and of those that are not.
fn halves(tokenizer: &Tokenizer, sequence: &Sequence) -> (String, String) {
    let of = |wanted: bool| {
        let ids: Vec<u32> = sequence
            .ids
            .iter()
            .zip(&sequence.targets)
            .filter(|(_, target)| **target == wanted)
            .map(|(id, _)| *id)
            .collect();
        tokenizer.decode(&ids, false).unwrap()
    };
    (of(true), of(false))
}

#[test]
fn conversations_are_read_in_their_usual_shapes() {
    let expected = chat(&[("system", "s"), ("user", "hi"), ("assistant", "yo\n")]);
    let openai = r#"{"id": 1, "messages": [{"role": "system", "content": "s"}, {"role": "user", "content":
        [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]}, {"role": "assistant", "content": "yo\n", "tool_calls": [],
        "weight": 1}]}"#;
    let line = openai.replace('\n', " ");
    assert_eq!(
        parse("a.jsonl", &format!("\u{feff}{line}\r\n\r\n{line}")),
        [(1, expected.clone()), (3, expected.clone())]
    );
    assert_eq!(
        parse("pasted", &format!("[{openai},\n {openai}]")),
        [(1, expected.clone()), (2, expected.clone())]
    );
    let sharegpt = r#"{"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "hi"},
        {"from": "gpt", "value": "yo\n"}]}"#;
    assert_eq!(parse("a.json", &format!("[{sharegpt}]")), [(1, expected)]);
    let alpaca = "{\"instruction\": \"Add.\", \"input\": \"1 2\", \"output\": \"3\"}\n\
        {\"output\": \"b\", \"instruction\": \"a\", \"input\": \"\"}\n{\"instruction\": \"a\", \"output\": \"b\"}";
    assert_eq!(
        parse("a.jsonl", alpaca),
        [
            (1, chat(&[("user", "Add.\n\n1 2"), ("assistant", "3")])),
            (2, chat(&[("user", "a"), ("assistant", "b")])),
            (3, chat(&[("user", "a"), ("assistant", "b")])),
        ]
    );
}

#[test]
fn completions_and_texts_are_read() {
    assert_eq!(
        parse("a.jsonl", r#"{"prompt": "", "completion": " x "}"#),
        [(1, completion("", " x "))]
    );
    let turns = r#"{"prompt": [{"role": "user", "content": "hi"}], "completion": [{"role": "assistant", "content": "yo"}]}"#;
    assert_eq!(
        parse("a.jsonl", turns),
        [(
            1,
            TextRow::ChatCompletion {
                prompt: messages(&[("user", "hi")]),
                completion: messages(&[("assistant", "yo")]),
            }
        )]
    );
    assert_eq!(
        parse(
            "a.jsonl",
            "{\"text\": \"one\"}\n{\"text\": \"two\", \"label\": 1}"
        ),
        [
            (1, TextRow::Text("one".into())),
            (2, TextRow::Text("two".into()))
        ]
    );
    let whole = "{not JSON}\r\n\n  the end\n";
    for name in ["a.txt", "b.MD"] {
        assert_eq!(parse(name, whole), [(1, TextRow::Text(whole.into()))]);
    }
    assert_eq!(
        parse("pasted", "so long"),
        [(1, TextRow::Text("so long".into()))]
    );
}

#[test]
fn rows_that_cannot_be_learnt_are_named() {
    for (content, reason) in [
        (
            "{\"text\": \"a\"}\n{\"prompt\": \"a\"}",
            "a.jsonl, row 2: the key \"text\", which the first row has, is missing",
        ),
        (
            "{\"label\": 1}",
            "a.jsonl, row 1: expected rows with messages, conversations, ",
        ),
        (
            "{\"text\": \"a\"}\n\n[1]",
            "a.jsonl, row 3: expected a JSON object or a list of a text and its label, found another array",
        ),
        (
            "[{\"text\": \"a\"}, 3]",
            "a.jsonl, row 2: expected a JSON object, found a number",
        ),
        (
            "[{\"text\": \"a\"",
            "a.jsonl: expected JSON: EOF while parsing an object",
        ),
        ("[]", "a.jsonl: the array is empty; "),
        (
            " \n",
            "a.jsonl: the file is empty; expected rows with messages",
        ),
        (
            "{\"text\": \"a\"}\n{\"text\": \"\\n\"}",
            "a.jsonl, row 2: text: expected a text, but it is blank",
        ),
        (
            "{\"text\": 3}",
            "a.jsonl, row 1: text: expected a string, found a number",
        ),
        (
            "{\"prompt\": \"a\", \"completion\": \" \"}",
            "completion: expected a text, but it is blank",
        ),
        (
            "{\"instruction\": \"\", \"output\": \"b\"}",
            "instruction: expected a text, but it is blank",
        ),
        (
            "{\"messages\": {}}",
            "messages: expected an array of messages, found an object",
        ),
        (
            "{\"messages\": []}",
            "expected at least one turn of the assistant, found none",
        ),
        (
            "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}",
            "expected at least one turn of the assistant",
        ),
        (
            "{\"prompt\": [{\"role\": \"assistant\", \"content\": \"a\"}], \"completion\": []}",
            "completion: expected at least one turn of the assistant",
        ),
        (
            "{\"messages\": [\"a\"]}",
            "row 1: messages, message 1: expected an object, found a string",
        ),
        (
            "{\"messages\": [{\"content\": \"a\"}]}",
            "the key \"role\" is missing; the keys found are: \"content\"",
        ),
        (
            "{\"messages\": [{\"role\": \"tool\", \"content\": \"a\"}]}",
            "messages, message 1: role: expected system, user or assistant (or human, gpt, chatgpt, bing, bard, model, bot), found \"tool\"",
        ),
        (
            "{\"messages\": [{\"role\": \"user\", \"content\": null}]}",
            "content: expected a string, found null",
        ),
        (
            "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image\"}]}]}",
            "content: expected parts of type text, found \"image\"",
        ),
        (
            "{\"conversations\": [{\"from\": \"gpt\", \"value\": \" \"}]}",
            "conversations, message 1: value: the assistant's turn is blank",
        ),
        (
            "{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\", \"tool_calls\": [{}]}]}",
            "tool_calls is not supported",
        ),
        (
            "{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\", \"weight\": 0}]}",
            "weight: expected 1",
        ),
    ] {
        let found = refuse("a.jsonl", content);
        assert!(found.contains(reason), "{content}: {found}");
    }
    assert!(refuse("a.csv", "prompt,completion\na,b\n").contains("found a table"));
    assert!(
        parse_text_rows("a.txt", b"\xff", &TextOptions::default())
            .unwrap_err()
            .to_string()
            .contains("UTF-8")
    );
}

#[test]
fn conversations_learn_their_answers() {
    let (tokenizer, template) = (tokenizer(), chatml());
    let row = chat(&[
        ("user", "a?"),
        ("assistant", "b"),
        ("user", "c?"),
        ("assistant", "d e"),
    ]);
    let found = encode_row(&row, &[], &tokenizer, &template, 512, &with_eos()).unwrap();
    let [sequence] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(sequence.truncated, 0);
    let (learnt, rest) = halves(&tokenizer, sequence);
    assert_eq!(learnt, "b<|im_end|>d e<|im_end|>");
    assert_eq!(
        rest,
        "<|im_start|>user\na?<|im_end|>\n<|im_start|>assistant\n\n<|im_start|>user\nc?<|im_end|>\n<|im_start|>assistant\n\n"
    );
    let everything = SequenceOptions {
        assistant_only_loss: false,
        ..SequenceOptions::default()
    };
    let all = &encode_row(&row, &[], &tokenizer, &template, 512, &everything).unwrap()[0];
    assert_eq!(all.ids, sequence.ids);
    assert_eq!(halves(&tokenizer, all).1, "<|im_start|>");
    let row = TextRow::ChatCompletion {
        prompt: messages(&[("user", "a?"), ("assistant", "b"), ("user", "c?")]),
        completion: messages(&[("assistant", "d e")]),
    };
    let later = &encode_row(
        &row,
        &[],
        &tokenizer,
        &template,
        512,
        &SequenceOptions::default(),
    )
    .unwrap()[0];
    assert_eq!(later.ids, sequence.ids);
    assert_eq!(halves(&tokenizer, later).0, "d e<|im_end|>");
}

#[test]
fn completions_learn_what_follows_the_prompt() {
    let (plain, bos, template) = (tokenizer(), tokenizer_with_bos(), chatml());
    let encode = |tokenizer: &Tokenizer, row: &TextRow, options: &SequenceOptions| {
        encode_row(row, &[], tokenizer, &template, 512, options)
            .unwrap()
            .remove(0)
    };
    let row = completion("The old", " man said");
    let sequence = encode(&plain, &row, &with_eos());
    assert_eq!(
        halves(&plain, &sequence),
        (" man said<|endoftext|>".into(), "The old".into())
    );
    let sequence = encode(&bos, &row, &with_eos());
    assert_eq!(sequence.ids[0], 1);
    assert_eq!(halves(&bos, &sequence).1, "<|im_start|>The old");
    let sequence = encode(&plain, &row, &SequenceOptions::default());
    assert_eq!(halves(&plain, &sequence).0, " man said");
    // " man" is one token, of which the prompt has the space.
    let sequence = encode(&plain, &completion("The old ", "man said"), &with_eos());
    assert_eq!(halves(&plain, &sequence).0, " man said<|endoftext|>");
    let everything = SequenceOptions {
        completion_only_loss: false,
        ..with_eos()
    };
    assert_eq!(
        halves(&bos, &encode(&bos, &row, &everything)).1,
        "<|im_start|>"
    );
}

#[test]
fn texts_are_cut_into_blocks() {
    let (plain, bos, template) = (tokenizer(), tokenizer_with_bos(), chatml());
    let row = TextRow::Text("The old man said that he did not know.".into());
    let whole = &encode_row(&row, &[], &plain, &template, 512, &with_eos()).unwrap()[0];
    assert_eq!(whole.ids.len(), 12);
    assert_eq!(whole.ids[11], EOS);
    for (tokenizer, max_length, lengths) in [
        (&plain, 12, vec![12]),
        (&plain, 5, vec![5, 5, 2]),
        (&bos, 5, vec![5, 5, 3]),
        (&bos, 4, vec![4, 4, 3, 2]),
        (&bos, 3, vec![3, 3, 3, 2, 2]),
    ] {
        let blocks = encode_row(&row, &[], tokenizer, &template, max_length, &with_eos()).unwrap();
        let found: Vec<usize> = blocks.iter().map(|block| block.ids.len()).collect();
        assert_eq!(found, lengths);
        let mut ids: Vec<u32> = blocks.iter().flat_map(|block| block.ids.clone()).collect();
        if ids[0] == 1 {
            ids.remove(0);
        }
        assert_eq!(ids, whole.ids);
        for block in &blocks {
            assert!(!block.targets[0] && block.targets[1..].iter().all(|target| *target));
            assert_eq!(block.truncated, 0);
        }
    }
}

#[test]
fn prompts_are_cut_on_the_left() {
    let (plain, bos, template) = (tokenizer(), tokenizer_with_bos(), chatml());
    let row = completion("The old man said that he did", " not know");
    let encode = |tokenizer: &Tokenizer, row: &TextRow, max_length| {
        encode_row(row, &[], tokenizer, &template, max_length, &with_eos())
    };
    let sequence = encode(&plain, &row, 6).unwrap().remove(0);
    assert_eq!(
        halves(&plain, &sequence),
        (" not know<|endoftext|>".into(), " he did".into())
    );
    assert_eq!(sequence.truncated, 5);
    let sequence = encode(&bos, &row, 6).unwrap().remove(0);
    assert_eq!(halves(&bos, &sequence).1, "<|im_start|> did");
    assert_eq!(sequence.ids.len(), 6);
    for tokenizer in [&plain, &bos] {
        let shortest = encode(tokenizer, &row, 4).unwrap().remove(0);
        assert_eq!(halves(tokenizer, &shortest).0, " not know<|endoftext|>");
        let error = encode(tokenizer, &row, 3).unwrap_err().to_string();
        assert!(error.contains("the answer has 3 tokens"), "{error}");
        assert!(error.contains("only 3 fit"), "{error}");
    }
    // The turn after the answer goes before anything of the question does.
    let row = chat(&[
        ("user", "The old man said"),
        ("assistant", "that"),
        ("user", "he did not know."),
    ]);
    let whole = encode(&plain, &row, 512).unwrap().remove(0);
    let cut = encode(&plain, &row, whole.ids.len() - 1).unwrap().remove(0);
    assert!(
        plain
            .decode(&cut.ids, false)
            .unwrap()
            .ends_with("<|im_start|>assistant\nthat<|im_end|>")
    );
    assert_eq!(cut.truncated, whole.ids.len() - cut.ids.len());
    assert!(whole.ids.starts_with(&cut.ids));
}

#[test]
fn errors_name_the_row() {
    let (tokenizer, template) = (tokenizer(), chatml());
    let rows = |contents: &[TextRow]| -> Vec<ParsedText> {
        (3..)
            .zip(contents)
            .map(|(row, content)| ParsedText {
                row,
                content: content.clone(),
                tools: Vec::new(),
            })
            .collect()
    };
    let encode = |template: &ChatTemplate, rows: &[ParsedText], max_length| {
        encode_rows(
            "a.jsonl",
            rows,
            &tokenizer,
            template,
            max_length,
            &with_eos(),
        )
    };
    let good = completion("a", "b");
    let long = completion("a", &"b ".repeat(20));
    assert_eq!(
        encode(&template, &rows(&[good.clone(), good.clone()]), 8)
            .unwrap()
            .sequences
            .len(),
        2
    );
    let mixed = rows(&[good.clone(), long.clone(), good.clone(), long.clone()]);
    let skip_bad = SequenceOptions {
        skip_bad: true,
        ..with_eos()
    };
    let found = encode_rows("a", &mixed, &tokenizer, &template, 8, &skip_bad).unwrap();
    assert_eq!((found.kept, found.sequences.len()), (vec![0, 2], 2));
    let skipped: Vec<usize> = found.skipped.iter().map(|one| one.row).collect();
    assert_eq!(skipped, [4, 6]);
    let error = encode(&template, &mixed, 8).unwrap_err();
    assert!(
        error.to_string().contains("row 6 cannot be used either"),
        "{error}"
    );
    let error = encode(&template, &rows(&[good.clone(), long]), 8).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("a.jsonl, row 4: the answer has "),
        "{error}"
    );
    let single = SequenceOptions::default();
    let lone = rows(&[TextRow::Text("a".into())]);
    let error = encode_rows("a", &lone, &tokenizer, &template, 8, &single).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("a, row 3: expected at least one token"),
        "{error}"
    );
    let raising = b"{{ raise_exception('no ' + messages[0].role) }}";
    let raising = ChatTemplate::from_files(Some(raising), None, None).unwrap();
    let error = encode(
        &raising,
        &rows(&[chat(&[("user", "a"), ("assistant", "b")])]),
        8,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "a.jsonl, row 3: chat_template.jinja: the chat template refuses the conversation: no user"
    );
    assert_eq!(
        encode(&template, &rows(&[good]), 2).unwrap_err().code(),
        "invalidOption"
    );
}

fn sequence(ids: &[u32], targets: &[bool]) -> Sequence {
    Sequence {
        ids: ids.to_vec(),
        targets: targets.to_vec(),
        truncated: 0,
    }
}

#[test]
fn sequences_are_packed_longest_first() {
    let lengths = [2u32, 5, 3, 6, 2];
    let sequences: Vec<Sequence> = (1..)
        .zip(lengths)
        .map(|(id, length)| {
            let ids = vec![id; length as usize];
            sequence(&ids, &vec![true; ids.len()])
        })
        .collect();
    let rows = pack(sequences.clone(), 8).unwrap();
    let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
    assert_eq!(
        ids,
        [
            &[4, 4, 4, 4, 4, 4, 1, 1][..],
            &[2, 2, 2, 2, 2, 3, 3, 3],
            &[5, 5]
        ]
    );
    assert_eq!(rows[0].segments, [0, 0, 0, 0, 0, 0, 1, 1]);
    assert_eq!(rows[0].positions, [0, 1, 2, 3, 4, 5, 0, 1]);
    assert_eq!(
        rows[0].targets,
        [false, true, true, true, true, true, false, true]
    );
    assert_eq!(pack(Vec::new(), 8).unwrap(), []);
    let error = pack(sequences, 5).unwrap_err().to_string();
    assert!(
        error.contains("at most 5 tokens, found one of 6"),
        "{error}"
    );
}

#[test]
fn batches_of_sequences_are_padded_on_the_right() {
    let one = Packed::from(sequence(&[7, 8, 9], &[true, true, false]));
    let two = pack(
        vec![
            sequence(&[1, 2], &[false, true]),
            sequence(&[3, 4, 5], &[false, true, true]),
        ],
        5,
    )
    .unwrap()
    .remove(0);
    let batch = SequenceBatch::pad(&[&one, &two], 6).unwrap();
    assert_eq!((batch.rows, batch.width, batch.target_count), (2, 5, 4));
    assert_eq!(batch.ids, [7, 8, 9, 6, 6, 3, 4, 5, 1, 2]);
    assert_eq!(batch.segments, [0, 0, 0, -1, -1, 0, 0, 0, 1, 1]);
    assert_eq!(batch.positions, [0, 1, 2, 0, 0, 0, 1, 2, 0, 1]);
    let targets = [
        false, true, false, false, false, false, true, true, false, true,
    ];
    assert_eq!(batch.targets, targets);
    let empty = SequenceBatch::pad(&[&Packed::default()], 6).unwrap();
    assert_eq!(
        (empty.ids, empty.segments, empty.width),
        (vec![6], vec![-1], 1)
    );
    assert_eq!(empty.target_count, 0);
    let huge = Packed::from(sequence(&[u32::MAX], &[false]));
    assert_eq!(
        SequenceBatch::pad(&[&huge], 6).unwrap_err().code(),
        "internal"
    );
}

fn sequences() -> impl Strategy<Value = Vec<Sequence>> {
    let one = prop::collection::vec((0u32..9, any::<bool>()), 1..20).prop_map(|tokens| {
        let (ids, targets): (Vec<u32>, Vec<bool>) = tokens.into_iter().unzip();
        sequence(&ids, &targets)
    });
    prop::collection::vec(one, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn packing_keeps_every_sequence(sequences in sequences(), max_length in 20usize..60) {
        let rows = pack(sequences.clone(), max_length).unwrap();
        prop_assert_eq!(&rows, &pack(sequences.clone(), max_length).unwrap());
        let mut expected: BTreeMap<(Vec<u32>, Vec<bool>), usize> = BTreeMap::new();
        for Sequence { ids, mut targets, .. } in sequences {
            targets[0] = false;
            *expected.entry((ids, targets)).or_default() += 1;
        }
        let mut found: BTreeMap<(Vec<u32>, Vec<bool>), usize> = BTreeMap::new();
        for row in &rows {
            prop_assert!(!row.is_empty() && row.len() <= max_length);
            prop_assert!(row.segments.is_sorted() && row.segments[0] == 0);
            for segment in 0..=row.segments[row.len() - 1] {
                let tokens: Vec<usize> = (0..row.len()).filter(|at| row.segments[*at] == segment).collect();
                let positions: Vec<u32> = tokens.iter().map(|at| row.positions[*at]).collect();
                prop_assert_eq!(positions, (0..tokens.len() as u32).collect::<Vec<_>>());
                let ids = tokens.iter().map(|at| row.ids[*at]).collect();
                let targets = tokens.iter().map(|at| row.targets[*at]).collect();
                *found.entry((ids, targets)).or_default() += 1;
            }
        }
        prop_assert_eq!(found, expected);
        // First fit never leaves two rows that would fit into one.
        let lengths: Vec<usize> = rows.iter().map(Packed::len).collect();
        prop_assert!(lengths.windows(2).all(|pair| pair[0] + pair[1] > max_length));
        let batch_rows: usize = batches(&lengths, 3, 1, 0).unwrap().iter().map(Vec::len).sum();
        prop_assert_eq!(batch_rows, rows.len());
    }

    #[test]
    fn cutting_loses_nothing_of_the_answer(
        prompt in "[a-z ]{0,40}", answer in "[a-z ]{1,20}x", followed: bool, as_chat: bool, with_bos: bool, max_length in 3usize..60,
    ) {
        let tokenizer = if with_bos { tokenizer_with_bos() } else { tokenizer() };
        let template = chatml();
        let row = if as_chat {
let mut turns = messages(&[("user", &prompt), ("assistant", &answer)]);
                turns.extend(followed.then(|| Message::new("user", "and then?")));
                TextRow::Chat(turns)
} else {
completion(&format!("{prompt}."), &format!(" {answer}"))
};
        let encode = |max_length| encode_row(&row, &[], &tokenizer, &template, max_length, &with_eos());
        let whole = encode(4096).unwrap().remove(0);
        prop_assert_eq!(whole.truncated, 0);
        let (learnt, _) = halves(&tokenizer, &whole);
        let expected = if as_chat { format!("{answer}<|im_end|>") } else { format!(" {answer}<|endoftext|>") };
        prop_assert_eq!(&learnt, &expected);
        let answer_length = whole.targets.iter().filter(|target| **target).count();
        match encode(max_length) {
            Ok(mut cut) => {
                let cut = cut.remove(0);
                prop_assert!(cut.ids.len() <= max_length);
                prop_assert_eq!(cut.ids.len() + cut.truncated, whole.ids.len());
                prop_assert_eq!(halves(&tokenizer, &cut).0, expected);
                let bos = !as_chat && with_bos;
                prop_assert!(!bos || cut.ids[0] == 1);
            }
            Err(error) => {
                prop_assert!(answer_length + 1 > max_length, "{error}");
                prop_assert!(error.to_string().contains("the answer has"), "{error}");
            }
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(
        text in "[\\[\\]{}\",:a\n ]{0,40}", name in prop::sample::select(vec!["a.jsonl", "a.json", "a.txt", "a"]),
        key in prop::sample::select(vec!["messages", "conversations", "prompt", "text", "instruction"]),
        value in "[\\[\\]{}\",:a]{0,12}",
    ) {
        let _ = parse_text_rows(name, text.as_bytes(), &TextOptions::default());
        let whole = format!("{{\"{key}\": {value}}}");
        let _ = parse_text_rows(name, whole.as_bytes(), &TextOptions::default());
    }
}
