//! Enters: a prompt's ids. Leaves: what a language model writes behind them, piece by piece.

use serde::Serialize;

use super::generate::{GenerationOptions, Generator};
use crate::Result;
use crate::models::CausalLm;
use crate::text::{TextStream, Tokenizer};

/// Why a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
#[serde(rename_all = "camelCase")]
pub struct Written {
    pub text: String,
    /// Tokens written, the ending one included.
    pub tokens: usize,
    pub ending: Ending,
}

/// Writes behind `prompt` until a token of `ends`, a stop text or the length ends it. `tell` gets every piece as soon as it is certain, and
/// ends the text by giving false.
///
/// # Errors
/// As [`Generator::new`]; failures of the device.
pub async fn complete(
    model: &CausalLm,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    ends: &[u32],
    options: &GenerationOptions,
    mut tell: impl FnMut(&str) -> bool,
) -> Result<Written> {
    let mut generator = Generator::new(model, prompt, options.clone())?;
    let mut stream = TextStream::new(tokenizer, prompt, true);
    let mut text = String::new();
    let (mut told, mut tokens) = (0, 0);
    let mut ending = Ending::Length;
    while let Some(id) = generator.next_token(model).await? {
        tokens += 1;
        if ends.contains(&id) {
            ending = Ending::EndOfText;
            break;
        }
        let Some(piece) = stream.push(id)? else {
            continue;
        };
        text.push_str(&piece);
        if let Some(at) = options.stop.iter().filter_map(|stop| text.find(stop)).min() {
            text.truncate(at);
            ending = Ending::StopText;
            break;
        }
        let certain = text.len() - held_back(&text, &options.stop);
        if certain > told {
            let goes_on = tell(&text[told..certain]);
            told = certain;
            if !goes_on {
                ending = Ending::Stopped;
                break;
            }
        }
    }
    if ending == Ending::Length
        && let Some(rest) = stream.finish()?
    {
        text.push_str(&rest);
    }
    if ending != Ending::Stopped && text.len() > told {
        tell(&text[told..]);
    }
    Ok(Written {
        text,
        tokens,
        ending,
    })
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
