//! What a language model's run says of itself at its end, in sentences.

use super::event::LanguageResults;
use crate::train::event::FinishReason;
use crate::train::task::{Ended, Task};

/// What a person should think of the result. `kept_step`: the step whose state is kept.
pub(super) fn verdict(results: &LanguageResults, kept_step: usize) -> String {
    let (Some(base), Some(tuned)) = (results.base, results.tuned) else {
        return "The run was stopped before the untuned model was scored, so that nothing can be compared."
            .into();
    };
    let (base, tuned) = (base.perplexity, tuned.perplexity);
    if kept_step == 0 {
        return format!(
            "Tuning did not help: the validation perplexity never fell below the untuned model's {base:.2}. The adapter that is kept changes nothing."
        );
    }
    match &results.few_shot {
        Some(few_shot) if few_shot.likelihood.perplexity <= tuned => format!(
            "Tuning lowered the validation perplexity from {base:.2} to {tuned:.2}, but {} examples in the prompt reach {:.2} without any training.",
            few_shot.examples, few_shot.likelihood.perplexity
        ),
        Some(few_shot) => format!(
            "Tuning lowered the validation perplexity from {base:.2} to {tuned:.2}; {} examples in the prompt reach {:.2}.",
            few_shot.examples, few_shot.likelihood.perplexity
        ),
        None => format!("Tuning lowered the validation perplexity from {base:.2} to {tuned:.2}."),
    }
}

pub(super) fn message<T: Task>(ended: &Ended<T>) -> String {
    let kept = match ended.best.step {
        0 => "the untuned model is kept".to_string(),
        step => format!("the state after step {step} is kept"),
    };
    let steps = ended.steps;
    match (ended.reason, &ended.error) {
        (FinishReason::EarlyStopping, _) => format!(
            "Stopped after {steps} steps, because the validation loss no longer fell; {kept}."
        ),
        (FinishReason::Stopped, _) => format!("Stopped by you after {steps} steps; {kept}."),
        (FinishReason::Diverged, _) => format!(
            "The loss was no longer a number at step {steps}; {kept}. A smaller learningRate usually helps."
        ),
        (FinishReason::Failed, Some(error)) => {
            format!("Failed after {steps} steps: {error}; {kept}.")
        }
        (FinishReason::Failed, None) => format!("Failed after {steps} steps; {kept}."),
        (FinishReason::Completed | FinishReason::Unpromising, _) => {
            format!("All {steps} steps are done; {kept}.")
        }
    }
}
