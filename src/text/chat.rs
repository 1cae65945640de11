//! A model folder's chat template: conversations to the text that the model reads, and the places of its own turns.

use std::collections::BTreeMap;
use std::ops::Range;

use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind};
use serde::Serialize;
use serde_json::Value;

use super::jinja;
use super::message::Turn;
pub use super::message::{ASSISTANT, Conversation, Message};
pub use super::template_files::CONFIG_FILE;
use super::template_files::{object, special_tokens, template_of};
use super::tokenizer::{Piece, Tokenizer};
use crate::error::{Error, Result};

/// The file in which newer model folders keep the template.
pub const TEMPLATE_FILE: &str = "chat_template.jinja";
const TOKENS_FILE: &str = "special_tokens_map.json";

/// What errors call our own template.
const DEFAULT: &str = "the default chat template";

/// What ends a turn in ChatML.
const CHATML_END: &str = "<|im_end|>";

/// ChatML, for models that bring no template. `end`: what ends a turn.
fn chatml(end: &str) -> String {
    // a string of JSON is one of Jinja too
    let end = Value::from(end);
    [
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + ",
        &end.to_string(),
        " + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    ]
    .concat()
}

/// A conversation as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The whole text, special tokens written out.
    pub text: String,
    /// Per assistant turn the bytes of `text` that the model writes: what follows the generation prompt, up to and with
    /// the end-of-turn token, without the line break after it.
    pub assistant: Vec<Range<usize>>,
}

/// How a model writes conversations down.
///
/// The template runs as in transformers' `apply_chat_template`, with `messages`, `add_generation_prompt`, the special
/// tokens' names, `tools` if there are some, and no documents. Its clock always shows 26 July 2024.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    file: String,
    source: String,
    env: Environment<'static>,
    tokens: BTreeMap<String, String>,
    is_default: bool,
}

/// What a template is rendered with.
#[derive(Serialize)]
struct Context<'a> {
    messages: Vec<Turn<'a>>,
    add_generation_prompt: bool,
    tools: Option<&'a [Value]>,
    documents: Option<()>,
    #[serde(flatten)]
    tokens: &'a BTreeMap<String, String>,
}

impl ChatTemplate {
    /// Reads the template from the bytes of a folder's `chat_template.jinja`, else from `chat_template` in its
    /// `tokenizer_config.json` (the one called "default" if there are several), else takes ChatML. Special tokens are
    /// those that `tokenizer_config.json` names, else `special_tokens_map.json`.
    ///
    /// # Errors
    /// `InvalidFile` for a file that is not UTF-8 or not JSON, and for a template that does not compile.
    pub fn from_files(
        template: Option<&[u8]>,
        tokenizer_config: Option<&[u8]>,
        special_tokens_map: Option<&[u8]>,
    ) -> Result<ChatTemplate> {
        let config = object(CONFIG_FILE, tokenizer_config)?;
        let mut tokens = special_tokens(&object(TOKENS_FILE, special_tokens_map)?);
        tokens.extend(special_tokens(&config));
        let own = match template {
            Some(bytes) => {
                let source = std::str::from_utf8(bytes).map_err(|error| {
                    let at = error.valid_up_to();
                    Error::file(
                        TEMPLATE_FILE,
                        format!("expected UTF-8, but the byte at offset {at} is not"),
                    )
                })?;
                Some((TEMPLATE_FILE, source.to_owned()))
            }
            None => template_of(&config)?.map(|source| (CONFIG_FILE, source)),
        };
        match own {
            Some((file, source)) => ChatTemplate::compile(file, &source, tokens, false),
            None => ChatTemplate::compile(DEFAULT, &chatml(CHATML_END), tokens, true),
        }
    }

    fn compile(
        file: &str,
        source: &str,
        tokens: BTreeMap<String, String>,
        is_default: bool,
    ) -> Result<ChatTemplate> {
        let env = jinja::compile(file, source).map_err(|error| {
            Error::file(file, format!("the chat template does not compile: {error}"))
        })?;
        Ok(ChatTemplate {
            file: file.to_owned(),
            source: source.to_owned(),
            env,
            tokens,
            is_default,
        })
    }

    /// The template for a tokenizer: ours ends its turns with `eos` where ChatML's own end is not one token, because nobody could
    /// tell where such a turn ends. A template of the folder's own stays.
    ///
    /// # Errors
    /// Failures of the tokenizer.
    pub fn for_tokenizer(self, tokenizer: &Tokenizer, eos: Option<&str>) -> Result<ChatTemplate> {
        let is_one = |end: &str| -> Result<bool> {
            let pieces = tokenizer.pieces(&format!("a{end}"))?;
            let id = tokenizer.token_to_id(end);
            Ok(id.is_some() && pieces.last().map(|piece| piece.id) == id)
        };
        match eos {
            Some(eos) if self.is_default && !is_one(CHATML_END)? && is_one(eos)? => {
                ChatTemplate::compile(DEFAULT, &chatml(eos), self.tokens, true)
            }
            _ => Ok(self),
        }
    }

    /// The token that ends the assistant's turns, if it is one token: what a tuned model writes when it is done. `None` too for a
    /// template that refuses a question with its answer.
    ///
    /// # Errors
    /// Failures of the tokenizer.
    pub fn turn_end(&self, tokenizer: &Tokenizer) -> Result<Option<u32>> {
        let answer = "Apple";
        let messages = [
            Message::new("user", "Name a fruit"),
            Message::new(ASSISTANT, answer),
        ];
        let Ok(Rendered { text, assistant }) = self.render_marked(&messages) else {
            return Ok(None);
        };
        let end = assistant.first().and_then(|span| {
            let content = text[span.clone()].rfind(answer)? + span.start + answer.len();
            Some(content..span.end)
        });
        let Some(end) = end.filter(|end| !text[end.clone()].trim().is_empty()) else {
            return Ok(None);
        };
        let pieces = tokenizer.pieces(&text)?;
        let touching: Vec<&Piece> = pieces.iter().filter(|piece| piece.touches(&end)).collect();
        let Some(last) = touching.last() else {
            return Ok(None);
        };
        // of several tokens only a special one, which no text holds, ends anything
        let is_special = tokenizer.decode(&[last.id], true)?.is_empty();
        let is_alone =
            touching.len() == 1 && tokenizer.token_to_id(text[end].trim()) == Some(last.id);
        Ok((is_special || is_alone).then_some(last.id))
    }

    /// The template's own text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the folder has no template of its own, so that ChatML is used.
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    /// The text of the token that begins every text, if the tokenizer's files name one.
    pub fn bos_token(&self) -> Option<&str> {
        self.tokens.get("bos_token").map(String::as_str)
    }

    /// The text of the token that ends every text, if the tokenizer's files name one.
    pub fn eos_token(&self) -> Option<&str> {
        self.tokens.get("eos_token").map(String::as_str)
    }

    /// Writes `messages` down; with `add_generation_prompt` up to where the assistant's next turn begins.
    ///
    /// # Errors
    /// `InvalidFile` with the template's own words if it refuses the conversation.
    pub fn render<'a>(
        &self,
        conversation: impl Into<Conversation<'a>>,
        add_generation_prompt: bool,
    ) -> Result<String> {
        let Conversation { messages, tools } = conversation.into();
        let context = Context {
            messages: messages.iter().map(Turn::from).collect(),
            add_generation_prompt,
            tools: (!tools.is_empty()).then_some(tools),
            documents: None,
            tokens: &self.tokens,
        };
        self.env
            .get_template(&self.file)
            .and_then(|template| template.render(Serde(context)))
            .map_err(|error| {
                if error.kind() == ErrorKind::OutOfFuel {
                    let reason = "the chat template does more than any conversation needs; it may be broken or meant to do harm";
                    return Error::file(&self.file, reason);
                }
                let words = error
                    .detail()
                    .map_or_else(|| error.to_string(), str::to_owned);
                Error::file(
                    &self.file,
                    format!("the chat template refuses the conversation: {words}"),
                )
            })
    }

    /// Writes `messages` down and finds the assistant's turns in the text.
    ///
    /// Any template can be asked, whether it has `{% generation %}` blocks or not: one turn's content is replaced by a
    /// word that is nowhere else; what is written before and after it is the same in the real text.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`]; `InvalidFile` too if a turn cannot be found, so that nothing is ever trained on
    /// by accident.
    pub fn render_marked<'a>(&self, conversation: impl Into<Conversation<'a>>) -> Result<Rendered> {
        let conversation = conversation.into();
        let messages = conversation.messages;
        let text = self.render(conversation, false)?;
        let mut assistant: Vec<Range<usize>> = Vec::new();
        for index in (0..messages.len()).filter(|index| messages[*index].is_assistant()) {
            let span = self.assistant_span(conversation, index, &text)?;
            if assistant.last().is_some_and(|last| last.end > span.start) {
                return Err(self.not_found(index, "it overlaps the turn before"));
            }
            assistant.push(span);
        }
        Ok(Rendered { text, assistant })
    }

    /// The bytes of `text` that the model writes as message `index`.
    fn assistant_span(
        &self,
        Conversation { messages, tools }: Conversation<'_>,
        index: usize,
        text: &str,
    ) -> Result<Range<usize>> {
        let sentinel = absent_word(messages);
        let of = |messages| Conversation { messages, tools };
        let mut marked = messages.to_vec();
        marked[index].content = sentinel.clone();
        let whole = self.render(of(&marked), false)?;
        let (before, after) = self.around(index, &whole, &sentinel)?;
        let Some(content_end) = text.strip_suffix(after).map(str::len) else {
            return Err(self.not_found(index, "what follows it depends on what it says"));
        };
        let shared = text.starts_with(before).then_some(before.len());
        let start = self
            .generation_start(of(&messages[..index]), text, shared)
            .or(shared)
            .filter(|start| *start <= content_end)
            .ok_or_else(|| self.not_found(index, "what precedes it depends on what it says"))?;
        let last = self.render(of(&marked[..=index]), false)?;
        let (_, tail) = self.around(index, &last, &sentinel)?;
        let length = self.end_of_turn(tail, after).ok_or_else(|| {
            self.not_found(index, "it ends in another way where a turn follows it")
        })?;
        match start..content_end + length {
            span if span.is_empty() => Err(self.not_found(index, "nothing is written for it")),
            span => Ok(span),
        }
    }

    /// Where the generation prompt after `earlier` ends, if `text` goes on from there. `shared` is where the content
    /// itself starts.
    fn generation_start(
        &self,
        earlier: Conversation<'_>,
        text: &str,
        shared: Option<usize>,
    ) -> Option<usize> {
        // A template that cannot render the start of a conversation says nothing about where the turn begins.
        let prompt = self.render(earlier, true).ok()?;
        let gap = &text.strip_prefix(prompt.as_str())?;
        // Without a prompt of its own the turn's header, if there is one, is between the two.
        let has_header = match shared {
            Some(shared) if shared > prompt.len() => {
                !gap[..shared - prompt.len()].trim().is_empty()
            }
            Some(_) => false,
            None => true,
        };
        let ignored = || {
            let plain = self.render(earlier, false);
            plain.is_ok_and(|plain| plain == prompt)
        };
        (!(has_header && ignored())).then_some(prompt.len())
    }

    /// What comes before and after `sentinel`, which must be there once.
    fn around<'a>(
        &self,
        index: usize,
        text: &'a str,
        sentinel: &str,
    ) -> Result<(&'a str, &'a str)> {
        let mut parts = text.split(sentinel);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(before), Some(after), None) => Ok((before, after)),
            (_, None, _) => Err(self.not_found(index, "the template leaves it out")),
            _ => Err(self.not_found(index, "the template writes it more than once")),
        }
    }

    /// How many bytes of `after` end the turn, where a conversation that ends with it goes on with `tail`.
    fn end_of_turn(&self, tail: &str, after: &str) -> Option<usize> {
        let token = first_line(tail);
        if after.starts_with(token) {
            return Some(token.len());
        }
        // Some templates write the end-of-text token after the conversation's last turn only.
        let token = token.strip_suffix(self.eos_token()?)?;
        after.starts_with(token).then_some(token.len())
    }

    fn not_found(&self, index: usize, reason: &str) -> Error {
        Error::file(
            &self.file,
            format!(
                "the assistant's turn (message {}) cannot be found in the rendered conversation: {reason}",
                index + 1
            ),
        )
    }
}

/// `tail` up to the first line break after something visible; empty if there is nothing visible.
fn first_line(tail: &str) -> &str {
    let visible = tail.len() - tail.trim_start().len();
    let line = tail[visible..]
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end();
    match line {
        "" => "",
        line => &tail[..visible + line.len()],
    }
}

/// A word that no message holds.
fn absent_word(messages: &[Message]) -> String {
    let mut number = 0u64;
    loop {
        let word = format!("Answer{number}x");
        if !messages.iter().any(|message| {
            let reasoning = message.reasoning_content.as_deref();
            message.content.contains(&word) || reasoning.is_some_and(|text| text.contains(&word))
        }) {
            return word;
        }
        number += 1;
    }
}
