//! Reads arbitrary bytes as a model.safetensors.index.json.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webtune_fuzz::entries::files;

fuzz_target!(|bytes: &[u8]| {
    files::index(bytes);
});
