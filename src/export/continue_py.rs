//! A script that continues a language model's run with accelerate and PEFT, and the run's settings for it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::file::{ExportedFile, file, json_file};
use crate::Result;

/// The script.
pub const CONTINUE_PY: &str = "continue.py";
/// Its settings.
pub const CONTINUE_JSON: &str = "continue.json";
/// What it needs.
pub const REQUIREMENTS: &str = "requirements.txt";

const SCRIPT: &str = include_str!("continue.py");
/// The versions that the script was tested with.
const PINNED: &str = "torch==2.15.0\ntransformers==5.23.0\npeft==0.21.2\naccelerate==1.15.0\n";

/// What the script can carry on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A language model on text.
    CausalLm,
}

/// `continue.json`, by the names of `TrainingArguments`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContinueConfig {
    /// Name on the hub or folder of the base model.
    pub base_model: String,
    /// Folder of the adapter, from the script's own folder on.
    pub adapter: String,
    pub task: Task,
    pub learning_rate: f64,
    /// One of transformers' `SchedulerType`.
    pub lr_scheduler_type: String,
    /// Part of the steps in which the rate rises, in [0, 1].
    pub warmup_ratio: f64,
    /// Epochs that are left.
    pub num_train_epochs: f64,
    /// Rows per device and step.
    pub per_device_train_batch_size: usize,
    /// Steps whose gradients make one update.
    pub gradient_accumulation_steps: usize,
    pub weight_decay: f64,
    pub adam_beta1: f64,
    pub adam_beta2: f64,
    pub adam_epsilon: f64,
    /// Gradients are clipped to this norm; 0 leaves them as they are.
    pub max_grad_norm: f64,
    /// Tokens of a row at most.
    pub max_length: usize,
    pub seed: u64,
    /// Only the assistant's turns of chats count in the loss. Of prompt and completion, the completion alone counts always.
    pub assistant_only_loss: bool,
    /// Several rows share one sequence, each seeing itself alone.
    pub packing: bool,
}

/// The three files.
///
/// # Errors
/// None in practice: the settings are serialisable.
pub fn continue_files(config: &ContinueConfig) -> Result<Vec<ExportedFile>> {
    Ok(vec![
        json_file(CONTINUE_JSON, &json!(config))?,
        file(CONTINUE_PY, SCRIPT.as_bytes().to_vec()),
        file(REQUIREMENTS, PINNED.as_bytes().to_vec()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_reads_the_settings_that_are_written() {
        let config = ContinueConfig {
            base_model: "org/base".into(),
            adapter: ".".into(),
            task: Task::CausalLm,
            learning_rate: 2e-4,
            lr_scheduler_type: "cosine".into(),
            warmup_ratio: 0.03,
            num_train_epochs: 1.5,
            per_device_train_batch_size: 4,
            gradient_accumulation_steps: 2,
            weight_decay: 0.01,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            max_grad_norm: 1.0,
            max_length: 512,
            seed: 42,
            assistant_only_loss: true,
            packing: false,
        };
        let files = continue_files(&config).unwrap();
        let paths = files.iter().map(|file| file.path.as_str());
        assert_eq!(
            paths.collect::<Vec<_>>(),
            ["continue.json", "continue.py", "requirements.txt"]
        );
        let settings: serde_json::Value = serde_json::from_slice(&files[0].bytes).unwrap();
        let written = settings.as_object().unwrap().keys();
        // the script refuses no task, because there is one
        let written = written.filter(|key| *key != "task").cloned();
        let read = regex::Regex::new(r#"config\["(\w+)"\]"#).unwrap();
        let read = read.captures_iter(SCRIPT).map(|found| found[1].to_string());
        assert_eq!(
            written.collect::<std::collections::BTreeSet<_>>(),
            read.collect::<std::collections::BTreeSet<_>>()
        );
        assert_eq!(settings["task"], "causal-lm");
        let back: ContinueConfig = serde_json::from_value(settings).unwrap();
        assert_eq!(back, config);
    }
}
