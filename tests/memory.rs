//! What loading takes, what a run is estimated to take and what it then allocates, counted by the allocator, on the CPU engine natively.
//! `cargo test --test memory -- --nocapture` prints the table.

#![cfg(not(target_arch = "wasm32"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use pollster::block_on;
use serde_json::{Value, json};
use webtune::data::Batch;
use webtune::device::{Compute, read};
use webtune::formats::{Checkpoint, MemorySource};
use webtune::layers::Storage;
use webtune::models::TokenBatch;
use webtune::models::classifier::HeadWeights;
use webtune::models::decoder;
use webtune::models::random::{random_checkpoint, random_language_model};
use webtune::models::size::Shape;
use webtune::models::{
    Backbone, BackboneConfig, CausalBatch, CausalLm, Classifier, DecoderConfig, Head, HeadKind,
    Inputs, Loader, NetworkSizes,
};
use webtune::peft::freeze::{activate, trained_parameters};
use webtune::peft::{LoraConfig, Method, TargetModules, attach};
use webtune::tasks::classify::ClassifyOptions;
use webtune::tasks::classify::batch::{Target, TrainBatch, upload_labels};
use webtune::tasks::language::LanguageOptions;
use webtune::train::gradients::{PassSettings, gradients};
use webtune::train::memory::MemoryProfile;
use webtune::train::optimizer::AdamW;
use webtune::train::step::{Rules, train_step};

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
    let _alone = ALONE.lock();
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
                    storage.as_str(),
                    estimated / MIB,
                    allocated / MIB
                );
                worst = worst.max((ratio - 1.0).abs());
            }
        }
    }
    assert!(worst <= 0.15, "an estimate is off by {:.0}%", 100.0 * worst);
}

#[test]
fn a_classifiers_run_allocates_what_was_estimated() {
    let _alone = ALONE.lock();
    let mut worst: f64 = 0.0;
    for storage in [Storage::F32, Storage::F16, Storage::Int8, Storage::Int4] {
        for checkpointing in [false, true] {
            let (estimated, allocated) = block_on(measure_minilm(storage, checkpointing, 16, 64));
            let ratio = estimated / allocated;
            println!(
                "memory | MiniLM | 16 x 64 | {} | {checkpointing} | {:.2} | {:.2} | {ratio:.3}",
                storage.as_str(),
                estimated / MIB,
                allocated / MIB
            );
            worst = worst.max((ratio - 1.0).abs());
        }
    }
    assert!(worst <= 0.15, "an estimate is off by {:.0}%", 100.0 * worst);
}

/// Estimated and allocated bytes of loading MiniLM and of two steps with LoRA r 8.
async fn measure_minilm(
    storage: Storage,
    checkpointing: bool,
    rows: usize,
    tokens: usize,
) -> (f64, f64) {
    let config = json!({
        "model_type": "bert", "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12,
        "intermediate_size": 1536, "max_position_embeddings": 512
    });
    let config = BackboneConfig::parse(config.to_string().as_bytes()).unwrap();
    let file = random_checkpoint(&config, 1).unwrap();
    let source = MemorySource::new("model.safetensors", file);
    let checkpoint = Checkpoint::open(vec![source]).await.unwrap();
    let compute = Compute::cpu();
    let before = NOW.load(Ordering::Relaxed);
    let loader = Loader::new(&checkpoint, "bert.", &compute)
        .with_storage(storage)
        .unwrap();
    let encoder = Backbone::load(&config, &loader).await.unwrap();
    PEAK.store(NOW.load(Ordering::Relaxed), Ordering::Relaxed);
    let labels = 4;
    let head = HeadWeights::zeros(labels, config.hidden_size);
    let head = Head::new(HeadKind::Mean, &head, &compute.device);
    let mut classifier = Classifier::new(encoder, head);
    let method = Method::Lora(LoraConfig {
        r: 8,
        ..LoraConfig::default()
    });
    let method = method.resolve(&classifier);
    let trainable = attach(&mut classifier, &method, 1).unwrap();
    let trained = trained_parameters(&classifier, &trainable);
    let best = classifier.valid();
    let mut classifier = activate(classifier, |path| trainable.contains(path));
    let count = rows * tokens;
    let batch = Batch {
        ids: (0..count)
            .map(|n| (n * 31 % config.vocab_size) as i32)
            .collect(),
        mask: vec![1; count],
        types: vec![0; count],
        rows,
        width: tokens,
        tokens: count,
    };
    let of_rows = (0..rows).map(|row| row % labels).collect::<Vec<_>>();
    let batch = TrainBatch {
        inputs: Inputs::Tokens(TokenBatch::upload(&batch, &compute.device)),
        target: Target::Labels(Box::new(upload_labels(&of_rows, &compute.device))),
        rows,
    };
    let rules = Rules {
        trainable: &trainable,
        penalty: None,
        max_grad_norm: 1.0,
        pass: PassSettings {
            checkpointing,
            noise: None,
        },
    };
    let mut optimizer = AdamW::new(ClassifyOptions::default().common.adamw());
    for _ in 0..2 {
        let batches = std::slice::from_ref(&batch);
        let (next, loss) = train_step(classifier, &mut optimizer, batches, &rules, |_| 1e-3);
        classifier = next;
        assert!(read(loss).await.unwrap()[0].is_finite());
    }
    drop(best);
    let network = NetworkSizes::of_backbone(&config, storage, compute.kind);
    let estimated = MemoryProfile {
        checkpointing,
        ..MemoryProfile::new(network, method, trained, Shape::new(rows, tokens))
    };
    let estimated = estimated.estimate().total();
    let peak = PEAK.load(Ordering::Relaxed) - before;
    (estimated as f64, peak as f64)
}

async fn load(config: &DecoderConfig, source: MemorySource, storage: Storage) -> (CausalLm, usize) {
    let checkpoint = Checkpoint::open(vec![source]).await.unwrap();
    let compute = Compute::cpu();
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let loader = Loader::new(&checkpoint, config.checkpoint_prefix(), &compute);
    let model = CausalLm::load(config, &loader.with_storage(storage).unwrap())
        .await
        .unwrap();
    let after = NOW.load(Ordering::Relaxed);
    let over = PEAK.load(Ordering::Relaxed) - after;
    println!(
        "loading | {} | {:.2} MiB over the model",
        storage.as_str(),
        over as f64 / MIB
    );
    let sizes = NetworkSizes::of_decoder(config, storage, compute.kind);
    assert!(
        over as u64 <= sizes.loading_bytes() - sizes.weight_bytes(),
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
    let trainable = attach(&mut model, &method, 1).unwrap();
    let best = model.valid();
    let trained = trained_parameters(&model, &trainable);
    let mut model = activate(model, |path| trainable.contains(path));
    let compute = Compute::cpu();
    let ids = (0..rows * tokens).map(|n| (n * 31 % config.vocab_size) as i32);
    let layout = decoder::Layout::plain(rows, tokens);
    let targets = vec![true; rows * tokens];
    let batch = CausalBatch::new(ids.collect(), &targets, layout, &compute.device);
    let mut optimizer = AdamW::new(LanguageOptions::default().common.adamw());
    let pass = PassSettings {
        checkpointing,
        noise: None,
    };
    for _ in 0..2 {
        let batches = std::slice::from_ref(&batch);
        let (found, loss) = gradients(&model, batches, &pass);
        model = optimizer.step(model, found, |_| 1e-4);
        assert!(block_on(read(loss)).unwrap()[0].is_finite());
    }
    drop(best);
    let network = NetworkSizes::of_decoder(config, storage, compute.kind);
    let profile = MemoryProfile {
        checkpointing,
        ..MemoryProfile::new(network, method, trained, Shape::new(rows, tokens))
    };
    let parts = profile.estimate();
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
