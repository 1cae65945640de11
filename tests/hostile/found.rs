//! Inputs that took the engine down or held it up once, each as large as it takes to see that.

use serde_json::{Map, Value, json};
use webtune::formats::{Checkpoint, Header, MemorySource};
use webtune::layers::Storage;
use webtune::tasks::language::model::LanguageModel;
use webtune::text::{ChatTemplate, Message, TextStream, Tokenizer};

use super::entries::{compute, files, options, text};
use super::watch::one;

const BPE: &[u8] = include_bytes!("../fixtures/tokenizer_bpe/tokenizer.json");

fn refused<T>(outcome: webtune::Result<T>, word: &str) {
    let error = outcome.err().expect(word);
    assert_eq!(error.code(), "invalidFile", "{error}");
    assert!(error.to_string().contains(word), "{word}: {error}");
}

/// A JSON array of that many values.
fn zeros(count: usize) -> String {
    format!("[{}0]", "0,".repeat(count))
}

#[test]
fn a_table_with_the_same_name_over_every_column() {
    let row = "text,".repeat(20_000);
    one(files::rows, format!("{row}\n{row}\n").as_bytes());
}

#[test]
fn rows_that_all_have_other_keys() {
    let lines = (0..5000).map(|n| format!("{{\"k{n}\":1,\"text\":\"a\",\"label\":\"b\"}}\n"));
    one(files::rows, lines.collect::<String>().as_bytes());
}

#[test]
fn small_files_that_are_large() {
    let open = |path: &str, bytes: Vec<u8>| {
        let file = MemorySource::new(path, bytes);
        pollster::block_on(Checkpoint::open(vec![file])).map(drop)
    };
    let index = "model.safetensors.index.json";
    refused(open(index, vec![b' '; 10_000_001]), "limit");
    refused(open(index, zeros(200_001).into_bytes()), "values");
    let header = format!("{{\"a\":{}}}", zeros(1_000_001)).into_bytes();
    let size = 8 + header.len() as u64;
    refused(Header::parse("w", &header, size), "values");
    let folder = |path: &str, bytes: usize| {
        let small = json!({"model_type": "llama", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 8, "max_position_embeddings": 8})
        .to_string();
        let files = [("config.json", small.as_bytes()), ("tokenizer.json", BPE)];
        let mut files = files
            .iter()
            .filter(|file| file.0 != path)
            .map(|(path, bytes)| MemorySource::new(*path, bytes.to_vec()))
            .collect::<Vec<_>>();
        files.push(MemorySource::new(path, vec![b' '; bytes]));
        pollster::block_on(LanguageModel::load("m", files, compute(), Storage::F32)).map(drop)
    };
    refused(folder("config.json", (1 << 20) + 1), "too many");
    refused(folder("tokenizer.json", (64 << 20) + 1), "too many");
    refused(
        Tokenizer::from_bytes("t", zeros(4_000_001).as_bytes()),
        "values",
    );
}

#[test]
fn heads_wider_than_any_models() {
    for family in ["llama", "gemma3_text", "modernbert"] {
        let config = json!({"model_type": family, "vocab_size": 9, "hidden_size": 1 << 24, "num_hidden_layers": 1, "num_attention_heads": 1,
            "intermediate_size": 8, "max_position_embeddings": 8, "head_dim": 1 << 24});
        one(files::config, config.to_string().as_bytes());
    }
}

#[test]
fn noise_leaves_as_it_comes() {
    const COUNT: usize = 20_000;
    let tokenizer = Tokenizer::from_bytes("tokenizer.json", BPE).unwrap();
    // the byte 0xff, which is in no text
    let noise = tokenizer.token_to_id("ÿ").unwrap();
    let mut stream = TextStream::new(&[], true);
    let (mut found, mut longest) = (String::new(), 0);
    let mut since = 0;
    for _ in 0..COUNT {
        since += 1;
        if let Some(text) = stream.push(&tokenizer, noise).unwrap() {
            found += &text;
            longest = longest.max(since);
            since = 0;
        }
    }
    found.extend(stream.finish(&tokenizer).unwrap());
    assert_eq!(found, "\u{fffd}".repeat(COUNT));
    assert!(longest <= 16, "{longest} tokens without a text");
    // and a text after it is whole again
    let mut stream = TextStream::new(&[], true);
    let mut ids = vec![noise; 50];
    ids.extend(
        tokenizer
            .pieces("né 日本 cat")
            .unwrap()
            .iter()
            .map(|piece| piece.id),
    );
    let mut found = String::new();
    for id in &ids {
        found.extend(stream.push(&tokenizer, *id).unwrap());
    }
    found.extend(stream.finish(&tokenizer).unwrap());
    assert_eq!(found, tokenizer.decode(&ids, true).unwrap());
}

#[test]
fn many_and_large_patterns() {
    let method = |count: usize, pattern: &str| {
        let keys = (0..count).map(|n| (format!("{pattern}{n}"), json!(2)));
        json!({"type": "lora", "targetModules": ["query"], "rankPattern": keys.collect::<Map<String, Value>>()})
    };
    let read = |method: Value| one(options::method, method.to_string().as_bytes());
    assert!(read(method(256, "(?:a|[b-d]+)*e")));
    assert!(
        !read(method(257, "a")),
        "more than there are kinds of layers"
    );
    assert!(
        !read(method(256, "(?:\\w{50}){50}")),
        "too large when compiled"
    );
    assert!(read(method(50, "\\w+\\.\\d+")));
}

#[test]
fn a_long_conversation() {
    let template = ChatTemplate::from_files(None, None, None).unwrap();
    let turns = (0..200).map(|n| {
        let role = if n % 2 == 0 { "user" } else { "assistant" };
        Message::new(role, &format!("{n}: and so it goes on for a while"))
    });
    let turns = turns.collect::<Vec<_>>();
    let rendered = template.render_marked(&turns).unwrap();
    assert_eq!(rendered.assistant.len(), 100);
    one(
        text::template,
        b"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    );
}

#[test]
fn a_number_formatted_with_millions_of_spaces() {
    for template in [
        "{{ '%16777216d' | format(1) }}",
        "{{ '%s-%15999999s' | format('a', 'b') }}",
        "{{ '{:15999999}'.format('b') }}",
    ] {
        one(text::template, template.as_bytes());
    }
}
