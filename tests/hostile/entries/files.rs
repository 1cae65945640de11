//! Weights, configurations and rows.

use pollster::block_on;
use webtune::data::{ParseOptions, TableFormat, TextEncoding, TextOptions, parse, parse_text_rows};
use webtune::device::EngineKind;
use webtune::formats::{Checkpoint, GgufHead, Header, MemorySource, read_tensor};
use webtune::layers::Storage;
use webtune::models::random::{random_checkpoint, random_language_model};
use webtune::models::size::Shape;
use webtune::models::{BackboneConfig, DecoderConfig, GgufModel, NetworkSizes};
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::language::model::{LanguageModel, Prompt};
use webtune::tasks::language::tuned::next_logits;

use super::compute;

/// As the config.json of a classifier's model and of a language model: what its memory would be, and where that is little, the model with random
/// weights; and as the files that say which head a model has.
pub fn config(bytes: &[u8]) -> bool {
    let mut loaded = false;
    if let Ok(config) = BackboneConfig::parse(bytes) {
        sizes(|storage, kind| NetworkSizes::of_backbone(&config, storage, kind));
        let _ = config.default_head(Some(b"[]"), Some(bytes));
        if config.parameters() < 200_000 {
            // there are none if the file asks for a deviation that no float32 has
            let files = random_checkpoint(&config, 1).map(|weights| folder(bytes, weights));
            loaded |=
                files.is_ok_and(|files| block_on(Pretrained::load("m", files, compute())).is_ok());
        }
    }
    if let Ok(config) = DecoderConfig::parse(bytes) {
        sizes(|storage, kind| NetworkSizes::of_decoder(&config, storage, kind));
        if config.parameters() < 200_000 {
            let files = random_language_model(&config, 1).map(|weights| folder(bytes, weights));
            loaded |= files.is_ok_and(|files| {
                block_on(LanguageModel::load("m", files, compute(), Storage::F32)).is_ok()
            });
        }
    }
    loaded
}

fn folder(config: &[u8], weights: Vec<u8>) -> Vec<MemorySource> {
    let tokenizer =
        br#"{"model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}}"#;
    vec![
        MemorySource::new("config.json", config.to_vec()),
        MemorySource::new("tokenizer.json", tokenizer.to_vec()),
        MemorySource::new("model.safetensors", weights),
    ]
}

/// A sum that no memory holds may not look like a small one.
fn sizes(of: impl Fn(Storage, EngineKind) -> NetworkSizes) {
    for storage in [Storage::F32, Storage::F16, Storage::Int8, Storage::Int4] {
        for kind in [EngineKind::Cpu, EngineKind::Webgpu] {
            let sizes = of(storage, kind);
            assert!(sizes.weight_bytes() <= sizes.loading_bytes());
            let mut last = 0;
            for tokens in [1, 1 << 8, 1 << 16, 1 << 24, 1 << 32, 1 << 48] {
                let shape = Shape {
                    rows: 3,
                    tokens,
                    past: tokens,
                };
                let bytes = sizes.forward_bytes(shape);
                assert!(
                    bytes >= last,
                    "{bytes} for {tokens} tokens, {last} for fewer"
                );
                last = bytes;
                let _ = sizes.generation_bytes(shape, tokens);
                let _ = sizes.layer_bytes(shape);
                let _ = sizes.passing_bytes(shape);
            }
        }
    }
}

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

/// As a whole safetensors file, and as a header with the last two bytes saying how much comes after it, which reaches every layout without the right
/// length in front.
pub fn safetensors(bytes: &[u8]) -> bool {
    if let Some((json, size)) = bytes.split_last_chunk::<2>() {
        let start = 8 + json.len() as u64;
        let end = start + u64::from(u16::from_le_bytes(*size));
        if let Ok(header) = Header::parse("fuzz", json, end) {
            assert_consistent(&header, start, end);
        }
    }
    let source = MemorySource::new("fuzz", bytes.to_vec());
    block_on(async {
        let Ok(header) = Header::read(&source).await else {
            return false;
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
        true
    })
}

/// As a whole GGUF file: every tensor has as many values as its shape says, in the file and under its other name, and a model that loads reads a
/// text.
pub fn gguf(bytes: &[u8]) -> bool {
    let source = MemorySource::new("fuzz.gguf", bytes.to_vec());
    block_on(async {
        if let Ok(head) = GgufHead::read(&source).await {
            for tensor in head.tensors.values() {
                assert!(tensor.start + tensor.bytes() <= bytes.len() as u64);
                assert_eq!(tensor.shape.iter().product::<usize>() as u64, tensor.values);
            }
        }
        let Ok(model) = GgufModel::open(&source).await else {
            return false;
        };
        assert!(DecoderConfig::parse(&model.config_json()).is_ok());
        let checkpoint = model.into_checkpoint();
        let names: Vec<String> = checkpoint.names().map(str::to_owned).collect();
        for name in names {
            match checkpoint.tensor(&name).await {
                Ok((shape, values)) => assert_eq!(shape.iter().product::<usize>(), values.len()),
                Err(error) => assert!(matches!(error.code(), "notFinite" | "readFailed")),
            }
        }
        let loaded = LanguageModel::load("", vec![source], compute(), Storage::F32).await;
        let Ok(model) = loaded else {
            return false;
        };
        let prompt = Prompt::Text("the cat\n <s> 12".into());
        let _ = next_logits(&model, &model.model, &prompt).await;
        true
    })
}

/// Two tensors, `a` with one value and `b` with two.
fn shard() -> Vec<u8> {
    let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(&[0; 12]);
    bytes
}

/// As model.safetensors.index.json next to one good shard: a checkpoint that opens names only tensors that the shard has.
pub fn index(bytes: &[u8]) -> bool {
    let sources = vec![
        MemorySource::new("model.safetensors.index.json", bytes.to_vec()),
        MemorySource::new("model-00001-of-00001.safetensors", shard()),
    ];
    block_on(async {
        let Ok(checkpoint) = Checkpoint::open(sources).await else {
            return false;
        };
        let names: Vec<String> = checkpoint.names().map(str::to_owned).collect();
        for name in names {
            let elements = if name == "a" { 1 } else { 2 };
            let read = checkpoint.tensor(&name).await;
            let read = read.map(|(_, values)| values.len());
            assert_eq!(read.ok(), Some(elements), "{name}");
        }
        true
    })
}

/// As a table of labelled texts in each format and some encodings, as what a gzip file holds, and as texts for a language model: every row has a number and a text.
pub fn rows(bytes: &[u8]) -> bool {
    let mut read = false;
    let formats = [
        None,
        Some(TableFormat::Csv),
        Some(TableFormat::Tsv),
        Some(TableFormat::Jsonl),
        Some(TableFormat::LabelTab),
        Some(TableFormat::FastText),
        Some(TableFormat::Trec),
    ];
    let encodings = [TextEncoding::Utf16Le, TextEncoding::Windows1252].map(|one| (None, Some(one)));
    for (format, encoding) in formats.map(|one| (one, None)).into_iter().chain(encodings) {
        let options = ParseOptions {
            format,
            encoding,
            skip_bad: encoding.is_some(),
            ..ParseOptions::default()
        };
        if let Ok(table) = parse("rows", bytes, &options) {
            for row in table.rows {
                assert!(row.row > 0 && !row.text.trim().is_empty());
            }
            read = true;
        }
    }
    let packed = [b"\x1f\x8b\x08\0", bytes].concat();
    assert!(parse("rows.csv.gz", &packed, &ParseOptions::default()).is_err());
    for name in ["rows.jsonl", "rows.json", "rows.txt"] {
        for skip_bad in [false, true] {
            let options = TextOptions {
                skip_bad,
                ..TextOptions::default()
            };
            if let Ok(found) = parse_text_rows(name, bytes, &options) {
                assert!(found.rows.iter().all(|row| row.row > 0));
                read = true;
            }
        }
    }
    read
}
