//! `www/lib/types`, printed from the serde types of everything that crosses the border, and `docs/options.md`.
//!
//! A test fails where a committed file is not what is printed; `npm run types` writes them.

mod schema;
mod typescript;

use std::path::PathBuf;

use schema::Border;

use crate::data::{Example, ParseOptions, ParsedTable, ParsedText};
use crate::error::{ErrorCode, ErrorReport};
use crate::eval::bootstrap::Comparison;
use crate::eval::complete::Written;
use crate::eval::evaluation::Evaluation;
use crate::eval::forgetting::Forgetting;
use crate::eval::generate::GenerationOptions;
use crate::eval::likelihood::Likelihood;
use crate::layers::Storage;
use crate::peft::Method;
use crate::tasks::classify::model::ModelInfo;
use crate::tasks::classify::tuned::Prediction;
use crate::tasks::language::choose::{Choice, ChoiceOptions};
use crate::tasks::language::model::{LanguageModelInfo, Prompt};
use crate::tasks::language::preview::PreviewPiece;

const GENERATED: &str = "// Generated from the types of src by `npm run types`; a test fails if it is stale. Do not edit.\n";

/// Every type that JavaScript hands in or gets.
fn engine() -> String {
    let mut border = Border::new();
    border
        .input::<Example>()
        .input::<ParseOptions>()
        .input::<ParsedText>()
        .input::<Prompt>()
        .input::<Storage>()
        .input::<Method>()
        .options(&GenerationOptions::default())
        .options(&ChoiceOptions::default());
    border
        .output::<ErrorReport>()
        .output::<ParsedTable>()
        .output::<ParsedText>()
        .output::<Comparison>()
        .output::<ModelInfo>()
        .output::<Prediction>()
        .output::<Evaluation>()
        .output::<Forgetting>()
        .output::<LanguageModelInfo>()
        .output::<PreviewPiece>()
        .output::<Likelihood>()
        .output::<Written>()
        .output::<Choice>();
    let mut out = format!(
        "{GENERATED}// Sizes are bytes, durations milliseconds unless a name says seconds, losses mean cross-entropies in nats.\n"
    );
    for (name, schema) in border.definitions() {
        out += "\n";
        out += &typescript::declaration(&name, &schema);
    }
    let codes = ErrorCode::ALL.map(|code| format!("  \"{}\",\n", code.as_str()));
    out + &format!(
        "\n/** Every `ErrorCode`. */\nexport const ERROR_CODES: readonly ErrorCode[] = [\n{}];\n",
        codes.concat()
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
