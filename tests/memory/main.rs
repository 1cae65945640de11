//! What loading takes and what whole runs take, counted by the allocator on the CPU engine natively, next to what the engine says before.
//! `cargo test --test memory -- --nocapture` prints the table.

#![cfg(not(target_arch = "wasm32"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::Compute;
use webtune::formats::{Checkpoint, MemorySource};
use webtune::layers::Storage;
use webtune::models::random::random_language_model;
use webtune::models::{CausalLm, DecoderConfig, Loader, NetworkSizes};

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

/// Whoever counts must be the only one who allocates.
static ALONE: Mutex<()> = Mutex::new(());

const MIB: f64 = 1024.0 * 1024.0;
/// How far an estimate may be from what was allocated, as a share of the latter.
const TOLERANCE: f64 = 0.15;

/// What the table claims of an estimate.
#[derive(Clone, Copy, PartialEq)]
enum Claim {
    /// It is as near as the tolerance, above and below.
    Near,
    /// It is never below by more. A pass that keeps nothing is counted with room to spare, for a memory with holes.
    Enough,
}

/// A run.
struct Case {
    name: &'static str,
    config: Value,
    storage: Storage,
    options: Value,
    claim: Claim,
}

/// Bytes.
struct Found {
    estimated: f64,
    allocated: f64,
}

/// Bytes in use; counts the peak from here.
fn begin() -> usize {
    let now = NOW.load(Ordering::Relaxed);
    PEAK.store(now, Ordering::Relaxed);
    now
}

/// Loads what `$load` gives, runs it to its end and returns what the engine said and what it took: the weights, and what came after loading.
macro_rules! measured {
    ($load:expr, |$model:ident| $run:expr) => {{
        let $model = $load.await.unwrap();
        // loading has an estimate of its own, and a tokenizer none
        let before = begin() - $model.info().weight_bytes as usize;
        let mut run = $run;
        let mut estimated = 0;
        let (mut peaks, mut last) = (Vec::new(), before);
        while let Some(event) = run.next_event().await.unwrap() {
            if let webtune::train::event::Event::Started {
                memory_estimate, ..
            } = &event
            {
                estimated = *memory_estimate;
            }
            let peak = PEAK.load(Ordering::Relaxed);
            if peak > last {
                let name = format!("{event:?}");
                let name = name
                    .split([' ', '('])
                    .next()
                    .unwrap_or_default()
                    .to_string();
                peaks.push(format!("{name} {:.2}", (peak - before) as f64 / MIB));
                last = peak;
            }
        }
        println!("peaks: {}", peaks.join(", "));
        Found {
            estimated: estimated as f64,
            allocated: (PEAK.load(Ordering::Relaxed) - before) as f64,
        }
    }};
}

mod classifiers;
mod language;

/// No run is refused here, and none has to compute layers twice.
fn compute() -> Compute {
    Compute::cpu().with_memory_limit(1 << 40)
}

/// Prints a row; what is wrong with it, if anything is.
fn judge(case: &Case, found: &Found) -> Option<String> {
    let ratio = found.estimated / found.allocated;
    let (name, storage) = (case.name, case.storage.as_str());
    let row = format!(
        "memory | {name} | {storage} | {:.2} | {:.2} | {ratio:.3}",
        found.estimated / MIB,
        found.allocated / MIB
    );
    println!(
        "{row}{}",
        if case.claim == Claim::Enough {
            " (enough)"
        } else {
            ""
        }
    );
    let low = ratio < 1.0 - TOLERANCE;
    let high = ratio > 1.0 + TOLERANCE && case.claim == Claim::Near;
    (low || high).then_some(row)
}

/// `options` with others.
fn with(options: &Value, more: Value) -> Value {
    let mut options = options.clone();
    let map = options.as_object_mut().unwrap();
    map.extend(more.as_object().unwrap().clone());
    options
}

/// Cases of one model, float32 and near unless they say more.
struct Table {
    config: Value,
    cases: Vec<Case>,
}

impl Table {
    fn add(&mut self, name: &'static str, options: Value) -> &mut Case {
        self.cases.push(Case {
            name,
            config: self.config.clone(),
            storage: Storage::F32,
            options,
            claim: Claim::Near,
        });
        self.cases.last_mut().unwrap()
    }
}

/// Whether a case is among those asked for by `ONLY=words`.
fn wanted(case: &Case) -> bool {
    std::env::var("ONLY").is_ok_and(|only| case.name.contains(&only))
        || std::env::var("ONLY").is_err()
}

/// Loads a language model with nearly nothing but two tables of 32 MiB each in float32, so that whatever is held of one besides the model is seen.
#[test]
fn loading_takes_what_was_estimated() {
    let _alone = ALONE.lock();
    let json = json!({
        "model_type": "llama", "vocab_size": 65536, "hidden_size": 128, "num_hidden_layers": 1, "num_attention_heads": 8,
        "intermediate_size": 128, "max_position_embeddings": 512, "tie_word_embeddings": false
    });
    let config = DecoderConfig::parse(json.to_string().as_bytes()).unwrap();
    let file = random_language_model(&config, 1).unwrap();
    for storage in [Storage::F32, Storage::F16, Storage::Int8, Storage::Int4] {
        let source = MemorySource::new("model.safetensors", file.clone());
        let checkpoint = block_on(Checkpoint::open(vec![source])).unwrap();
        let compute = compute();
        let before = begin();
        let loader = Loader::new(&checkpoint, config.checkpoint_prefix(), &compute);
        let model = block_on(CausalLm::load(
            &config,
            &loader.with_storage(storage).unwrap(),
        ))
        .unwrap();
        let held = NOW.load(Ordering::Relaxed) - before;
        let peak = PEAK.load(Ordering::Relaxed) - before;
        drop(model);
        let sizes = NetworkSizes::of_decoder(&config, storage, compute.kind);
        let (weights, loading) = (sizes.weight_bytes(), sizes.loading_bytes());
        let [held_mib, peak_mib] = [held, peak].map(|bytes| bytes as f64 / MIB);
        println!(
            "loading | {} | {held_mib:.2} | {peak_mib:.2}",
            storage.as_str()
        );
        let near = (held as f64 / weights as f64 - 1.0).abs();
        assert!(near < 0.02, "{storage:?}: {held} bytes, not {weights}");
        assert!(
            peak as u64 <= loading,
            "{storage:?}: {peak} of {loading} bytes"
        );
    }
}
