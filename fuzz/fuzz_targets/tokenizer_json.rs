//! Reads arbitrary bytes as `tokenizer.json` and encodes and decodes with what passes: nothing may panic, and no id may be
//! larger than the largest that the tokenizer names.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../src/error.rs"]
mod error;
#[allow(dead_code)]
#[path = "../../src/text/tokenizer.rs"]
mod tokenizer;

#[allow(unused_imports)]
use error::{Error, Result};
use tokenizer::Tokenizer;

fuzz_target!(|bytes: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_bytes("tokenizer.json", bytes) else {
        return;
    };
    if let Ok(encoding) = tokenizer.encode("Hello, world\u{301}!", 16) {
        assert!(encoding.ids.len() <= 16);
        for &id in &encoding.ids {
            assert!(id <= tokenizer.largest_id());
        }
        let _ = tokenizer.decode(&encoding.ids, true);
    }
});
