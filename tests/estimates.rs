//! The engine's counts of numbers and bytes: those of networks against the networks themselves, and a run's estimate by its passes.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use burn::module::Module;
use common::tiny;
use common::training::{run_on, validation_losses};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::device::{Compute, EngineKind};
use webtune::formats::{Checkpoint, MemorySource};
use webtune::layers::Storage;
use webtune::models::random::{random_checkpoint, random_language_model};
use webtune::models::size::{NetworkSizes, Shape};
use webtune::models::{Backbone, BackboneConfig, CausalLm, DecoderConfig, Loader};
use webtune::peft::{LoraConfig, Method, PrefixConfig};
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::{ClassifyTask, UserOptions};
use webtune::train::frozen::Frozen;
use webtune::train::memory::{
    MemoryProfile, Pass, PassKind, cache_bytes, choose_checkpointing, rows_by_tokens, trained_by,
};

fn decoder(json: &Value) -> DecoderConfig {
    DecoderConfig::parse(json.to_string().as_bytes()).unwrap()
}

/// A decoder with every switch that its family has.
fn decoders() -> Vec<Value> {
    let like_llama = |family: &str, tied: bool| {
        json!({
            "model_type": family, "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 48, "max_position_embeddings": 64,
            "tie_word_embeddings": tied
        })
    };
    let mut biased = like_llama("llama", false);
    biased["attention_bias"] = true.into();
    biased["mlp_bias"] = true.into();
    vec![
        like_llama("llama", true),
        biased,
        like_llama("qwen2", true),
        like_llama("qwen3", false),
        like_llama("gemma3_text", true),
        json!({
            "model_type": "gpt2", "vocab_size": 96, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_inner": 64,
            "n_positions": 64
        }),
    ]
}

#[test]
fn numbers_are_those_of_the_networks() {
    let compute = Compute::cpu();
    for json in decoders() {
        let config = decoder(&json);
        let file = random_language_model(&config, 1).unwrap();
        let source = MemorySource::new("model.safetensors", file);
        let checkpoint = block_on(Checkpoint::open(vec![source])).unwrap();
        let loader = Loader::new(&checkpoint, config.checkpoint_prefix(), &compute);
        let model = block_on(CausalLm::load(&config, &loader)).unwrap();
        assert_eq!(config.parameters(), model.num_params() as u64, "{json}");
        let body = model.model.num_params() as u64;
        assert_eq!(config.parameters_below_head(), body, "{json}");
    }
    for json in [
        json!({
            "model_type": "bert", "vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 64, "max_position_embeddings": 64
        }),
        json!({
            "model_type": "distilbert", "vocab_size": 90, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64
        }),
        json!({
            "model_type": "modernbert", "vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 3,
            "num_attention_heads": 2, "intermediate_size": 48
        }),
    ] {
        let config = BackboneConfig::parse(json.to_string().as_bytes()).unwrap();
        let file = random_checkpoint(&config, 1).unwrap();
        let source = MemorySource::new("model.safetensors", file);
        let checkpoint = block_on(Checkpoint::open(vec![source])).unwrap();
        let loader = Loader::new(&checkpoint, config.family.prefix(), &compute);
        let mut network = block_on(Backbone::load(&config, &loader)).unwrap();
        if let Backbone::Bert(bert) = &mut network {
            bert.pooler = None;
        }
        network.drop_hidden_layer();
        assert_eq!(config.parameters(), network.num_params() as u64, "{json}");
    }
}

/// Sixteen heads and five layers: on a target of 32 bits, 16,384 tokens once took less than 16,320.
#[test]
fn a_long_text_is_never_a_small_number() {
    let config = decoder(&json!({
        "model_type": "llama", "vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 5, "num_attention_heads": 16,
        "intermediate_size": 172, "max_position_embeddings": 1 << 20, "tie_word_embeddings": true
    }));
    let sizes = NetworkSizes::of_decoder(&config, Storage::F32, EngineKind::Cpu);
    let scores = |tokens: usize| sizes.score_bytes(Shape::new(1, tokens));
    assert_eq!(scores(16_320), 4 * 16 * 16_320 * 16_320_u64);
    assert_eq!(scores(16_384), 17_179_869_184);
    let layer = |tokens: usize| sizes.layer_bytes(Shape::new(1, tokens));
    assert!(layer(16_384) > layer(16_320) && layer(16_320) > u64::from(u32::MAX));
    // past 64 bits too
    let endless = Shape {
        rows: 1 << 20,
        tokens: 1 << 30,
        past: u64::MAX,
    };
    assert_eq!(sizes.score_bytes(endless), u64::MAX);
    assert_eq!(sizes.layer_bytes(endless), u64::MAX);
    assert_eq!(sizes.forward_bytes(endless), u64::MAX);
    assert_eq!(sizes.generation_bytes(endless, 1), u64::MAX);
    let compute = Compute::cpu();
    let refused = sizes.check_pass(&compute, "This text", Shape::new(1, 1 << 17), 0);
    let error = refused.unwrap_err();
    assert_eq!(error.code(), "outOfMemory");
    assert!(error.to_string().contains("131072 tokens"), "{error}");
}

#[test]
fn as_many_rows_pass_together_as_fit() {
    let config = decoder(&decoders()[0]);
    let sizes = NetworkSizes::of_decoder(&config, Storage::F32, EngineKind::Cpu);
    let of = |rows: usize| sizes.weight_bytes() + sizes.forward_bytes(Shape::new(rows, 50));
    let fit = |bytes: u64, held: u64| {
        let compute = Compute::cpu().with_memory_limit(bytes);
        sizes.rows_that_fit(&compute, Shape::new(1, 50), 32, held)
    };
    assert_eq!(fit(of(7), 0), 7);
    assert_eq!(fit(of(7) - 1, 0), 6);
    assert_eq!(fit(of(7), of(7)), 1);
    assert_eq!(fit(u64::MAX, 0), 32);
}

fn many_heads(positions: usize) -> DecoderConfig {
    let json = json!({
        "model_type": "llama", "vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 5, "num_attention_heads": 16,
        "num_key_value_heads": 8, "intermediate_size": 172, "max_position_embeddings": positions,
        "tie_word_embeddings": true
    });
    DecoderConfig::parse(json.to_string().as_bytes()).unwrap()
}

fn profile(storage: Storage, method: Method, rows: usize, tokens: usize) -> MemoryProfile {
    let config = many_heads(1 << 17);
    let trained = trained_by(&config, &method).unwrap();
    let network = NetworkSizes::of_decoder(&config, storage, EngineKind::Cpu);
    MemoryProfile::new(network, method, trained, Shape::new(rows, tokens))
}

fn lora() -> Method {
    Method::Lora(LoraConfig::default())
}

#[test]
fn more_tokens_never_take_less() {
    let total = |tokens| profile(Storage::F32, lora(), 1, tokens).estimate().total();
    let lengths = [64, 1000, 16_320, 16_384, 23_171, 65_536, 1 << 20, 1 << 30];
    for pair in lengths.windows(2) {
        assert!(total(pair[0]) < total(pair[1]), "{pair:?}");
    }
    // 5 layers keep 3 matrices of scores of 16 heads each
    assert!(total(16_384) > 5 * 3 * 4 * 16 * (16_384_u64 * 16_384));
    assert_eq!(total(usize::MAX), u64::MAX);
}

#[test]
fn every_pass_counts_and_the_largest_gives_the_advice() {
    let compute = Compute::cpu();
    let run = profile(Storage::F32, lora(), 2, 64);
    let alone = run.estimate();
    assert!(run.check(&compute).is_ok());
    for (pass, word) in [
        (Pass::new(PassKind::FewShot, 2, 2048), "fewShotExamples"),
        (Pass::new(PassKind::Evaluation, 2, 2048), "maxLength"),
        (Pass::new(PassKind::Features, 32, 512), "maxLength"),
        (Pass::samples(6000, 32), "samplePrompts"),
    ] {
        let mut run = run.clone();
        run.passes.push(pass);
        let estimate = run.estimate();
        assert!(estimate.total() > alone.total(), "{word}");
        let small = Compute::cpu().with_memory_limit(alone.total());
        let error = run.check(&small).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        // a short one changes nothing
        run.passes = vec![Pass::new(pass.kind, 1, 8)];
        assert_eq!(run.estimate(), alone, "{word}");
    }
    let mut written = run.clone();
    let longer = |tokens| Pass::samples(3000, tokens);
    written.passes = vec![longer(1)];
    let one = written.estimate().total();
    written.passes = vec![longer(1001)];
    // keys and values of 8 heads of width 4 in 5 layers
    assert_eq!(written.estimate().total() - one, 1000 * 8 * 5 * 32);
}

#[test]
fn what_is_held_is_counted_as_often_as_it_is() {
    let run = profile(Storage::F32, lora(), 2, 64);
    let plain = run.estimate();
    let more = |change: fn(&mut MemoryProfile)| {
        let mut run = run.clone();
        change(&mut run);
        run.estimate().total() - plain.total()
    };
    assert_eq!(more(|run| run.cache = 1000), 1000);
    assert_eq!(more(|run| run.candidate = true), 4 * run.trained);
    assert_eq!(more(|run| run.penalty = true), 4 * run.trained);
    assert_eq!(more(|run| run.accumulates = true), 4 * run.trained);
    assert_eq!(
        (plain.adapter, plain.moments),
        (8 * run.trained, 8 * run.trained)
    );
    // weights, values, best state, two moments and gradients
    let full = profile(Storage::F32, Method::Full(Default::default()), 1, 8).estimate();
    assert!(full.total() >= 6 * full.weights, "{full:?}");
    let prefix = Method::Prefix(PrefixConfig {
        num_virtual_tokens: 512,
    });
    let after = profile(Storage::F32, prefix, 2, 64).estimate();
    assert!(after.activations > 5 * plain.activations);
}

#[test]
fn layers_are_computed_twice_where_it_is_needed() {
    let compute = Compute::cpu();
    let run = profile(Storage::F32, lora(), 2, 64);
    let (on, estimate) = choose_checkpointing(&run, &compute);
    assert!(!on && estimate == run.estimate());
    let tight = Compute::cpu().with_memory_limit(estimate.total() - 1);
    let (on, less) = choose_checkpointing(&run, &tight);
    assert!(on && less.total() < estimate.total());
    let checkpointed = MemoryProfile {
        checkpointing: true,
        ..run
    };
    assert!(!choose_checkpointing(&checkpointed, &compute).0);
    let blocks = profile(Storage::Int8, lora(), 2, 64);
    assert!(choose_checkpointing(&blocks, &compute).0);
}

#[test]
fn rows_of_a_cache_and_of_a_pass_are_counted() {
    let lengths = || [3, 5, 8].into_iter();
    assert_eq!(cache_bytes(Frozen::Nothing, lengths(), 10), 0);
    assert_eq!(cache_bytes(Frozen::Layers(2), lengths(), 10), 4 * 16 * 10);
    assert_eq!(cache_bytes(Frozen::Backbone, lengths(), 10), 4 * 3 * 10);
    let endless = [usize::MAX, usize::MAX].into_iter();
    assert_eq!(cache_bytes(Frozen::Layers(1), endless, 64), u64::MAX);
    assert_eq!(rows_by_tokens(8, 100, 100), 8);
    assert_eq!(rows_by_tokens(8, 100, 250), 3);
    assert_eq!(rows_by_tokens(8, 100, 2000), 1);
    assert_eq!(rows_by_tokens(8, 100, 10), 80);
    assert_eq!(rows_by_tokens(usize::MAX, usize::MAX, 0), usize::MAX);
}

/// A card that binds little gets smaller batches where nothing depends on their size, and a refusal with both numbers where it does.
#[test]
fn a_run_keeps_within_the_largest_buffer_or_is_refused() {
    // two heads, 64 wide: a row of 10 tokens has 2,560 bytes of wide vectors
    let (whole, tight) = (Compute::cpu(), |max_binding| Compute {
        max_binding,
        ..Compute::cpu()
    });
    let settings = || json!({"numTrainEpochs": 2, "trainBatchSize": 2, "learningRate": 1e-2});
    let run = |compute: &Compute| {
        let mut model = block_on(tiny::model(&Compute::cpu()));
        model.compute = compute.clone();
        block_on(run_on(&model, 48, settings()))
    };
    let ((plain, _), (in_turn, _)) = (run(&whole), run(&tight(16 << 10)));
    let (plain, in_turn) = (validation_losses(&plain), validation_losses(&in_turn));
    assert!(!plain.is_empty());
    for (plain, in_turn) in plain.iter().zip(&in_turn) {
        assert!((plain - in_turn).abs() < 1e-5, "{plain} {in_turn}");
    }
    let mut model = block_on(tiny::model(&Compute::cpu()));
    model.compute = tight(16 << 10);
    let mut wide = settings();
    wide["trainBatchSize"] = 32.into();
    let options = UserOptions::parse(wide).unwrap();
    let error = ClassifyTask::new(&model, &tiny::examples(48), options)
        .err()
        .unwrap();
    assert_eq!(error.code(), "outOfMemory");
    let report = error.report();
    assert_eq!(report.limit, Some(16 << 10));
    assert!(report.needed.unwrap() > 16 << 10);
    assert!(error.to_string().contains("trainBatchSize"), "{error}");
    let files = tiny::files(7);
    let error = block_on(Pretrained::load("tiny", files, tight(4 << 10))).unwrap_err();
    assert!(
        error.to_string().contains("largest weight of this model"),
        "{error}"
    );
}
