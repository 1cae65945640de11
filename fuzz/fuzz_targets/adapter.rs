//! Reads arbitrary bytes as a file of an adapter, the first two bytes saying which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webtune_fuzz::entries::runs;

fuzz_target!(|bytes: &[u8]| {
    runs::adapter(bytes);
});
