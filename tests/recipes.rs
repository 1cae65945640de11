//! What recipes fill in, what they leave alone, and which options are refused.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::tiny;
use common::training::{finished, options, refusal, run_on};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::data::ProblemType;
use webtune::device::Compute;
use webtune::peft::Method;
use webtune::tasks::classify::recipe::{DataSummary, ResolvedOptions, Speed, fit_to_time, resolve};
use webtune::tasks::classify::{ClassifyEvent, RecipeName, UserOptions};

const FEW: DataSummary = DataSummary {
    rows: 48,
    labels: 6,
    problem: ProblemType::SingleLabel,
    tokens: 12.0,
    layers: 6,
    last_token: false,
};

const MANY: DataSummary = DataSummary { rows: 4000, ..FEW };

fn chosen(json: Value, facts: &DataSummary) -> ResolvedOptions {
    resolve(&options(json), facts).unwrap()
}

/// A value of every option that no recipe would choose.
fn explicit() -> Value {
    json!({
        "method": {"type": "houlsby", "reductionFactor": 3}, "head": "mean", "headInit": "probe",
        "contrastive": {"steps": 7, "batchSize": 9, "learningRate": 0.7, "temperature": 0.3},
        "learningRate": 0.0123, "headLearningRate": 0.0456, "lrSchedulerType": "cosine", "warmupSteps": 17,
        "layerLrDecay": 0.77, "unfreezeEverySteps": 13, "numTrainEpochs": 23, "trainBatchSize": 19,
        "gradientAccumulationSteps": 5, "weightDecay": 0.031, "decayBiasAndNorm": true, "dropout": 0.07, "l2Sp": 0.009,
        "adamBeta1": 0.81, "adamBeta2": 0.91, "adamEpsilon": 1e-5, "maxGradNorm": 0.6, "maxLength": 33,
        "validationSplit": 0.23, "earlyStoppingPatience": 11, "seed": 1, "headSeed": 2, "dataSeed": 3, "seeds": 4,
        "labelDescriptions": {"food": "a meal"}, "frozenCache": false, "gradientCheckpointing": true
    })
}

#[test]
fn explicit_options_win_over_every_recipe_and_a_slow_device() {
    let slow = Speed {
        seconds_per_position: 10.0,
        positions: 1e6,
    };
    for recipe in ["fast", "balanced", "best"] {
        for facts in [&FEW, &MANY] {
            let mut given = explicit();
            given["recipe"] = json!(recipe);
            let options = options(given.clone());
            let chosen = fit_to_time(&options, resolve(&options, facts).unwrap(), &slow);
            let found = serde_json::to_value(&chosen.options).unwrap();
            for (option, value) in given.as_object().unwrap() {
                if option == "method" {
                    assert_eq!(found[option]["reductionFactor"], 3);
                    continue;
                }
                assert_eq!(&found[option], value, "{recipe}: {option}");
            }
            assert_eq!(
                chosen.reasons,
                Vec::<String>::new(),
                "{recipe}: nothing was left to choose"
            );
        }
    }
}

#[test]
fn each_option_alone_wins_too() {
    // one at a time, so that no other explicit option switches a recipe's choice off
    for (option, value) in explicit().as_object().unwrap() {
        if ["method", "unfreezeEverySteps", "labelDescriptions"].contains(&option.as_str()) {
            continue;
        }
        for recipe in ["fast", "balanced", "best"] {
            let found = chosen(json!({"recipe": recipe, option: value}), &FEW).options;
            let found = serde_json::to_value(found).unwrap();
            assert_eq!(&found[option], value, "{recipe}: {option}");
        }
    }
}

#[test]
fn recipes_differ_in_method_stages_and_length() {
    for (recipe, facts, r, layers, contrastive, epochs, seeds) in [
        ("fast", &FEW, 8, Some(vec![4, 5]), true, 0, 1),
        ("fast", &MANY, 8, Some(vec![4, 5]), false, 4, 1),
        ("balanced", &FEW, 4, None, true, 0, 1),
        ("balanced", &MANY, 4, None, false, 5, 1),
        ("best", &FEW, 4, None, true, 8, 3),
        ("best", &MANY, 4, None, false, 8, 3),
    ] {
        let ResolvedOptions { options, reasons } = chosen(json!({"recipe": recipe}), facts);
        let Method::Lora(lora) = &options.common.method else {
            panic!("{:?}", options.common.method);
        };
        assert_eq!(
            (lora.r, &lora.layers_to_transform),
            (r, &layers),
            "{recipe}"
        );
        assert_eq!(
            options.own.contrastive.settings().is_some(),
            contrastive,
            "{recipe}"
        );
        assert_eq!(
            (options.common.num_train_epochs, options.common.seeds),
            (epochs, seeds),
            "{recipe}"
        );
        for (word, reported) in [
            ("LoRA", true),
            ("contrastive", contrastive),
            ("epochs", true),
            ("seeds", seeds > 1),
        ] {
            let found = reasons.iter().any(|reason| reason.contains(word));
            assert_eq!(found, reported, "{recipe} {word}: {reasons:?}");
        }
    }
    assert_eq!(
        chosen(json!({}), &MANY).options.own.recipe,
        RecipeName::Balanced
    );
}

#[test]
fn rates_suit_the_method_and_halve_after_a_contrastive_stage() {
    for (method, rate, head_rate) in [
        ("lora", 1e-3, 1e-2),
        ("houlsby", 1e-3, 1e-2),
        ("full", 2e-5, 1e-2),
        ("prefix", 1e-2, 1e-2),
    ] {
        let of = |facts: &DataSummary| {
            let options = chosen(json!({"method": {"type": method}}), facts).options;
            let stage = options
                .own
                .contrastive
                .settings()
                .map(|stage| stage.learning_rate);
            (
                options.common.learning_rate,
                options.own.head_learning_rate,
                stage,
            )
        };
        assert_eq!(of(&MANY), (rate, head_rate, None), "{method}");
        assert_eq!(
            of(&FEW),
            (rate / 2.0, head_rate / 2.0, Some(rate)),
            "{method}"
        );
    }
}

#[test]
fn what_is_left_out_of_a_given_stage_is_filled() {
    let options = chosen(json!({"contrastive": {"steps": 7}}), &MANY).options;
    let stage = options.own.contrastive.settings().unwrap();
    assert_eq!(
        (stage.steps, stage.batch_size, stage.learning_rate),
        (7, 32, 1e-3)
    );
}

#[test]
fn what_does_not_go_with_a_contrastive_stage_switches_the_recipes_own_off() {
    for given in [
        json!({"method": {"type": "probe"}}),
        json!({"headInit": "random"}),
        json!({"unfreezeEveryEpochs": 1}),
        json!({"contrastive": false}),
    ] {
        let chosen = chosen(given.clone(), &FEW);
        assert!(
            chosen.options.own.contrastive.settings().is_none(),
            "{given}"
        );
    }
}

#[test]
fn a_slow_device_gets_fewer_epochs_and_is_told_so() {
    let speed = |seconds_per_position: f64| Speed {
        seconds_per_position,
        positions: 1000.0,
    };
    let fit = |json: Value, seconds: f64| {
        let given = options(json);
        fit_to_time(&given, resolve(&given, &MANY).unwrap(), &speed(seconds))
    };
    // an epoch takes 3 * 1000 * 0.0625 = 187.5 s, and balanced may take 600
    let slow = fit(json!({}), 0.0625);
    assert_eq!(slow.options.common.num_train_epochs, 3);
    assert!(
        slow.reasons
            .iter()
            .any(|reason| reason.contains("3 instead of 5 epochs") && reason.contains("188 s")),
        "{:?}",
        slow.reasons
    );
    let quick = fit(json!({}), 1e-4);
    assert_eq!(quick.options.common.num_train_epochs, 5);
    assert!(
        !quick
            .reasons
            .iter()
            .any(|reason| reason.contains("instead"))
    );
    // never fewer than one, and never fewer than asked for
    assert_eq!(fit(json!({}), 1e9).options.common.num_train_epochs, 1);
    assert_eq!(
        fit(json!({"numTrainEpochs": 9}), 1e9)
            .options
            .common
            .num_train_epochs,
        9
    );
    // eight epochs of 187.5 s with three seeds, and best may take 3600: the seeds go first
    let best = |json: Value, seconds: f64| {
        let options = fit(json, seconds).options;
        (options.common.seeds, options.common.num_train_epochs)
    };
    assert_eq!(best(json!({"recipe": "best"}), 0.0625), (1, 8));
    assert_eq!(best(json!({"recipe": "best"}), 0.25), (1, 4));
    assert_eq!(best(json!({"recipe": "best", "seeds": 3}), 0.0625), (3, 6));
    assert_eq!(
        fit(json!({"recipe": "fast"}), 0.0625)
            .options
            .common
            .num_train_epochs,
        1
    );
}

#[test]
fn a_run_tells_what_was_chosen() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let (events, _) = block_on(run_on(&model, 24, json!({"recipe": "fast", "seed": 9})));
    let Some(ClassifyEvent::Recipe {
        reasons,
        options,
        total_steps,
        epochs,
    }) = events
        .iter()
        .find(|event| matches!(event, ClassifyEvent::Recipe { .. }))
    else {
        panic!("no recipe");
    };
    assert_eq!(
        (options.own.recipe, *epochs, *total_steps),
        (RecipeName::Fast, 0, 20)
    );
    assert!(!reasons.is_empty());
    assert_eq!(
        (
            options.common.head_seed,
            options.common.data_seed,
            options.common.max_length
        ),
        (Some(9), Some(9), Some(64)),
        "all that decides is written out"
    );
    assert_eq!(options.as_ref(), &finished(&events).options);
}

#[test]
fn nothing_kept_is_worse_than_its_probe() {
    let model = block_on(tiny::model(&Compute::cpu()));
    let methods = [
        json!({"type": "lora"}),
        json!({"type": "lora", "initLoraWeights": "pissa", "useDora": true}),
        json!({"type": "full"}),
        json!({"type": "probe"}),
        json!({"type": "houlsby"}),
        json!({"type": "prefix"}),
    ];
    for recipe in ["fast", "balanced", "best"] {
        for method in &methods {
            // a rate that ruins some of the runs
            for rate in [None, Some(0.3)] {
                let mut given = json!({"recipe": recipe, "method": method, "trainBatchSize": 8});
                if let Some(rate) = rate {
                    given["learningRate"] = json!(rate);
                    given["headLearningRate"] = json!(rate);
                }
                let (events, _) = block_on(run_on(&model, 24, given.clone()));
                let evaluation = &finished(&events).task.evaluation;
                let probe = evaluation.baselines.probe.accuracy;
                assert!(evaluation.tuned.accuracy >= probe, "{given}");
            }
        }
    }
}

#[test]
fn unknown_and_ill_typed_options_are_named_by_their_path() {
    for (json, option, words) in [
        (json!({"epochs": 2}), "epochs", "unknown field"),
        (
            json!({"learningRate": "much"}),
            "learningRate",
            "invalid type",
        ),
        (
            json!({"numTrainEpochs": 1.5}),
            "numTrainEpochs",
            "invalid type",
        ),
        (
            json!({"numTrainEpochs": -1}),
            "numTrainEpochs",
            "invalid value",
        ),
        (json!({"recipe": "slow"}), "recipe", "unknown variant"),
        (json!({"recipe": "lora"}), "recipe", "unknown variant"),
        (json!({"head": "dot"}), "head", "unknown variant"),
        (
            json!({"lrSchedulerType": "step"}),
            "lrSchedulerType",
            "unknown variant",
        ),
        (
            json!({"labelDescriptions": {"food": 3}}),
            "labelDescriptions",
            "invalid type",
        ),
        (
            json!({"method": {"type": "ia3"}}),
            "method",
            "unknown variant",
        ),
        (json!({"method": {"r": 4}}), "method", "missing field"),
        (
            json!({"method": {"type": "lora", "rank": 4}}),
            "method",
            "unknown field `rank`",
        ),
        (
            json!({"method": {"type": "lora", "r": "4"}}),
            "method",
            "invalid type",
        ),
        (
            json!({"method": {"type": "lora", "initLoraWeights": "olora"}}),
            "method",
            "initLoraWeights: expected true",
        ),
        (
            json!({"method": {"type": "lora", "bias": "some"}}),
            "method",
            "unknown variant",
        ),
        (
            json!({"method": {"type": "full", "r": 4}}),
            "method",
            "unknown field",
        ),
        (
            json!({"method": {"type": "probe", "c": 1}}),
            "method",
            "unknown field",
        ),
        (
            json!({"method": {"type": "houlsby", "nonLinearity": "elu"}}),
            "method",
            "unknown variant",
        ),
        (
            json!({"method": {"type": "prefix", "tokens": 1}}),
            "method",
            "unknown field",
        ),
        (
            json!({"contrastive": true}),
            "contrastive",
            "expected false or",
        ),
        (
            json!({"contrastive": {"epochs": 1}}),
            "contrastive",
            "expected false or",
        ),
        (json!([1]), "options", "expected an object"),
        (json!("fast"), "options", "expected an object"),
    ] {
        let error = UserOptions::parse(json.clone()).unwrap_err();
        assert_eq!(error.code(), "invalidOption", "{json}");
        let text = error.to_string();
        assert!(
            text.starts_with(option) && text.contains(words),
            "{json}: {text}"
        );
    }
    // JavaScript's undefined becomes null
    assert!(UserOptions::parse(json!({"learningRate": null})).is_ok());
    assert!(UserOptions::parse(Value::Null).is_ok());
}

#[test]
fn impossible_combinations_are_refused_before_anything_is_computed() {
    let model = block_on(tiny::model(&Compute::cpu()));
    for (json, option) in [
        (json!({"mixout": 0.1}), "mixout"),
        (
            json!({"mixout": 0.1, "method": {"type": "prefix"}}),
            "mixout",
        ),
        (json!({"warmupSteps": 3, "warmupRatio": 0.1}), "warmupSteps"),
        (
            json!({"unfreezeEverySteps": 1, "unfreezeEveryEpochs": 1}),
            "unfreezeEverySteps",
        ),
        (
            json!({"method": {"type": "probe"}, "unfreezeEverySteps": 1}),
            "unfreezeEverySteps",
        ),
        (
            json!({"method": {"type": "probe"}, "contrastive": {}}),
            "contrastive",
        ),
        (
            json!({"method": {"type": "probe"}, "layerLrDecay": 0.9}),
            "layerLrDecay",
        ),
        (json!({"headInit": "random", "contrastive": {}}), "headInit"),
        (
            json!({"numTrainEpochs": 0, "contrastive": false}),
            "numTrainEpochs",
        ),
        (
            json!({"method": {"type": "lora", "layersToTransform": [2]}}),
            "layersToTransform",
        ),
        (
            json!({"method": {"type": "lora", "layersToTransform": []}}),
            "layersToTransform",
        ),
        (
            json!({"method": {"type": "lora", "layersToTransform": [1], "targetModules": ".*query"}}),
            "layersToTransform",
        ),
        (
            json!({"method": {"type": "lora", "targetModules": ["q_proj"]}}),
            "targetModules",
        ),
        (
            json!({"method": {"type": "prefix", "numVirtualTokens": 62}}),
            "numVirtualTokens",
        ),
        (
            json!({"method": {"type": "prefix", "numVirtualTokens": 10}, "maxLength": 55}),
            "maxLength",
        ),
        (json!({"maxLength": 65}), "maxLength"),
        (
            json!({"labelDescriptions": {"sport": "a game"}}),
            "labelDescriptions",
        ),
        (
            json!({"labelDescriptions": {"food": " "}}),
            "labelDescriptions",
        ),
    ] {
        let error = refusal(&model, json.clone());
        assert_eq!(error.code(), "invalidOption", "{json}: {error}");
        assert!(error.to_string().starts_with(option), "{json}: {error}");
    }
    // more ranks than a weight has singular values is only seen when the weights are looked at
    let pissa = json!({
        "method": {"type": "lora", "initLoraWeights": "pissa", "r": 33}, "contrastive": false
    });
    let mut session = common::training::session(&model, 24, pissa);
    let error = loop {
        match block_on(session.next_event()) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ran"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().starts_with('r'), "{error}");
    assert!(error.to_string().contains("32 singular values"), "{error}");
}

#[test]
fn a_head_over_a_decoders_last_token_has_a_rate_of_its_own() {
    let last = DataSummary {
        last_token: true,
        ..MANY
    };
    let rates = |json: Value, facts: &DataSummary| {
        let options = chosen(json, facts).options;
        (options.common.learning_rate, options.own.head_learning_rate)
    };
    assert_eq!(rates(json!({}), &MANY), (1e-3, 1e-2));
    assert_eq!(rates(json!({}), &last), (1e-3, 1e-3));
    let prefix = json!({"method": {"type": "prefix"}});
    assert_eq!(rates(prefix, &last), (1e-2, 1e-3));
    let given = json!({"headLearningRate": 0.5});
    assert_eq!(rates(given, &last), (1e-3, 0.5));
}
