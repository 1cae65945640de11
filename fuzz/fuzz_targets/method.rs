//! Reads arbitrary bytes as the settings of a method.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webtune_fuzz::entries::options;

fuzz_target!(|bytes: &[u8]| {
    options::method(bytes);
});
