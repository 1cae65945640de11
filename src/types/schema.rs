//! JSON Schemas of serde types, from which TypeScript is printed.
//!
//! A type that JavaScript hands in may leave out what has a default; one that it gets back has all of its fields. Where
//! the two readings of one type differ, the second is called `Resolved…`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value};

/// The types that cross the border, by name and in the order of their names.
pub struct Border {
    inputs: SchemaGenerator,
    outputs: SchemaGenerator,
    /// Names of options, the value of each that is left out, and those whose value a recipe chooses.
    options: Vec<(String, Value, &'static [&'static str])>,
    /// What TypeScript calls a generic type with its arguments.
    aliases: BTreeMap<String, String>,
}

impl Border {
    pub fn new() -> Self {
        let settings = SchemaSettings::draft2020_12;
        Self {
            inputs: settings().for_deserialize().into_generator(),
            outputs: settings().for_serialize().into_generator(),
            options: Vec::new(),
            aliases: BTreeMap::new(),
        }
    }

    /// A type that JavaScript hands in, and all that it consists of.
    pub fn input<T: JsonSchema>(&mut self) -> &mut Self {
        self.inputs.subschema_for::<T>();
        self
    }

    /// Options that JavaScript hands in, each of which may be left out for the one of `defaults`, or for what a recipe chooses.
    pub fn options<T: JsonSchema + Serialize>(
        &mut self,
        defaults: &T,
        chosen: &'static [&'static str],
    ) -> &mut Self {
        let defaults = serde_json::to_value(defaults).unwrap();
        let name = T::schema_name().into_owned();
        self.options.push((name, defaults, chosen));
        self.input::<T>()
    }

    /// A type that JavaScript gets, and all that it consists of.
    pub fn output<T: JsonSchema>(&mut self) -> &mut Self {
        self.outputs.subschema_for::<T>();
        self
    }

    /// The same for a generic type, which needs a name for its arguments.
    pub fn output_as<T: JsonSchema>(&mut self, name: &str) -> &mut Self {
        let schema = self.outputs.subschema_for::<T>().to_value();
        let generic = referenced(&schema).unwrap().to_owned();
        self.aliases.insert(generic, name.to_owned());
        self
    }

    /// Schemas by the names that TypeScript has for them.
    pub fn definitions(&mut self) -> BTreeMap<String, Value> {
        let mut inputs = sorted(self.inputs.take_definitions(true));
        for (name, defaults, chosen) in &self.options {
            inputs
                .entry(name.clone())
                .and_modify(|schema| fill_in(schema, defaults, chosen));
        }
        let outputs = sorted(self.outputs.take_definitions(true));
        let differing = differing(&inputs, &outputs);
        let rename = |name: &str| {
            if differing.contains(name) {
                format!("Resolved{name}")
            } else {
                self.aliases.get(name).unwrap_or(&name.to_owned()).clone()
            }
        };
        let mut all = inputs;
        for (name, mut schema) in outputs {
            rename_references(&mut schema, &rename);
            without_defaults(&mut schema);
            all.insert(rename(&name), schema);
        }
        all
    }
}

/// The key of a schema whose default a recipe chooses.
pub const BY_RECIPE: &str = "x-by-recipe";

/// Lets every property be left out, and says what is used then.
fn fill_in(schema: &mut Value, defaults: &Value, chosen: &[&str]) {
    schema["required"] = Value::Array(Vec::new());
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (name, property) in properties {
            let chosen = chosen.contains(&name.as_str());
            property[BY_RECIPE] = chosen.into();
            let default = defaults.get(name).filter(|_| !chosen);
            property["default"] = default.cloned().unwrap_or_default();
        }
    }
}

fn sorted(definitions: Map<String, Value>) -> BTreeMap<String, Value> {
    definitions.into_iter().collect()
}

/// Names that both sides know and that are, or contain, something else on each.
fn differing(
    inputs: &BTreeMap<String, Value>,
    outputs: &BTreeMap<String, Value>,
) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = inputs
        .iter()
        .filter(|(name, schema)| {
            outputs
                .get(*name)
                .is_some_and(|other| shape(schema) != shape(other))
        })
        .map(|(name, _)| name.clone())
        .collect();
    loop {
        let more = inputs.iter().filter(|(name, schema)| {
            let mut names = BTreeSet::new();
            references(schema, &mut names);
            outputs.contains_key(*name) && !found.contains(*name) && !names.is_disjoint(&found)
        });
        let more: Vec<String> = more.map(|(name, _)| name.clone()).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// A schema without what TypeScript does not show.
fn shape(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| {
                !matches!(key.as_str(), "default" | "additionalProperties" | BY_RECIPE)
            })
            .map(|(key, value)| (key.clone(), shape(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().map(shape).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

const PREFIX: &str = "#/$defs/";

/// The name that a reference leads to.
pub fn referenced(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(PREFIX)
}

fn references(schema: &Value, found: &mut BTreeSet<String>) {
    found.extend(referenced(schema).map(String::from));
    match schema {
        Value::Object(map) => map.values().for_each(|value| references(value, found)),
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// What JavaScript gets is whole: nothing of it is filled in.
fn without_defaults(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.remove("default");
            for (key, value) in map {
                match value {
                    // names, of which one could be `default`
                    Value::Object(fields) if key == "properties" => {
                        fields.values_mut().for_each(without_defaults);
                    }
                    other => without_defaults(other),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(without_defaults),
        _ => {}
    }
}

fn rename_references(schema: &mut Value, rename: &impl Fn(&str) -> String) {
    if let Some(name) = referenced(schema).map(rename) {
        schema["$ref"] = format!("{PREFIX}{name}").into();
    }
    match schema {
        Value::Object(map) => map
            .values_mut()
            .for_each(|value| rename_references(value, rename)),
        Value::Array(list) => list
            .iter_mut()
            .for_each(|value| rename_references(value, rename)),
        _ => {}
    }
}
