//! What a language model writes after a prompt, piece by piece.

use serde::Serialize;

use super::generate::Generator;
use super::generation_options::GenerationOptions;
use crate::Result;
use crate::models::CausalLm;
use crate::text::{TextStream, Tokenizer};

/// Why a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// The model wrote a token that ends texts.
    EndOfText,
    /// One of the caller's stop texts came.
    StopText,
    /// As many tokens as wanted, or as the model has positions for.
    Length,
    /// The caller ended it.
    Stopped,
}

/// A written text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "WrittenText"))]
#[serde(rename_all = "camelCase")]
pub struct Written {
    pub text: String,
    /// Tokens written, the ending one included.
    pub tokens: usize,
    pub ending: Ending,
}

/// What comes next of a text that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text that is certain.
    Text(String),
    /// The whole text, which has ended.
    End(Written),
}

/// A text that is being written.
#[derive(Debug, Clone)]
pub struct Writer {
    generator: Generator,
    stream: TextStream,
    ends: Vec<u32>,
    stops: Vec<String>,
    text: String,
    /// Bytes of `text` that have left.
    emitted: usize,
    tokens: usize,
    ending: Option<Ending>,
}

impl Writer {
    /// Writes after `prompt` until a token of `ends`, a stop text or the length ends it.
    ///
    /// # Errors
    /// As [`Generator::new`].
    pub fn new(
        model: &CausalLm,
        prompt: &[u32],
        ends: &[u32],
        options: GenerationOptions,
    ) -> Result<Self> {
        Ok(Self {
            stops: options.stop.clone(),
            generator: Generator::new(model, prompt, options)?,
            stream: TextStream::new(prompt, true),
            ends: ends.to_vec(),
            text: String::new(),
            emitted: 0,
            tokens: 0,
            ending: None,
        })
    }

    /// Ends the text where it is.
    pub fn stop(&mut self) {
        self.ending.get_or_insert(Ending::Stopped);
    }

    /// Works until some text is certain or the end is reached.
    ///
    /// # Errors
    /// Failures of tokenizer or device.
    pub async fn next_piece(&mut self, model: &CausalLm, tokenizer: &Tokenizer) -> Result<Piece> {
        while self.ending.is_none() {
            let Some(id) = self.generator.next_token(model).await? else {
                self.text.extend(self.stream.finish(tokenizer)?);
                self.ending = Some(Ending::Length);
                break;
            };
            self.tokens += 1;
            if self.ends.contains(&id) {
                self.ending = Some(Ending::EndOfText);
                break;
            }
            let Some(piece) = self.stream.push(tokenizer, id)? else {
                continue;
            };
            self.text.push_str(&piece);
            let found = self.stops.iter().filter_map(|stop| self.text.find(stop));
            if let Some(at) = found.min() {
                self.text.truncate(at);
                self.ending = Some(Ending::StopText);
                break;
            }
            let certain = self.text.len() - held_back(&self.text, &self.stops);
            if certain > self.emitted {
                return Ok(Piece::Text(self.emit(certain)));
            }
        }
        if self.text.len() > self.emitted {
            return Ok(Piece::Text(self.emit(self.text.len())));
        }
        Ok(Piece::End(Written {
            text: self.text.clone(),
            tokens: self.tokens,
            ending: self.ending.unwrap_or(Ending::Length),
        }))
    }

    fn emit(&mut self, until: usize) -> String {
        let piece = self.text[self.emitted..until].to_string();
        self.emitted = until;
        piece
    }
}

/// A whole text after `prompt`.
///
/// # Errors
/// As [`Writer::new`] and [`Writer::next_piece`].
pub async fn complete(
    model: &CausalLm,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    ends: &[u32],
    options: &GenerationOptions,
) -> Result<Written> {
    let mut writer = Writer::new(model, prompt, ends, options.clone())?;
    loop {
        if let Piece::End(written) = writer.next_piece(model, tokenizer).await? {
            return Ok(written);
        }
    }
}

/// Bytes at the end of a text that may be the start of a stop text.
fn held_back(text: &str, stops: &[String]) -> usize {
    let starts = |stop: &String| {
        let lengths = stop.char_indices().map(|(at, _)| at).skip(1);
        lengths.filter(|at| text.ends_with(&stop[..*at])).max()
    };
    stops.iter().filter_map(starts).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_become_a_stop_text_waits() {
        let stops = vec!["###".to_string(), "\nUser".into()];
        assert_eq!(held_back("a text ##", &stops), 2);
        assert_eq!(held_back("a text\nUs", &stops), 3);
        assert_eq!(held_back("a text", &stops), 0);
        assert_eq!(held_back("", &stops), 0);
    }
}
