//! Reads arbitrary bytes as a safetensors file and as a header: nothing may panic, and a header that passes must have
//! tensors that fill the file exactly.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The target uses a part of each file.
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
use formats::{Header, MemorySource, read_tensor};

/// Panics unless the tensors follow each other from `start` to `end`, each as large as its shape says.
fn assert_consistent(header: &Header, start: u64, end: u64) {
    let mut covered = start;
    for tensor in header.tensors() {
        assert_eq!(tensor.start, covered);
        let elements: u128 = tensor.shape.iter().map(|&size| size as u128).product();
        let bits = u128::from(tensor.end - tensor.start) * 8;
        assert_eq!(bits, elements * u128::from(tensor.dtype.bits()));
        covered = tensor.end;
    }
    assert_eq!(covered, end);
}

fuzz_target!(|bytes: &[u8]| {
    // The header alone, with the size of the file after it: reaches every layout without the right length in front.
    if let Some((size, json)) = bytes.split_last_chunk::<2>().map(|(json, n)| (*n, json)) {
        let start = 8 + json.len() as u64;
        let end = start + u64::from(u16::from_le_bytes(size));
        if let Ok(header) = Header::parse("fuzz", json, end) {
            assert_consistent(&header, start, end);
        }
    }

    let source = MemorySource::new("fuzz", bytes.to_vec());
    pollster::block_on(async {
        let Ok(header) = Header::read(&source).await else {
            return;
        };
        let data_bytes: u64 = header.tensors().iter().map(|t| t.end - t.start).sum();
        let size = bytes.len() as u64;
        assert_consistent(&header, size - data_bytes, size);
        for tensor in header.tensors() {
            match read_tensor(&source, &header, &tensor.name).await {
                Ok((shape, values)) => assert_eq!(shape.iter().product::<usize>(), values.len()),
                Err(error) => assert!(matches!(error.code(), "wrongDtype" | "notFinite")),
            }
        }
    });
});
