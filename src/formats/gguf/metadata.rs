//! The metadata of a GGUF file by key.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// A value as it stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number of any width.
    Unsigned(u64),
    /// A whole number with a sign.
    Signed(i64),
    /// A single float.
    F32(f32),
    /// A double.
    F64(f64),
    /// A switch.
    Bool(bool),
    /// A text.
    String(String),
    /// An array of texts.
    Strings(Vec<String>),
    /// An array of numbers or switches; of whole numbers beyond 2^53 the nearest double.
    Numbers(Vec<f64>),
    /// An array of arrays.
    Lists(Vec<Value>),
}

impl Value {
    /// The number that it is; a single float as its shortest decimal, so that 1e-5 stays 1e-5.
    fn number(&self) -> Option<f64> {
        match self {
            Self::Unsigned(value) => Some(*value as f64),
            Self::Signed(value) => Some(*value as f64),
            Self::F32(value) => value.to_string().parse().ok(),
            Self::F64(value) => Some(*value),
            _ => None,
        }
    }

    /// What it is, in words.
    fn words(&self) -> &'static str {
        match self {
            Self::Signed(value) if *value < 0 => "a negative number",
            Self::Unsigned(_) | Self::Signed(_) => "a whole number",
            Self::F32(_) | Self::F64(_) => "a number",
            Self::Bool(_) => "a switch",
            Self::String(_) => "a text",
            Self::Strings(_) => "a list of texts",
            Self::Numbers(_) => "a list of numbers",
            Self::Lists(_) => "a list of lists",
        }
    }
}

/// All entries of a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    file: String,
    entries: BTreeMap<String, Value>,
}

impl Metadata {
    /// None yet, of that file.
    pub fn new(file: &str) -> Self {
        Self {
            file: file.into(),
            entries: BTreeMap::new(),
        }
    }

    /// The file's path, for messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Adds an entry; false if its key is there already.
    pub(super) fn insert(&mut self, key: String, value: Value) -> bool {
        self.entries.insert(key, value).is_none()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    fn wrong(&self, key: &str, expected: &str, found: &Value) -> Error {
        Error::file(
            &self.file,
            format!("{key}: expected {expected}, got {}", found.words()),
        )
    }

    /// A whole number of at least zero; none if the key is absent.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for anything else; so with those below.
    pub fn whole(&self, key: &str) -> Result<Option<u64>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Unsigned(value)) => Ok(Some(*value)),
            Some(Value::Signed(value)) if *value >= 0 => Ok(Some(value.unsigned_abs())),
            Some(other) => Err(self.wrong(key, "a whole number of at least 0", other)),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// As [`Self::whole`].
    pub fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.number().filter(|number| number.is_finite()) {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong(key, "a finite number", value)),
            },
        }
    }

    /// A switch.
    ///
    /// # Errors
    /// As [`Self::whole`].
    pub fn switch(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(self.wrong(key, "a switch", other)),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// As [`Self::whole`].
    pub fn text(&self, key: &str) -> Result<Option<&str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value)),
            Some(other) => Err(self.wrong(key, "a text", other)),
        }
    }

    /// A list of texts. An empty list has no type that matters.
    ///
    /// # Errors
    /// As [`Self::whole`].
    pub fn texts(&self, key: &str) -> Result<Option<&[String]>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Strings(values)) => Ok(Some(values)),
            Some(other) => Err(self.wrong(key, "a list of texts", other)),
        }
    }

    /// A list of numbers.
    ///
    /// # Errors
    /// As [`Self::whole`].
    pub fn numbers(&self, key: &str) -> Result<Option<&[f64]>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Numbers(values)) => Ok(Some(values)),
            Some(other) => Err(self.wrong(key, "a list of numbers", other)),
        }
    }
}
