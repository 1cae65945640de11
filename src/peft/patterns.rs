//! PEFT's ordered maps from the end of a module's name to a number.

use std::fmt;
use std::marker::PhantomData;

use regex::Regex;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Values of modules by a regular expression that their name ends in. The first key that matches counts, so that their order is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Patterns<V>(Vec<(String, V)>);

impl<V> Default for Patterns<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Patterns<V> {
    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The first entry whose key matches the name. Keys are checked before; a broken one matches nothing.
    pub fn matching(&self, name: &str) -> Option<&V> {
        self.iter()
            .find(|(key, _)| pattern(key).is_ok_and(|regex| regex.is_match(name)))
            .map(|(_, value)| value)
    }
}

impl<V> FromIterator<(String, V)> for Patterns<V> {
    /// A key given twice keeps its place and takes the later value, as in Python and JavaScript.
    fn from_iter<I: IntoIterator<Item = (String, V)>>(entries: I) -> Self {
        let mut patterns = Self::default();
        for (key, value) in entries {
            match patterns.0.iter_mut().find(|(other, _)| *other == key) {
                Some((_, earlier)) => *earlier = value,
                None => patterns.0.push((key, value)),
            }
        }
        patterns
    }
}

impl<V: Serialize> Serialize for Patterns<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Patterns<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Patterns<V>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of numbers by module name")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                std::iter::from_fn(|| map.next_entry().transpose()).collect()
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// PEFT's rule for a key of a pattern: the whole name, or its end from a dot on. A `^` in it holds at the name's start alone.
pub(super) fn pattern(key: &str) -> std::result::Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:.*\\.)?(?:{key})$"))
}
