//! JSON Schemas in, TypeScript out, with the doc comments of the Rust types.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::schema::{BY_RECIPE, referenced};

/// One exported declaration.
pub fn declaration(name: &str, schema: &Value) -> String {
    let mut out = comment(schema, "");
    match schema {
        // `interface` reads better in an editor than an alias of an object
        Value::Object(map) if is_plain_object(map) => {
            let _ = writeln!(out, "export interface {name} {}", object(map, ""));
        }
        _ => {
            let text = type_of(schema, "");
            let space = if text.starts_with('\n') { "" } else { " " };
            let _ = writeln!(out, "export type {name} ={space}{text};");
        }
    }
    out
}

/// The comment of a schema with its default, each of its lines indented.
fn comment(schema: &Value, indent: &str) -> String {
    let text = schema.get("description").and_then(Value::as_str);
    let mut text = without_links(text.unwrap_or_default()).trim().to_owned();
    let default = schema.get("default").and_then(shown_default);
    let default = if schema.get(BY_RECIPE) == Some(&Value::Bool(true)) {
        Some("by recipe".to_owned())
    } else {
        default.map(|default| format!("`{default}`"))
    };
    if let Some(default) = default {
        let space = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{space}Default: {default}.");
    }
    let lines: Vec<&str> = text.lines().collect();
    match lines[..] {
        [] => String::new(),
        [line] => format!("{indent}/** {line} */\n"),
        _ => {
            let mut out = format!("{indent}/**\n");
            for line in lines {
                let _ = writeln!(out, "{}", format!("{indent} * {line}").trim_end());
            }
            out + &format!("{indent} */\n")
        }
    }
}

/// A default that a comment can name; what is empty or absent by default needs no word.
fn shown_default(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Object(_) => None,
        Value::Array(items) if items.is_empty() => None,
        // `0.0` is 0 in JavaScript
        Value::Number(number) => number.as_f64().map(|number| number.to_string()),
        other => Some(other.to_string()),
    }
}

/// rustdoc's links lead nowhere here: [`Name`] becomes `Name`, and a path its last part.
pub fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((link, after)) = after.split_once("`]") else {
            break;
        };
        let name = link.rsplit("::").next().unwrap_or(link);
        let _ = write!(out, "{before}`{name}`");
        rest = after;
    }
    out + rest
}

fn is_plain_object(map: &Map<String, Value>) -> bool {
    map.get("type").is_some_and(|word| word == "object")
        && map.contains_key("properties")
        && !map.contains_key("$ref")
        && !map.contains_key("oneOf")
        && !map.contains_key("anyOf")
}

/// A type where one is expected; may begin with a line break where it is a union over several lines.
pub fn type_of(schema: &Value, indent: &str) -> String {
    let Value::Object(map) = schema else {
        return "unknown".into();
    };
    let mut parts = Vec::new();
    if let Some(name) = referenced(schema) {
        parts.push(name.to_owned());
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(Value::Array(choices)) = map.get(key) {
            parts.push(union(choices, indent));
        }
    }
    if let Some(Value::Array(all)) = map.get("allOf") {
        parts.extend(all.iter().map(|part| type_of(part, indent)));
    }
    if let Some(value) = map.get("const") {
        parts.push(value.to_string());
    } else if let Some(Value::Array(values)) = map.get("enum") {
        let words: Vec<String> = values.iter().map(Value::to_string).collect();
        parts.push(words.join(" | "));
    } else {
        match map.get("type") {
            Some(Value::String(word)) => parts.extend(simple(word, map, indent)),
            Some(Value::Array(words)) => {
                let words = words.iter().filter_map(Value::as_str);
                let words = words.flat_map(|word| simple(word, map, indent));
                parts.push(words.collect::<Vec<_>>().join(" | "));
            }
            _ => {}
        }
    }
    match parts.len() {
        0 => "unknown".into(),
        1 => parts.remove(0),
        _ => parts
            .into_iter()
            .map(|part| {
                if part.contains(" | ") {
                    format!("({})", part.trim_start())
                } else {
                    part
                }
            })
            .collect::<Vec<_>>()
            .join(" & "),
    }
}

fn simple(word: &str, map: &Map<String, Value>, indent: &str) -> Option<String> {
    Some(match word {
        "integer" => "number".into(),
        "array" => array(map, indent),
        "object" if map.contains_key("properties") => object(map, indent),
        // the fields of what is referred to are all it has
        "object" if map.contains_key("$ref") => return None,
        "object" => match map.get("additionalProperties") {
            Some(values @ Value::Object(_)) => {
                format!("Record<string, {}>", type_of(values, indent))
            }
            Some(Value::Bool(false)) => "Record<string, never>".into(),
            _ => "Record<string, unknown>".into(),
        },
        other => other.into(),
    })
}

fn array(map: &Map<String, Value>, indent: &str) -> String {
    if let Some(Value::Array(items)) = map.get("prefixItems") {
        let items: Vec<String> = items.iter().map(|item| type_of(item, indent)).collect();
        return format!("[{}]", items.join(", "));
    }
    let item = map
        .get("items")
        .map_or("unknown".into(), |item| type_of(item, indent));
    let [fewest, most] = ["minItems", "maxItems"].map(|key| map.get(key).and_then(Value::as_u64));
    match (fewest, most) {
        (Some(fewest), Some(most)) if fewest == most && most <= 4 => {
            format!("[{}]", vec![item; most as usize].join(", "))
        }
        _ if item.contains(['|', '&', '\n']) => format!("({item})[]"),
        _ => format!("{item}[]"),
    }
}

fn object(map: &Map<String, Value>, indent: &str) -> String {
    let inner = format!("{indent}  ");
    let required: Vec<&str> = match map.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let Some(Value::Object(properties)) = map.get("properties") else {
        return "Record<string, unknown>".into();
    };
    let mut out = String::from("{\n");
    for (name, schema) in properties {
        out += &comment(schema, &inner);
        let text = type_of(schema, &inner);
        let text = text.trim_start();
        // to JavaScript an option that is left out, undefined or null is the same; only the first two are offered
        let _ = if required.contains(&name.as_str()) {
            writeln!(out, "{inner}{name}: {text};")
        } else {
            let text = text.strip_suffix(" | null").unwrap_or(text);
            writeln!(out, "{inner}{name}?: {text} | undefined;")
        };
    }
    out + indent + "}"
}

/// Choices; over several lines where one of them is commented or long.
fn union(choices: &[Value], indent: &str) -> String {
    let inner = format!("{indent}  ");
    let commented = choices
        .iter()
        .any(|choice| choice.get("description").is_some());
    let texts: Vec<String> = choices
        .iter()
        .map(|choice| type_of(choice, if commented { &inner } else { indent }))
        .collect();
    if !commented && !texts.iter().any(|text| text.contains('\n')) {
        return texts.join(" | ");
    }
    let mut out = String::new();
    for choice in choices {
        let texts = match choice.get("enum") {
            Some(Value::Array(words)) => words.iter().map(Value::to_string).collect(),
            _ => vec![type_of(choice, &format!("{inner}  "))],
        };
        let _ = write!(out, "\n{}{inner}| ", comment(choice, &inner));
        out += &texts.join(&format!("\n{inner}| "));
    }
    out
}
