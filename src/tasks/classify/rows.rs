//! A person's examples as a run takes them: encoded, without those that cannot be learnt.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::model::Pretrained;
use super::tuned::encode;
use crate::data::example::{EXAMPLES, LABEL_COUNT, fault};
use crate::data::rows::settle;
use crate::data::{Example, SkippedRow};
use crate::models::HeadKind;
use crate::text::Encoding;
use crate::{Error, Result};

/// Examples that can be learnt.
pub(super) struct Learnable<'a> {
    pub examples: Cow<'a, [Example]>,
    /// One an example.
    pub encodings: Vec<Encoding>,
    /// Where each is in the list that was given, counted from 1.
    pub places: Vec<usize>,
    /// The others.
    pub skipped: Vec<SkippedRow>,
}

impl<'a> Learnable<'a> {
    /// Encodes `examples`. `skip_bad` leaves out those with a blank text or label, those that the model cannot read, and those that are alone
    /// with a label.
    ///
    /// # Errors
    /// [`Error::InvalidData`] for the first that cannot be learnt and is not left out, or if none can be; failures of the tokenizer.
    pub fn new(
        model: &Pretrained,
        examples: &'a [Example],
        head: HeadKind,
        max_length: usize,
        skip_bad: bool,
    ) -> Result<Self> {
        let (mut kept, mut bad) = (Vec::with_capacity(examples.len()), Vec::new());
        for (index, example) in examples.iter().enumerate() {
            let row = index + 1;
            if let Some(fault) = fault(example, &examples[0]) {
                let reason = fault.to_owned();
                bad.push(SkippedRow { row, reason });
                continue;
            }
            let texts = std::iter::once(example.texts());
            match encode(model, head, texts, max_length) {
                Ok(encodings) => kept.extend(encodings.into_iter().map(|one| (index, one))),
                Err(Error::InvalidData { reason, .. }) => bad.push(SkippedRow { row, reason }),
                Err(error) => return Err(error),
            }
        }
        if skip_bad {
            let alone = alone(examples, kept.iter().map(|(index, _)| *index));
            kept.retain(|(index, _)| !alone.contains_key(index));
            bad.extend(alone.into_iter().map(|(index, label)| SkippedRow {
                row: index + 1,
                reason: format!("the label \"{label}\" has only one example"),
            }));
        }
        let skipped = settle(EXAMPLES, bad, kept.len(), skip_bad)?;
        let examples = if skipped.is_empty() {
            Cow::Borrowed(examples)
        } else {
            kept.iter()
                .map(|(index, _)| examples[*index].clone())
                .collect()
        };
        let places = kept.iter().map(|(index, _)| index + 1).collect();
        let encodings = kept.into_iter().map(|(_, encoding)| encoding).collect();
        Ok(Self {
            examples,
            encodings,
            places,
            skipped,
        })
    }
}

/// Which of `rows` are alone with a label, and with which; none where there are too many labels, which is another mistake.
fn alone(examples: &[Example], rows: impl Iterator<Item = usize>) -> BTreeMap<usize, &str> {
    let mut by_label = BTreeMap::<&str, Vec<usize>>::new();
    for row in rows {
        for label in examples[row].label.set() {
            by_label.entry(label).or_default().push(row);
        }
    }
    if by_label.len() > *LABEL_COUNT.end() {
        return BTreeMap::new();
    }
    let alone = by_label
        .into_iter()
        .filter_map(|(label, rows)| match rows[..] {
            [row] => Some((row, label)),
            _ => None,
        });
    alone.collect()
}
