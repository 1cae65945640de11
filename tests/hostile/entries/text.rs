//! Tokenizers and chat templates.

use webtune::text::{ChatTemplate, Message, TextStream, Texts, Tokenizer};

/// As tokenizer.json: texts to ids and back.
pub fn tokenizer(bytes: &[u8]) -> bool {
    let Ok(tokenizer) = Tokenizer::from_bytes("tokenizer.json", bytes) else {
        return false;
    };
    let largest = tokenizer.largest_id();
    let _ = tokenizer.prefix_ids();
    let long = "the quick brown fox ".repeat(50);
    for text in [
        "",
        " ",
        "a",
        "Hello, world\u{301}!",
        "日本 \u{1F469}\u{200D}\u{1F4BB}\0\r\n",
        &long,
    ] {
        if let Ok(encoding) = tokenizer.encode(text, 16) {
            assert!(encoding.ids.len() <= 16);
            assert!(encoding.ids.iter().all(|id| *id <= largest));
            let _ = tokenizer.decode(&encoding.ids, true);
        }
        let pair = Texts {
            text,
            pair: Some("and another"),
        };
        if let Ok(encoding) = tokenizer.encode(pair, 16) {
            assert!(encoding.ids.len() <= 16 && encoding.ids.len() == encoding.type_ids.len());
        }
        let Ok(pieces) = tokenizer.pieces(text) else {
            continue;
        };
        let mut stream = TextStream::new(&[], false);
        for piece in pieces {
            assert!(piece.bytes.end <= text.len() && piece.id <= largest);
            let _ = stream.push(&tokenizer, piece.id);
        }
        let _ = stream.finish(&tokenizer);
    }
    true
}

/// As chat_template.jinja, whose turns must be inside the text that it writes.
pub fn template(bytes: &[u8]) -> bool {
    write(ChatTemplate::from_files(Some(bytes), None, None))
}

/// As tokenizer_config.json and as special_tokens_map.json.
pub fn tokenizer_config(bytes: &[u8]) -> bool {
    let tokens = write(ChatTemplate::from_files(None, None, Some(bytes)));
    write(ChatTemplate::from_files(None, Some(bytes), None)) && tokens
}

/// Whether a conversation could be written down.
fn write(template: webtune::Result<ChatTemplate>) -> bool {
    let Ok(template) = template else { return false };
    let mut written = false;
    let mut conversation = vec![
        Message::new("system", "Be brief."),
        Message::new("user", "Hello"),
        Message::new("assistant", "Good day"),
        Message::new("user", "\u{1F469}\n{{ 7 * 7 }}"),
        Message::new("assistant", ""),
    ];
    for _ in 0..2 {
        if let Ok(rendered) = template.render_marked(&conversation) {
            for span in rendered.assistant {
                assert!(rendered.text.get(span).is_some());
            }
        }
        written |= template.render(&conversation, true).is_ok();
        conversation.remove(0);
    }
    written
}
