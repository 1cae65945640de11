//! Values of a template as Python's `str` and `repr` write them.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// Bytes of a list or a mapping, before they are counted as fuel.
const MOST_WRITTEN: usize = 4 << 20;

/// Depth of lists and mappings.
const DEEPEST: usize = 64;

/// Python's `str`.
pub(super) fn to_str(value: &Value) -> Result<String, Error> {
    let mut text = String::new();
    match value.as_str() {
        Some(own) => text.push_str(own),
        None => write_repr(&mut text, value, 0)?,
    }
    Ok(text)
}

/// Python's `repr`.
fn write_repr(out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    let object = value.as_object();
    let is_plain = object.is_none_or(|object| !object.type_name().contains("Namespace"));
    if out.len() > MOST_WRITTEN || depth > DEEPEST || !is_plain {
        let reason = "a value is too large to be written";
        return Err(Error::new(ErrorKind::InvalidOperation, reason));
    }
    match value.kind() {
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool if value.is_true() => out.push_str("True"),
        ValueKind::Bool => out.push_str("False"),
        ValueKind::String => quote(out, value.as_str().unwrap_or_default()),
        kind @ (ValueKind::Seq | ValueKind::Map) => {
            let is_map = kind == ValueKind::Map;
            out.push(if is_map { '{' } else { '[' });
            for (index, item) in value.try_iter()?.enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(out, &item, depth + 1)?;
                if is_map {
                    out.push_str(": ");
                    write_repr(out, &value.get_item(&item)?, depth + 1)?;
                }
            }
            out.push(if is_map { '}' } else { ']' });
        }
        _ => out.push_str(&value.to_string()),
    }
    Ok(())
}

/// A string as Python's code has it: in single quotes, unless only they are in it.
fn quote(out: &mut String, text: &str) {
    let mark = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(mark);
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            char if char == mark => out.extend(['\\', mark]),
            char if char.is_control() => out.push_str(&format!("\\x{:02x}", char as u32)),
            char => out.push(char),
        }
    }
    out.push(mark);
}
