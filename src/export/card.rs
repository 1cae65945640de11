//! Enters: a run's settings, counts and scores. Leaves: the model card that lies beside the adapter; never any data.

use std::fmt::Write;

use crate::models::HeadKind;
use crate::pretrained::Pretrained;
use crate::tuned::{Card, RunCard, Tuned};

/// README.md as Hugging Face reads it: a YAML head, then text.
pub fn card(model: &Pretrained, tuned: &Tuned) -> String {
    let run = match &tuned.card {
        Card::Imported(text) => return text.clone(),
        Card::Run(run) => run,
    };
    let mut text = String::new();
    // writing to a String cannot fail
    let _ = write_card(&mut text, model, tuned, run);
    text
}

fn write_card(
    out: &mut String,
    model: &Pretrained,
    tuned: &Tuned,
    run: &RunCard,
) -> std::fmt::Result {
    let library = match tuned.head() {
        HeadKind::Cls => "peft",
        HeadKind::Mean => "sentence-transformers",
    };
    writeln!(out, "---")?;
    writeln!(out, "base_model: {}", yaml(&model.name))?;
    writeln!(out, "library_name: {library}")?;
    writeln!(out, "pipeline_tag: text-classification")?;
    writeln!(out, "tags:\n- peft\n- lora\n- webtune\n---\n")?;
    writeln!(out, "# LoRA adapter for {}\n", model.name)?;
    writeln!(
        out,
        "A text classifier with {} labels, tuned in a browser by webtune. The training texts never left the machine \
         they were on and are not part of these files.\n",
        tuned.labels.len()
    )?;
    writeln!(out, "## Data\n")?;
    writeln!(
        out,
        "{} rows trained, {} rows validated.\n\n| label | rows |\n| --- | ---: |",
        run.train_rows, run.validation_rows
    )?;
    for (label, count) in &run.label_counts {
        writeln!(out, "| {} | {count} |", cell(label))?;
    }
    writeln!(out, "\n## Scores on the validation rows\n")?;
    writeln!(
        out,
        "| model | accuracy | macro F1 |\n| --- | ---: | ---: |"
    )?;
    let (accuracy, f1) = run.baseline_scores;
    writeln!(
        out,
        "| frozen encoder, fitted head | {accuracy:.4} | {f1:.4} |"
    )?;
    let (accuracy, f1) = run.tuned_scores;
    writeln!(out, "| tuned | {accuracy:.4} | {f1:.4} |\n")?;
    let kept = match run.kept_epoch {
        0 => "the state before the first epoch".to_string(),
        epoch => format!("the state after epoch {epoch}"),
    };
    writeln!(
        out,
        "Kept after {} steps: {kept}. Trained parameters: {} of {}.\n",
        run.steps, run.trained_parameters, run.total_parameters
    )?;
    writeln!(out, "## Settings\n\n```json")?;
    writeln!(out, "{:#}", run.options)?;
    writeln!(out, "```\n\n## Use\n\n```python")?;
    match tuned.head() {
        HeadKind::Cls => writeln!(
            out,
            "import json, torch\nfrom peft import PeftModel\nfrom transformers import AutoModelForSequenceClassification, \
             AutoTokenizer\n\nlabels = json.load(open(\"labels.json\"))[\"labels\"]\nbase = {name:?}\nmodel = \
             AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(labels))\nmodel = \
             PeftModel.from_pretrained(model, \".\").eval()\ntokens = AutoTokenizer.from_pretrained(base)([\"a text\"], \
             truncation=True, max_length={length}, return_tensors=\"pt\")\nprint(labels[model(**tokens).logits.argmax(-1)\
             .item()])",
            name = model.name,
            length = tuned.max_length
        )?,
        HeadKind::Mean => writeln!(
            out,
            "import json\nfrom sentence_transformers import SentenceTransformer\n\nlabels = \
             json.load(open(\"labels.json\"))[\"labels\"]\nlogits = SentenceTransformer(\".\").encode([\"a text\"])\n\
             print(labels[logits[0].argmax()])"
        )?,
    }
    writeln!(out, "```")
}

/// A string as YAML reads it back.
fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A table cell: no bars, no line breaks.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
