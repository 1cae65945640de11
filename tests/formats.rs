//! Valid, damaged and random weight files: each is read exactly, or refused with an error that names it.

#![cfg(not(target_arch = "wasm32"))]

use std::cell::Cell;
use std::collections::BTreeMap;

use pollster::block_on;
use proptest::prelude::*;
use webtune::formats::{
    Dtype, Header, MemorySource, Source, read_all, read_tensor, read_values, write,
};
use webtune::{Error, Result};

const FILE: &str = "model.safetensors";

/// A file of this header text and this many zero bytes of data.
fn file_of(header: &str, data_bytes: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.resize(file.len() + data_bytes, 0);
    file
}

/// The header entry of one tensor.
fn entry(name: &str, dtype: &str, shape: &str, start: u64, end: u64) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#)
}

fn read_header(file: Vec<u8>) -> Result<Header> {
    block_on(Header::read(&MemorySource::new(FILE, file)))
}

fn read_one(file: Vec<u8>, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
    let source = MemorySource::new(FILE, file);
    let header = block_on(Header::read(&source))?;
    block_on(read_tensor(&source, &header, name))
}

/// Every tensor lies in the file, they follow each other without holes and fill it.
fn assert_consistent(header: &Header, data_start: u64, file_size: u64) {
    let mut covered = data_start;
    for tensor in header.tensors() {
        assert_eq!(tensor.start, covered, "{}", tensor.name);
        let elements: u64 = tensor.shape.iter().map(|&size| size as u64).product();
        assert_eq!(
            (tensor.end - tensor.start) * 8,
            elements * tensor.dtype.bits(),
            "{}",
            tensor.name
        );
        assert_eq!(header.info(&tensor.name), Some(tensor));
        covered = tensor.end;
    }
    assert_eq!(covered, file_size);
}

/// A header and the number of data bytes after it, then the reason why the file is refused.
const DEFECTS: &str = r#"
{"a" +0
the header is not valid JSON: EOF while parsing an object at line 1 column 4
{}{} +0
the header is not valid JSON: trailing characters at line 1 column 3
[1] +0
the header is JSON but not an object of tensors: invalid type: sequence, expected an object of tensors at line 1 column 0
{"__metadata__":1} +0
__metadata__ is not an object of strings
{"__metadata__":{"step":1}} +0
__metadata__: the value of step is not a string
{"__metadata__":{},"__metadata__":{}} +0
__metadata__ is listed twice
{"w":1} +0
tensor w: its header entry has no dtype
{"w":{"dtype":"F32"}} +0
tensor w: its header entry has no shape
{"w":{"dtype":"F32","shape":[]}} +0
tensor w: its header entry has no data_offsets
{"w":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}} +4
tensor w: unknown dtype "F31"
{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}} +4
tensor w: its shape is not a list of whole numbers
{"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}} +4
tensor w: its shape is not a list of whole numbers
{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}} +4
tensor w: its data_offsets are not two whole numbers
{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}} +4
tensor w: shape [4294967296, 4294967296] of F32 is larger than any memory
{"w":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}} +2
tensor w: shape [3] of F4 is 12 bits, not a whole number of bytes
{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}} +4
tensor w: its data_offsets [4, 0] end before they start
{"w":{"dtype":"F16","shape":[2,3],"data_offsets":[0,24]}} +24
tensor w: shape [2, 3] of F16 needs 12 bytes, but data_offsets [0, 24] hold 24
{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}} +6
tensor b: its data starts at 2 and overlaps tensor a, which ends at 4
{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[6,10]}} +10
tensor b: its data starts at 6, but the 2 bytes before it, from 4 on, belong to no tensor
{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} +3
tensor w: its data ends at byte 66 of the file, but the file has 65 bytes; it is truncated
{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} +5
the last 1 of its 67 bytes belong to no tensor
{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} +4
tensor w: it is listed twice
"#;

fn assert_refused(file: Vec<u8>, reason: &str) {
    let error = read_header(file).unwrap_err();
    assert_eq!(error.code(), "invalidFile");
    assert_eq!(error.to_string(), format!("{FILE}: {reason}"));
}

#[test]
fn each_defect_of_the_header_has_its_own_text() {
    let lines: Vec<&str> = DEFECTS.trim().lines().collect();
    for case in lines.chunks(2) {
        let (header, data_bytes) = case[0].rsplit_once(" +").unwrap();
        assert_refused(file_of(header, data_bytes.parse().unwrap()), case[1]);
    }
}

#[test]
fn each_defect_before_the_header_has_its_own_text() {
    let claim = |length: u64| {
        let mut file = length.to_le_bytes().to_vec();
        file.resize(64, 0);
        file
    };
    let too_short = "a safetensors file has at least 8 bytes, this one has";
    assert_refused(vec![], &format!("{too_short} 0"));
    assert_refused(vec![1; 7], &format!("{too_short} 7"));
    assert_refused(
        claim(100_000_001),
        "the header claims 100000001 bytes, more than the limit of 100000000; this is no safetensors file",
    );
    assert_refused(
        claim(57),
        "the header claims 57 bytes, but only 56 follow; the file is truncated or no safetensors file",
    );
    assert_refused(
        claim(0),
        "the header is not valid JSON: EOF while parsing a value at line 1 column 0",
    );
    let mut not_utf8 = file_of("{  }", 0);
    not_utf8[9] = 0xff;
    assert_refused(
        not_utf8,
        "the header is not UTF-8: byte 9 of the file is the first bad one",
    );
}

#[test]
fn accepts_what_the_reference_implementation_accepts() {
    let file = file_of(
        &format!(
            "{{{},\"__metadata__\":null,{},{}}}   ",
            entry("b", "I64", "[]", 4, 12),
            entry("a", "F4", "[2,4]", 0, 4),
            entry("none", "BF16", "[3,0]", 4, 4)
        ),
        12,
    );
    let header = read_header(file).unwrap();
    let names: Vec<_> = header.tensors().iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a", "none", "b"]);
    assert_eq!(header.info("b").map(|t| t.dtype), Some(Dtype::I64));
    assert_eq!(
        read_header(file_of("{}", 0)).unwrap().tensors().len(),
        0,
        "an empty file is valid"
    );
}

#[test]
fn tensors_that_are_not_floats_are_listed_but_not_read() {
    for &dtype in Dtype::ALL {
        let bytes = dtype.bits();
        let file = file_of(
            &format!("{{{}}}", entry("w", dtype.name(), "[8]", 0, bytes)),
            bytes as usize,
        );
        let read = read_one(file, "w");
        if dtype.float().is_some() {
            assert_eq!(read, Ok((vec![8], vec![0.0; 8])));
        } else {
            assert_eq!(
                read.unwrap_err().to_string(),
                format!(
                    "w: expected F64, F32, F16 or BF16, got {dtype}; quantised weights cannot be tuned, take the unquantised model that they were made from"
                )
            );
        }
    }
}

#[test]
fn a_missing_tensor_and_values_that_are_not_finite_are_named() {
    let header = format!("{{{}}}", entry("w", "F32", "[4]", 0, 16));
    let mut file = file_of(&header, 16);
    assert_eq!(
        read_one(file.clone(), "v").unwrap_err().to_string(),
        "model.safetensors: tensor v is missing"
    );
    let data = file.len() - 16;
    file[data + 4..data + 8].copy_from_slice(&f32::NAN.to_le_bytes());
    file[data + 12..].copy_from_slice(&f32::NEG_INFINITY.to_le_bytes());
    assert_eq!(
        read_one(file, "w"),
        Err(Error::NotFinite {
            tensor: "w".to_owned(),
            count: 2,
            index: 1
        })
    );
}

#[test]
fn a_tensor_in_ranges_has_the_values_and_the_errors_of_the_whole() {
    let header = format!("{{{}}}", entry("w", "F32", "[2,3]", 0, 24));
    let mut file = file_of(&header, 24);
    let data = file.len() - 24;
    let set = |file: &mut Vec<u8>, index: usize, value: f32| {
        file[data + 4 * index..data + 4 * index + 4].copy_from_slice(&value.to_le_bytes());
    };
    for index in 0..6 {
        set(&mut file, index, index as f32);
    }
    let read = |file: &[u8], range| {
        let source = MemorySource::new(FILE, file.to_vec());
        let header = block_on(Header::read(&source)).unwrap();
        block_on(read_values(&source, &header, "w", range))
    };
    assert_eq!(read(&file, 0..6).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(read(&file, 2..5).unwrap(), [2.0, 3.0, 4.0]);
    assert_eq!(read(&file, 6..6).unwrap(), [] as [f32; 0]);
    assert_eq!(
        read(&file, 3..7).unwrap_err().to_string(),
        "w: values 3 to 7 were asked for, and it has 6"
    );
    set(&mut file, 3, f32::NAN);
    set(&mut file, 5, f32::INFINITY);
    let whole = read_one(file.clone(), "w").unwrap_err();
    assert_eq!(read(&file, 0..3).unwrap(), [0.0, 1.0, 2.0]);
    assert_eq!(read(&file, 3..4).unwrap_err(), whole);
}

/// A file that may claim more bytes than it holds, and notes the longest range asked for.
struct Watched {
    held: MemorySource,
    size: u64,
    longest: Cell<usize>,
}

impl Watched {
    fn new(bytes: Vec<u8>, missing: u64) -> Self {
        Self {
            size: bytes.len() as u64 + missing,
            held: MemorySource::new(FILE, bytes),
            longest: Cell::new(0),
        }
    }
}

impl Source for Watched {
    fn path(&self) -> &str {
        FILE
    }

    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        self.longest.set(self.longest.get().max(length));
        self.held.read(offset, length).await
    }
}

#[test]
fn a_tensor_that_no_memory_holds_is_refused_before_it_is_read() {
    let bytes = 1u64 << 60;
    let header = format!(
        "{{{}}}",
        entry("w", "F16", "[576460752303423488]", 0, bytes)
    );
    let source = Watched::new(file_of(&header, 0), bytes);
    let header = block_on(Header::read(&source)).unwrap();
    assert_eq!(
        block_on(read_tensor(&source, &header, "w"))
            .unwrap_err()
            .to_string(),
        "model.safetensors: tensor w: there is no memory for its 576460752303423488 values"
    );
}

#[test]
fn a_tensor_of_several_pieces_is_read_in_ranges() {
    let values: Vec<f32> = (0..2_500_000).map(|i| i as f32).collect();
    let shape = [1000, 2500];
    let bytes = write([("w", &shape[..], &values[..])], &BTreeMap::new()).unwrap();
    let source = Watched::new(bytes, 0);
    let header = block_on(Header::read(&source)).unwrap();
    let (read_shape, read) = block_on(read_tensor(&source, &header, "w")).unwrap();
    assert_eq!(read_shape, shape);
    assert!(read == values, "the values differ");
    assert_eq!(source.longest.get(), 8 << 20);
}

/// Tensors of any names and small shapes, scalars and empty ones included.
fn tensors() -> impl Strategy<Value = BTreeMap<String, (Vec<usize>, Vec<f32>)>> {
    let tensor = prop::collection::vec(0usize..4, 0..4).prop_flat_map(|shape| {
        let count = shape.iter().product::<usize>();
        let finite = any::<f32>().prop_filter("finite", |value| value.is_finite());
        (Just(shape), prop::collection::vec(finite, count))
    });
    let name = any::<String>().prop_filter("reserved", |name| name != "__metadata__");
    prop::collection::btree_map(name, tensor, 0..6)
}

fn write_all(
    tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    metadata: &BTreeMap<String, String>,
) -> Vec<u8> {
    let tensors = tensors
        .iter()
        .map(|(name, (shape, values))| (name.as_str(), &shape[..], &values[..]));
    write(tensors, metadata).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    // No file of past failures next to the sources: a failure prints its smallest input.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(
        tensors in tensors(),
        metadata in prop::collection::btree_map(any::<String>(), any::<String>(), 0..3),
    ) {
        let bytes = write_all(&tensors, &metadata);
        let source = MemorySource::new(FILE, bytes.clone());
        prop_assert_eq!(&block_on(read_all(&source)).unwrap(), &bytes);
        let header = block_on(Header::read(&source)).unwrap();
        prop_assert_eq!(header.tensors().len(), tensors.len());
        for (name, (shape, values)) in &tensors {
            let (read_shape, read) = block_on(read_tensor(&source, &header, name)).unwrap();
            prop_assert_eq!(&read_shape, shape);
            prop_assert_eq!(bits(&read), bits(values));
            prop_assert_eq!(header.info(name).unwrap().start % 4, 0);
        }
    }

    #[test]
    fn random_headers_never_panic(bytes in any::<Vec<u8>>(), file_size in any::<u64>()) {
        for size in [file_size, bytes.len() as u64 + 8] {
            if let Ok(header) = Header::parse(FILE, &bytes, size) {
                assert_consistent(&header, bytes.len() as u64 + 8, size);
            }
        }
        drop(read_header(bytes));
    }

    #[test]
    fn random_entries_are_refused_or_consistent(
        dtype in prop::sample::select(vec!["F32", "F16", "F4", "F6_E2M3", "I64", "F"]),
        shape in prop::collection::vec(prop_oneof![0u64..5, any::<u64>()], 0..4),
        offsets in prop_oneof![(Just(0u64), 0u64..64), (any::<u64>(), any::<u64>())],
        size in prop_oneof![0u64..400, any::<u64>()],
    ) {
        let header = format!("{{{}}}", entry("w", dtype, &format!("{shape:?}"), offsets.0, offsets.1));
        if let Ok(parsed) = Header::parse(FILE, header.as_bytes(), size) {
            assert_consistent(&parsed, header.len() as u64 + 8, size);
        }
    }

    #[test]
    fn damaged_files_are_refused_or_consistent(
        tensors in tensors(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        length in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = write_all(&tensors, &BTreeMap::new());
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut {
            bytes.truncate(length.index(bytes.len()));
        }
        let size = bytes.len() as u64;
        let source = MemorySource::new(FILE, bytes);
        match block_on(Header::read(&source)) {
            Ok(header) => {
                let prefix: [u8; 8] = source.bytes[..8].try_into().unwrap();
                assert_consistent(&header, 8 + u64::from_le_bytes(prefix), size);
                for tensor in header.tensors() {
                    match block_on(read_tensor(&source, &header, &tensor.name)) {
                        Ok((shape, values)) => prop_assert_eq!(
                            shape.iter().product::<usize>(),
                            values.len()
                        ),
                        Err(error) => prop_assert!(
                            matches!(error.code(), "wrongDtype" | "notFinite"),
                            "{}", error
                        ),
                    }
                }
            }
            Err(error) => prop_assert!(error.to_string().starts_with("model.safetensors: ")),
        }
    }
}
