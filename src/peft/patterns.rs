//! PEFT's ordered maps from the end of a module's name to a number.

use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// More keys than any model has kinds of layers.
pub const MOST_KEYS: usize = 256;

/// Bytes of a compiled expression; those that name modules take a few thousand.
const MOST_BYTES: usize = 256 << 10;

/// Values of modules by a regular expression that their name ends in. The first key that matches counts, so that their order is kept.
#[derive(Debug, Clone)]
pub struct Patterns<V>(Vec<Entry<V>>);

#[derive(Debug, Clone)]
struct Entry<V> {
    key: String,
    value: V,
    /// Compiled when a name is first compared with it.
    regex: OnceLock<Option<Regex>>,
}

impl<V> Entry<V> {
    fn new(key: String, value: V) -> Self {
        Self {
            key,
            value,
            regex: OnceLock::new(),
        }
    }

    fn matches(&self, name: &str) -> bool {
        let regex = self.regex.get_or_init(|| pattern(&self.key).ok());
        regex.as_ref().is_some_and(|regex| regex.is_match(name))
    }
}

impl<V> Default for Patterns<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V: PartialEq> PartialEq for Patterns<V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<V> Patterns<V> {
    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &V)> {
        self.0.iter().map(|entry| (&entry.key, &entry.value))
    }

    /// The first entry whose key matches the name. Keys are checked before; a broken one matches nothing.
    pub fn matching(&self, name: &str) -> Option<&V> {
        let entry = self.0.iter().find(|entry| entry.matches(name));
        entry.map(|entry| &entry.value)
    }
}

impl<V> FromIterator<(String, V)> for Patterns<V> {
    /// A key given twice keeps its place and takes the later value, as in Python and JavaScript.
    fn from_iter<I: IntoIterator<Item = (String, V)>>(entries: I) -> Self {
        let mut patterns = Self::default();
        for (key, value) in entries {
            match patterns.0.iter_mut().find(|entry| entry.key == key) {
                Some(earlier) => earlier.value = value,
                None => patterns.0.push(Entry::new(key, value)),
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
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if entries.len() == MOST_KEYS {
                        let reason = format!("more than {MOST_KEYS} patterns");
                        return Err(serde::de::Error::custom(reason));
                    }
                    entries.push(entry);
                }
                Ok(entries.into_iter().collect())
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// PEFT's rule for a key of a pattern: the whole name, or its end from a dot on. A `^` in it holds at the name's start alone.
pub(super) fn pattern(key: &str) -> std::result::Result<Regex, regex::Error> {
    compile(&format!("^(?:.*\\.)?(?:{key})$"))
}

/// An expression that names modules, within bounds.
pub(super) fn compile(expression: &str) -> std::result::Result<Regex, regex::Error> {
    let mut builder = RegexBuilder::new(expression);
    builder.size_limit(MOST_BYTES).dfa_size_limit(MOST_BYTES);
    builder.build()
}
