//! Rows for a language model become token ids, cut to the context, with a mark on each token that the model learns to write.

use std::ops::Range;

use serde_json::Value;

use super::rows::{SkippedRow, settle};
use super::text_rows::{ParsedText, TextRow};
use crate::error::{Error, Result};
use crate::text::chat::Conversation;
use crate::text::{ChatTemplate, Message, Piece, Tokenizer};

/// The smallest `max_length`: any text can be cut into blocks of two and three tokens, in which one predicts another.
const MIN_LENGTH: usize = 3;

/// Which tokens are learnt, as TRL's `SFTConfig` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceOptions {
    /// In conversations only the assistant's turns; else every token.
    pub assistant_only_loss: bool,
    /// Only the completion of a prompt; else every token.
    pub completion_only_loss: bool,
    /// The id that ends completions and texts. Conversations end as their template says.
    pub eos_token_id: Option<u32>,
    /// Leaves rows out that cannot be encoded.
    pub skip_bad: bool,
}

impl Default for SequenceOptions {
    fn default() -> Self {
        SequenceOptions {
            assistant_only_loss: true,
            completion_only_loss: true,
            eos_token_id: None,
            skip_bad: false,
        }
    }
}

/// What a language model reads at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// Token ids, as many as `targets`.
    pub ids: Vec<u32>,
    /// Whether the loss counts the prediction of each token from those before it (`labels[i] = ids[i]`, else -100). The
    /// first is never one.
    pub targets: Vec<bool>,
    /// How many tokens were cut so that the sequence fits.
    pub truncated: usize,
}

/// Rows in tokens.
#[derive(Debug)]
pub struct Encoded {
    /// Places of the rows that can be encoded, among all.
    pub kept: Vec<usize>,
    /// The sequences of each of them.
    pub sequences: Vec<Vec<Sequence>>,
    /// The others, where they are left out.
    pub skipped: Vec<SkippedRow>,
}

/// The sequences of all rows, in their order. `file` is named in errors.
///
/// # Errors
/// As [`encode_row`], with the row and how many there are of its kind, unless `skip_bad` leaves them out; `InvalidData` too if the
/// template refuses a row's conversation.
pub fn encode_rows(
    file: &str,
    rows: &[ParsedText],
    tokenizer: &Tokenizer,
    template: &ChatTemplate,
    max_length: usize,
    options: &SequenceOptions,
) -> Result<Encoded> {
    let (mut kept, mut sequences) = (Vec::new(), Vec::with_capacity(rows.len()));
    let mut bad = Vec::new();
    for (
        index,
        ParsedText {
            row,
            content,
            tools,
        },
    ) in rows.iter().enumerate()
    {
        let found = encode_row(content, tools, tokenizer, template, max_length, options);
        let reason = match found {
            Ok(found) => {
                kept.push(index);
                sequences.push(found);
                continue;
            }
            Err(Error::InvalidData { reason, .. }) => reason,
            Err(error @ Error::InvalidFile { .. }) => error.to_string(),
            Err(error) => return Err(error),
        };
        bad.push(SkippedRow { row: *row, reason });
    }
    let skipped = settle(file, bad, kept.len(), options.skip_bad)?;
    Ok(Encoded {
        kept,
        sequences,
        skipped,
    })
}

/// A row's sequences of at most `max_length` tokens: one, or for a text as many blocks as it needs. `tools`: the functions that
/// its conversation may call.
///
/// A conversation is written by the template, which also writes its special tokens. A prompt and its completion are
/// tokenised together, after the special tokens that the tokenizer puts before every text; a token that holds bytes of
/// both belongs to the completion, as in TRL.
///
/// What is too long is cut on the left, after a leading beginning-of-text token, because the end of a prompt matters
/// most. What follows a conversation's last answer goes first: nothing is learnt from it. The last answer stays whole.
///
/// # Errors
/// `InvalidData` (without a row) if the answer alone is longer than `max_length`, and for a row without tokens to
/// learn; `InvalidOption` if `max_length` is below 3; `InvalidFile` if template or tokenizer refuse the row.
pub fn encode_row(
    row: &TextRow,
    tools: &[Value],
    tokenizer: &Tokenizer,
    template: &ChatTemplate,
    max_length: usize,
    options: &SequenceOptions,
) -> Result<Vec<Sequence>> {
    if max_length < MIN_LENGTH {
        return Err(Error::out_of_range(
            "maxLength",
            format!("at least {MIN_LENGTH}"),
            max_length,
        ));
    }
    match row {
        TextRow::Chat(messages) => {
            let only = options.assistant_only_loss.then_some(0);
            let learnt = chat(messages, tools, only, tokenizer, template)?;
            Ok(vec![learnt.fit(max_length)?])
        }
        TextRow::ChatCompletion { prompt, completion } => {
            let before = prompt.iter().filter(|m| m.is_assistant()).count();
            let only = if options.completion_only_loss {
                Some(before)
            } else {
                options.assistant_only_loss.then_some(0)
            };
            let messages = [prompt.as_slice(), completion].concat();
            let learnt = chat(&messages, tools, only, tokenizer, template)?;
            Ok(vec![learnt.fit(max_length)?])
        }
        TextRow::PromptCompletion { prompt, completion } => {
            let learnt = completed(prompt, completion, tokenizer, options)?;
            Ok(vec![learnt.fit(max_length)?])
        }
        TextRow::Text(text) => blocks(text, tokenizer, max_length, options),
    }
}

/// A row's tokens before they are cut.
struct Learnt {
    ids: Vec<u32>,
    targets: Vec<bool>,
    /// Tokens at the start that always stay.
    kept: usize,
    /// The tokens of the last answer, which always stay too.
    answer: Range<usize>,
}

impl Learnt {
    fn fit(self, max_length: usize) -> Result<Sequence> {
        let Learnt {
            mut ids,
            mut targets,
            kept,
            answer,
        } = self;
        let whole = ids.len();
        if whole > max_length {
            // The answer's first token must have one before it that it is predicted from.
            let kept_before = kept.max(1).min(answer.start);
            let needed = kept_before + answer.len();
            if needed > max_length {
                return Err(Error::data(
                    "examples",
                    None,
                    format!(
                        "the answer has {} tokens, {needed} with what must come before it, but only {max_length} fit \
                     (maxLength); shorten it or raise maxLength",
                        answer.len()
                    ),
                ));
            }
            ids.truncate(answer.end);
            targets.truncate(answer.end);
            let excess = ids.len().saturating_sub(max_length);
            ids.drain(kept..kept + excess);
            targets.drain(kept..kept + excess);
            if excess > 0 && kept + excess < answer.start {
                // It followed tokens that are gone.
                targets[kept] = false;
            }
        }
        Sequence::new(ids, targets, whole)
    }
}

impl Sequence {
    /// What is left of `whole` tokens.
    fn new(ids: Vec<u32>, mut targets: Vec<bool>, whole: usize) -> Result<Sequence> {
        if let Some(first) = targets.first_mut() {
            *first = false;
        }
        if !targets.contains(&true) {
            return Err(Error::data(
                "examples",
                None,
                format!(
                    "expected at least one token that is predicted from another, found {} in all",
                    ids.len()
                ),
            ));
        }
        Ok(Sequence {
            truncated: whole - ids.len(),
            ids,
            targets,
        })
    }

    /// How many tokens the loss counts.
    pub fn target_count(&self) -> usize {
        self.targets.iter().filter(|target| **target).count()
    }
}

/// A conversation; `only` says from which of the assistant's turns on they are learnt, `None` that every token is.
fn chat(
    messages: &[Message],
    tools: &[Value],
    only: Option<usize>,
    tokenizer: &Tokenizer,
    template: &ChatTemplate,
) -> Result<Learnt> {
    let rendered = template.render_marked(Conversation { messages, tools })?;
    let pieces = tokenizer.pieces(&rendered.text)?;
    let Some(last) = rendered.assistant.last() else {
        return Err(Error::data(
            "examples",
            None,
            "expected at least one turn of the assistant, found none",
        ));
    };
    let learnt = |piece: &Piece| match only {
        None => true,
        Some(first) => rendered
            .assistant
            .iter()
            .skip(first)
            .any(|span| piece.touches(span)),
    };
    let mut answered = (0..).zip(&pieces).filter(|(_, p)| p.touches(last));
    let (start, _) = answered
        .next()
        .ok_or_else(|| Error::data("examples", None, "the last answer has no tokens"))?;
    let end = answered.last().map_or(start, |(index, _)| index) + 1;
    let bos = template
        .bos_token()
        .and_then(|token| tokenizer.token_to_id(token));
    let starts_with_bos = bos.is_some() && pieces.first().map(|piece| piece.id) == bos;
    Ok(Learnt {
        targets: pieces.iter().map(learnt).collect(),
        ids: pieces.iter().map(|piece| piece.id).collect(),
        kept: usize::from(starts_with_bos),
        answer: start..end,
    })
}

/// A prompt and its completion.
fn completed(
    prompt: &str,
    completion: &str,
    tokenizer: &Tokenizer,
    options: &SequenceOptions,
) -> Result<Learnt> {
    let pieces = tokenizer.pieces(&format!("{prompt}{completion}"))?;
    let mut ids = tokenizer.prefix_ids()?;
    let kept = ids.len();
    let before = pieces
        .iter()
        .take_while(|piece| !piece.touches(&(prompt.len()..usize::MAX)))
        .count();
    let start = kept + before;
    ids.extend(pieces.iter().map(|piece| piece.id));
    ids.extend(options.eos_token_id);
    if ids.len() == start {
        return Err(Error::data(
            "examples",
            None,
            "the completion has no tokens",
        ));
    }
    Ok(Learnt {
        targets: (0..ids.len())
            .map(|index| index >= start || !options.completion_only_loss)
            .collect(),
        kept,
        answer: start..ids.len(),
        ids,
    })
}

/// A text in consecutive blocks. Every token is in one of them; the first of each has nothing to be predicted from.
fn blocks(
    text: &str,
    tokenizer: &Tokenizer,
    max_length: usize,
    options: &SequenceOptions,
) -> Result<Vec<Sequence>> {
    let mut ids = tokenizer.prefix_ids()?;
    ids.extend(tokenizer.pieces(text)?.iter().map(|piece| piece.id));
    ids.extend(options.eos_token_id);
    let mut rest = ids.as_slice();
    let mut sequences = Vec::with_capacity(ids.len().div_ceil(max_length));
    while !rest.is_empty() || sequences.is_empty() {
        let mut length = rest.len().min(max_length);
        if rest.len() == length + 1 {
            // A last token alone would have nothing to be predicted from.
            length -= 1;
        }
        let (block, more) = rest.split_at(length);
        sequences.push(Sequence::new(block.to_vec(), vec![true; length], length)?);
        rest = more;
    }
    Ok(sequences)
}
