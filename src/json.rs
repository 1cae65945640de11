//! JSON from elsewhere: how many values a text may hold, counted before or while a tree is built of it.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Refuses a JSON text of more than `most` values. A tree takes tens of bytes for each of them, and a hundred megabytes of text may hold fifty
/// million. Text that is no JSON passes: whoever reads it says what is wrong with it.
///
/// # Errors
/// The reason, for an error that names the file.
pub fn check_values(json: &[u8], most: usize) -> Result<(), String> {
    let left = Cell::new(most);
    let walk = Walk {
        left: &left,
        keeps: false,
    };
    match walk.deserialize(&mut serde_json::Deserializer::from_slice(json)) {
        Err(error) if error.is_data() => Err(format!(
            "it holds more than {most} values, which no such file needs"
        )),
        _ => Ok(()),
    }
}

/// A JSON value of at most `MOST` values.
#[derive(Debug, Default)]
pub struct Few<const MOST: usize>(pub Value);

impl<'de, const MOST: usize> Deserialize<'de> for Few<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let left = Cell::new(MOST);
        let walk = Walk {
            left: &left,
            keeps: true,
        };
        walk.deserialize(deserializer).map(Self)
    }
}

/// Counts values down, and gives them back or null.
#[derive(Clone, Copy)]
struct Walk<'a> {
    left: &'a Cell<usize>,
    keeps: bool,
}

impl Walk<'_> {
    fn count<E: Error>(&self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        left.map(|left| self.left.set(left))
            .ok_or_else(|| E::custom("too many values"))
    }

    fn one<E: Error>(self, value: impl Into<Value>) -> Result<Value, E> {
        self.count()?;
        Ok(if self.keeps {
            value.into()
        } else {
            Value::Null
        })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.count()?;
        Ok(if self.keeps {
            value.into()
        } else {
            Value::Null
        })
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.one(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        self.count()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            if self.keeps {
                values.push(value);
            }
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.count()?;
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(self)?;
            if self.keeps {
                values.insert(key, value);
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"a":[1,-2,0.5,"x\n",null],"b":{"c":true}}"#;

    #[test]
    fn values_are_counted_wherever_they_are() {
        assert_eq!(check_values(JSON.as_bytes(), 9), Ok(()));
        let reason = check_values(JSON.as_bytes(), 8).unwrap_err();
        assert!(reason.contains("more than 8 values"), "{reason}");
        for broken in [&b"[1,"[..], b"", b"\xff", b"{\"a\":1e999}"] {
            assert_eq!(check_values(broken, 100), Ok(()), "its reader says why");
        }
    }

    #[test]
    fn a_small_tree_is_the_text_again() {
        let few = serde_json::from_str::<Few<9>>(JSON).unwrap();
        assert_eq!(few.0.to_string(), JSON);
        assert!(serde_json::from_str::<Few<8>>(JSON).is_err());
    }
}
