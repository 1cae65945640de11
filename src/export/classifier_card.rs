//! What a classifier's model card says of its run: rows, scores, thresholds and what was kept.

use super::subject::{CardFacts, Table};
use crate::eval::metrics::Report;
use crate::tasks::classify::event::KeptStage;
use crate::tasks::classify::tuned::RunCard;

/// What the model card says of a run.
pub fn facts(run: &RunCard, labels: usize) -> CardFacts {
    let counts = run.label_counts.iter();
    let scores = [
        ("zero-shot, label names", &run.baselines.zero_shot),
        ("nearest centroid", &run.baselines.centroid),
        ("linear probe", &run.baselines.probe),
        ("tuned", &run.tuned),
    ];
    let kept = match run.kept_stage {
        KeptStage::Probe => "the head fitted on the untuned model".to_string(),
        KeptStage::Contrastive => "the state after the contrastive stage".to_string(),
        KeptStage::Classify => format!("the state after epoch {}", run.kept_epoch),
    };
    CardFacts {
        what: match run.tuned.micro_f1 {
            None => format!("A text classifier with {labels} labels"),
            Some(_) => format!("A text classifier that gives a text any number of {labels} labels"),
        },
        in_files: "The names of the labels are in these files.",
        data: Some((
            format!(
                "{} rows trained, {} rows validated.",
                run.train_rows, run.validation_rows
            ),
            Table {
                columns: vec!["label", "rows"],
                rows: counts
                    .map(|(label, count)| vec![label.clone(), count.to_string()])
                    .collect(),
            },
        )),
        scores: score_table(&scores),
        notes: threshold_note(&run.tuned).into_iter().chain([
            run.verdict.clone(),
            format!(
                "Kept after {} steps: {kept}. Trained parameters: {} of {}. Mean cosine of {} general sentences' vectors before and \
                 after: {:.4}.",
                run.steps,
                run.trained_parameters,
                run.total_parameters,
                run.forgetting.sentences,
                run.forgetting.mean_cosine
            ),
        ])
        .collect(),
        options: run.options.clone(),
    }
}

/// A row a model. Where a text may have several labels, what is right is all of them.
fn score_table(scores: &[(&str, &Report)]) -> Table {
    let several = scores.iter().any(|(_, report)| report.micro_f1.is_some());
    let columns: &[&'static str] = if several {
        &[
            "model",
            "micro F1",
            "macro F1",
            "all labels right",
            "95% interval",
        ]
    } else {
        &["model", "accuracy", "95% interval", "macro F1"]
    };
    let rows = scores.iter().map(|(name, report)| {
        let share = |value: f64| format!("{value:.4}");
        let [low, high] = report.interval;
        let interval = format!("{low:.4} to {high:.4}");
        let (accuracy, macro_f1) = (share(report.accuracy), share(report.macro_f1));
        let numbers = match report.micro_f1 {
            Some(micro_f1) => vec![share(micro_f1), macro_f1, accuracy, interval],
            None => vec![accuracy, interval, macro_f1],
        };
        std::iter::once((*name).to_string())
            .chain(numbers)
            .collect()
    });
    Table {
        columns: columns.to_vec(),
        rows: rows.collect(),
    }
}

/// What a probability is compared with, where a text may have several labels.
fn threshold_note(tuned: &Report) -> Option<String> {
    tuned.micro_f1?;
    let words = tuned.per_class.iter().filter_map(|class| {
        let threshold = class.threshold?;
        Some(format!("{} {threshold:.3}", class.label))
    });
    Some(format!(
        "A text is given each label whose probability, the sigmoid of its logit, is over that label's threshold: {}. The thresholds gave the highest F1 \
         on these validation rows, so that the scores here are a little too good; labels.json holds them too.",
        words.collect::<Vec<_>>().join(", ")
    ))
}
