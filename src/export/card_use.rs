//! The last part of a model card: a few lines of Python that load the exported files alone, and the base model if they need it.

use std::fmt::Write;

use super::subject::{ClassifierFacts, Subject, TaskFacts};
use crate::data::ProblemType;
use crate::models::Family;
use crate::peft::{MethodType, TaskType};

const CLASSIFIER: &str = "AutoModelForSequenceClassification";
/// What a `mean` head does, by hand.
const POOLED: &str = "mask = tokens[\"attention_mask\"].unsqueeze(-1)\nhidden = model(**tokens).last_hidden_state\nmean = (hidden * \
                      mask).sum(1) / mask.sum(1)\nfeatures = torch.nn.functional.normalize(mean)";
const ADAPTERS: &str = "adapters.init(model)\nmodel.load_adapter(\".\", use_safetensors=True, set_active=True)\nmodel.eval()";
/// Where the head of a Sentence-Transformers folder is.
const DENSE: (&str, &str) = ("3_Dense/model.safetensors", "linear.");

/// What runs an ONNX folder; a path without a dot at its beginning would be looked up on the hub.
const ONNX_USE: &str = "import { pipeline } from \"@huggingface/transformers\";\n\nconst classify = await pipeline(\"text-classification\", \
                        \"./the-folder-with-this-file\");\nconsole.log(await classify(\"a text\", { top_k: null }));\n";

/// The lines that run an ONNX folder. The pipeline takes no pairs of texts.
pub fn onnx_use(facts: Option<&ClassifierFacts>) -> String {
    let Some(facts) = facts.filter(|facts| facts.pairs == Some(true)) else {
        return ONNX_USE.into();
    };
    // a tokenizer of no special class gives none unasked
    let types = if facts.token_types {
        ", return_token_type_ids: true"
    } else {
        ""
    };
    format!(
        "import {{ AutoModelForSequenceClassification, AutoTokenizer }} from \"@huggingface/transformers\";\n\nconst folder = \
         \"./the-folder-with-this-file\";\nconst tokenizer = await AutoTokenizer.from_pretrained(folder);\nconst model = await \
         AutoModelForSequenceClassification.from_pretrained(folder);\nconst inputs = tokenizer(\"a text\", {{ text_pair: \"its second text\", \
         truncation: true{types} }});\nconst {{ logits }} = await model(inputs);\nconst [scores] = logits.tolist();\n\
         console.log(model.config.id2label[scores.indexOf(Math.max(...scores))]);\n"
    )
}

/// `files`: how the files hold what was tuned; [`MethodType::Full`] for all weights, whatever tuned them.
pub fn write_use<N>(out: &mut String, subject: &Subject<N>, files: MethodType) -> std::fmt::Result {
    let base = subject.base.name;
    match &subject.task {
        TaskFacts::Classifier(facts) => {
            let task = subject.base.task;
            write_classifier(out, base, &snippet(facts, files, task), facts)
        }
        TaskFacts::Language { .. } => write_language(out, base, files),
    }
}

/// What differs between the ways to load a classifier.
struct Snippet {
    imports: &'static str,
    /// The name of the folder with the tokenizer.
    tokenizer: &'static str,
    load: String,
    /// The features of a head that is applied by hand.
    features: Option<&'static str>,
    /// Where that head is: its file, and what comes before its tensors' names.
    head: (&'static str, &'static str),
}

impl Snippet {
    /// A model whose logits are the answer.
    fn whole(imports: &'static str, tokenizer: &'static str, load: String) -> Self {
        Self {
            imports,
            tokenizer,
            load,
            features: None,
            head: DENSE,
        }
    }

    /// A bare encoder under a head that is applied by hand.
    fn bare(
        imports: &'static str,
        load: &str,
        features: &'static str,
        head: (&'static str, &'static str),
    ) -> Self {
        Self {
            imports,
            tokenizer: "base",
            load: load.into(),
            features: Some(features),
            head,
        }
    }
}

fn snippet(facts: &ClassifierFacts, files: MethodType, task: TaskType) -> Snippet {
    // transformers finds a decoder's last token by what pads
    let sizes = match (facts.family, facts.pad_token) {
        (Family::Decoder(_), Some(pad)) => {
            format!("num_labels=len(labels), pad_token_id={pad}")
        }
        _ => "num_labels=len(labels)".to_string(),
    };
    let classifier = format!("model = {CLASSIFIER}.from_pretrained(base, {sizes})");
    let is_mean = task == TaskType::FeatureExtraction;
    match files {
        MethodType::Lora | MethodType::Full if is_mean => Snippet::whole(
            "import json\nfrom sentence_transformers import SentenceTransformer",
            "",
            String::new(),
        ),
        MethodType::Full => Snippet::whole(
            "import json\nfrom transformers import AutoModelForSequenceClassification, AutoTokenizer",
            "\".\"",
            format!("model = {CLASSIFIER}.from_pretrained(\".\").eval()"),
        ),
        MethodType::Prefix if is_mean => Snippet::bare(
            "import json, torch\nfrom peft import PeftModel\nfrom safetensors.torch import load_file\nfrom transformers import AutoModel, \
             AutoTokenizer",
            "model = PeftModel.from_pretrained(AutoModel.from_pretrained(base), \".\").eval()",
            POOLED,
            DENSE,
        ),
        MethodType::Lora | MethodType::Prefix => Snippet::whole(
            "import json\nfrom peft import PeftModel\nfrom transformers import AutoModelForSequenceClassification, AutoTokenizer",
            "base",
            format!("{classifier}\nmodel = PeftModel.from_pretrained(model, \".\").eval()"),
        ),
        MethodType::Houlsby if is_mean => Snippet::bare(
            "import json, adapters, torch\nfrom safetensors.torch import load_file\nfrom transformers import AutoModel, AutoTokenizer",
            "model = AutoModel.from_pretrained(base)\nadapters.init(model)\nmodel.load_adapter(\".\", use_safetensors=True, \
             set_active=True)\nmodel.eval()",
            POOLED,
            DENSE,
        ),
        MethodType::Houlsby => Snippet::whole(
            "import json, adapters\nfrom transformers import AutoModelForSequenceClassification, AutoTokenizer",
            "base",
            format!("{classifier}\n{ADAPTERS}"),
        ),
        // a head with names of its own loads into its class
        MethodType::Probe if !is_mean && facts.names_head => Snippet::whole(
            "import json\nfrom safetensors.torch import load_file\nfrom transformers import AutoModelForSequenceClassification, \
             AutoTokenizer",
            "base",
            format!(
                "{classifier}.eval()\nmodel.load_state_dict(load_file(\"head.safetensors\"), strict=False)"
            ),
        ),
        MethodType::Probe => Snippet::bare(
            "import json, torch\nfrom safetensors.torch import load_file\nfrom transformers import AutoModel, AutoTokenizer",
            "model = AutoModel.from_pretrained(base).eval()",
            if is_mean {
                POOLED
            } else {
                "features = model(**tokens).pooler_output"
            },
            ("head.safetensors", ""),
        ),
    }
}

fn write_classifier(
    out: &mut String,
    base: &str,
    snippet: &Snippet,
    facts: &ClassifierFacts,
) -> std::fmt::Result {
    writeln!(out, "{}\n", snippet.imports)?;
    match facts.problem {
        ProblemType::SingleLabel => {
            writeln!(out, "labels = json.load(open(\"labels.json\"))[\"labels\"]")?;
        }
        ProblemType::MultiLabel => writeln!(
            out,
            "file = json.load(open(\"labels.json\"))\nlabels, thresholds = file[\"labels\"], file[\"thresholds\"]"
        )?,
    }
    let pairs = facts.pairs == Some(true);
    if snippet.load.is_empty() {
        let row = if pairs {
            "(\"a text\", \"its second text\")"
        } else {
            "\"a text\""
        };
        writeln!(
            out,
            "logits = SentenceTransformer(\".\").encode([{row}], convert_to_tensor=True)"
        )?;
        return write_answer(out, "logits", facts.problem);
    }
    let second = if pairs { "[\"its second text\"], " } else { "" };
    if snippet.tokenizer == "base" {
        writeln!(out, "base = {base:?}")?;
    }
    writeln!(
        out,
        "{}\ntokens = AutoTokenizer.from_pretrained({})([\"a text\"], {second}truncation=True, max_length={}, return_tensors=\"pt\")",
        snippet.load, snippet.tokenizer, facts.max_length
    )?;
    match snippet.features {
        None => write_answer(out, "model(**tokens).logits", facts.problem),
        Some(features) => {
            let (file, prefix) = snippet.head;
            writeln!(
                out,
                "{features}\nhead = load_file(\"{file}\")\nlogits = features @ head[\"{prefix}weight\"].T + head[\"{prefix}bias\"]"
            )?;
            write_answer(out, "logits", facts.problem)
        }
    }
}

/// Prints the label, or those over their thresholds. `logits`: an expression of `[1, labels]`.
fn write_answer(out: &mut String, logits: &str, problem: ProblemType) -> std::fmt::Result {
    match problem {
        ProblemType::SingleLabel => writeln!(out, "print(labels[{logits}.argmax(-1).item()])"),
        ProblemType::MultiLabel => writeln!(
            out,
            "scores = {logits}.sigmoid()[0]\nprint([label for label, score, least in zip(labels, scores, thresholds) if score > least])"
        ),
    }
}

fn write_language(out: &mut String, base: &str, files: MethodType) -> std::fmt::Result {
    let (import, load) = if files == MethodType::Full {
        (
            "",
            "model = AutoModelForCausalLM.from_pretrained(\".\").eval()".to_string(),
        )
    } else {
        (
            "from peft import PeftModel\n",
            format!(
                "model = AutoModelForCausalLM.from_pretrained({base:?})\nmodel = PeftModel.from_pretrained(model, \".\").eval()"
            ),
        )
    };
    writeln!(
        out,
        "{import}from transformers import AutoModelForCausalLM, AutoTokenizer\n\n{load}\ntokenizer = AutoTokenizer.from_pretrained(\".\")\n\
         tokens = tokenizer(\"a text\", return_tensors=\"pt\")\nprint(tokenizer.decode(model.generate(**tokens, max_new_tokens=40)[0]))"
    )
}
