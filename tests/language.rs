//! Runs of language models from their files to a tuned model, on the CPU engine natively.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::causal;
use common::golden::relative_error;
use common::tiny_language::{losses, model, rows, run};
use pollster::block_on;
use serde_json::json;
use webtune::device::{Compute, read};
use webtune::eval::generate::{Generator, last_logits};
use webtune::eval::generation_options::GenerationOptions;
use webtune::layers::Storage;
use webtune::models::CausalLm;
use webtune::models::decoder::Layout;
use webtune::models::{CausalBatch, DecoderConfig};
use webtune::peft::freeze::activate;
use webtune::peft::{Method, attach};
use webtune::tasks::language::score::score;
use webtune::tasks::language::{LanguageEvent, LanguageOptions};
use webtune::train::gradients::{PassSettings, gradients};

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
        let Some(LanguageEvent::Finished(finished)) = events.last() else {
            panic!("the last event is {:?}", events.last());
        };
        assert!(
            finished.task.tuned.unwrap().perplexity < 0.5 * finished.task.base.unwrap().perplexity,
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
                let pass = PassSettings {
                    checkpointing,
                    noise: None,
                };
                let batches = std::slice::from_ref(&loaded.batch);
                let (of_all, loss) = gradients(&loaded.model, batches, &pass);
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

/// A layer that is computed twice drops the same both times.
#[test]
fn dropout_is_the_same_with_checkpointing() {
    block_on(async {
        let compute = Compute::cpu();
        let fixture = causal::fixtures().remove(0);
        let batch = causal::load(&fixture, &compute).await.batch;
        let mut model = causal::base(&fixture, &compute).await;
        let settings = json!({"type": "lora", "loraDropout": 0.5, "targetModules": "all-linear"});
        let method: Method = serde_json::from_value(settings).unwrap();
        let Method::Lora(lora) = &method else {
            panic!("it is LoRA");
        };
        let method = Method::Lora(webtune::peft::lora::resolve(&model, lora));
        let trainable = attach(&mut model, &method, 1).unwrap();
        let model = activate(model, |path| trainable.contains(path));
        let of = async |checkpointing: bool, noise: Option<u64>| {
            let pass = PassSettings {
                checkpointing,
                noise,
            };
            let batches = std::slice::from_ref(&batch);
            let (found, _) = gradients(&model, batches, &pass);
            let mut all = Vec::new();
            for (_, gradient) in found {
                all.extend(bits(&read(gradient).await.unwrap()));
            }
            all
        };
        assert!(of(false, Some(7)).await == of(true, Some(7)).await);
        assert!(of(true, Some(7)).await != of(true, Some(8)).await);
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
        let compute = Compute {
            max_binding: 4096,
            ..Compute::cpu()
        };
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
            let options = LanguageOptions::parse(options).unwrap();
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
        let short = LanguageOptions::parse(json!({"maxLength": 8})).unwrap();
        let refused = score(&model, &model.model, "test.jsonl", &rows(1), &short).await;
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("test.jsonl"), "{message}");
    });
}

/// Both as transformers 5 nests the settings and as files of before have them.
#[test]
fn rotary_frequencies_equal_transformers() {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("fixtures/rope.json")).unwrap();
    for case in &cases {
        let parameters = &case["rope_parameters"];
        let base = json!({
            "model_type": "llama", "vocab_size": 32, "hidden_size": 256, "num_hidden_layers": 1,
            "num_attention_heads": 4, "intermediate_size": 64
        });
        let mut nested = base.clone();
        nested["rope_parameters"] = parameters.clone();
        let mut older = base;
        older["rope_theta"] = parameters["rope_theta"].clone();
        older["rope_scaling"] = parameters.clone();
        older["rope_scaling"]
            .as_object_mut()
            .unwrap()
            .remove("rope_theta");
        for config in [nested, older] {
            let config = DecoderConfig::parse(config.to_string().as_bytes()).unwrap();
            let found = &config.ropes[0].inv_freq;
            let expected = case["inv_freq"].as_array().unwrap();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                let expected = expected.as_f64().unwrap();
                assert!(
                    (found / expected - 1.0).abs() < 1e-6,
                    "{}: {found} {expected}",
                    case["name"]
                );
            }
        }
    }
}

/// The loss is the mean over the targets of all accumulated batches, as transformers' Trainer has it.
#[test]
fn accumulated_batches_equal_transformers() {
    block_on(async {
        let compute = Compute::cpu();
        let fixture = causal::fixtures()
            .into_iter()
            .find(|fixture| fixture.name == "smollm");
        let loaded = causal::load(&fixture.unwrap(), &compute).await;
        let schedules: serde_json::Value =
            serde_json::from_str(include_str!("fixtures/schedules.json")).unwrap();
        let golden = &schedules["gradient_accumulation"];
        let batches = golden["micro_batches"]
            .as_array()
            .unwrap()
            .iter()
            .map(|batch| {
                let rows = |key: &str| {
                    let rows: Vec<Vec<i32>> = serde_json::from_value(batch[key].clone()).unwrap();
                    rows
                };
                let ids = rows("input_ids");
                let layout = Layout::plain(ids.len(), ids[0].len());
                let targets = rows("labels")
                    .concat()
                    .into_iter()
                    .map(|label| label != -100);
                CausalBatch::new(
                    ids.concat(),
                    &targets.collect::<Vec<_>>(),
                    layout,
                    &compute.device,
                )
            });
        let batches = batches.collect::<Vec<_>>();
        let pass = PassSettings::default();
        let (found, loss) = gradients(&loaded.model, &batches, &pass);
        let loss = read(loss).await.unwrap()[0];
        assert!(
            (f64::from(loss) - golden["loss"].as_f64().unwrap()).abs() < 1e-5,
            "{loss}"
        );
        let found = causal::by_key(found, &loaded).await;
        let expected = golden["grad"].as_object().unwrap();
        assert!(!expected.is_empty());
        for (key, rows) in expected {
            let rows: Vec<Vec<f32>> = serde_json::from_value(rows.clone()).unwrap();
            let error = relative_error(&found[key], &rows.concat());
            assert!(error < 1e-5, "{key}: {error}");
        }
    });
}

/// Texts that share a row do not see one another: loss and gradients are those of a row each.
#[test]
fn packed_texts_equal_texts_in_rows_of_their_own() {
    block_on(async {
        let compute = Compute::cpu();
        let texts: [&[i32]; 3] = [&[5, 9, 17, 4, 8], &[11, 3, 30], &[7, 7, 21, 2]];
        let first = |index: usize| index > 0;
        let apart = texts.map(|text| {
            let targets = (0..text.len()).map(first).collect::<Vec<_>>();
            let layout = Layout::plain(1, text.len());
            CausalBatch::new(text.to_vec(), &targets, layout, &compute.device)
        });
        let targets = texts.iter().flat_map(|text| (0..text.len()).map(first));
        let positions = texts.iter().flat_map(|text| 0..text.len() as u32);
        let segments = (0..)
            .zip(&texts)
            .flat_map(|(segment, text)| text.iter().map(move |_| segment));
        let layout = Layout {
            positions: Some(positions.collect()),
            segments: Some(segments.collect()),
            ..Layout::plain(1, 12)
        };
        let packed = CausalBatch::new(
            texts.concat(),
            &targets.collect::<Vec<_>>(),
            layout,
            &compute.device,
        );
        for fixture in causal::fixtures() {
            let loaded = causal::load(&fixture, &compute).await;
            let pass = PassSettings::default();
            let of = |batches: &[CausalBatch]| gradients(&loaded.model, batches, &pass);
            let (one, loss) = of(std::slice::from_ref(&packed));
            let (several, expected) = of(&apart);
            let error = relative_error(&read(loss).await.unwrap(), &read(expected).await.unwrap());
            assert!(error < 1e-5, "{}: loss {error}", fixture.name);
            for ((path, found), (_, expected)) in one.into_iter().zip(several) {
                let error =
                    relative_error(&read(found).await.unwrap(), &read(expected).await.unwrap());
                assert!(error < 1e-4, "{}: {path} {error}", fixture.name);
            }
        }
    });
}
