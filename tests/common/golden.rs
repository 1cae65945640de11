//! Reads a fixture's bytes into its tensors by name.

use std::collections::HashMap;

use webtune::formats::{Dtype, Header, MemorySource, Source, read_tensor};

/// The tensors of a golden file: floats, and the integers that the engine itself never reads.
pub struct Golden {
    pub floats: HashMap<String, (Vec<usize>, Vec<f32>)>,
    pub ints: HashMap<String, (Vec<usize>, Vec<i64>)>,
}

impl Golden {
    pub async fn read(bytes: &[u8]) -> Self {
        let source = MemorySource::new("golden.safetensors", bytes.to_vec());
        let header = Header::read(&source).await.unwrap();
        let mut golden = Self {
            floats: HashMap::new(),
            ints: HashMap::new(),
        };
        for info in header.tensors() {
            if info.dtype == Dtype::I64 {
                let length = (info.end - info.start) as usize;
                let bytes = source.read(info.start, length).await.unwrap();
                let values = bytes
                    .chunks_exact(8)
                    .map(|chunk| i64::from_le_bytes(chunk.try_into().unwrap()))
                    .collect();
                golden
                    .ints
                    .insert(info.name.clone(), (info.shape.clone(), values));
            } else {
                let tensor = read_tensor(&source, &header, &info.name).await.unwrap();
                golden.floats.insert(info.name.clone(), tensor);
            }
        }
        golden
    }

    pub fn float(&self, name: &str) -> &[f32] {
        &self
            .floats
            .get(name)
            .unwrap_or_else(|| panic!("golden {name}"))
            .1
    }
}

/// Largest difference over the largest expected value: the tensor's own scale, so that an entry near zero does not
/// turn rounding into a failure.
pub fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected
        .iter()
        .fold(1e-12_f64, |max, value| max.max(f64::from(value.abs())));
    let difference = found
        .iter()
        .zip(expected)
        .map(|(a, b)| f64::from((a - b).abs()))
        // a NaN must not vanish in a maximum
        .fold(0.0_f64, |max, value| {
            if value.is_nan() {
                f64::INFINITY
            } else {
                max.max(value)
            }
        });
    difference / scale
}

/// How far steps have moved values from where training began, against how far they should have: the length of the difference over
/// the length of the expected movement. The values themselves would not tell: a tensor of ones has moved by a hundredth.
pub fn movement_error(start: &[f32], found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), start.len());
    assert_eq!(expected.len(), start.len());
    let mut difference = 0.0_f64;
    let mut movement = 0.0_f64;
    for ((start, found), expected) in start.iter().zip(found).zip(expected) {
        difference += f64::from(found - expected).powi(2);
        movement += f64::from(expected - start).powi(2);
    }
    if difference.is_nan() {
        // a NaN must not vanish in a maximum
        return f64::INFINITY;
    }
    (difference / movement.max(1e-24)).sqrt()
}
