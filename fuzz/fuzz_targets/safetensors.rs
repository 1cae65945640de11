//! Reads arbitrary bytes as a safetensors file, and a header of one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webtune_fuzz::entries::files;

fuzz_target!(|bytes: &[u8]| {
    files::safetensors(bytes);
});
