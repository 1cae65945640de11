//! Labels ranked by a language model without training: what is refused, and that it matters neither how many labels pass at once nor what
//! is computed once. The numbers themselves: `common/choices.rs`, in the parity table.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::choices::model;
use common::golden::relative_error;
use pollster::block_on;
use webtune::data::Sequence;
use webtune::device::Compute;
use webtune::eval::choices::log_likelihoods;
use webtune::models::CausalLm;
use webtune::peft::{Method, attach};
use webtune::tasks::language::choose::{Choice, ChoiceOptions, choose};
use webtune::tasks::language::model::LanguageModel;

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| word.to_string()).collect()
}

fn ask(
    model: &LanguageModel,
    network: &CausalLm,
    labels: &[String],
    template: &str,
) -> webtune::Result<Vec<Choice>> {
    let options = ChoiceOptions {
        template: template.into(),
        ..ChoiceOptions::default()
    };
    let texts = words(&["the boat on the river", "bread"]);
    block_on(choose(model, network, &texts, labels, &options))
}

#[test]
fn labels_and_templates_that_cannot_be_used_are_refused_by_name() {
    let model = model_of("llama");
    for (labels, template, words_of_error) in [
        (words(&["a"]), "{text}", "labels: expected at least two"),
        (words(&["a", " "]), "{text}", "labels: label 2 is blank"),
        (words(&["a", "b", "a"]), "{text}", "labels: \"a\""),
        (words(&["a", "b"]), "text", "template: expected {text}"),
    ] {
        let error = ask(&model, &model.model, &labels, template).unwrap_err();
        assert_eq!(error.code(), "invalidOption");
        let text = error.to_string();
        assert!(text.contains(words_of_error), "{text}");
    }
}

fn model_of(family: &str) -> LanguageModel {
    block_on(model(&Compute::cpu(), family))
}

#[test]
fn a_label_scores_the_same_beside_any_others() {
    for family in ["llama", "gpt2"] {
        let model = model_of(family);
        let template = "Text: {text}\nLabel:";
        // more than pass at once, with beginnings in common
        let many = (0..70).map(|n| format!("kind {n}")).collect::<Vec<_>>();
        let two = [many[3].clone(), many[69].clone()];
        let all = ask(&model, &model.model, &many, template).unwrap();
        let few = ask(&model, &model.model, &two, template).unwrap();
        for (all, few) in all.iter().zip(&few) {
            let picked = [all.log_likelihoods[3], all.log_likelihoods[69]];
            let picked = picked.map(|value| value as f32);
            let alone = [few.log_likelihoods[0], few.log_likelihoods[1]];
            let error = relative_error(&picked, &alone.map(|value| value as f32));
            // float32 sums of another length
            assert!(error < 1e-5, "{family}: {error:e}");
            let sum = all.probabilities.iter().sum::<f64>();
            assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        }
    }
}

#[test]
fn what_is_shared_passes_once_and_changes_nothing() {
    for family in ["llama", "gpt2"] {
        let mut network = model_of(family).model;
        let prefix = serde_json::json!({"type": "prefix", "numVirtualTokens": 5});
        let method: Method = serde_json::from_value(prefix).unwrap();
        for tuned in [false, true] {
            if tuned {
                attach(&mut network, &method, 1).unwrap();
            }
            let sequence = |ids: &[u32]| Sequence {
                ids: ids.to_vec(),
                targets: (0..ids.len()).map(|index| index >= 4).collect(),
                truncated: 0,
            };
            let [a, b] = [sequence(&[9, 8, 7, 6, 5, 40]), sequence(&[9, 8, 7, 6, 300])];
            // begins differently, so that all of each row passes
            let apart = sequence(&[10, 8, 7, 6, 300]);
            let logs = |rows: &[Sequence]| {
                let found = block_on(log_likelihoods(&network, rows)).unwrap();
                found.iter().map(|log| *log as f32).collect::<Vec<_>>()
            };
            let together = logs(&[a.clone(), b.clone()]);
            let whole = logs(&[a, b, apart]);
            let error = relative_error(&together, &whole[..2]);
            assert!(error < 1e-5, "{family}, prefix {tuned}: {error:e}");
            assert_ne!(whole[1], whole[2]);
        }
    }
}
