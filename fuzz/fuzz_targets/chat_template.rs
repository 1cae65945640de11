//! Compiles arbitrary bytes as a chat template and as `tokenizer_config.json` and writes conversations with them:
//! nothing may panic or run without end, and a turn that is found must be inside the text.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../src/error.rs"]
mod error;
#[allow(dead_code)]
#[path = "../rooms/text.rs"]
mod text;

#[allow(unused_imports)]
use error::{Error, Result};
use text::{ChatTemplate, Message};

fuzz_target!(|bytes: &[u8]| {
    let conversation = [
        Message::new("system", "Be brief."),
        Message::new("user", "Hello"),
        Message::new("assistant", "Good day"),
    ];
    for (template, config) in [(Some(bytes), None), (None, Some(bytes))] {
        let Ok(template) = ChatTemplate::from_files(template, config, None) else {
            continue;
        };
        if let Ok(rendered) = template.render_marked(&conversation) {
            for span in rendered.assistant {
                assert!(rendered.text.get(span).is_some());
            }
        }
    }
});
