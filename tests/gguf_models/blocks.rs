//! Blocks that a storage holds exactly, which are kept as the file has them.

use pollster::block_on;
use webtune::device::read;
use webtune::layers::Storage;
use webtune::layers::storage::widen;
use webtune::models::{GgufModel, Network};

use super::common::golden::relative_error;
use super::{load, logits, source};

/// The files of `generate_gguf.py` whose matrices are all of one type, with the storages that hold them.
const EXACT: [(&str, &[Storage]); 6] = [
    ("llama_q8_0", &[Storage::Int8]),
    ("gpt2_q8_0", &[Storage::Int8]),
    ("llama_q5_0", &[Storage::Int8]),
    ("gpt2_q5_0", &[Storage::Int8]),
    ("llama_q4_0", &[Storage::Int8, Storage::Int4]),
    ("gpt2_q4_0", &[Storage::Int8, Storage::Int4]),
];

const IDS: [i64; 12] = [256, 3, 60, 17, 100, 101, 255, 4, 9, 200, 31, 77];

#[test]
fn a_model_in_blocks_gives_the_logits_of_one_in_float32() {
    for (name, storages) in EXACT {
        let plain = logits(&load(vec![source(name)], Storage::F32).unwrap(), &IDS);
        for storage in storages {
            let found = logits(&load(vec![source(name)], *storage).unwrap(), &IDS);
            let error = relative_error(&found, &plain);
            println!("{name} {storage:?}: {error:.1e}");
            // the same products, of which some are summed in another order
            assert!(error < 1e-6, "{name} {storage:?}: {error}");
        }
    }
}

#[test]
fn linear_layers_keep_the_values_of_the_file() {
    for (name, storages) in EXACT {
        let gguf = block_on(GgufModel::open(source(name))).unwrap();
        let checkpoint = gguf.into_checkpoint();
        for storage in storages {
            let mut model = load(vec![source(name)], *storage).unwrap().model;
            let mut layers = 0;
            for (module, linear) in model.linears_mut() {
                let read = read(linear.weight());
                let found = block_on(read).unwrap();
                let name_of_weight = format!("{module}.weight");
                let stored = checkpoint.tensor(&name_of_weight);
                let (shape, expected) = block_on(stored).unwrap();
                let [input, output] = linear.shape();
                let expected = if name.starts_with("gpt2") {
                    assert_eq!(shape, [input, output], "{module}");
                    expected
                } else {
                    assert_eq!(shape, [output, input], "{module}");
                    let turned =
                        (0..input * output).map(|at| expected[at % output * input + at / output]);
                    turned.collect()
                };
                assert!(found == expected, "{name} {storage:?} {module}");
                layers += 1;
            }
            assert!(layers >= 4, "{name}");
        }
    }
}

#[test]
fn four_bits_round_what_has_more() {
    for name in ["llama_q8_0", "llama_q5_0"] {
        let plain = logits(&load(vec![source(name)], Storage::F32).unwrap(), &IDS);
        let found = logits(&load(vec![source(name)], Storage::Int4).unwrap(), &IDS);
        let error = relative_error(&found, &plain);
        assert!((1e-3..1.0).contains(&error), "{name}: {error}");
    }
}

#[test]
fn a_word_table_keeps_the_blocks_of_the_file() {
    for (name, storage) in [
        ("llama", Storage::Int8),
        ("llama_q4_0", Storage::Int4),
        ("llama_q5_0", Storage::Int8),
    ] {
        let table = load(vec![source(name)], storage).unwrap();
        let table = &table.model.model.embed_tokens;
        let gguf = block_on(GgufModel::open(source(name))).unwrap();
        let checkpoint = gguf.into_checkpoint();
        let expected = checkpoint.tensor("model.embed_tokens.weight");
        let (shape, expected) = block_on(expected).unwrap();
        let mut found = Vec::new();
        for (part, rows) in table.parts.iter().zip(table.starts.windows(2)) {
            let part = widen(part.val(), [rows[1] - rows[0], shape[1]]);
            found.extend(block_on(read(part)).unwrap());
        }
        assert!(found == expected, "{name}");
    }
}
