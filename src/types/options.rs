//! What every option is: its type, default, range and meaning, from the schemas, the defaults and the tables of ranges.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::schema::referenced;
use super::typescript::{type_of, without_links};
use crate::options::OptionRange;

/// Everything that is known of the options of one call.
pub struct Options {
    /// The name in `describeOptions`.
    pub task: &'static str,
    /// The heading in docs/options.md.
    pub title: &'static str,
    /// Their type.
    pub name: &'static str,
    /// The value of each that is left out.
    pub defaults: Value,
    pub ranges: Vec<OptionRange>,
    /// Those whose default a recipe chooses.
    pub chosen: &'static [&'static str],
}

/// One option; a field of an object has a name such as `contrastive.steps`.
struct Spec {
    name: String,
    /// The method that has it, of a field of `method`.
    method: Option<String>,
    kind: String,
    default: Option<Value>,
    chosen: bool,
    range: Option<OptionRange>,
    values: Vec<String>,
    doc: String,
}

type Definitions = BTreeMap<String, Value>;

impl Options {
    fn specs(&self, definitions: &Definitions) -> Vec<Spec> {
        let mut specs = Vec::new();
        for (name, schema) in properties(&definitions[self.name]) {
            specs.push(self.spec(definitions, name, schema, None, self.defaults.get(name)));
            let default = self.defaults.get(name);
            for (variant, fields) in objects_in(definitions, schema) {
                for (field, schema) in fields {
                    // of another variant the default says nothing
                    let same = default.is_some_and(|default| {
                        variant.is_none() || default.get("type").and_then(Value::as_str) == variant
                    });
                    let own = default
                        .filter(|_| same)
                        .and_then(|default| default.get(field));
                    let path = format!("{name}.{field}");
                    specs.push(self.spec(definitions, &path, schema, variant, own));
                }
            }
        }
        specs
    }

    fn spec(
        &self,
        definitions: &Definitions,
        name: &str,
        schema: &Value,
        method: Option<&str>,
        default: Option<&Value>,
    ) -> Spec {
        let target = referenced(schema)
            .or_else(|| schema["anyOf"].as_array()?.iter().find_map(referenced))
            .map_or(schema, |name| &definitions[name]);
        let kind = type_of(schema, "").trim().replace('\n', " ");
        // a field of a method is checked by the method, which knows no path
        let last = name.strip_prefix("method.").unwrap_or(name);
        let chosen = self.chosen.contains(&name);
        // of an object only which it is: its fields follow
        let named = |value: &Value| match value {
            Value::Object(fields) => Some(json!({ "type": fields.get("type")? })),
            value => Some(value.clone()),
        };
        Spec {
            name: name.to_owned(),
            method: method.map(String::from),
            kind: kind.strip_suffix(" | null").unwrap_or(&kind).to_owned(),
            default: default
                .or_else(|| schema.get("default"))
                .filter(|value| !chosen && !value.is_null())
                .and_then(named),
            chosen,
            range: self
                .ranges
                .iter()
                .rev()
                .find(|range| range.option == last)
                .copied(),
            values: words(target),
            doc: without_links(schema["description"].as_str().unwrap_or_default())
                .replace('\n', " "),
        }
    }

    /// The options as data for JavaScript.
    pub fn data(&self, definitions: &Definitions) -> Value {
        self.specs(definitions).iter().map(Spec::data).collect()
    }

    /// The options as a table.
    pub fn table(&self, definitions: &Definitions) -> String {
        let mut out = format!(
            "## {}\n\n| option | type | default | range | |\n| --- | --- | --- | --- | --- |\n",
            self.title
        );
        for spec in self.specs(definitions) {
            let _ = writeln!(out, "{}", spec.row());
        }
        out
    }
}

impl Spec {
    fn data(&self) -> Value {
        let mut out = json!({ "name": self.name, "type": self.kind });
        let mut set = |key: &str, value: Value| out[key] = value;
        if let Some(method) = &self.method {
            set("method", method.clone().into());
        }
        if let Some(default) = &self.default {
            set("default", default.clone());
        }
        if self.chosen {
            set("byRecipe", true.into());
        }
        if let Some(range) = &self.range {
            set("min", number(range.low));
            if range.low_excluded {
                set("minExcluded", true.into());
            }
            if range.high.is_finite() {
                set("max", number(range.high));
            }
            if range.high_excluded {
                set("maxExcluded", true.into());
            }
        }
        if !self.values.is_empty() {
            set("values", self.values.clone().into());
        }
        set("doc", self.doc.clone().into());
        out
    }

    fn row(&self) -> String {
        let name = match &self.method {
            Some(method) => format!("`{}` ({method})", self.name),
            None => format!("`{}`", self.name),
        };
        let kind = if self.values.is_empty() {
            code(&self.kind)
        } else {
            let values = self
                .values
                .iter()
                .map(|value| code(&format!("\"{value}\"")));
            values.collect::<Vec<_>>().join(", ")
        };
        let default = match &self.default {
            _ if self.chosen => "by recipe".into(),
            Some(Value::Array(items)) if items.is_empty() => String::new(),
            Some(Value::Number(number)) => number.as_f64().unwrap_or_default().to_string(),
            Some(default) => code(&default.to_string()),
            None => String::new(),
        };
        let range = self.range.map(|range| range.to_string());
        let range = range.unwrap_or_default();
        format!(
            "| {name} | {kind} | {default} | {range} | {} |",
            cell(&self.doc)
        )
    }
}

/// A number as JSON writes it shortest.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Names and schemas.
type Properties<'a> = Vec<(&'a String, &'a Value)>;

fn properties(schema: &Value) -> Properties<'_> {
    let found = schema.get("properties").and_then(Value::as_object);
    found.into_iter().flat_map(Map::iter).collect()
}

/// The objects that an option may be: the type's word of each, if there are several, and its fields.
fn objects_in<'a>(
    definitions: &'a Definitions,
    schema: &'a Value,
) -> Vec<(Option<&'a str>, Properties<'a>)> {
    if let Some(name) = referenced(schema) {
        let target = &definitions[name];
        if target.get("properties").is_some() {
            return vec![(None, properties(target))];
        }
        return objects_in(definitions, target);
    }
    let choices = schema.get("oneOf").or_else(|| schema.get("anyOf"));
    let mut found = Vec::new();
    for choice in choices.and_then(Value::as_array).into_iter().flatten() {
        let fields = properties(choice);
        if fields.is_empty() {
            found.extend(objects_in(definitions, choice));
            continue;
        }
        let word = choice["properties"]["type"]["const"].as_str();
        let own = fields.into_iter().filter(|(name, _)| *name != "type");
        found.push((word, own.collect()));
    }
    found
}

/// The words that an option may be, if it is one of some words.
fn words(schema: &Value) -> Vec<String> {
    let choices = schema.get("oneOf").and_then(Value::as_array);
    let listed = |schema: &Value| {
        let many = schema.get("enum").and_then(Value::as_array);
        many.into_iter()
            .flatten()
            .chain(schema.get("const"))
            .map(|word| word.as_str().map(String::from))
            .collect::<Vec<_>>()
    };
    let found: Vec<Option<String>> = match choices {
        Some(choices) => choices.iter().flat_map(listed).collect(),
        None => listed(schema),
    };
    // `true` is no word
    found.into_iter().collect::<Option<_>>().unwrap_or_default()
}
