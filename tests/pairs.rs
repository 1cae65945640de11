//! Pairs of texts: encoded as transformers does, answered as PEFT's own model does, and learnt where one text alone says nothing.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::tiny;
use common::training::{finished, options};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::Error;
use webtune::data::{Example, check};
use webtune::device::Compute;
use webtune::export::{ExportedFile, Format, files, import, own_format};
use webtune::formats::MemorySource;
use webtune::models::Family;
use webtune::models::decoder::DecoderFamily;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::tuned::{Tuned, Which};
use webtune::tasks::classify::{ClassifyEvent, ClassifyRun, ClassifyTask};
use webtune::text::{TextInput, Texts, Tokenizer};
use webtune::train::task::Task;

/// float32 of two implementations through two layers.
const TOLERANCE: f32 = 1e-5;

fn fixture(path: &str) -> Vec<u8> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
    std::fs::read(format!("{root}{path}")).unwrap()
}

fn cases(name: &str) -> Vec<Value> {
    serde_json::from_slice(&fixture(&format!("pairs/{name}"))).unwrap()
}

fn numbers<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap()
}

fn texts(row: &Value) -> Texts<'_> {
    Texts {
        text: row["text"].as_str().unwrap(),
        pair: row["pair"].as_str(),
    }
}

fn input(text: &str, pair: &str) -> TextInput {
    serde_json::from_value(json!({"text": text, "textPair": pair})).unwrap()
}

/// The tokenizer of a fixture's folder under another post-processor.
fn tokenizer(folder: &str, processor: &Value) -> Result<Tokenizer, Error> {
    let bytes = fixture(&format!("{folder}/tokenizer.json"));
    let mut file: Value = serde_json::from_slice(&bytes).unwrap();
    file["post_processor"] = processor.clone();
    Tokenizer::from_bytes("tokenizer.json", file.to_string().as_bytes())
}

#[test]
fn pairs_are_encoded_and_cut_as_transformers_does() {
    let mut cut = 0;
    for case in cases("cases.json") {
        let name = &case["name"];
        let tokenizer = tokenizer(case["file"].as_str().unwrap(), &case["processor"]).unwrap();
        for row in case["rows"].as_array().unwrap() {
            let (texts, length) = (texts(row), row["maxLength"].as_u64().unwrap() as usize);
            let found = tokenizer.encode(texts, length).unwrap();
            assert_eq!(
                found.ids,
                numbers::<u32>(&row["ids"]),
                "{name}: {texts:?} at {length}"
            );
            assert_eq!(
                found.type_ids,
                numbers::<u32>(&row["typeIds"]),
                "{name}: {texts:?} at {length}"
            );
            let full = row["fullLength"].as_u64().unwrap() as usize;
            assert_eq!(found.truncated_from, (full > length).then_some(full));
            cut += usize::from(full > length);
            // a model without a table of token types is given none
            let plain = tokenizer
                .clone()
                .with_types(0)
                .encode(texts, length)
                .unwrap();
            assert_eq!(
                (plain.ids, plain.type_ids.iter().max()),
                (found.ids, Some(&0))
            );
        }
    }
    assert!(cut > 100, "{cut}");
}

#[test]
fn a_template_that_pairs_cannot_use_is_refused_where_they_come() {
    let piece = |kind: &str, id: &str| json!({kind: {"id": id, "type_id": 0}});
    let (a, b) = (piece("Sequence", "A"), piece("Sequence", "B"));
    let template = |pair: &[&Value]| json!({"type": "TemplateProcessing", "single": [a], "pair": pair, "special_tokens": {}});
    let both = Texts {
        text: "the",
        pair: Some("old"),
    };
    for pair in [
        &[&a][..],
        &[&b, &b],
        &[&b, &a],
        &[&a, &a, &b],
        &[&a, &b, &piece("SpecialToken", "[SEP]")],
    ] {
        let tokenizer = tokenizer("tokenizer_wordpiece", &template(pair)).unwrap();
        assert_eq!(tokenizer.encode("the", 8).unwrap().ids.len(), 1);
        let error = tokenizer.encode(both, 8).unwrap_err();
        assert_eq!(error.code(), "invalidFile");
        assert!(
            error.to_string().contains("cannot read two texts together"),
            "{error}"
        );
    }
    let broken = json!({"type": "TemplateProcessing", "single": [a, piece("SpecialToken", "[SEP]")], "pair": [a, b], "special_tokens": {}});
    let error = tokenizer("tokenizer_wordpiece", &broken).unwrap_err();
    assert!(error.to_string().contains("special_tokens lack"), "{error}");

    let bert = json!({"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]});
    let tokenizer = tokenizer("tokenizer_wordpiece", &bert).unwrap();
    let error = tokenizer.encode(both, 3).unwrap_err();
    assert!(error.to_string().contains("at least 4"), "{error}");
    let error = tokenizer.with_types(1).encode(both, 8).unwrap_err();
    assert!(error.to_string().contains("type_vocab_size"), "{error}");
}

fn bert_files(more: Vec<MemorySource>) -> Vec<MemorySource> {
    let names = ["config.json", "tokenizer.json", "model.safetensors"];
    let files = names.map(|name| MemorySource::new(name, fixture(&format!("pairs/bert/{name}"))));
    files.into_iter().chain(more).collect()
}

#[test]
fn an_adapter_answers_pairs_as_peft_does() {
    block_on(async {
        let names = ["adapter_config.json", "adapter_model.safetensors"];
        let adapter = names.map(|name| ExportedFile {
            path: name.into(),
            bytes: fixture(&format!("pairs/bert/adapter/{name}")),
        });
        let without = json!({"model_input_names": ["input_ids", "attention_mask"]});
        let without = MemorySource::new("tokenizer_config.json", without.to_string().into_bytes());
        for (key, more) in [("logits", Vec::new()), ("withoutTypes", vec![without])] {
            let model = Pretrained::load("bert", bert_files(more), Compute::cpu())
                .await
                .unwrap();
            let tuned = import(&model, adapter.to_vec()).await.unwrap();
            assert_eq!(tuned.pairs, None);
            let rows = cases("logits.json");
            let pairs: Vec<TextInput> = rows
                .iter()
                .map(|row| input(texts(row).text, texts(row).pair.unwrap()))
                .collect();
            let found = tuned.predict(&model, &pairs, Which::Tuned).await.unwrap();
            assert_eq!(found.len(), rows.len());
            for (found, row) in found.iter().zip(&rows) {
                for (found, expected) in found.logits.iter().zip(numbers::<f32>(&row[key])) {
                    assert!(
                        (found - expected).abs() < TOLERANCE,
                        "{key}: {found} {expected}"
                    );
                }
            }
        }
    });
}

/// Whether two texts are about the same, which neither of them says alone.
fn agreeing(count: usize) -> Vec<Example> {
    let words = ["river", "bread"];
    let row = |index: usize| {
        let [one, other] = [index % 2, index / 2 % 2];
        let label = if one == other { "same" } else { "different" };
        Example::new(format!("number {index} is about the {}", words[one]), label)
            .with_pair(format!("again the {}", words[other]))
    };
    (0..count).map(row).collect()
}

fn trained(model: &Pretrained, rows: &[Example], given: Value) -> (Vec<ClassifyEvent>, Tuned) {
    let mut run = ClassifyRun::new(ClassifyTask::new(model, rows, options(given)).unwrap());
    let mut events = Vec::new();
    while let Some(event) = block_on(run.next_event()).unwrap() {
        events.push(event);
    }
    (events, run.take_tuned().unwrap())
}

fn alone(rows: &[Example]) -> Vec<Example> {
    let rows = rows.iter().cloned();
    rows.map(|row| Example {
        text_pair: None,
        ..row
    })
    .collect()
}

#[test]
fn a_run_on_pairs_learns_what_single_texts_do_not_say() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let rows = agreeing(64);
    let given = json!({"headInit": "random", "head": "cls", "method": {"type": "full"}, "learningRate": 3e-3, "headLearningRate": 1e-2,
        "numTrainEpochs": 30, "earlyStoppingPatience": 0, "contrastive": false, "trainBatchSize": 16});
    let (events, tuned) = trained(&model, &rows, given.clone());
    let scores = block_on(tuned.evaluate(&model, &rows)).unwrap();
    assert!(scores.tuned.accuracy > 0.95, "{:?}", scores.tuned);
    assert_eq!(scores.rows[1].text_pair.as_deref(), Some("again the river"));
    assert!(
        finished(&events).task.evaluation.rows[0]
            .text_pair
            .is_some()
    );
    let (_, other) = trained(&model, &alone(&rows), given);
    let scores = block_on(other.evaluate(&model, &alone(&rows))).unwrap();
    assert!(scores.tuned.accuracy < 0.8, "{:?}", scores.tuned);
}

const KINDS: [(&str, &str); 2] = [("lora", "mean"), ("probe", "cls")];

#[test]
fn what_was_learnt_of_pairs_is_kept_and_asked_of_pairs_alone() {
    block_on(async {
        for (method, head) in KINDS {
            let model = tiny::model(&Compute::cpu()).await;
            let rows = agreeing(24);
            let given = json!({"head": head, "method": {"type": method}, "numTrainEpochs": 1, "contrastive": false});
            let (_, tuned) = trained(&model, &rows, given.clone());
            let own = own_format(&model, &tuned).unwrap();
            let exported = files(&model, &tuned, own).await.unwrap();
            let card = exported
                .iter()
                .find(|file| file.path == "README.md")
                .unwrap();
            let card = String::from_utf8_lossy(&card.bytes).into_owned();
            assert!(card.contains("its second text"), "{card}");
            let back = import(&model, exported).await.unwrap();
            assert_eq!(back.pairs, Some(true));
            let pair = [input("the river", "the bread")];
            for which in [Which::Tuned, Which::Baseline] {
                let one = tuned.predict(&model, &pair, which).await.unwrap();
                let two = back.predict(&model, &pair, which).await.unwrap();
                assert_eq!(one[0].logits, two[0].logits);
                let turned = [input("the bread", "the river")];
                let turned = tuned.predict(&model, &turned, which).await.unwrap();
                assert_ne!(one[0].logits, turned[0].logits, "{method}");
                let single = ["the river".to_string()];
                let error = tuned.predict(&model, &single, which).await.unwrap_err();
                assert!(
                    error.to_string().contains("learnt pairs of texts"),
                    "{error}"
                );
            }
            let error = back.evaluate(&model, &alone(&rows)).await.unwrap_err();
            assert_eq!(error.report().row, Some(1), "{error}");
            let (_, single) = trained(&model, &alone(&rows), given);
            let error = single.evaluate(&model, &rows).await.unwrap_err();
            assert!(error.to_string().contains("learnt single texts"), "{error}");
        }
    });
}

/// A frozen part that is kept gives what a run without a cache gives, types included; of a decoder, pairs are joined.
#[test]
fn kept_states_of_pairs_change_nothing() {
    for family in [
        Family::Bert,
        Family::Modernbert,
        Family::Decoder(DecoderFamily::Llama),
    ] {
        let model = block_on(tiny::family_model(&Compute::cpu(), family));
        let rows = agreeing(16);
        let run = |cache: bool| {
            let given = json!({"head": "cls", "frozenCache": cache, "numTrainEpochs": 1, "contrastive": false, "seed": 3, "learningRate": 1e-2,
                "method": {"type": "lora", "layersToTransform": [1]}});
            let (events, _) = trained(&model, &rows, given);
            common::training::losses(&events)
        };
        let [kept, computed] = [run(true), run(false)];
        assert!(!kept.is_empty());
        for (kept, computed) in kept.iter().zip(&computed) {
            assert!(
                (kept - computed).abs() < 1e-5,
                "{family:?}: {kept} {computed}"
            );
        }
    }
}

#[test]
fn the_card_of_a_graph_reads_pairs() {
    block_on(async {
        let model = tiny::model(&Compute::cpu()).await;
        let given = json!({"head": "cls", "numTrainEpochs": 1, "contrastive": false});
        let (_, tuned) = trained(&model, &agreeing(16), given);
        let exported = files(&model, &tuned, Format::Onnx).await.unwrap();
        let card = exported
            .iter()
            .find(|file| file.path == "README.md")
            .unwrap();
        let card = String::from_utf8_lossy(&card.bytes);
        for words in [
            "text_pair: \"its second text\"",
            "return_token_type_ids: true",
        ] {
            assert!(card.contains(words), "{card}");
        }
    });
}

#[test]
fn repeated_pairs_are_told_and_others_are_not() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let started = |rows: &[Example]| {
        let task = ClassifyTask::new(&model, rows, options(json!({}))).unwrap();
        match block_on(ClassifyRun::new(task).next_event()).unwrap() {
            Some(ClassifyEvent::Started { warnings, task, .. }) => (warnings, task.items_key),
            other => panic!("{other:?}"),
        }
    };
    let same_first = |index: usize| {
        Example::new("the river", ["a", "b"][index % 2])
            .with_pair(format!("the bread {}", "again ".repeat(index)))
    };
    let mut rows: Vec<Example> = (0..12).map(same_first).collect();
    assert_eq!(started(&rows).0, [""; 0]);
    let key = started(&rows).1;
    let other = |row: &Example| row.clone().with_pair("the boat");
    let others: Vec<Example> = rows.iter().map(other).collect();
    assert_ne!(started(&others).1, key);
    let print = |rows: &[Example]| {
        let task = ClassifyTask::new(&model, rows, options(json!({}))).unwrap();
        task.fingerprint().rows
    };
    assert_ne!(print(&others), print(&rows));
    rows[4] = rows[2].clone();
    assert!(started(&rows).0[0].contains("1 example repeats an earlier one"));
    let long = Example::new("the river", "a").with_pair("water ".repeat(90));
    rows[4] = long;
    assert!(
        started(&rows).0[0].starts_with("1 pair is longer than 64 tokens"),
        "{:?}",
        started(&rows).0
    );
    assert!(check(&rows).is_ok());
}
