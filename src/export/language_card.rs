//! Enters: a language model's run. Leaves: the model card that lies beside the adapter; never any data.

use std::fmt::Write;

use super::card::yaml;
use crate::peft::Method;
use crate::tasks::language::event::LanguageFinished;
use crate::tasks::language::model::LanguageModel;
use crate::tasks::language::tuned::{CausalCard, TunedLanguage};

/// README.md as Hugging Face reads it: a YAML head, then text.
pub fn card(model: &LanguageModel, tuned: &TunedLanguage) -> String {
    let run = match &tuned.card {
        CausalCard::Imported(text) => return text.clone(),
        CausalCard::Run(run) => run,
    };
    let mut text = String::new();
    // writing to a String cannot fail
    let _ = write_card(&mut text, model, &tuned.method, run);
    text
}

fn write_card(
    out: &mut String,
    model: &LanguageModel,
    method: &Method,
    run: &LanguageFinished,
) -> std::fmt::Result {
    let (what, library) = match method {
        Method::Full(_) => ("Fine-tuned weights", "transformers"),
        Method::Prefix(_) => ("Prefix", "peft"),
        _ => ("LoRA adapter", "peft"),
    };
    writeln!(out, "---\nbase_model: {}", yaml(&model.name))?;
    writeln!(
        out,
        "library_name: {library}\npipeline_tag: text-generation"
    )?;
    writeln!(out, "tags:\n- {}\n- webtune\n---\n", method.kind().word())?;
    writeln!(out, "# {what} for {}\n", model.name)?;
    writeln!(
        out,
        "A language model tuned in a browser by webtune. The training texts never left the machine they were on and are not part of these \
         files.\n"
    )?;
    writeln!(out, "## Scores on the validation texts\n")?;
    writeln!(
        out,
        "| model | perplexity | loss | token accuracy |\n| --- | ---: | ---: | ---: |"
    )?;
    let mut rows = Vec::new();
    if let Some(base) = run.task.base {
        rows.push(("untuned".to_string(), base));
    };
    if let Some(few_shot) = &run.task.few_shot {
        let name = format!("untuned, {} examples in the prompt", few_shot.examples);
        rows.push((name, few_shot.likelihood));
    }
    if let Some(tuned) = run.task.tuned {
        rows.push(("tuned".into(), tuned));
    }
    for (name, score) in rows {
        writeln!(
            out,
            "| {name} | {:.3} | {:.4} | {:.1}% |",
            score.perplexity,
            score.loss,
            100.0 * score.token_accuracy
        )?;
    }
    writeln!(out, "\n{}\n\n{}\n", run.verdict, run.message)?;
    writeln!(
        out,
        "{} of {} parameters were trained.\n\n## Settings\n\n```json\n{}\n```",
        run.trained_parameters,
        run.total_parameters,
        serde_json::to_string_pretty(&run.options).unwrap_or_default()
    )
}
