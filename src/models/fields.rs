//! The fields of a config.json, each checked when it is read, with an error that names it.

use serde_json::{Map, Value};

use crate::formats::foreign::UNQUANTISED;
use crate::{Error, Result};

/// More layers than any known model has; it keeps the products of sizes below 2^64.
pub(super) const MAX_LAYERS: usize = 1000;

/// The fields of one configuration.
#[derive(Debug, Clone)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads an object.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for anything but a JSON object.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let invalid = |reason: String| Error::file("config.json", reason);
        match serde_json::from_slice(json).map_err(|error| invalid(error.to_string()))? {
            Value::Object(map) => {
                let fields = Self(map);
                fields.refuse_quantised()?;
                Ok(fields)
            }
            _ => Err(invalid("expected an object".into())),
        }
    }

    /// Refuses a model whose weights were put into fewer bits by a library that alone reads them.
    fn refuse_quantised(&self) -> Result<()> {
        let found = ["quantization_config", "compression_config", "quantization"]
            .into_iter()
            .find_map(|key| Some((key, self.get(key)?)));
        let Some((key, value)) = found else {
            return Ok(());
        };
        let switch = |name: &str| value[name] == true;
        let method = value["quant_method"].as_str();
        let what = match method {
            // what a person may have switched off again
            Some("bitsandbytes") | None
                if value["load_in_4bit"] == false && value["load_in_8bit"] == false =>
            {
                return Ok(());
            }
            _ if switch("load_in_4bit") => "bitsandbytes, 4 bit".into(),
            _ if switch("load_in_8bit") => "bitsandbytes, 8 bit".into(),
            method => {
                let method = method.unwrap_or(if key == "quantization" {
                    "MLX"
                } else {
                    "an unknown method"
                });
                let bits = value["bits"].as_u64();
                bits.map_or_else(|| method.into(), |bits| format!("{method}, {bits} bit"))
            }
        };
        Err(Error::unsupported(format!(
            "{key} says that the weights are quantised ({what}); {UNQUANTISED}"
        )))
    }

    /// The value of a field; absent and null are the same.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether the file has the field, be it null.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// `model_type`, or `none`.
    pub fn family(&self) -> &str {
        self.get("model_type")
            .and_then(Value::as_str)
            .unwrap_or("none")
    }

    /// The object in a field.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] if it is something else.
    pub fn object(&self, name: &str) -> Result<Option<Self>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self(map.clone()))),
            Some(other) => Err(Error::unsupported(format!(
                "{name} is {other}, expected an object"
            ))),
        }
    }

    fn number(&self, name: &str) -> Result<Option<f64>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(Error::unsupported(format!(
                    "{name} is {value}, expected a number"
                ))),
            },
        }
    }

    /// A size: a whole number from 1 to 2^24.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] if it is something else, or missing without a default.
    pub fn size(&self, name: &str, default: Option<usize>) -> Result<usize> {
        match (self.number(name)?, default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(Error::unsupported(format!("{name} is missing"))),
            (Some(size), _) if size.fract() == 0.0 && (1.0..=16777216.0).contains(&size) => {
                Ok(size as usize)
            }
            (Some(size), _) => Err(Error::unsupported(format!(
                "{name} is {size}, expected a whole number from 1 to 16777216"
            ))),
        }
    }

    /// A positive number.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] if it is something else.
    pub fn positive(&self, name: &str, default: f64) -> Result<f64> {
        match self.number(name)?.unwrap_or(default) {
            value if value > 0.0 && value.is_finite() => Ok(value),
            other => Err(Error::unsupported(format!(
                "{name} is {other}, expected a positive number"
            ))),
        }
    }

    /// A switch.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] if it is something else.
    pub fn switch(&self, name: &str, default: bool) -> Result<bool> {
        match self.get(name) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(Error::unsupported(format!(
                "{name} is {other}, expected true or false"
            ))),
        }
    }

    /// A list of words, if the field is there.
    pub fn words(&self, name: &str) -> Result<Option<Vec<String>>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => serde_json::from_value(value.clone())
                .map(Some)
                .map_err(|_| {
                    Error::unsupported(format!("{name} is {value}, expected a list of words"))
                }),
        }
    }

    /// A token's id. As in transformers a field of null is no token, and one that is left out is the family's own.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] if it is something else.
    pub fn token_id(&self, name: &str, default: Option<u32>) -> Result<Option<u32>> {
        // -1 is what Llama's training code wrote for none
        match self.0.get(name) {
            Some(Value::Number(number)) if number.as_i64() == Some(-1) => Ok(None),
            _ => Ok(self.token_ids(name, default)?.first().copied()),
        }
    }

    /// Token ids: a number or a list of them; none for null, and `default` for a field that is left out.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] if it is something else.
    pub fn token_ids(&self, name: &str, default: Option<u32>) -> Result<Vec<u32>> {
        let bad =
            |value: &Value| Error::unsupported(format!("{name} is {value}, expected token ids"));
        match self.get(name) {
            None if self.has(name) => Ok(Vec::new()),
            None => Ok(default.into_iter().collect()),
            Some(value @ Value::Array(_)) => {
                serde_json::from_value(value.clone()).map_err(|_| bad(value))
            }
            Some(value) => serde_json::from_value(value.clone())
                .map(|id: u32| vec![id])
                .map_err(|_| bad(value)),
        }
    }

    /// Refuses a field that changes the maths in a way that is not built here. Absent and null pass.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] naming field, value and what is known.
    pub fn only(&self, name: &str, known: &[Value]) -> Result<()> {
        match self.get(name) {
            Some(value) if !known.contains(value) => {
                let words = known.iter().map(Value::to_string).collect::<Vec<_>>();
                let supported = if words.is_empty() {
                    "only a model without it".to_string()
                } else {
                    words.join(" or ")
                };
                Err(Error::unsupported(format!(
                    "{name} is {value}; supported is {supported}"
                )))
            }
            _ => Ok(()),
        }
    }
}
