//! The baseline that does not train: each validation text after some training texts, scored on the same tokens as every other score.

use super::model::LanguageModel;
use super::options::LanguageOptions;
use super::rows::sequence_options;
use crate::data::{Packed, ParsedText, Sequence, TextRow, encode_row};
use crate::rng::Rng;
use crate::text::Message;
use crate::{Error, Result};

/// Tokens of a text with its examples, at most.
pub(super) const LONGEST: usize = 2048;

/// Validation texts with examples in the prompt.
#[derive(Debug, Clone)]
pub struct FewShotRows {
    /// Examples before each.
    pub examples: usize,
    pub rows: Vec<Packed>,
}

/// Prefixes each validation text with up to `fewShotExamples` training texts, as many as fit; `None` if not even one fits, or if a text is read in
/// other tokens after an example, so that the same targets cannot be scored. `own`: the sequence that each validation text is scored by alone.
///
/// # Errors
/// Failures of template or tokenizer.
pub fn few_shot(
    model: &LanguageModel,
    rows: &[ParsedText],
    train: &[usize],
    validation: &[(usize, &Sequence)],
    options: &LanguageOptions,
) -> Result<Option<FewShotRows>> {
    let settings = sequence_options(model, options);
    let mut order = train.to_vec();
    Rng::stream(options.common.seed, "few-shot").shuffle(&mut order);
    let context = model.config.max_position_embeddings.min(LONGEST);
    'fewer: for examples in (1..=options.own.few_shot_examples.min(order.len())).rev() {
        let shown = order[..examples].iter().map(|row| &rows[*row].content);
        let shown = shown.collect::<Vec<_>>();
        let mut found = Vec::with_capacity(validation.len());
        for (row, own) in validation {
            let Some(long) = with_examples(&shown, &rows[*row].content) else {
                return Ok(None);
            };
            let (tools, tokenizer, template) =
                (&rows[*row].tools, &model.tokenizer, &model.template);
            match encode_row(&long, tools, tokenizer, template, context, &settings) {
                Ok(mut long) if long.len() == 1 && long[0].truncated == 0 => {
                    let Some(same) = with_targets_of(own, long.remove(0)) else {
                        return Ok(None);
                    };
                    found.push(Packed::from(same));
                }
                Ok(_) => continue 'fewer,
                // an answer longer than the context: no example fits before it either
                Err(Error::InvalidData { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        return Ok(Some(FewShotRows {
            examples,
            rows: found,
        }));
    }
    Ok(None)
}

/// `long` with those tokens as targets that are `own`'s: what they have in common at their beginning (the tokens that begin every text, a system
/// prompt) and at their end. `None` if one of `own`'s targets lies in between.
fn with_targets_of(own: &Sequence, mut long: Sequence) -> Option<Sequence> {
    let pairs = own.ids.iter().zip(&long.ids);
    let before = pairs.take_while(|(a, b)| a == b).count();
    let pairs = own.ids.iter().rev().zip(long.ids.iter().rev());
    let after = pairs.take_while(|(a, b)| a == b).count();
    let shift = long.ids.len().checked_sub(own.ids.len())?;
    long.targets.fill(false);
    for (index, _) in own.targets.iter().enumerate().filter(|(_, one)| **one) {
        if index >= own.ids.len() - after {
            long.targets[index + shift] = true;
        } else if index < before {
            long.targets[index] = true;
        } else {
            return None;
        }
    }
    Some(long)
}

/// A text after examples.
fn with_examples(examples: &[&TextRow], row: &TextRow) -> Option<TextRow> {
    match row {
        TextRow::Chat(_) | TextRow::ChatCompletion { .. } => {
            let (system, own): (Vec<_>, Vec<_>) = turns(row).into_iter().partition(is_system);
            let others = examples.iter().flat_map(|row| turns(row));
            let others = others.filter(|message| !is_system(message));
            Some(TextRow::Chat(
                system.into_iter().chain(others).chain(own).collect(),
            ))
        }
        TextRow::PromptCompletion { prompt, completion } => {
            let mut long = String::new();
            for example in examples {
                if let TextRow::PromptCompletion { prompt, completion } = example {
                    long.push_str(&format!("{prompt}{completion}\n\n"));
                }
            }
            long.push_str(prompt);
            Some(TextRow::PromptCompletion {
                prompt: long,
                completion: completion.clone(),
            })
        }
        TextRow::Text(_) => None,
    }
}

fn is_system(message: &Message) -> bool {
    message.role == "system"
}

/// All turns of a conversation.
pub(super) fn turns(row: &TextRow) -> Vec<Message> {
    match row {
        TextRow::Chat(messages) => messages.clone(),
        TextRow::ChatCompletion { prompt, completion } => [prompt.as_slice(), completion].concat(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(ids: &[u32], targets: &[usize]) -> Sequence {
        Sequence {
            ids: ids.to_vec(),
            targets: (0..ids.len())
                .map(|index| targets.contains(&index))
                .collect(),
            truncated: 0,
        }
    }

    #[test]
    fn the_same_tokens_are_targets_after_examples() {
        // 1 begins every text, 7 is a system prompt
        let own = sequence(&[1, 7, 20, 21, 22], &[1, 3, 4]);
        let long = sequence(&[1, 7, 30, 31, 20, 21, 22], &[3, 5, 6]);
        let found = with_targets_of(&own, long).unwrap();
        assert_eq!(
            found.targets,
            [false, true, false, false, false, true, true]
        );
        // read in another token after an example
        let long = sequence(&[1, 7, 30, 31, 99, 21, 22], &[]);
        assert!(with_targets_of(&own, long.clone()).is_some());
        let whole = sequence(&[1, 7, 20, 21, 22], &[1, 2, 3, 4]);
        assert!(with_targets_of(&whole, long).is_none());
    }
}
