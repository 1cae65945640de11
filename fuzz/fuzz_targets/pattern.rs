//! Reads arbitrary bytes as a pattern of module names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webtune_fuzz::entries::options;

fuzz_target!(|bytes: &[u8]| {
    options::pattern(bytes);
});
