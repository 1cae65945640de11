//! A JSON object to a conversation, a prompt with its completion or a text, in the shapes that public data sets have.

use serde_json::{Map, Value};

use super::json::{found, kind};
use super::text_rows::TextRow;
use crate::text::Message;
use crate::text::chat::ASSISTANT;

/// How rows are written, found out from the keys of the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `messages` of `role` and `content`, as OpenAI's and TRL's.
    Messages,
    /// `conversations` of `from` and `value`, as ShareGPT's.
    Conversations,
    /// `instruction`, perhaps `input`, and `output`, as Alpaca's.
    Instruction,
    /// `prompt` and `completion`, as TRL's.
    Completion,
    /// `text`.
    Text,
}

/// Keys of pictures, films and sounds.
const MEDIA: [&str; 6] = ["images", "image", "videos", "video", "audios", "audio"];
/// Keys of a system prompt beside a conversation.
const SYSTEM: [&str; 2] = ["system", "system_prompt"];
/// Keys of what a turn's writer thought.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];
/// Keys that name a row rather than hold content.
const NAMING: [&str; 6] = ["id", "idx", "index", "uuid", "row_id", "conversation_id"];
/// Keys that a warning lists.
const LISTED: usize = 8;

impl Shape {
    const ALL: [(Shape, &'static [&'static str]); 5] = [
        (Shape::Messages, &["messages"]),
        (Shape::Conversations, &["conversations"]),
        (Shape::Instruction, &["instruction", "output"]),
        (Shape::Completion, &["prompt", "completion"]),
        (Shape::Text, &["text"]),
    ];

    pub fn of(object: &Map<String, Value>) -> Option<Shape> {
        Shape::ALL
            .into_iter()
            .find(|(_, keys)| keys.iter().all(|key| object.contains_key(*key)))
            .map(|(shape, _)| shape)
    }

    /// Refuses rows that say which of two answers is better: that is not learnt here, whatever else they hold.
    pub fn refuse(object: &Map<String, Value>) -> Parsed<()> {
        if object.contains_key("chosen") && object.contains_key("rejected") {
            return Err(
                "the keys \"chosen\" and \"rejected\" make this preference data, as DPO learns it, which is not supported; to \
                 learn the chosen answers, write them as prompt and completion"
                    .into(),
            );
        }
        Ok(())
    }

    fn keys(self) -> &'static [&'static str] {
        let own = Shape::ALL.into_iter().find(|(shape, _)| *shape == self);
        own.map_or(&[], |(_, keys)| keys)
    }

    fn is_chat(self, object: &Map<String, Value>) -> bool {
        match self {
            Shape::Messages | Shape::Conversations | Shape::Instruction => true,
            Shape::Completion => object.get("prompt").is_some_and(Value::is_array),
            Shape::Text => false,
        }
    }
}

/// What a row holds, or the reason why it is none.
type Parsed<T> = std::result::Result<T, String>;

/// Reads objects of one shape, and remembers what content of theirs it did not read.
pub(super) struct Reader {
    shape: Shape,
    /// Keys with the number of rows, in the order in which they came.
    left: Vec<(String, usize)>,
}

impl Reader {
    pub fn new(shape: Shape) -> Reader {
        let left = Vec::new();
        Reader { shape, left }
    }

    /// A row and the tools that its conversation has.
    pub fn row(&mut self, object: &Map<String, Value>) -> Parsed<(TextRow, Vec<Value>)> {
        Shape::refuse(object)?;
        if let Some(key) = MEDIA.into_iter().find(|key| is_content(object.get(*key))) {
            return Err(format!(
                "{key}: pictures, films and sounds cannot be learnt"
            ));
        }
        let keys = self.shape.keys();
        if let Some(missing) = keys.iter().find(|key| !object.contains_key(**key)) {
            return Err(format!(
                "the key \"{missing}\", which the first row has, is missing; the keys found are: {}",
                found(object)
            ));
        }
        let mut read = keys.to_vec();
        if self.shape != Shape::Text {
            read.extend(good(object)?);
        }
        let mut tools = Vec::new();
        if self.shape == Shape::Instruction {
            read.extend(["input", "history"]);
        }
        if self.shape.is_chat(object) {
            read.push("tools");
            read.extend(SYSTEM);
            tools = tools_of(object)?;
        }
        let mut left = Vec::new();
        let row = self.content(object, &mut left)?;
        let own = object
            .iter()
            .filter(|(key, value)| is_content(Some(value)) || (*key == "label" && !value.is_null()))
            .map(|(key, _)| key.as_str())
            .filter(|key| !read.contains(key) && !NAMING.contains(key));
        left.extend(own.map(str::to_owned));
        left.sort_unstable();
        left.dedup();
        for key in left {
            match self.left.iter_mut().find(|(other, _)| *other == key) {
                Some((_, count)) => *count += 1,
                None => self.left.push((key, 1)),
            }
        }
        Ok((row, tools))
    }

    /// Tells which keys held content that was not read.
    pub fn unread(self) -> Option<String> {
        if self.left.is_empty() {
            return None;
        }
        let listed: Vec<String> = self
            .left
            .iter()
            .take(LISTED)
            .map(|(key, rows)| {
                format!(
                    "\"{key}\" (in {rows} {})",
                    if *rows == 1 { "row" } else { "rows" }
                )
            })
            .collect();
        let more = match self.left.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!(
            "these keys are not read, so that nothing is learnt from them: {}{more}",
            listed.join(", ")
        ))
    }

    /// `left` gets the keys of messages that were not read.
    fn content(&self, object: &Map<String, Value>, left: &mut Vec<String>) -> Parsed<TextRow> {
        match self.shape {
            Shape::Messages => conversation(object, "messages", left),
            Shape::Conversations => conversation(object, "conversations", left),
            Shape::Instruction => {
                let mut turns = system(object)?;
                turns.extend(history(object)?);
                turns.push(Message::new("user", &question(object)?));
                turns.push(Message::new(ASSISTANT, filled(object, "output")?));
                Ok(TextRow::Chat(turns))
            }
            Shape::Completion if object["prompt"].is_array() => {
                let prompt = with_system(object, messages(object, "prompt", left)?)?;
                let completion = messages(object, "completion", left)?;
                answered(&completion, "completion")?;
                Ok(TextRow::ChatCompletion { prompt, completion })
            }
            Shape::Completion => Ok(TextRow::PromptCompletion {
                prompt: string(object, "prompt")?.to_owned(),
                completion: filled(object, "completion")?.to_owned(),
            }),
            Shape::Text => Ok(TextRow::Text(filled(object, "text")?.to_owned())),
        }
    }
}

/// Whether there is something in a value that could be learnt.
fn is_content(value: Option<&Value>) -> bool {
    match value {
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(object)) => !object.is_empty(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => false,
    }
}

/// The keys that call an answer good or bad, as KTO's rows do; a bad one is none to learn.
fn good(object: &Map<String, Value>) -> Parsed<Vec<&'static str>> {
    let mut read = Vec::new();
    for key in ["label", "kto_tag"] {
        match object.get(key) {
            Some(Value::Bool(true)) => read.push(key),
            Some(Value::Bool(false)) => {
                return Err(format!(
                    "{key}: false marks an answer to avoid (preference data, as KTO learns it), which cannot be learnt"
                ));
            }
            _ => {}
        }
    }
    Ok(read)
}

/// The functions that a conversation may call: a list, or a list written as a string.
fn tools_of(object: &Map<String, Value>) -> Parsed<Vec<Value>> {
    let tools = match object.get("tools") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(Vec::new()),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|error| {
            format!("tools: expected a list, or one written as JSON in a string: {error}")
        })?,
        Some(other) => other.clone(),
    };
    match tools {
        Value::Array(list) => Ok(list),
        one @ Value::Object(_) => Ok(vec![one]),
        Value::Null => Ok(Vec::new()),
        other => Err(format!("tools: expected a list, found {}", kind(&other))),
    }
}

/// The system prompt beside a conversation, as its first turn.
fn system(object: &Map<String, Value>) -> Parsed<Vec<Message>> {
    let key = SYSTEM.into_iter().find(|key| is_content(object.get(*key)));
    match key {
        Some(key) => Ok(vec![Message::new("system", string(object, key)?)]),
        None => Ok(Vec::new()),
    }
}

/// A conversation after the system prompt beside it.
fn with_system(object: &Map<String, Value>, mut turns: Vec<Message>) -> Parsed<Vec<Message>> {
    let Some(system) = system(object)?.pop() else {
        return Ok(turns);
    };
    match turns.first() {
        Some(first) if first.role == "system" && first.content.trim() == system.content.trim() => {}
        Some(first) if first.role == "system" => {
            return Err("the row has a system prompt, and its first message is another one; keep one of them".into());
        }
        _ => turns.insert(0, system),
    }
    Ok(turns)
}

/// Earlier questions and answers, as Alpaca's `history` has them.
fn history(object: &Map<String, Value>) -> Parsed<Vec<Message>> {
    let list = match object.get("history") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(format!("history: expected a list, found {}", kind(other))),
    };
    let mut turns = Vec::new();
    for (number, pair) in (1..).zip(list) {
        match pair.as_array().map(Vec::as_slice) {
            Some([Value::String(question), Value::String(answer)]) => {
                turns.push(Message::new("user", question));
                turns.push(Message::new(ASSISTANT, answer));
            }
            _ => {
                return Err(format!(
                    "history, turn {number}: expected a list of a question and its answer"
                ));
            }
        }
    }
    Ok(turns)
}

/// An instruction with its input.
fn question(object: &Map<String, Value>) -> Parsed<String> {
    let instruction = filled(object, "instruction")?;
    Ok(match object.get("input") {
        None | Some(Value::Null) => instruction.to_owned(),
        Some(_) => match string(object, "input")? {
            input if input.trim().is_empty() => instruction.to_owned(),
            input => format!("{instruction}\n\n{input}"),
        },
    })
}

fn conversation(object: &Map<String, Value>, key: &str, left: &mut Vec<String>) -> Parsed<TextRow> {
    let turns = with_system(object, messages(object, key, left)?)?;
    answered(&turns, "the conversation")?;
    Ok(TextRow::Chat(turns))
}

fn answered(messages: &[Message], place: &str) -> Parsed<()> {
    if messages.iter().any(Message::is_assistant) {
        return Ok(());
    }
    Err(format!(
        "{place}: expected at least one turn of the assistant, found none"
    ))
}

/// The messages under `key`.
fn messages(
    object: &Map<String, Value>,
    key: &str,
    left: &mut Vec<String>,
) -> Parsed<Vec<Message>> {
    let value = &object[key];
    let list = value.as_array().ok_or_else(|| {
        format!(
            "{key}: expected an array of messages, found {}",
            kind(value)
        )
    })?;
    (1..)
        .zip(list)
        .map(|(number, value)| {
            message(value, left).map_err(|reason| format!("{key}, message {number}: {reason}"))
        })
        .collect()
}

fn message(value: &Value, left: &mut Vec<String>) -> Parsed<Message> {
    let object = value
        .as_object()
        .ok_or_else(|| format!("expected an object, found {}", kind(value)))?;
    // What would be left out in silence, though it changes what the model should learn.
    for key in ["tool_calls", "function_call"] {
        if is_content(object.get(key)) {
            return Err(format!("{key} is not supported"));
        }
    }
    match object.get("weight") {
        None | Some(Value::Null) => {}
        Some(weight) if weight.as_f64() == Some(1.0) => {}
        Some(_) => return Err("weight: expected 1, because every answer counts alike".into()),
    }
    let either = |one: &'static str, other: &'static str| {
        if object.contains_key(one) || !object.contains_key(other) {
            one
        } else {
            other
        }
    };
    let (role_key, content_key) = (either("role", "from"), either("content", "value"));
    let role = role(role_key, string(object, role_key)?)?;
    let content = content(object, content_key)?;
    if role == ASSISTANT && content.trim().is_empty() {
        return Err(format!("{content_key}: the assistant's turn is blank"));
    }
    let reasoning = REASONING
        .into_iter()
        .find(|key| is_content(object.get(*key)));
    let reasoning = reasoning.map(|key| string(object, key)).transpose()?;
    let read = [role_key, content_key];
    left.extend(
        object
            .iter()
            .filter(|(key, value)| {
                let key = key.as_str();
                is_content(Some(value))
                    && !read.contains(&key)
                    && !REASONING.contains(&key)
                    && !NAMING.contains(&key)
            })
            .map(|(key, _)| format!("{key} of a message")),
    );
    Ok(Message {
        reasoning_content: reasoning.map(str::to_owned),
        ..Message::new(role, &content)
    })
}

/// A role in our words.
fn role(key: &str, given: &str) -> Parsed<&'static str> {
    match given.trim().to_ascii_lowercase().as_str() {
        "system" | "developer" => Ok("system"),
        "user" | "human" | "prompter" => Ok("user"),
        ASSISTANT | "gpt" | "chatgpt" | "bing" | "bard" | "model" | "bot" => Ok(ASSISTANT),
        _ => Err(format!(
            "{key}: expected system, user or assistant (or human, gpt, chatgpt, bing, bard, model, bot), found \"{given}\""
        )),
    }
}

/// A content that is a string, or a list of texts as OpenAI's parts.
fn content(object: &Map<String, Value>, key: &str) -> Parsed<String> {
    let Some(Value::Array(parts)) = object.get(key) else {
        return string(object, key).map(str::to_owned);
    };
    parts
        .iter()
        .map(|part| {
            let text = part
                .get("text")
                .or_else(|| part.get("value"))
                .and_then(Value::as_str);
            match part.get("type").and_then(Value::as_str) {
                Some("text") => {
                    text.ok_or_else(|| format!("{key}: a part of type text has no text"))
                }
                other => Err(format!(
                    "{key}: expected parts of type text, found {}",
                    other.map_or("none".into(), |name| format!("\"{name}\""))
                )),
            }
        })
        .collect()
}

/// The string under `key`.
fn string<'a>(object: &'a Map<String, Value>, key: &str) -> Parsed<&'a str> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("{key}: expected a string, found {}", kind(other))),
        None => Err(format!(
            "the key \"{key}\" is missing; the keys found are: {}",
            found(object)
        )),
    }
}

/// The string under `key`, which must not be blank.
fn filled<'a>(object: &'a Map<String, Value>, key: &str) -> Parsed<&'a str> {
    match string(object, key)? {
        text if text.trim().is_empty() => Err(format!("{key}: expected a text, but it is blank")),
        text => Ok(text),
    }
}
