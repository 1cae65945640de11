//! Reads arbitrary bytes as a GGUF file, and the model in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webtune_fuzz::entries::files;

fuzz_target!(|bytes: &[u8]| {
    files::gguf(bytes);
});
