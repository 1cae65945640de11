//! Turns of conversations, as a person's rows have them and as templates know them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The role whose turns a model learns to write.
pub const ASSISTANT: &str = "assistant";

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Message {
    /// `system`, `user` or `assistant`.
    #[cfg_attr(test, schemars(extend("enum" = ["system", "user", "assistant"])))]
    pub role: String,
    /// What was said.
    pub content: String,
    /// What the writer of an assistant's turn thought before; the chat template writes it down if it knows of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(alias = "thinking", alias = "reasoning")]
    pub reasoning_content: Option<String>,
}

impl Message {
    /// A turn of `role`.
    pub fn new(role: &str, content: &str) -> Message {
        Message {
            role: role.into(),
            content: content.into(),
            reasoning_content: None,
        }
    }

    /// Whether this is a turn that the model learns to write.
    pub fn is_assistant(&self) -> bool {
        self.role == ASSISTANT
    }
}

/// A conversation and the functions that it may call.
#[derive(Debug, Clone, Copy)]
pub struct Conversation<'a> {
    /// Its turns.
    pub messages: &'a [Message],
    /// Descriptions of the functions, as OpenAI's API has them.
    pub tools: &'a [Value],
}

impl<'a, M: AsRef<[Message]> + ?Sized> From<&'a M> for Conversation<'a> {
    fn from(messages: &'a M) -> Self {
        Conversation {
            messages: messages.as_ref(),
            tools: &[],
        }
    }
}

/// A message as templates know it.
#[derive(Serialize)]
pub(super) struct Turn<'a> {
    role: &'a str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    // the same by the name that other templates look for, such as gpt-oss's
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<&'a str>,
}

impl<'a> From<&'a Message> for Turn<'a> {
    fn from(message: &'a Message) -> Self {
        let reasoning = message.reasoning_content.as_deref();
        Turn {
            role: &message.role,
            content: &message.content,
            reasoning_content: reasoning,
            thinking: reasoning,
        }
    }
}
