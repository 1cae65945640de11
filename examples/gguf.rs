//! What the engine makes of a GGUF file, to be compared with another implementation: reads texts, a JSON list, from standard input and writes
//! JSON with the token ids of each and the logits after its last one. `tests/fixtures/check_gguf.py` runs it.
//!
//! ```text
//! echo '["the cat"]' | cargo run --release --example gguf -- model.gguf [f32|f16|int8|int4]
//! ```

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use pollster::block_on;
use serde_json::json;
use webtune::device::{Compute, read};
use webtune::formats::Source;
use webtune::layers::Storage;
use webtune::models::CausalBatch;
use webtune::models::decoder::Layout;
use webtune::tasks::language::model::LanguageModel;
use webtune::{Error, Result};

/// A file that is read in ranges.
struct OnDisk {
    path: String,
    size: u64,
}

impl Source for OnDisk {
    fn path(&self) -> &str {
        &self.path
    }

    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        let range = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = vec![0; length];
            file.read_exact(&mut bytes).map(|()| bytes)
        };
        range().map_err(|error: std::io::Error| Error::read(&self.path, error))
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("expected the path of a GGUF file")?;
    let storage = arguments.next().unwrap_or_else(|| "f32".into());
    let storage: Storage = serde_json::from_value(storage.into())?;
    let texts: Vec<String> = serde_json::from_reader(std::io::stdin())?;
    let size = std::fs::metadata(&path)?.len();
    let load = LanguageModel::load("", vec![OnDisk { path, size }], Compute::cpu(), storage);
    let model = block_on(load)?;
    let mut found = Vec::new();
    for text in texts {
        let mut ids = model.tokenizer.prefix_ids()?;
        ids.extend(model.tokenizer.pieces(&text)?.iter().map(|piece| piece.id));
        let mut logits = Vec::new();
        if !ids.is_empty() {
            let width = ids.len();
            let row = ids.iter().map(|id| *id as i32).collect();
            let layout = Layout::plain(1, width);
            let batch = CausalBatch::new(row, &vec![true; width], layout, &model.compute.device);
            let hidden = model.model.model.forward(batch.ids, &batch.layout, None);
            let size = hidden.dims()[2];
            let last = hidden.narrow(1, width - 1, 1).reshape([1, size]);
            logits = block_on(read(model.model.logits(last)))?;
        }
        found.push(json!({"ids": ids, "logits": logits}));
    }
    println!(
        "{}",
        json!({"info": model.info(), "ends": model.ends, "found": found})
    );
    Ok(())
}
