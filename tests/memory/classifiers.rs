//! Whole runs of classifiers.

#[allow(dead_code)] // other tests use the rest
#[path = "../common/tiny.rs"]
mod tiny;

use webtune::data::Example;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::classify::{ClassifyRun, ClassifyTask, UserOptions};

use super::*;

async fn classifier(case: &Case, rows: &[Example]) -> Found {
    let files = tiny::files_of(&case.config, 7);
    let given = UserOptions::parse(case.options.clone()).unwrap();
    measured!(
        Pretrained::load_stored("model", files, compute(), case.storage),
        |model| ClassifyRun::new(ClassifyTask::new(&model, rows, given).unwrap())
    )
}

fn bert() -> Value {
    json!({
        "model_type": "bert", "vocab_size": 2000, "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 8,
        "intermediate_size": 256, "max_position_embeddings": 2048
    })
}

fn modernbert() -> Value {
    json!({
        "model_type": "modernbert", "vocab_size": 2000, "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 8,
        "intermediate_size": 96, "max_position_embeddings": 2048, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3,
        "cls_token_id": 2, "sep_token_id": 3
    })
}

/// Texts of at least this many tokens.
fn long_examples(count: usize, tokens: usize) -> Vec<Example> {
    let rows = tiny::examples(count).into_iter();
    let rows = rows.map(|row| Example {
        text: format!("{} {}", row.text, "water ".repeat(tokens)),
        ..row
    });
    rows.collect()
}

/// Each with its number of rows.
fn classifier_cases() -> Vec<(Case, usize)> {
    let run = |rows: usize, tokens: usize, more: Value| {
        let options = json!({
            "method": {"type": "lora", "r": 8}, "trainBatchSize": rows, "maxLength": tokens, "numTrainEpochs": 1, "head": "mean",
            "contrastive": false, "frozenCache": false, "gradientCheckpointing": false, "validationSplit": 0.2
        });
        with(&options, more)
    };
    let twice = json!({"gradientCheckpointing": true});
    let full = |more: Value| {
        with(
            &json!({"method": {"type": "full"}, "numTrainEpochs": 2}),
            more,
        )
    };
    let mut table = Table {
        config: bert(),
        cases: Vec::new(),
    };
    for storage in [Storage::F32, Storage::F16, Storage::Int8, Storage::Int4] {
        table.add("lora 12 x 64", run(12, 64, json!({}))).storage = storage;
        // scoring the rows together takes more than training them part by part
        let case = table.add("lora 12 x 64, checkpointing", run(12, 64, twice.clone()));
        (case.storage, case.claim) = (storage, Claim::Enough);
    }
    table.add("lora 12 x 256", run(12, 256, json!({}))).claim = Claim::Enough;
    table
        .add("lora 12 x 256, checkpointing", run(12, 256, twice.clone()))
        .claim = Claim::Enough;
    table.add("evaluation", run(1, 128, json!({}))).claim = Claim::Enough;
    for (name, more) in [
        (
            "DoRA",
            json!({"method": {"type": "lora", "r": 8, "useDora": true}}),
        ),
        (
            "PiSSA",
            json!({"method": {"type": "lora", "r": 8, "initLoraWeights": "pissa"}}),
        ),
        (
            "lora dropout",
            json!({"method": {"type": "lora", "r": 8, "loraDropout": 0.1}}),
        ),
        ("dropout", json!({"dropout": 0.1})),
        (
            "Houlsby",
            json!({"method": {"type": "houlsby", "reductionFactor": 4}}),
        ),
        (
            "prefix",
            json!({"method": {"type": "prefix", "numVirtualTokens": 128}}),
        ),
        (
            "a large adapter, a penalty",
            json!({"l2Sp": 0.1, "method": {"type": "lora", "r": 64}}),
        ),
        ("full, mixout", full(json!({"mixout": 0.1}))),
        (
            "contrastive stage",
            json!({"contrastive": {"batchSize": 12, "steps": 2}}),
        ),
    ] {
        table.add(name, run(12, 64, more));
    }
    for (name, more) in [
        // from a random head, so that the best state is not the first one
        ("full", full(json!({}))),
        ("full, checkpointing", full(twice.clone())),
        ("full, a penalty", full(json!({"l2Sp": 0.1}))),
        (
            "full, accumulated",
            full(json!({"gradientAccumulationSteps": 2})),
        ),
        ("full, several seeds", full(json!({"seeds": 3}))),
    ] {
        table.add(name, run(2, 16, more));
    }
    table.config = modernbert();
    table.add("ModernBERT", run(12, 64, json!({})));
    table.add("ModernBERT, checkpointing", run(12, 64, twice));
    let mut cases = table
        .cases
        .into_iter()
        .map(|case| (case, 16))
        .collect::<Vec<_>>();
    let mut table = Table {
        config: bert(),
        cases: Vec::new(),
    };
    let cached =
        json!({"frozenCache": true, "method": {"type": "lora", "r": 8, "layersToTransform": [2]}});
    table.add("cached rows", run(16, 32, cached.clone()));
    table.add(
        "cached rows, several seeds",
        run(16, 32, with(&cached, json!({"seeds": 2}))),
    );
    // the cache is counted next to the steps in which everything trains, when it is empty
    let unfreezing = full(json!({"frozenCache": true, "unfreezeEverySteps": 5}));
    table
        .add("cached rows, unfreezing", run(16, 32, unfreezing))
        .claim = Claim::Enough;
    cases.extend(table.cases.into_iter().map(|case| (case, 400)));
    cases
}

#[test]
fn runs_of_classifiers_take_what_was_estimated() {
    let _alone = ALONE.lock();
    let mut wrong = Vec::new();
    for (case, rows) in classifier_cases().iter().filter(|(case, _)| wanted(case)) {
        let tokens = case.options["maxLength"].as_u64().unwrap() as usize;
        let rows = long_examples(*rows, tokens);
        wrong.extend(judge(case, &block_on(classifier(case, &rows))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
