//! The model card, README.md of every export: a run's settings, counts and scores, and never a text that a person wrote.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::card_use::{onnx_use, write_use};
use super::subject::{Card, CardFacts, Subject, Table, TaskFacts};
use crate::peft::{MethodType, TaskType};

/// Options whose texts are words of webtune's own or names of a model's modules. What is not listed is left out of a card, so that no text
/// of a person gets into one.
const WORDS: [&str; 9] = [
    "recipe",
    "type",
    "head",
    "headInit",
    "lrSchedulerType",
    "targetModules",
    "initLoraWeights",
    "bias",
    "nonLinearity",
];

/// Options inside options, and numbers by a module's name.
const GROUPS: [&str; 4] = ["method", "contrastive", "rankPattern", "alphaPattern"];

/// The options that a card shows.
pub fn settings(options: &Value) -> Value {
    let Value::Object(options) = options else {
        return Value::Null;
    };
    let kept = options.iter().filter_map(|(name, value)| {
        let value = match value {
            Value::Object(_) if GROUPS.contains(&name.as_str()) => settings(value),
            Value::Object(_) => return None,
            Value::String(_) | Value::Array(_) if holds_text(value) => {
                WORDS.contains(&name.as_str()).then(|| value.clone())?
            }
            // what may hold texts is left out when it is empty too
            Value::Array(list) if list.is_empty() && !WORDS.contains(&name.as_str()) => {
                return None;
            }
            other => other.clone(),
        };
        Some((name.clone(), value))
    });
    Value::Object(kept.collect::<Map<_, _>>())
}

fn holds_text(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Object(_) => true,
        Value::Array(list) => list.iter().any(holds_text),
        _ => false,
    }
}

/// README.md as Hugging Face reads it: a YAML head, then text. `files`: how the files next to it hold what was tuned;
/// [`MethodType::Full`] for all weights, whatever tuned them.
pub fn card<N>(subject: &Subject<N>, files: MethodType) -> String {
    let mut lines = String::new();
    // writing to a String cannot fail
    let _ = write_use(&mut lines, subject, files);
    let words = Words {
        library: library(files, subject.base.task),
        title: title(files),
        files,
        language: "python",
        lines,
    };
    card_in(subject, &words)
}

/// The same next to an ONNX graph.
pub fn onnx_card<N>(subject: &Subject<N>) -> String {
    let words = Words {
        library: "transformers.js",
        title: "ONNX graph",
        files: MethodType::Full,
        language: "js",
        lines: onnx_use(subject.classifier()),
    };
    card_in(subject, &words)
}

/// What depends on the files next to a card.
struct Words {
    /// That the hub shows.
    library: &'static str,
    title: &'static str,
    /// How the files hold what was tuned; [`MethodType::Full`] where they need no base model.
    files: MethodType,
    /// Of the lines that load the files.
    language: &'static str,
    lines: String,
}

fn card_in<N>(subject: &Subject<N>, words: &Words) -> String {
    let facts = match &subject.card {
        Card::Imported(text) => return (*text).into(),
        Card::Run(facts) => facts,
    };
    let mut text = String::new();
    let _ = write_card(&mut text, subject, facts, words);
    text
}

fn write_card<N>(
    out: &mut String,
    subject: &Subject<N>,
    facts: &CardFacts,
    words: &Words,
) -> std::fmt::Result {
    let name = subject.base.name;
    let task = subject.base.task;
    let tag = subject.method.kind().word();
    let pipeline = match task {
        TaskType::CausalLm => "text-generation",
        TaskType::SeqCls | TaskType::FeatureExtraction => "text-classification",
    };
    writeln!(out, "---\nbase_model: {}", yaml(name))?;
    writeln!(
        out,
        "library_name: {}\npipeline_tag: {pipeline}",
        words.library
    )?;
    writeln!(out, "tags:\n- {tag}\n- webtune\n---\n")?;
    writeln!(out, "# {} for {name}\n", words.title)?;
    writeln!(
        out,
        "{}, tuned in a browser by webtune. The training texts never left the machine they were on and are not part of these files; \
         neither are prompts and descriptions that a person wrote.{}{}\n",
        facts.what,
        if facts.in_files.is_empty() { "" } else { " " },
        facts.in_files
    )?;
    if words.files != MethodType::Full && !is_repository(name) {
        write_place(out, subject, words.files)?;
    }
    if let Some((rows, table)) = &facts.data {
        writeln!(out, "## Data\n\n{rows}\n")?;
        write_table(out, table)?;
        writeln!(out)?;
    }
    writeln!(out, "## Scores on the validation rows\n")?;
    write_table(out, &facts.scores)?;
    for note in &facts.notes {
        writeln!(out, "\n{note}")?;
    }
    writeln!(
        out,
        "\n## Settings\n\n```json\n{:#}\n```\n",
        settings(&facts.options)
    )?;
    writeln!(out, "## Use\n\n```{}\n{}```", words.language, words.lines)
}

/// Whether a name has the form of a repository's on the hub, `owner/name`.
fn is_repository(name: &str) -> bool {
    let is_part = |part: &str| part.starts_with(|first: char| first.is_ascii_alphanumeric());
    let mut parts = name.split('/');
    let (owner, name) = (parts.next(), parts.next());
    owner.is_some_and(is_part) && name.is_some_and(is_part) && parts.next().is_none()
}

/// What to edit where the base model has no name that leads to it.
fn write_place<N>(out: &mut String, subject: &Subject<N>, files: MethodType) -> std::fmt::Result {
    let name = subject.base.name;
    let mut places = vec!["this file"];
    if files != MethodType::Probe {
        places.push("adapter_config.json");
    }
    if matches!(subject.task, TaskFacts::Language { run: Some(_), .. }) {
        places.push("continue.json");
    }
    write!(
        out,
        "## Before use\n\nThese files call the base model {name:?}, which is only what it was called on the machine where it was tuned. Put \
         the repository or the folder that you load it from in place of that name, in {}.",
        places.join(", ")
    )?;
    if let Some(named) = subject.config_json["_name_or_path"].as_str()
        && is_repository(named)
    {
        write!(
            out,
            " Its config.json names {named}: the base model, or the one that it was tuned from, which has other weights."
        )?;
    }
    writeln!(out, "\n")
}

/// The library that the hub shows.
fn library(method: MethodType, task: TaskType) -> &'static str {
    match (method, task) {
        (MethodType::Lora | MethodType::Full, TaskType::FeatureExtraction) => {
            "sentence-transformers"
        }
        (MethodType::Lora | MethodType::Prefix, _) => "peft",
        (MethodType::Full | MethodType::Probe, _) => "transformers",
        (MethodType::Houlsby, _) => "adapter-transformers",
    }
}

fn title(method: MethodType) -> &'static str {
    match method {
        MethodType::Lora => "LoRA adapter",
        MethodType::Full => "Fine-tuned weights",
        MethodType::Probe => "Linear probe",
        MethodType::Houlsby => "Houlsby adapter",
        MethodType::Prefix => "Prefix",
    }
}

fn write_table(out: &mut String, table: &Table) -> std::fmt::Result {
    writeln!(out, "| {} |", table.columns.join(" | "))?;
    let rules = (0..table.columns.len()).map(|column| if column == 0 { "---" } else { "---:" });
    writeln!(out, "| {} |", rules.collect::<Vec<_>>().join(" | "))?;
    for row in &table.rows {
        let cells = row.iter().map(|text| cell(text)).collect::<Vec<_>>();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

/// A string as YAML reads it back.
fn yaml(text: &str) -> String {
    Value::from(text).to_string()
}

/// A table cell: no bars, no line breaks.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MARK: &str = "My patient Jane Doe";

    /// Every text and every empty place for texts filled.
    fn filled(value: Value) -> Value {
        match value {
            Value::String(_) => MARK.into(),
            Value::Array(list) if list.is_empty() => json!([MARK, [MARK]]),
            Value::Array(list) => list.into_iter().map(filled).collect(),
            Value::Object(map) if map.is_empty() => json!({ MARK: MARK }),
            Value::Object(map) => {
                let entries = map.into_iter().map(|(key, value)| (key, filled(value)));
                Value::Object(entries.collect())
            }
            Value::Null => MARK.into(),
            other => other,
        }
    }

    /// Where the mark is: paths of names.
    fn marked(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::String(text) if text == MARK => found.push(path.into()),
            Value::Array(list) => list.iter().for_each(|value| marked(value, path, found)),
            Value::Object(map) => {
                for (key, value) in map {
                    if key == MARK {
                        found.push(path.into());
                    }
                    marked(value, &format!("{path}/{key}"), found);
                }
            }
            _ => (),
        }
    }

    #[test]
    fn no_option_brings_a_persons_text_into_a_card() {
        use crate::tasks::classify::ClassifyOptions;
        use crate::tasks::language::LanguageOptions;
        let all = [
            serde_json::to_value(ClassifyOptions::default()).unwrap(),
            serde_json::to_value(LanguageOptions::default()).unwrap(),
        ];
        // options that choose among words of webtune's own, and names of a model's modules
        let known = [
            "/recipe",
            "/method/type",
            "/method/targetModules",
            "/method/initLoraWeights",
            "/method/bias",
            "/method/rankPattern",
            "/method/alphaPattern",
            "/head",
            "/headInit",
            "/lrSchedulerType",
        ];
        for options in all {
            let mut left = Vec::new();
            marked(&settings(&filled(options.clone())), "", &mut left);
            for path in &left {
                assert!(known.contains(&path.as_str()), "{path} may hold a text");
            }
            // what a card leaves out of the defaults is what may hold texts, and nothing else
            let shown = settings(&options);
            let names = |value: &Value| {
                let map = value.as_object().unwrap();
                map.keys().cloned().collect::<Vec<_>>()
            };
            let mut hidden = names(&options);
            hidden.retain(|name| shown.get(name).is_none());
            assert!(
                hidden == ["samplePrompts"] || hidden == ["labelDescriptions"],
                "{hidden:?}"
            );
        }
    }
}
