//! Reads arbitrary bytes as a checkpoint of a run, the first byte saying of which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webtune_fuzz::entries::runs;

fuzz_target!(|bytes: &[u8]| {
    runs::checkpoint(bytes);
});
