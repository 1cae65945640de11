//! What loading takes, what a run is estimated to take and what it then allocates, counted by the allocator, on the CPU engine natively.
//! `cargo test --test memory -- --nocapture` prints the table.

#![cfg(not(target_arch = "wasm32"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::{Compute, read};
use webtune::formats::{Checkpoint, MemorySource};
use webtune::layers::Storage;
use webtune::models::decoder;
use webtune::models::load::loading_bytes;
use webtune::models::random::random_language_model;
use webtune::models::{CausalBatch, CausalLm, DecoderConfig, Loader};
use webtune::peft::freeze::{activate, trained_parameters};
use webtune::peft::{LoraConfig, Method, TargetModules, attach_causal};
use webtune::train::causal::estimate::{Work, estimate};
use webtune::train::causal::{CausalOptions, Pass, gradients};
use webtune::train::optimizer::AdamW;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const MIB: f64 = 1024.0 * 1024.0;

/// Nearly nothing but two tables of 128 MiB each in float32, so that whatever is held of one beside the model would be seen.
fn tables() -> Value {
    json!({
        "model_type": "llama", "vocab_size": 65536, "hidden_size": 512, "num_hidden_layers": 1, "num_attention_heads": 8,
        "intermediate_size": 512, "max_position_embeddings": 512, "tie_word_embeddings": false
    })
}

/// Shapes by name: stories260K's and SmolLM2-135M's.
fn shapes() -> Vec<(&'static str, Value, usize, usize)> {
    let stories = json!({
        "model_type": "llama", "vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 5, "num_attention_heads": 8,
        "num_key_value_heads": 4, "intermediate_size": 172, "max_position_embeddings": 512, "tie_word_embeddings": true
    });
    let smollm = json!({
        "model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9,
        "num_key_value_heads": 3, "intermediate_size": 1536, "max_position_embeddings": 8192, "tie_word_embeddings": true,
        "rope_theta": 100000.0
    });
    vec![
        ("stories260K", stories, 8, 128),
        ("SmolLM2-135M", smollm, 2, 64),
    ]
}

#[test]
fn loading_holds_no_table_twice_and_a_run_allocates_what_was_estimated() {
    // in the same test, because the allocator counts what all threads do
    let config = DecoderConfig::parse(tables().to_string().as_bytes()).unwrap();
    let file = random_language_model(&config, 1).unwrap();
    for storage in [Storage::F32, Storage::F16, Storage::Int8, Storage::Int4] {
        let source = MemorySource::new("model.safetensors", file.clone());
        block_on(load(&config, source, storage));
    }
    drop(file);
    let mut worst: f64 = 0.0;
    println!(
        "memory | model | rows x tokens | storage | checkpointing | estimated MiB | allocated MiB | estimate / allocated"
    );
    for (name, json, rows, tokens) in shapes() {
        let config = DecoderConfig::parse(json.to_string().as_bytes()).unwrap();
        let file = random_language_model(&config, 1).unwrap();
        for storage in [Storage::F32, Storage::F16, Storage::Int8, Storage::Int4] {
            let source = MemorySource::new("model.safetensors", file.clone());
            let model = block_on(load(&config, source, storage));
            for checkpointing in [false, true] {
                let (estimated, allocated) =
                    measure(&config, &model, storage, checkpointing, rows, tokens);
                let ratio = estimated / allocated;
                println!(
                    "memory | {name} | {rows} x {tokens} | {} | {checkpointing} | {:.2} | {:.2} | {ratio:.3}",
                    storage.word(),
                    estimated / MIB,
                    allocated / MIB
                );
                worst = worst.max((ratio - 1.0).abs());
            }
        }
    }
    assert!(worst <= 0.15, "an estimate is off by {:.0}%", 100.0 * worst);
}

async fn load(config: &DecoderConfig, source: MemorySource, storage: Storage) -> (CausalLm, usize) {
    let checkpoint = Checkpoint::open(vec![source]).await.unwrap();
    let compute = Compute::cpu();
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let loader = Loader::new(&checkpoint, config.checkpoint_prefix(), &compute);
    let model = CausalLm::load(config, &loader.with_storage(storage))
        .await
        .unwrap();
    let after = NOW.load(Ordering::Relaxed);
    let over = PEAK.load(Ordering::Relaxed) - after;
    println!(
        "loading | {} | {:.2} MiB over the model",
        storage.word(),
        over as f64 / MIB
    );
    let largest = config.linear_shapes(0).into_iter();
    let largest = largest.map(|(_, [input, output])| input * output).max();
    assert!(
        over as u64 <= loading_bytes(largest.unwrap() as u64),
        "loading took {over} bytes over the model"
    );
    (model, after - before)
}

/// Estimated and allocated bytes of two steps.
fn measure(
    config: &DecoderConfig,
    (base, weights): &(CausalLm, usize),
    storage: Storage,
    checkpointing: bool,
    rows: usize,
    tokens: usize,
) -> (f64, f64) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let method = Method::Lora(LoraConfig {
        r: 8,
        target_modules: TargetModules::Pattern(r".*_proj".into()),
        ..LoraConfig::default()
    });
    let mut model = base.clone();
    let trainable = attach_causal(&mut model, &method, 1).unwrap();
    let best = model.valid();
    let trained = trained_parameters(&model, &trainable);
    let mut model = activate(model, |path| trainable.contains(path));
    let compute = Compute::cpu();
    let ids = (0..rows * tokens).map(|n| (n * 31 % config.vocab_size) as i32);
    let layout = decoder::Layout::plain(rows, tokens);
    let targets = vec![true; rows * tokens];
    let batch = CausalBatch::new(ids.collect(), &targets, layout, &compute.device);
    let mut optimizer = AdamW::new(CausalOptions::default().adamw());
    let pass = Pass::new(config.vocab_size, checkpointing);
    for _ in 0..2 {
        let batches = std::slice::from_ref(&batch);
        let (found, loss) = gradients(&model, &trainable, batches, &pass);
        model = optimizer.step(model, found, |_| 1e-4);
        assert!(block_on(read(loss)).unwrap()[0].is_finite());
    }
    drop(best);
    let work = Work {
        storage,
        packed: compute.packs_bits(),
        batch: rows,
        longest: tokens,
        trained,
        checkpointing,
    };
    let parts = estimate(config, &method, &work);
    let peak = PEAK.load(Ordering::Relaxed) - before;
    println!(
        "parts: weights {:.2} ({:.2}), run {:.2} ({:.2}): {parts:?}",
        parts.weights as f64 / MIB,
        *weights as f64 / MIB,
        (parts.total() - parts.weights) as f64 / MIB,
        peak as f64 / MIB
    );
    (parts.total() as f64, (peak + weights) as f64)
}
