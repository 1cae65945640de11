//! The text of token ids that come one at a time, as soon as it is certain.

use super::Tokenizer;
use crate::error::Result;

/// How many ids before the first one are decoded with it, as text-generation-inference does: enough for a decoder that
/// treats the first token of a text differently.
const CONTEXT: usize = 5;

/// More ids than one character has, twice over: what is still no whole character after them is noise, and would be decoded again with every id.
const PATIENCE: usize = 16;

/// Ids that may belong to one character.
const CHARACTER: usize = 4;

/// What a decoder writes for bytes that are no whole character (yet).
const UNFINISHED: char = '\u{fffd}';

/// Turns a growing list of ids into a growing text. No character leaves before all its bytes are there, and a space
/// that belongs between two tokens is kept.
#[derive(Debug, Clone)]
pub struct TextStream {
    skip_special_tokens: bool,
    /// The last ids: those before `emitted` have left as text.
    ids: Vec<u32>,
    emitted: usize,
}

impl TextStream {
    /// A stream whose text continues the one of `prompt`, which does not leave again.
    pub fn new(prompt: &[u32], skip_special_tokens: bool) -> Self {
        let ids = prompt[prompt.len().saturating_sub(CONTEXT)..].to_vec();
        TextStream {
            skip_special_tokens,
            emitted: ids.len(),
            ids,
        }
    }

    /// Takes the next id and gives the text that became certain with it, if any.
    ///
    /// # Errors
    /// `InvalidFile` if the tokenizer cannot decode.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> Result<Option<String>> {
        self.ids.push(id);
        let text = self.pending(tokenizer, self.ids.len())?;
        if !text.is_empty() && !text.ends_with(UNFINISHED) {
            return Ok(self.leave(text, self.ids.len()));
        }
        if self.ids.len() - self.emitted < PATIENCE {
            return Ok(None);
        }
        let mut end = self.ids.len() - CHARACTER;
        if text.is_empty() {
            // what says nothing, such as a special token, need not be asked again
            self.ids.drain(self.emitted..end);
            return Ok(None);
        }
        // all but what may still become a character, cut where one ends if any does
        for later in (end..self.ids.len()).rev() {
            if !self.pending(tokenizer, later)?.ends_with(UNFINISHED) {
                end = later;
                break;
            }
        }
        let text = self.pending(tokenizer, end)?;
        Ok(self.leave(text, end).filter(|text| !text.is_empty()))
    }

    /// Notes that the text of the ids before `end` has left.
    fn leave(&mut self, text: String, end: usize) -> Option<String> {
        let kept = end.min(self.emitted);
        self.ids.drain(..kept);
        self.emitted = end - kept;
        Some(text)
    }

    /// The text of what is left, if the ids end inside a character; as [`Tokenizer::decode`] writes it.
    ///
    /// # Errors
    /// `InvalidFile` if the tokenizer cannot decode.
    pub fn finish(&self, tokenizer: &Tokenizer) -> Result<Option<String>> {
        let text = self.pending(tokenizer, self.ids.len())?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// What the ids before `end` decode to beyond what those emitted already do.
    fn pending(&self, tokenizer: &Tokenizer, end: usize) -> Result<String> {
        let decode = |ids| tokenizer.decode(ids, self.skip_special_tokens);
        let (emitted, all) = (
            decode(&self.ids[..self.emitted])?,
            decode(&self.ids[..end])?,
        );
        let shared: usize = emitted
            .chars()
            .zip(all.chars())
            .take_while(|(one, other)| one == other)
            .map(|(one, _)| one.len_utf8())
            .sum();
        Ok(all[shared..].to_owned())
    }
}
