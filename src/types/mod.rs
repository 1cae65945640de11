//! `www/lib/types`, printed from the serde types of everything that crosses the border, and `docs/options.md`.
//!
//! A test fails where a committed file is not what is printed; `npm run types` writes them.

mod options;
mod schema;
mod typescript;

use std::path::PathBuf;

use options::Options;
use schema::Border;
use serde_json::{Value, json};

use crate::data::{Example, ParseOptions, ParsedTable, ParsedText, ParsedTexts, TextOptions};
use crate::error::{ErrorCode, ErrorReport};
use crate::eval::bootstrap::Comparison;
use crate::eval::complete::Written;
use crate::eval::evaluation::Evaluation;
use crate::eval::forgetting::Forgetting;
use crate::eval::generation_options::{self, GenerationOptions};
use crate::eval::likelihood::Likelihood;
use crate::eval::scores::Scores;
use crate::export::Format;
use crate::layers::Storage;
use crate::options::{OptionRange, Ranges};
use crate::peft::{Method, houlsby, lora_config, prefix};
use crate::tasks::classify::event::{ClassifyEvent, ClassifyFinished};
use crate::tasks::classify::model::ModelInfo;
use crate::tasks::classify::options::{self as classify, ClassifyOptions};
use crate::tasks::classify::recipe::CHOSEN;
use crate::tasks::classify::tuned::{Prediction, Which};
use crate::tasks::language::choose::{Choice, ChoiceOptions};
use crate::tasks::language::estimate::RunEstimate;
use crate::tasks::language::event::{LanguageEvent, LanguageFinished};
use crate::tasks::language::model::{LanguageModelInfo, Prompt};
use crate::tasks::language::options::{self as language, LanguageOptions};
use crate::tasks::language::preview::PreviewPiece;
use crate::text::TextInput;
use crate::train::options as common;

const GENERATED: &str = "// Generated from the types of src by `npm run types`; a test fails if it is stale. Do not edit.\n";

/// Every type that JavaScript hands in or gets.
fn border() -> Border {
    let mut border = Border::new();
    border
        .input::<Example>()
        .input::<ParseOptions>()
        .input::<TextInput>()
        .input::<ParsedText>()
        .input::<TextOptions>()
        .input::<Prompt>()
        .input::<Storage>()
        .input::<Which>()
        .input::<Method>()
        .options(&ClassifyOptions::default(), &CHOSEN)
        .options(&LanguageOptions::default(), &[])
        .options(&GenerationOptions::default(), &[])
        .options(&ChoiceOptions::default(), &[]);
    border
        .output::<ErrorReport>()
        .output::<ParsedTable>()
        .output::<ParsedTexts>()
        .output::<Comparison>()
        .output::<ModelInfo>()
        .output::<Prediction>()
        .output::<Evaluation>()
        .output::<Scores>()
        .output::<Forgetting>()
        .output::<LanguageModelInfo>()
        .output::<PreviewPiece>()
        .output::<Likelihood>()
        .output::<Written>()
        .output::<Choice>()
        .output::<RunEstimate>()
        .output::<Format>()
        .output_as::<ClassifyEvent>("ClassifyEvent")
        .output_as::<ClassifyFinished>("ClassifyFinished")
        .output_as::<LanguageEvent>("LanguageEvent")
        .output_as::<LanguageFinished>("LanguageFinished");
    border
}

fn engine() -> String {
    let mut out = format!(
        "{GENERATED}// Sizes are bytes, durations milliseconds unless a name says seconds, losses mean cross-entropies in nats.\n"
    );
    for (name, schema) in border().definitions() {
        out += "\n";
        out += &typescript::declaration(&name, &schema);
    }
    let codes = ErrorCode::ALL.map(|code| format!("  \"{}\",\n", code.as_str()));
    out + &format!(
        "\n/** Every `ErrorCode`. */\nexport const ERROR_CODES: readonly ErrorCode[] = [\n{}];\n",
        codes.concat()
    )
}

fn ranges<T>(table: Ranges<T>) -> impl Iterator<Item = OptionRange> {
    table.iter().map(|(range, _)| *range)
}

/// What every call's options are. Of two ranges for one option the later counts.
fn described() -> [Options; 4] {
    let json = |options: Result<Value, _>| options.unwrap();
    let loops = || {
        ranges(lora_config::RANGES)
            .chain(ranges(houlsby::RANGES))
            .chain(ranges(prefix::RANGES))
            .chain(ranges(common::RANGES))
    };
    [
        Options {
            task: "classify",
            title: "Training a classifier: `TextClassifier.train`",
            name: "ClassifyOptions",
            defaults: json(serde_json::to_value(ClassifyOptions::default())),
            ranges: loops().chain(ranges(classify::RANGES)).collect(),
            chosen: &CHOSEN,
        },
        Options {
            task: "language",
            title: "Training a language model: `LanguageModel.train`",
            name: "LanguageOptions",
            defaults: json(serde_json::to_value(LanguageOptions::default())),
            ranges: loops()
                .chain(ranges(language::RANGES))
                .chain(ranges(language::COMMON_RANGES))
                .collect(),
            chosen: &[],
        },
        Options {
            task: "generate",
            title: "Writing: `LanguageModel.generate`",
            name: "GenerationOptions",
            defaults: json(serde_json::to_value(GenerationOptions::default())),
            ranges: ranges(generation_options::RANGES).collect(),
            chosen: &[],
        },
        Options {
            task: "choose",
            title: "Labels by likelihood: `LanguageModel.classify`",
            name: "ChoiceOptions",
            defaults: json(serde_json::to_value(ChoiceOptions::default())),
            ranges: Vec::new(),
            chosen: &[],
        },
    ]
}

const OPTION_SPEC: &str = r#"
/** One option of a call: what the engine takes, checks and does with it. */
export interface OptionSpec {
  /** As it is spelt; `contrastive.steps` or `method.r` for a field of an object. */
  name: string;
  /** Its TypeScript type. */
  type: string;
  /** The method that has it, of a field of `method`. */
  method?: string;
  /** What is used if it is left out; missing if that depends on others, on the model or on the data. */
  default?: unknown;
  /** Whether the recipe chooses it if it is left out. */
  byRecipe?: true;
  /** The smallest number, or the number that it must be above. */
  min?: number;
  minExcluded?: true;
  /** The largest number, or the number that it must be below. */
  max?: number;
  maxExcluded?: true;
  /** The words that it may be. */
  values?: readonly string[];
  /** What it does. */
  doc: string;
}
"#;

fn option_data() -> String {
    let definitions = border().definitions();
    let mut data = json!({});
    for options in described() {
        data[options.task] = options.data(&definitions);
    }
    let data = serde_json::to_string_pretty(&data).unwrap();
    format!(
        "{GENERATED}{OPTION_SPEC}\n/** By the call that takes them. */\nexport const OPTIONS = {data} as const satisfies Record<string, readonly OptionSpec[]>;\n"
    )
}

fn option_document() -> String {
    let definitions = border().definitions();
    let tables = described().map(|options| options.table(&definitions));
    format!(
        "# Options\n\n<!-- Generated from the types of src by `npm run types`; a test fails if it is stale. -->\n\n\
         Names are those of Hugging Face's `TrainingArguments`, of TRL's `SFTConfig` and of PEFT if they have one. Numbers outside their\n\
         range, unknown names and options that do not go together are refused with code `invalidOption`. \"by recipe\": chosen by the\n\
         method, the data and the speed of the device, see [recipes.md](recipes.md); the event `recipe` says what was chosen and why.\n\n{}",
        tables.join("\n")
    )
}

/// Compares a committed file with what it must hold, or writes it.
fn check(path: &str, expected: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("WEBTUNE_WRITE_TYPES").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, expected).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let differing = found
        .lines()
        .zip(expected.lines())
        .position(|(a, b)| a != b)
        .map_or("their lengths".into(), |line| format!("line {}", line + 1));
    assert!(
        found == expected,
        "{path} is stale (first at {differing}): run `npm run types`"
    );
}

#[test]
fn engine_types_are_fresh() {
    check("www/lib/types/engine.ts", &engine());
}

#[test]
fn option_tables_are_fresh() {
    check("www/lib/types/options.ts", &option_data());
    check("docs/options.md", &option_document());
}

#[test]
fn every_range_is_of_an_option() {
    let definitions = border().definitions();
    for options in described() {
        let data = options.data(&definitions);
        let names: Vec<&str> = (data.as_array().unwrap().iter())
            .map(|spec| spec["name"].as_str().unwrap())
            .collect();
        for range in &options.ranges {
            let known = [range.option.to_owned(), format!("method.{}", range.option)];
            let found = known.iter().any(|name| names.contains(&name.as_str()));
            assert!(found, "{}: {}", options.task, range.option);
        }
        for name in options.chosen {
            assert!(names.contains(name), "{}: {name}", options.task);
        }
    }
}

#[test]
fn formats_are_spelt_as_they_are_read() {
    for format in Format::ALL {
        assert_eq!(serde_json::to_value(format).unwrap(), format.as_str());
    }
}
