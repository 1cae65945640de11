//! Reads arbitrary bytes as a tokenizer_config.json.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webtune_fuzz::entries::text;

fuzz_target!(|bytes: &[u8]| {
    text::tokenizer_config(bytes);
});
