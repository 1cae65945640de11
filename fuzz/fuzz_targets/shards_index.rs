//! Opens arbitrary bytes as `model.safetensors.index.json` next to one good shard: nothing may panic, and a checkpoint
//! that opens names only tensors that the shard has.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../src/error.rs"]
mod error;
#[allow(dead_code, unused_imports)]
#[path = "../../src/formats/mod.rs"]
mod formats;
#[allow(dead_code)]
#[path = "../../src/hash.rs"]
mod hash;

#[allow(unused_imports)]
use error::{Error, Result};
use formats::{Checkpoint, MemorySource};

/// Two tensors, `a` with one value and `b` with two.
fn shard() -> Vec<u8> {
    let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(&[0; 12]);
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let sources = vec![
        MemorySource::new("model.safetensors.index.json", bytes.to_vec()),
        MemorySource::new("model-00001-of-00001.safetensors", shard()),
    ];
    pollster::block_on(async {
        let Ok(checkpoint) = Checkpoint::open(sources).await else {
            return;
        };
        let names: Vec<String> = checkpoint.names().map(str::to_owned).collect();
        for name in names {
            let elements = if name == "a" { 1 } else { 2 };
            let read = checkpoint
                .tensor(&name)
                .await
                .map(|(_, values)| values.len());
            assert_eq!(read.ok(), Some(elements), "{name}");
        }
    });
});
