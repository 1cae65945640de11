//! Options of runs and of writing, and the patterns in them.

use pollster::block_on;
use serde_json::{Value, json};
use webtune::eval::complete::{Piece, Writer};
use webtune::eval::generation_options::GenerationOptions;
use webtune::models::classifier::HeadWeights;
use webtune::models::{Classifier, Head, HeadKind};
use webtune::options::read;
use webtune::peft::{LoraConfig, Method, attach};
use webtune::tasks::classify::{ClassifyTask, UserOptions};
use webtune::tasks::language::{LanguageOptions, LanguageTask};

use super::{CLASSIFIER, LANGUAGE, tiny, tiny_language};

fn value(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// As the options of a classifier's run, which is planned.
pub fn classify(bytes: &[u8]) -> bool {
    let options = value(bytes).and_then(|value| UserOptions::parse(value).ok());
    options.is_some_and(|options| {
        let examples = tiny::examples(24);
        CLASSIFIER.with(|model| ClassifyTask::new(model, &examples, options).is_ok())
    })
}

/// As the options of a language model's run, which is planned.
pub fn language(bytes: &[u8]) -> bool {
    let options = value(bytes).and_then(|value| LanguageOptions::parse(value).ok());
    options.is_some_and(|options| {
        let rows = tiny_language::rows(12);
        LANGUAGE.with(|model| LanguageTask::new(model, "rows.jsonl", &rows, options).is_ok())
    })
}

/// As a method's settings, which are put into a network.
pub fn method(bytes: &[u8]) -> bool {
    let method = value(bytes).and_then(|value| read::<Method, _>(value, "method").ok());
    method.is_some_and(|method| method.check().is_ok() && attached(&method))
}

/// Whether it fits one of the networks.
fn attached(method: &Method) -> bool {
    let classifier = CLASSIFIER.with(|model| {
        let zeros = HeadWeights::zeros(3, model.config.hidden_size);
        let head = Head::new(HeadKind::Cls, &zeros, &model.compute.device);
        let mut network = Classifier::new(model.encoder.clone(), head);
        let method = method.resolve(&network);
        attach(&mut network, &method, 1).is_ok()
    });
    let language = LANGUAGE.with(|model| {
        let mut network = model.model.clone();
        let method = method.resolve(&network);
        attach(&mut network, &method, 1).is_ok()
    });
    classifier || language
}

/// As the patterns of `targetModules` and `rankPattern`, and as a module's name.
pub fn pattern(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut fits = false;
    for settings in [
        json!({"targetModules": text, "r": 1}),
        json!({"targetModules": [text, "query"], "r": 1}),
        json!({"rankPattern": {text.clone(): 2, "query": 3}, "alphaPattern": {text.clone(): 2}, "r": 1}),
    ] {
        let lora: LoraConfig = serde_json::from_value(settings).unwrap();
        if lora.check().is_ok() {
            let _ = lora.scaling_of(&text);
            fits |= attached(&Method::Lora(lora));
        }
    }
    fits
}

/// As options of writing, by which a few tokens are written.
pub fn generation(bytes: &[u8]) -> bool {
    let options = value(bytes).and_then(|value| read::<GenerationOptions, _>(value, "o").ok());
    let Some(options) = options.filter(|options| options.check().is_ok()) else {
        return false;
    };
    let options = GenerationOptions {
        max_new_tokens: options.max_new_tokens.min(4),
        ..options
    };
    LANGUAGE.with(|model| {
        let prompt = model.tokenizer.pieces("what does the cat say?").unwrap();
        let prompt = prompt.iter().map(|piece| piece.id).collect::<Vec<_>>();
        let Ok(mut writer) = Writer::new(&model.model, &prompt, &model.ends, options) else {
            return false;
        };
        let mut next = || block_on(writer.next_piece(&model.model, &model.tokenizer));
        while let Ok(Piece::Text(_)) = next() {}
        true
    })
}
