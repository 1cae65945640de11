//! Compares the labels' log-likelihoods on a device with transformers', and checks that the same labels win by every rule.

use serde::Deserialize;
use webtune::device::Compute;
use webtune::formats::MemorySource;
use webtune::layers::Storage;
use webtune::tasks::language::choose::{ChoiceOptions, Normalization, choose};
use webtune::tasks::language::model::LanguageModel;

use super::golden::relative_error;
use super::parity::Errors;

const TOKENIZER: &[u8] = include_bytes!("../fixtures/tokenizer_bpe/tokenizer.json");
const CASES: &[u8] = include_bytes!("../fixtures/likelihood/cases.json");

macro_rules! files {
    ($family:literal) => {
        [
            include_bytes!(concat!("../fixtures/likelihood/", $family, "/config.json")).as_slice(),
            include_bytes!(concat!(
                "../fixtures/likelihood/",
                $family,
                "/model.safetensors"
            )),
        ]
    };
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    log_likelihoods: Vec<f64>,
    tokens: Vec<usize>,
    sum: usize,
    characters: usize,
    tokens_rule: usize,
}

#[derive(Deserialize)]
struct Case {
    family: String,
    template: String,
    labels: Vec<String>,
    texts: Vec<String>,
    expected: Vec<Expected>,
}

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

/// The tiny model of a family.
pub async fn model(compute: &Compute, family: &str) -> LanguageModel {
    let [config, weights] = match family {
        "llama" => files!("llama"),
        "gpt2" => files!("gpt2"),
        other => panic!("there is no {other}"),
    };
    let files = vec![
        MemorySource::new("config.json", config.to_vec()),
        MemorySource::new("tokenizer.json", TOKENIZER.to_vec()),
        MemorySource::new("model.safetensors", weights.to_vec()),
    ];
    let model = LanguageModel::load(family, files, compute.clone(), Storage::F32);
    model.await.unwrap()
}

/// The largest error of each family's log-likelihoods.
pub async fn errors(compute: &Compute) -> Errors {
    let mut errors = Errors::new();
    let Cases { cases } = serde_json::from_slice(CASES).unwrap();
    for case in cases {
        let model = model(compute, &case.family).await;
        for normalization in [
            Normalization::Sum,
            Normalization::Characters,
            Normalization::Tokens,
        ] {
            let options = ChoiceOptions {
                template: case.template.clone(),
                normalization,
            };
            let found = choose(&model, &model.model, &case.texts, &case.labels, &options);
            let found = found.await.unwrap();
            assert_eq!(found.len(), case.expected.len());
            for (found, expected) in found.iter().zip(&case.expected) {
                let best = match normalization {
                    Normalization::Sum => expected.sum,
                    Normalization::Characters => expected.characters,
                    Normalization::Tokens => expected.tokens_rule,
                };
                assert_eq!(found.tokens, expected.tokens, "{}", case.template);
                assert_eq!(found.label, case.labels[best], "{}", case.template);
                let single = |values: &[f64]| values.iter().map(|v| *v as f32).collect::<Vec<_>>();
                let error = relative_error(
                    &single(&found.log_likelihoods),
                    &single(&expected.log_likelihoods),
                );
                let worst = errors.entry(case.family.clone()).or_insert(0.0);
                *worst = worst.max(error);
            }
        }
    }
    errors
}
