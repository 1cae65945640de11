//! Runs of language models from their files to a tuned model, on the CPU engine natively.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::causal;
use common::tiny_language::{losses, model, rows, run};
use pollster::block_on;
use serde_json::json;
use webtune::device::{Compute, read};
use webtune::eval::generate::{GenerationOptions, Generator, last_logits};
use webtune::layers::Storage;
use webtune::models::CausalLm;
use webtune::score::score;
use webtune::train::causal::{CausalEvent, CausalOptions, Pass, gradients};

#[test]
fn a_model_learns_its_answers() {
    block_on(async {
        let compute = Compute::cpu();
        let model = model(&compute, Storage::F32).await;
        let options = json!({
            "learningRate": 2e-2, "numTrainEpochs": 16, "warmupRatio": 0, "lrSchedulerType": "constant", "method": {"type": "lora", "r": 8, "targetModules": "all-linear"},
            "maxLength": 64
        });
        let (events, tuned) = run(&model, &rows(48), options).await;
        let losses = losses(&events);
        let epoch = losses.len() / 16;
        let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
        let [first, last] = [
            mean(&losses[..epoch]),
            mean(&losses[losses.len() - epoch..]),
        ];
        assert!(last < 0.5 * first, "first {first}, last {last}");
        let Some(CausalEvent::Finished(finished)) = events.last() else {
            panic!("the last event is {:?}", events.last());
        };
        assert!(
            finished.tuned.perplexity < 0.5 * finished.base.perplexity,
            "{finished:?}"
        );
        assert!(finished.kept_step > 0);
        assert_eq!(tuned.model.model.layers.len(), 2);
        println!("{}\n{}", finished.verdict, finished.message);
    });
}

/// The same operations in the same order, whatever is kept in between.
#[test]
fn checkpointed_gradients_are_the_plain_ones_to_the_last_bit() {
    block_on(async {
        let compute = Compute::cpu();
        for fixture in causal::fixtures() {
            let loaded = causal::load(&fixture, &compute).await;
            let mut found = Vec::new();
            for checkpointing in [false, true] {
                let pass = Pass::new(loaded.model.head().rows(), checkpointing);
                let batches = std::slice::from_ref(&loaded.batch);
                let (of_all, loss) = gradients(&loaded.model, &loaded.trainable, batches, &pass);
                let mut bits = vec![("loss".to_string(), bits(&read(loss).await.unwrap()))];
                for (path, gradient) in of_all {
                    bits.push((path, self::bits(&read(gradient).await.unwrap())));
                }
                found.push(bits);
            }
            assert!(found[0].len() > 1);
            for (plain, twice) in found[0].iter().zip(&found[1]) {
                assert!(plain == twice, "{}: {}", fixture.name, plain.0);
            }
            assert_eq!(found[0].len(), found[1].len());
        }
    });
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn a_cache_changes_no_text() {
    block_on(async {
        let compute = Compute::cpu();
        for fixture in causal::fixtures() {
            let model = causal::load(&fixture, &compute).await.model;
            let model = burn::module::Module::valid(&model);
            let prompt = [3, 14, 15, 9];
            let options = GenerationOptions {
                max_new_tokens: 12,
                ..GenerationOptions::default()
            };
            let mut generator = Generator::new(&model, &prompt, options).unwrap();
            let mut ids = prompt.to_vec();
            while let Some(id) = generator.next_token(&model).await.unwrap() {
                let logits = last_logits(&model, &ids, 0, None).await.unwrap();
                let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
                assert_eq!(best, Some(id as usize), "{} after {ids:?}", fixture.name);
                ids.push(id);
            }
            assert_eq!(ids.len(), prompt.len() + 12);
        }
    });
}

/// Tables cut into parts, as a small binding asks for, change nothing.
#[test]
fn tables_in_parts_equal_whole_ones() {
    block_on(async {
        let compute = Compute::cpu().with_max_binding(4096);
        for fixture in causal::fixtures() {
            let model = causal::base(&fixture, &compute).await;
            assert!(model.head().parts.len() > 1, "{}", fixture.name);
            let errors = causal::errors(&fixture, &compute).await;
            common::parity::check(fixture.name, "native cpu, tables in parts", &errors);
        }
    });
}

#[test]
fn other_texts_are_scored_before_and_after() {
    block_on(async {
        let model = model(&Compute::cpu(), Storage::F32).await;
        let options = json!({"learningRate": 2e-2, "numTrainEpochs": 4, "maxLength": 64});
        let (_, tuned) = run(&model, &rows(48), options.clone()).await;
        let scored = async |network: &CausalLm, batch: usize| {
            let mut options = options.clone();
            options["trainBatchSize"] = batch.into();
            let options = CausalOptions::parse(options).unwrap();
            let texts = rows(12);
            let found = score(&model, network, "test.jsonl", &texts, &options);
            found.await.unwrap()
        };
        let before = scored(&model.model, 4).await;
        let after = scored(&tuned.model, 4).await;
        assert!(after.loss < 0.8 * before.loss, "{before:?}, {after:?}");
        assert!(before.tokens > 12 && before.tokens == after.tokens);
        // padding changes nothing; only the order of the sums differs
        let alone = scored(&tuned.model, 1).await;
        assert!(
            (alone.loss - after.loss).abs() < 1e-4,
            "{alone:?}, {after:?}"
        );
        let short = CausalOptions::parse(json!({"maxLength": 8})).unwrap();
        let refused = score(&model, &model.model, "test.jsonl", &rows(1), &short).await;
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("test.jsonl"), "{message}");
    });
}
