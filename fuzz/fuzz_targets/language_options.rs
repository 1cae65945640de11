//! Reads arbitrary bytes as the options of a language model's run.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webtune_fuzz::entries::options;

fuzz_target!(|bytes: &[u8]| {
    options::language(bytes);
});
