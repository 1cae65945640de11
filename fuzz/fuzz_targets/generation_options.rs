//! Reads arbitrary bytes as the options of writing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webtune_fuzz::entries::options;

fuzz_target!(|bytes: &[u8]| {
    options::generation(bytes);
});
