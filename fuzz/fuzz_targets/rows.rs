//! Reads arbitrary bytes as rows with labels and texts for a language model.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webtune_fuzz::entries::files;

fuzz_target!(|bytes: &[u8]| {
    files::rows(bytes);
});
