//! Texts that a language model writes: their ends, their pieces and what a seed settles.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use burn::tensor::{Int, Tensor, TensorData};
use common::tiny_language::{config_json, files, model};
use pollster::block_on;
use serde_json::json;
use webtune::device::Compute;
use webtune::eval::complete::{Ending, Piece, Writer, Written, complete};
use webtune::eval::generate::last_logits;
use webtune::eval::generation_options::GenerationOptions;
use webtune::layers::Storage;
use webtune::models::decoder::Layout;
use webtune::models::size::tokens_at_once;
use webtune::peft::prefix::PrefixConfig;
use webtune::peft::{Method, attach};
use webtune::tasks::language::LanguageOptions;
use webtune::tasks::language::choose::{ChoiceOptions, choose};
use webtune::tasks::language::model::{LanguageModel, Prompt};
use webtune::tasks::language::score::score;
use webtune::tasks::language::tuned::{next_logits, writer};

fn sampled(seed: u64) -> GenerationOptions {
    GenerationOptions {
        max_new_tokens: 40,
        do_sample: true,
        seed,
        ..GenerationOptions::default()
    }
}

/// All pieces of a text and its end.
fn write(
    model: &LanguageModel,
    ends: &[u32],
    options: &GenerationOptions,
) -> (Vec<String>, Written) {
    let prompt = [3, 14, 15];
    let mut writer = Writer::new(&model.model, &prompt, ends, options.clone()).unwrap();
    let mut pieces = Vec::new();
    loop {
        match block_on(writer.next_piece(&model.model, &model.tokenizer)).unwrap() {
            Piece::Text(text) => pieces.push(text),
            Piece::End(written) => return (pieces, written),
        }
    }
}

#[test]
fn a_seed_settles_a_text() {
    let model = block_on(model(&Compute::cpu(), Storage::F32));
    let text = |options: &GenerationOptions| write(&model, &[], options).1.text;
    let first = text(&sampled(1));
    assert_eq!(text(&sampled(1)), first);
    assert_ne!(text(&sampled(2)), first);
    let greedy = |seed| GenerationOptions {
        do_sample: false,
        ..sampled(seed)
    };
    assert_eq!(text(&greedy(1)), text(&greedy(2)));
    // of one token there is nothing to draw
    let only = GenerationOptions {
        top_k: 1,
        ..sampled(1)
    };
    assert_eq!(text(&only), text(&greedy(1)));
}

#[test]
fn pieces_make_the_text_and_it_ends_at_its_length() {
    let model = block_on(model(&Compute::cpu(), Storage::F32));
    for seed in 0..5 {
        let (pieces, written) = write(&model, &[], &sampled(seed));
        assert_eq!(pieces.concat(), written.text);
        assert_eq!((written.tokens, written.ending), (40, Ending::Length));
        let options = sampled(seed);
        let whole = complete(&model.model, &model.tokenizer, &[3, 14, 15], &[], &options);
        assert_eq!(block_on(whole).unwrap(), written);
    }
}

#[test]
fn stop_texts_end_a_text_before_them_and_none_of_them_is_told() {
    let model = block_on(model(&Compute::cpu(), Storage::F32));
    let (_, plain) = write(&model, &[], &sampled(4));
    let letters = plain.text.char_indices().map(|(at, _)| at);
    let letters = letters.collect::<Vec<_>>();
    assert!(letters.len() > 30, "{:?}", plain.text);
    // longer than a token, so that its start waits for its end
    let stop = plain.text[letters[12]..letters[24]].to_string();
    let at = plain.text.find(&stop).unwrap();
    let absent = "no such text".to_string();
    let options = GenerationOptions {
        stop: vec![absent.clone(), stop],
        ..sampled(4)
    };
    let (pieces, written) = write(&model, &[], &options);
    assert_eq!(written.text, plain.text[..at]);
    assert_eq!(written.ending, Ending::StopText);
    assert!(written.tokens < plain.tokens);
    assert_eq!(pieces.concat(), written.text);
    let never = GenerationOptions {
        stop: vec![absent],
        ..sampled(4)
    };
    assert_eq!(write(&model, &[], &never).1, plain);
}

#[test]
fn an_ending_token_and_a_stop_from_outside_end_a_text() {
    let model = block_on(model(&Compute::cpu(), Storage::F32));
    let all: Vec<u32> = (0..704).collect();
    let (pieces, written) = write(&model, &all, &sampled(1));
    assert_eq!(pieces, [] as [String; 0]);
    assert_eq!(
        (written.text.as_str(), written.tokens, written.ending),
        ("", 1, Ending::EndOfText)
    );
    let prompt = [3, 14, 15];
    let mut writer = Writer::new(&model.model, &prompt, &[], sampled(1)).unwrap();
    let mut next = || block_on(writer.next_piece(&model.model, &model.tokenizer)).unwrap();
    let Piece::Text(first) = next() else {
        panic!("the text has no piece");
    };
    writer.stop();
    let Piece::End(written) = block_on(writer.next_piece(&model.model, &model.tokenizer)).unwrap()
    else {
        panic!("it goes on after a stop");
    };
    assert_eq!((written.text, written.ending), (first, Ending::Stopped));
}

#[test]
fn settings_out_of_range_are_named() {
    let model = block_on(model(&Compute::cpu(), Storage::F32));
    let refused = |change: fn(&mut GenerationOptions)| {
        let mut options = GenerationOptions::default();
        change(&mut options);
        let writer = Writer::new(&model.model, &[1], &[], options);
        writer.map(|_| ()).unwrap_err().to_string()
    };
    type Change = fn(&mut GenerationOptions);
    let cases: [(Change, &str, &str); 5] = [
        (|o| o.max_new_tokens = 0, "maxNewTokens", "got 0"),
        (|o| o.temperature = 0.0, "temperature", "got 0"),
        (
            |o| o.repetition_penalty = -1.0,
            "repetitionPenalty",
            "got -1",
        ),
        (|o| o.top_p = 1.5, "topP", "got 1.5"),
        (|o| o.stop = vec![String::new()], "stop", "empty"),
    ];
    for (change, option, reason) in cases {
        let error = refused(change);
        assert!(error.contains(option) && error.contains(reason), "{error}");
    }
    let error = Writer::new(&model.model, &[], &[], GenerationOptions::default()).unwrap_err();
    assert!(error.to_string().contains("1 to 255 tokens"), "{error}");
}

#[test]
fn a_prefix_that_leaves_no_position_is_named() {
    let model = block_on(model(&Compute::cpu(), Storage::F32));
    let of_model = model.config.max_position_embeddings;
    for (num_virtual_tokens, refused) in [
        (of_model - 2, false),
        (of_model - 1, true),
        (of_model, true),
        (of_model + 144, true),
    ] {
        let mut network = model.model.clone();
        let method = Method::Prefix(PrefixConfig { num_virtual_tokens });
        attach(&mut network, &method, 1).unwrap();
        let writer = Writer::new(&network, &[3], &[], GenerationOptions::default());
        if refused {
            let error = writer.map(|_| ()).unwrap_err();
            let expected = format!("a prefix of {num_virtual_tokens} virtual tokens leaves");
            assert!(error.to_string().starts_with(&expected), "{error}");
        } else {
            assert!(writer.is_ok());
        }
    }
}

/// The tiny model with enough heads and positions that a long prompt's scores take more than all else.
fn many_heads(compute: Compute) -> LanguageModel {
    let mut config = config_json();
    for (key, value) in [
        ("num_attention_heads", json!(16)),
        ("num_key_value_heads", json!(8)),
        ("max_position_embeddings", json!(1 << 16)),
    ] {
        config[key] = value;
    }
    let files = files(&config, 5);
    block_on(LanguageModel::load("tiny", files, compute, Storage::F32)).unwrap()
}

#[test]
fn a_long_prompt_read_in_pieces_is_the_prompt_read_at_once() {
    let model = many_heads(Compute::cpu());
    let ids = (0..2500_u32).map(|n| n * n % 700).collect::<Vec<_>>();
    let pieces = ids.len() / tokens_at_once(16, ids.len() as u64) as usize;
    assert!(pieces >= 5, "{pieces}");
    let found = block_on(last_logits(&model.model, &ids, 0, None)).unwrap();

    let data = ids.iter().map(|id| *id as i32).collect::<Vec<_>>();
    let data = TensorData::new(data, [1, ids.len()]);
    let network = &model.model.model;
    let tokens = Tensor::<2, Int>::from_data(data, &network.device());
    let hidden = network.forward(tokens, &Layout::plain(1, ids.len()), None);
    let last = hidden.narrow(1, ids.len() - 1, 1).squeeze_dim::<2>(1);
    let expected = model.model.logits(last).into_data();
    for (found, expected) in found.iter().zip(expected.iter::<f32>()) {
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
}

#[test]
fn texts_that_do_not_fit_are_refused_with_both_numbers() {
    let mut model = many_heads(Compute::cpu());
    model.compute = Compute::cpu().with_memory_limit(64 << 20);
    let text = "the cat ".repeat(6000);
    let prompt = Prompt::Text(text.clone());
    let network = &model.model;
    let rows = webtune::data::parse_text_rows("long.txt", text.as_bytes(), &Default::default())
        .unwrap()
        .rows;
    let long = LanguageOptions::parse(json!({"maxLength": 20_000})).unwrap();
    let labels = ["good".to_string(), "bad".to_string()];
    let options = GenerationOptions::default();
    let choices = ChoiceOptions::default();
    let refused = [
        writer(&model, network, &prompt, options.clone()).map(|_| ()),
        block_on(next_logits(&model, network, &prompt)).map(|_| ()),
        block_on(choose(&model, network, &[text], &labels, &choices)).map(|_| ()),
        block_on(score(&model, network, "long.txt", &rows, &long)).map(|_| ()),
    ];
    for error in refused.map(Result::unwrap_err) {
        assert_eq!(error.code(), "outOfMemory");
        let message = error.to_string();
        assert!(message.contains("tokens; shorten the text"), "{message}");
        assert!(message.contains("64 MiB"), "{message}");
    }
    assert!(writer(&model, network, &Prompt::Text("the cat".into()), options).is_ok());
}
