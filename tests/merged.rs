//! Weight files written whole, and merged models written in pieces, read back.

use std::collections::BTreeMap;

use pollster::block_on;
use serde_json::Value;
use webtune::export::shards::{MergedTensor, MergedWriter, Piece, ShardPlan};
use webtune::formats::{Checkpoint, Float, Header, MemorySource, read_tensor, write};

fn tensor(name: &str, shape: &[usize], dtype: Float) -> MergedTensor {
    MergedTensor {
        name: name.into(),
        shape: shape.into(),
        dtype,
    }
}

/// Not in alphabetical order, and of three types.
fn model() -> Vec<MergedTensor> {
    vec![
        tensor("model.embed_tokens.weight", &[50, 8], Float::BF16),
        tensor("model.layers.0.q_proj.weight", &[8, 8], Float::F16),
        tensor("model.layers.0.norm.weight", &[7], Float::F32),
        tensor("empty", &[0, 4], Float::F32),
        tensor("a.scalar", &[], Float::F32),
        tensor("lm_head.weight", &[50, 8], Float::F32),
    ]
}

/// Values of many sizes, already of the type.
fn values(tensor: &MergedTensor) -> Vec<f32> {
    let count = tensor.shape.iter().product::<usize>();
    let start = tensor.name.len() as f32;
    (0..count)
        .map(|i| tensor.dtype.round((start + i as f32 * 0.731).sin() * 3.0))
        .collect()
}

/// What a host does with pieces.
#[derive(Default)]
struct Host {
    open: Option<(String, u64, Vec<u8>)>,
    files: Vec<MemorySource>,
}

impl Host {
    fn take(&mut self, pieces: impl IntoIterator<Item = Piece>) {
        for piece in pieces {
            match piece {
                Piece::Open { file, bytes } => {
                    assert!(self.open.is_none());
                    self.open = Some((file, bytes, Vec::new()));
                }
                Piece::Bytes(bytes) => self.open.as_mut().unwrap().2.extend(bytes),
                Piece::Close => {
                    let (file, size, bytes) = self.open.take().unwrap();
                    assert_eq!(bytes.len() as u64, size, "{file}");
                    self.files.push(MemorySource::new(file, bytes));
                }
            }
        }
    }
}

fn written(plan: &ShardPlan) -> Vec<MemorySource> {
    let mut host = Host::default();
    let mut writer = plan.clone().writer();
    while let Some(next) = writer.next().cloned() {
        let values = values(&next);
        host.take(writer.tensor(&next.name, &next.shape, values).unwrap());
    }
    host.take(writer.finish().unwrap());
    assert!(host.open.is_none());
    host.files
}

#[test]
fn shards_read_back_bit_by_bit() {
    // 800 bytes, 128, 28, 0, 4, 1600
    for (max_bytes, files) in [
        (u64::MAX, vec!["model.safetensors"]),
        (2560, vec!["model.safetensors"]),
        (
            2559,
            vec![
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
                "model.safetensors.index.json",
            ],
        ),
        (
            // each larger one alone
            100,
            vec![
                "model-00001-of-00004.safetensors",
                "model-00002-of-00004.safetensors",
                "model-00003-of-00004.safetensors",
                "model-00004-of-00004.safetensors",
                "model.safetensors.index.json",
            ],
        ),
    ] {
        let plan = ShardPlan::new(model(), max_bytes).unwrap();
        let sources = written(&plan);
        let names = sources.iter().map(|source| source.path.as_str());
        assert_eq!(names.collect::<Vec<_>>(), files);
        let checkpoint = block_on(Checkpoint::open(sources.iter().collect())).unwrap();
        assert_eq!(checkpoint.names().count(), model().len());
        for expected in model() {
            let file = checkpoint.weight_file(&expected.name).unwrap();
            let source = sources.iter().find(|source| source.path == file).unwrap();
            let header = block_on(Header::read(source)).unwrap();
            let info = header.info(&expected.name).unwrap();
            assert_eq!(info.dtype.float(), Some(expected.dtype));
            assert_eq!(info.start % (info.dtype.bits() / 8), 0);
            let (shape, found) = block_on(checkpoint.tensor(&expected.name)).unwrap();
            assert_eq!(shape, expected.shape);
            let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            assert_eq!(bits(found), bits(values(&expected)));
        }
        if files.len() > 1 {
            let index: Value = serde_json::from_slice(&sources.last().unwrap().bytes).unwrap();
            assert_eq!(index["metadata"]["total_size"], 2560);
            let map: BTreeMap<String, String> =
                serde_json::from_value(index["weight_map"].clone()).unwrap();
            assert_eq!(map.len(), model().len());
            for (name, file) in map {
                assert_eq!(checkpoint.weight_file(&name), Some(file.as_str()));
            }
        }
    }
}

#[test]
fn a_large_tensor_comes_in_several_pieces() {
    let large = tensor("w", &[1100, 1000], Float::BF16);
    let plan = ShardPlan::new(vec![large.clone()], u64::MAX).unwrap();
    let values = values(&large);
    let mut writer = plan.clone().writer();
    let mut pieces = writer.tensor("w", &[1100, 1000], values).unwrap();
    // open, header, two pieces, close, and then no more
    assert_eq!(pieces.by_ref().count(), 5);
    assert_eq!(pieces.next(), None);
}

#[test]
fn what_does_not_fit_the_plan_is_refused_by_name() {
    let why = "cannot write the merged model:";
    let plan = ShardPlan::new(model(), 900).unwrap();
    let give = |writer: &mut MergedWriter, name: &str, shape: &[usize], values: &[f32]| {
        (writer
            .tensor(name, shape, values.to_vec())
            .map(|pieces| pieces.count()))
        .map_err(|error| error.to_string())
    };
    let mut writer = plan.clone().writer();
    let first = writer.next().cloned().unwrap();
    let second = &model()[1];
    let zeros = vec![0.0; 400];
    assert_eq!(
        give(&mut writer, "other", &[1], &[0.0]).unwrap_err(),
        format!("{why} tensor other is not in the plan")
    );
    assert_eq!(
        give(&mut writer, &second.name, &[8, 8], &zeros[..64]).unwrap_err(),
        format!(
            "{why} tensor {} came out of turn, expected {}",
            second.name, first.name
        )
    );
    assert_eq!(
        give(&mut writer, &first.name, &[8, 50], &zeros).unwrap_err(),
        format!("{}: expected [50, 8], got [8, 50]", first.name)
    );
    assert_eq!(
        give(&mut writer, &first.name, &[50, 8], &zeros[1..]).unwrap_err(),
        format!("{}: expected [50, 8], got [399]", first.name)
    );
    let mut bad = zeros.clone();
    bad[3] = f32::NAN;
    assert!(give(&mut writer, &first.name, &[50, 8], &bad).is_err());
    give(&mut writer, &first.name, &[50, 8], &zeros).unwrap();
    assert_eq!(
        give(&mut writer, &first.name, &[50, 8], &zeros).unwrap_err(),
        format!("{why} tensor {} is given twice", first.name)
    );
    assert_eq!(
        writer.finish().unwrap_err().to_string(),
        format!(
            "{why} tensor {} is missing, with it 5 of 6",
            plan.tensors().nth(1).unwrap().name
        )
    );

    let half = ShardPlan::new(vec![tensor("w", &[2], Float::F16)], 900).unwrap();
    assert_eq!(
        give(&mut half.writer(), "w", &[2], &[65504.0, -70000.0]).unwrap_err(),
        format!("{why} tensor w: its value -70000 at index 1 is too large for F16; choose F32")
    );
    let refused = |tensors| ShardPlan::new(tensors, 900).unwrap_err().to_string();
    assert_eq!(refused(vec![]), format!("{why} it has no tensor"));
    let one = || tensor("w", &[2], Float::F16);
    assert_eq!(
        refused(vec![one(), one()]),
        format!("{why} tensor w is listed twice")
    );
}

#[test]
fn a_model_leaves_in_shards_as_it_came() {
    // stays for tests/exports/check_merged.py
    let folder = format!("{}/merged", env!("CARGO_TARGET_TMPDIR"));
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bert");
    let bytes = std::fs::read(format!("{fixture}/model.safetensors")).unwrap();
    let source = MemorySource::new("model.safetensors", bytes);
    let model = block_on(Checkpoint::open(vec![&source])).unwrap();
    let tensors = model
        .names()
        .map(|name| tensor(name, model.shape(name).unwrap(), Float::F32));
    let plan = ShardPlan::new(tensors.collect(), 40_000).unwrap();
    let mut host = Host::default();
    let mut writer = plan.writer();
    while let Some(next) = writer.next().cloned() {
        let (shape, values) = block_on(model.tensor(&next.name)).unwrap();
        host.take(writer.tensor(&next.name, &shape, values).unwrap());
    }
    host.take(writer.finish().unwrap());
    assert!(host.files.len() > 2);
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(
        format!("{fixture}/config.json"),
        format!("{folder}/config.json"),
    )
    .unwrap();
    for file in &host.files {
        std::fs::write(format!("{folder}/{}", file.path), &file.bytes).unwrap();
    }
    let again = block_on(Checkpoint::open(host.files.iter().collect())).unwrap();
    assert!(again.names().eq(model.names()));
    for name in model.names() {
        assert_eq!(block_on(again.tensor(name)), block_on(model.tensor(name)));
    }
}

/// The free text in a file's header.
fn metadata(file: &[u8]) -> BTreeMap<String, String> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    let found = header.get("__metadata__").cloned();
    found.map_or_else(BTreeMap::new, |found| {
        serde_json::from_value(found).unwrap()
    })
}

/// Both files were written by PyTorch tools (transformers, PEFT): reading and writing them again gives the same bytes.
#[test]
fn files_of_other_tools_come_back_byte_for_byte() {
    for path in ["model.safetensors", "adapter/adapter_model.safetensors"] {
        let root = env!("CARGO_MANIFEST_DIR");
        let bytes = std::fs::read(format!("{root}/tests/fixtures/bert/{path}")).unwrap();
        let source = MemorySource::new(path, bytes.clone());
        let header = block_on(Header::read(&source)).unwrap();
        let metadata = metadata(&bytes);
        assert_eq!(metadata.get("format"), Some(&"pt".to_owned()));
        let tensors: Vec<_> = header
            .tensors()
            .iter()
            .map(|info| {
                let (shape, values) = block_on(read_tensor(&source, &header, &info.name)).unwrap();
                (info.name.as_str(), shape, values)
            })
            .collect();
        assert!(!tensors.is_empty());
        // Backwards: the writer sorts.
        let written = write(
            tensors.iter().rev().map(|(n, s, v)| (*n, &s[..], &v[..])),
            &metadata,
        )
        .unwrap();
        assert!(written == bytes, "{path} came back differently");
    }
}
