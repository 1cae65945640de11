//! Enters: a run's settings, counts and scores. Leaves: the model card that lies beside the adapter; never any data.

use std::fmt::Write;

use crate::models::{Family, HeadKind};
use crate::peft::Method;
use crate::tasks::classify::event::KeptStage;
use crate::tasks::classify::model::Pretrained;
use crate::tasks::classify::tuned::{Card, RunCard, Tuned};

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
    let head = tuned.head();
    let library = match (&tuned.method, head) {
        (Method::Lora(_) | Method::Full(_), HeadKind::Mean) => "sentence-transformers",
        (Method::Lora(_) | Method::Prefix(_), _) => "peft",
        (Method::Full(_), HeadKind::Cls) => "transformers",
        (Method::Houlsby(_), _) => "adapter-transformers",
        (Method::Probe(_), _) => "transformers",
    };
    let what = match &tuned.method {
        Method::Lora(_) => "LoRA adapter",
        Method::Full(_) => "Fine-tuned weights",
        Method::Probe(_) => "Linear probe",
        Method::Houlsby(_) => "Houlsby adapter",
        Method::Prefix(_) => "Prefix",
    };
    writeln!(out, "---")?;
    writeln!(out, "base_model: {}", yaml(&model.name))?;
    writeln!(out, "library_name: {library}")?;
    writeln!(out, "pipeline_tag: text-classification")?;
    writeln!(
        out,
        "tags:\n- {}\n- webtune\n---\n",
        tuned.method.kind().word()
    )?;
    writeln!(out, "# {what} for {}\n", model.name)?;
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
        "| model | accuracy | 95% interval | macro F1 |\n| --- | ---: | ---: | ---: |"
    )?;
    for (name, report) in [
        ("zero-shot, label names", &run.baselines.zero_shot),
        ("nearest centroid", &run.baselines.centroid),
        ("linear probe", &run.baselines.probe),
        ("tuned", &run.tuned),
    ] {
        let [low, high] = report.interval;
        writeln!(
            out,
            "| {name} | {:.4} | {low:.4} to {high:.4} | {:.4} |",
            report.accuracy, report.macro_f1
        )?;
    }
    writeln!(out, "\n{}\n", run.verdict)?;
    let kept = match run.kept_stage {
        KeptStage::Probe => "the head fitted on the untuned model".to_string(),
        KeptStage::Contrastive => "the state after the contrastive stage".to_string(),
        KeptStage::Classify => format!("the state after epoch {}", run.kept_epoch),
    };
    writeln!(
        out,
        "Kept after {} steps: {kept}. Trained parameters: {} of {}. Mean cosine of {} general sentences' vectors before and after: \
         {:.4}.\n",
        run.steps,
        run.trained_parameters,
        run.total_parameters,
        run.forgetting.sentences,
        run.forgetting.mean_cosine
    )?;
    writeln!(out, "## Settings\n\n```json")?;
    writeln!(out, "{:#}", run.options)?;
    writeln!(out, "```\n\n## Use\n\n```python")?;
    write_use(out, model, tuned)?;
    writeln!(out, "```")
}

/// A few lines that label a text with the exported files alone, and the base model where they need it.
fn write_use(out: &mut String, model: &Pretrained, tuned: &Tuned) -> std::fmt::Result {
    let (name, length) = (&model.name, tuned.max_length);
    let labels = "labels = json.load(open(\"labels.json\"))[\"labels\"]";
    let tokens = |from: &str| {
        format!(
            "tokens = AutoTokenizer.from_pretrained({from})([\"a text\"], truncation=True, max_length={length}, return_tensors=\"pt\")"
        )
    };
    let answer = "print(labels[model(**tokens).logits.argmax(-1).item()])";
    let classifier = "AutoModelForSequenceClassification";
    // transformers tells a decoder's last token by what pads
    let sizes = match model.config.family {
        Family::Decoder(_) => format!(
            "num_labels=len(labels), pad_token_id={}",
            model.tokenizer.pad_id()
        ),
        _ => "num_labels=len(labels)".to_string(),
    };
    // what a mean head does, by hand
    let pooled = "mask = tokens[\"attention_mask\"].unsqueeze(-1)\nhidden = model(**tokens).last_hidden_state\nmean = (hidden * \
                  mask).sum(1) / mask.sum(1)\nfeatures = torch.nn.functional.normalize(mean)";
    let linear = |file: &str, prefix: &str| {
        format!(
            "head = load_file(\"{file}\")\nlogits = features @ head[\"{prefix}weight\"].T + head[\"{prefix}bias\"]\n\
             print(labels[logits.argmax(-1).item()])"
        )
    };
    match (&tuned.method, tuned.head()) {
        (Method::Lora(_) | Method::Full(_), HeadKind::Mean) => writeln!(
            out,
            "import json\nfrom sentence_transformers import SentenceTransformer\n\n{labels}\nlogits = \
             SentenceTransformer(\".\").encode([\"a text\"])\nprint(labels[logits[0].argmax()])"
        ),
        (Method::Full(_), HeadKind::Cls) => writeln!(
            out,
            "import json\nfrom transformers import {classifier}, AutoTokenizer\n\n{labels}\nmodel = \
             {classifier}.from_pretrained(\".\").eval()\n{}\n{answer}",
            tokens("\".\"")
        ),
        (Method::Lora(_) | Method::Prefix(_), HeadKind::Cls) => writeln!(
            out,
            "import json\nfrom peft import PeftModel\nfrom transformers import {classifier}, AutoTokenizer\n\n{labels}\nbase = \
             {name:?}\nmodel = {classifier}.from_pretrained(base, {sizes})\nmodel = \
             PeftModel.from_pretrained(model, \".\").eval()\n{}\n{answer}",
            tokens("base")
        ),
        (Method::Prefix(_), HeadKind::Mean) => writeln!(
            out,
            "import json, torch\nfrom peft import PeftModel\nfrom safetensors.torch import load_file\nfrom transformers import \
             AutoModel, AutoTokenizer\n\n{labels}\nbase = {name:?}\nmodel = \
             PeftModel.from_pretrained(AutoModel.from_pretrained(base), \".\").eval()\n{}\n{pooled}\n{}",
            tokens("base"),
            linear("3_Dense/model.safetensors", "linear.")
        ),
        (Method::Houlsby(_), HeadKind::Cls) => writeln!(
            out,
            "import json, adapters\nfrom transformers import {classifier}, AutoTokenizer\n\n{labels}\nbase = {name:?}\nmodel = \
             {classifier}.from_pretrained(base, {sizes})\nadapters.init(model)\nmodel.load_adapter(\".\", \
             use_safetensors=True, set_active=True)\nmodel.eval()\n{}\n{answer}",
            tokens("base")
        ),
        (Method::Houlsby(_), HeadKind::Mean) => writeln!(
            out,
            "import json, adapters, torch\nfrom safetensors.torch import load_file\nfrom transformers import AutoModel, \
             AutoTokenizer\n\n{labels}\nbase = {name:?}\nmodel = AutoModel.from_pretrained(base)\nadapters.init(model)\n\
             model.load_adapter(\".\", use_safetensors=True, set_active=True)\nmodel.eval()\n{}\n{pooled}\n{}",
            tokens("base"),
            linear("3_Dense/model.safetensors", "linear.")
        ),
        // a head with names of its own loads into its class
        (Method::Probe(_), HeadKind::Cls) if model.config.family.names_head() => {
            writeln!(
                out,
                "import json\nfrom safetensors.torch import load_file\nfrom transformers import {classifier}, AutoTokenizer\n\n{labels}\nbase = \
             {name:?}\nmodel = {classifier}.from_pretrained(base, {sizes}).eval()\n\
             model.load_state_dict(load_file(\"head.safetensors\"), strict=False)\n{}\n{answer}",
                tokens("base")
            )
        }
        (Method::Probe(_), head) => {
            let features = match head {
                HeadKind::Mean => pooled,
                HeadKind::Cls => "features = model(**tokens).pooler_output",
            };
            writeln!(
                out,
                "import json, torch\nfrom safetensors.torch import load_file\nfrom transformers import AutoModel, \
                 AutoTokenizer\n\n{labels}\nbase = {name:?}\nmodel = AutoModel.from_pretrained(base).eval()\n{}\n{features}\n{}",
                tokens("base"),
                linear("head.safetensors", "")
            )
        }
    }
}

/// A string as YAML reads it back.
pub(super) fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A table cell: no bars, no line breaks.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
